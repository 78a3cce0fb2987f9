"""What people ask, each question beside what the model says to it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.load import model
from tests.load.model import FULL, LISTED, Records, document, selection, withheld
from tests.load.people import ALL, BOOKS, ROLES, Role
from tests.resolvers.reading import KINDS, raw

PAGE, TOP = 25, 20
UNCODED = "no code"
Refusals = set[tuple[str, str, tuple[str, ...]]]
Told = tuple[Any, Refusals]
"""Data and refusals."""
Model = Callable[[Records, Role], Told]
FRESH = "@fresh(within: 30)"


_UNASSIGNED = {"salesOrders": ("NOT_FOUND", "", tuple[str, ...]())}
"""How a record of somebody else's customer is refused: sales orders are looked up in the list, which only lacks it."""


@dataclass(frozen=True)
class Question:
    """`rows`: whether lists in the answer have an order that the rules leave open."""

    name: str
    query: str
    told: Model
    variables: Mapping[str, Any] = field(default_factory=dict)
    unordered: bool = False

    @property
    def body(self) -> bytes:
        """As it is posted."""
        return json.dumps({"query": self.query, "variables": self.variables}).encode()


def plain(answer: Any) -> Any:
    """An answer with the products' ids in place of global ones."""
    if isinstance(answer, dict):
        return {key: raw(value) if key == "id" and value else plain(value) for key, value in answer.items()}
    return [plain(one) for one in answer] if isinstance(answer, list) else answer


def refusals(answer: Mapping[str, Any]) -> Refusals:
    """The errors of an answer as the model has them."""
    told = [error.get("extensions", {}) for error in answer.get("errors", ())]
    return {(one.get("code", UNCODED), one.get("coordinate", ""), tuple(one.get("missingFrom", ()))) for one in told}


def page(module: str, first: int = PAGE) -> Question:
    """The newest of a module."""
    fields = LISTED[module]

    def told(records: Records, role: Role) -> Told:
        missing = withheld(role, module, fields, f"Query.{module}")
        if module not in role.sees:
            return {module: None}, missing
        rows = records.of(module, role)
        nodes = [document(role, module, body, fields) for body in rows[:first]]
        return {module: {"nodes": nodes, "pageInfo": {"hasNextPage": len(rows) > first}}}, missing

    listed = f"{module}(first: {first}) {{ nodes {{ id {selection(fields)} }} pageInfo {{ hasNextPage }} }}"
    return Question(f"{module}, a page", f"query {FRESH} {{ {listed} }}", told)


def counted(module: str, status: str) -> Question:
    """How many there are in a status, and the largest of them."""
    fields = {name: LISTED[module][name] for name in ("number", "total")}

    def told(records: Records, role: Role) -> Told:
        if module not in role.sees:
            return {module: None}, withheld(role, module, fields, f"Query.{module}")
        rows = [body for body in records.of(module, role) if body["status"].upper() == status]
        rows.sort(key=lambda body: (-body["total"], body[KINDS[module].id_key]))
        nodes = [document(role, module, body, fields) for body in rows[:TOP]]
        return {module: {"totalCount": None if role.assigned_only else len(rows), "nodes": nodes}}, set()

    ordered = "orderBy: {field: TOTAL, direction: DESC}"
    listed = f"{module}(first: {TOP}, where: {{status: {status}}}, {ordered})"
    query = f"query {FRESH} {{ {listed} {{ totalCount nodes {{ id {selection(fields)} }} }} }}"
    return Question(f"{module}, counted", query, told)


def single(module: str, record: str, global_id: str) -> Question:
    """One record with its lines."""
    name, fields = KINDS[module].name, FULL[module]

    def told(records: Records, role: Role) -> Told:
        body = records.one(module, record)
        if not records.shows(role, module, body):
            return {name: None}, {_UNASSIGNED.get(module, ("FORBIDDEN", "", ("RECORD_SCOPE",)))}
        shown = document(role, module, body, fields) if module in role.sees else None
        return {name: shown}, withheld(role, module, fields, f"Query.{name}")

    query = f"query($id: ID!) {FRESH} {{ {name}(id: $id) {{ id {selection(fields)} }} }}"
    return Question(f"{name}, in full", query, told, {"id": global_id})


def merged(first: int = PAGE) -> Question:
    """All kinds in one list."""
    common = {name: LISTED["invoices"][name] for name in ("total", "rawStatus")}

    def told(records: Records, role: Role) -> Told:
        shown = [(module, body) for module in role.sees for body in records.of(module, role)]
        shown.sort(key=lambda one: model.latest(*one))
        nodes = [_merged(module, body) for module, body in shown[:first]]
        missing = {("FORBIDDEN", "Query.documents", one) for one in role.missing.values()}
        return {"documents": {"nodes": nodes}}, missing

    query = f"query {FRESH} {{ documents(first: {first}) {{ nodes {{ id module number {selection(common)} }} }} }}"
    return Question("all kinds merged", query, told)


def _merged(module: str, body: Mapping[str, Any]) -> dict[str, Any]:
    kind, total = KINDS[module], "amount" if module == "subscriptions" else "total"
    return {
        "id": body[kind.id_key],
        "module": kind.module,
        "number": body[kind.number_key],
        "total": model.money(total)(body),
        "rawStatus": body["status"],
    }


def account(record: str, global_id: str) -> Question:
    """An account with its five related lists."""
    fields = {name: ("", lambda body: body) for name in ("number",)}

    def told(records: Records, role: Role) -> Told:
        lists = {module: _related(records, role, module, record) for module in ALL}
        missing = {one for module in ALL for one in withheld(role, module, fields, f"Account.{module}")}
        known = records.accounts[record]
        return {"account": {"id": record, "name": known["Account_Name"], "phone": known["Phone"], **lists}}, missing

    lists = " ".join(f"{module}(first: 100) {{ nodes {{ id number }} }}" for module in ALL)
    query = f"query($id: ID!) {FRESH} {{ account(id: $id) {{ id name phone {lists} }} }}"
    return Question("an account", query, told, {"id": global_id}, unordered=True)


def _related(records: Records, role: Role, module: str, record: str) -> Any:
    if module not in role.sees:
        return None
    kind = KINDS[module]
    linked = _linked(records, role, record)
    mine = [body for body in records.of(module, role) if body[f"{kind.party}_id"] in linked]
    return {"nodes": [{"id": body[kind.id_key], "number": body[kind.number_key]} for body in mine]}


def _linked(records: Records, role: Role, record: str) -> set[str]:
    """The customers and vendors of an account. Billing, asked alone, names the first of them only."""
    if "invoices" in role.sees:
        return {key for key, body in records.parties.items() if body["zcrm_account_id"] == record}
    return set(sorted(key for key, body in records.billed.items() if body["zcrm_account_id"] == record)[:1])


def customers(first: int = TOP) -> Question:
    """The customers behind the newest invoices."""

    def told(records: Records, role: Role) -> Told:
        if "invoices" not in role.sees:
            return {"invoices": None}, withheld(role, "invoices", (), "Query.invoices")
        found = [records.parties[body["customer_id"]] for body in records.of("invoices", role)[:first]]
        return {"invoices": {"nodes": [{"customer": _customer(one)} for one in found]}}, set()

    selected = "id name companyName email phone outstanding { amount currency }"
    query = f"query {FRESH} {{ invoices(first: {first}) {{ nodes {{ customer {{ {selected} }} }} }} }}"
    return Question("customers", query, told)


def _customer(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": body["contact_id"],
        "name": body["contact_name"],
        "companyName": body["company_name"] or None,
        "email": body["email"] or None,
        "phone": body["phone"] or None,
        "outstanding": model.money("outstanding_receivable_amount")(body),
    }


def asked(ids: Callable[[str, str], str], records: Records, singles: int, accounts: int) -> Sequence[Question]:
    """All questions; `ids` makes the global id of a record. So many single records a module, and so many accounts."""
    return list(_asked(ids, records, singles, accounts))


def _asked(ids: Callable[[str, str], str], records: Records, singles: int, accounts: int) -> Iterator[Question]:
    yield from (page(module) for module in ALL)
    yield from (counted(*one) for one in (("invoices", "PAID"), ("estimates", "SENT"), ("salesOrders", "OPEN")))
    yield merged()
    yield customers()
    for module in BOOKS:
        for body in records.of(module, ROLES["owner"])[:singles]:
            record = body[KINDS[module].id_key]
            yield single(module, record, ids(module, record))
    for record in list(records.accounts)[:accounts]:
        yield account(record, ids("account", record))
