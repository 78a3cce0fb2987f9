"""What one who may see everything is told: computed from the facts, not from what the products sent."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from graphql import (
    DirectiveNode,
    FieldNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
    value_from_ast_untyped,
)

from resolvers.ids import encode
from tests.leaks import canaries, facts

Thing = tuple[str, str]
"""A record: what it is of, and its id."""
MODULES = {
    "estimates": "ESTIMATES",
    "invoices": "INVOICES",
    "salesOrders": "SALES_ORDERS",
    "purchaseOrders": "PURCHASE_ORDERS",
    "subscriptions": "SUBSCRIPTIONS",
}
"""In the order in which they follow each other on one day."""
TYPES = {"estimates": "Estimate", "invoices": "Invoice", "salesOrders": "SalesOrder"} | {
    "purchaseOrders": "PurchaseOrder",
    "subscriptions": "Subscription",
}
ONE = {name[0].lower() + name[1:]: module for module, name in TYPES.items()} | {
    "account": "account",
    "contact": "contact",
}
STATUS = {"estimates": "SENT", "invoices": "SENT", "subscriptions": "LIVE"}
OFFERED = {
    "estimates": "UPDATE MARK_SENT ACCEPT DECLINE SUBMIT APPROVE EMAIL CONVERT_TO_SALES_ORDER CONVERT_TO_INVOICE",
    "invoices": "UPDATE MARK_SENT VOID SUBMIT APPROVE EMAIL",
    "salesOrders": "UPDATE OPEN VOID SUBMIT APPROVE EMAIL CONVERT_TO_INVOICE",
    "purchaseOrders": "UPDATE OPEN CANCEL SUBMIT APPROVE REJECT EMAIL",
    "subscriptions": "UPDATE CANCEL REACTIVATE POSTPONE",
}
"""What can be done with a record of a kind; none of it by those who may only view."""
AMOUNTS = {name: name for name in ("total", "balance", "subTotal", "taxTotal", "discount", "adjustment")} | {
    "paymentMade": "paymentMade",
    "outstanding": "outstanding",
    "amount": "total",
    "mrr": "total",
}
NAMED = {"plan": "plan", "createdBy": "createdBy"}
LISTED = {
    "lineItems": {"name": "lineItems", "description": "lineItems", "rate": "lineItems", "total": "lineItems"},
    "customFields": {"value": "customFields"},
    "activities": {"description": "activities"},
}
"""Lists of one, and whose values stand in their fields."""


@cache
def _known(organization: str) -> Mapping[str, Thing]:
    records = [(module, record) for module, of in facts.RECORDS.items() for record in of]
    records += [("account", one) for one in facts.ACCOUNTS] + [("contact", one) for one in facts.CONTACTS]
    return {encode(organization, *one): one for one in records}


class Mark(NamedTuple):
    """A stored value: whichever access it was told to, it is the same."""

    company: str
    module: str
    record: str
    field: str


def marked(told: Any, company: str) -> Any:
    """An answer with marks in the place of canaries."""
    match told:
        case dict():
            return {name: marked(one, company) for name, one in told.items()}
        case list():
            return [marked(one, company) for one in told]
        case str():
            return next((_same(one) for one in canaries.found(told)), told)
    return told


def _same(canary: canaries.Canary) -> Mark:
    if canary.field in ("customer", "vendor"):  # a record's row carries the name of its party
        party = facts.RECORDS[canary.module][canary.record].party
        return Mark(canary.company, "customers", party, "name")
    module = "customers" if canary.module == "billed" else canary.module
    return Mark(canary.company, module, canary.record, canary.field)


class Some:
    """Equal to every text; to null only where that is allowed."""

    def __init__(self, *, null: bool = False) -> None:
        self._null = null

    __hash__ = None  # type: ignore[assignment]  # it is no key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) or (self._null and other is None)

    def __repr__(self) -> str:
        return "<a text>"


class Count(int):
    """A number that may be unknown: the products do not always tell it."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return other is None or super().__eq__(other)


@dataclass(frozen=True)
class Model:
    """The answers to one who sees everything of a company; `organization` is what the gateway knows it by."""

    company: str
    organization: str
    variables: Mapping[str, Any]

    @property
    def known(self) -> Mapping[str, Thing]:
        """The records of the company by their global ids."""
        return _known(self.organization)

    def data(self, query: str) -> dict[str, Any]:
        """What stands under `data`."""
        return self._selected({}, _selections(query))

    @property
    def finds_all(self) -> bool:
        """Whether all ids of the variables are the company's."""
        given = self.variables
        return all(one in self.known for one in [*given.get("ids", ()), *([given["id"]] if "id" in given else [])])

    def _selected(self, of: Any, selections: SelectionSetNode) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for one in selections.selections:
            if isinstance(one, InlineFragmentNode):
                assert one.type_condition
                if one.type_condition.name.value == TYPES.get(of[0]):
                    told = _merged(told, self._selected(of, one.selection_set))
            elif isinstance(one, FieldNode) and self._included(one):
                told = _merged(told, {(one.alias or one.name).value: self._field(of, one)})
        return told

    def _included(self, node: FieldNode) -> bool:
        return all(self._arguments(one)["if"] for one in node.directives or ())

    def _arguments(self, node: FieldNode | DirectiveNode) -> Mapping[str, Any]:
        given = node.arguments or ()
        return {one.name.value: value_from_ast_untyped(one.value, dict(self.variables)) for one in given}

    def _field(self, of: Any, node: FieldNode) -> Any:
        name, arguments = node.name.value, self._arguments(node)
        found = of[name] if of and isinstance(of, dict) else self._found(of, name, arguments)
        return self._completed(found, node.selection_set)

    def _completed(self, found: Any, selections: SelectionSetNode | None) -> Any:
        if isinstance(found, list):
            return [self._completed(one, selections) for one in found]
        return self._selected(found, selections) if selections and found is not None else found

    def _found(self, of: Any, name: str, arguments: Mapping[str, Any]) -> Any:
        if not of:
            return self._root(name, arguments)
        told: Callable[..., Any] = _OF.get(of[0], Model._of_document)
        return told(self, *of, name, arguments)

    def _root(self, name: str, arguments: Mapping[str, Any]) -> Any:
        if name in ONE:
            return self.known.get(arguments["id"])
        if name == "nodes":
            return [self.known.get(one) for one in arguments["ids"]]
        if name in ("accounts", "contacts"):
            every = facts.ACCOUNTS if name == "accounts" else facts.CONTACTS
            return self._page([(name[:-1], one) for one in sorted(every, reverse=True)], arguments)
        return self._documents(name, arguments, facts.PARTIES)

    def _documents(self, name: str, arguments: Mapping[str, Any], parties: Iterable[str]) -> Any:
        """A list of one kind, or the list of all."""
        wanted = [module for module, told in MODULES.items() if told in arguments.get("modules", MODULES.values())]
        of = set(parties)
        found = [
            (one.place, module, one.id)
            for module in (wanted if name == "documents" else [name])
            for one in facts.RECORDS[module].values()
            if one.party in of
        ]
        found.sort(key=lambda one: (-one[0], list(MODULES).index(one[1])))
        return self._page([(module, record) for _, module, record in found], arguments)

    def _page(self, every: list[Thing], arguments: Mapping[str, Any]) -> Any:
        things = every[: arguments["first"]]
        return {
            "nodes": things,
            "edges": [{"cursor": Some(), "node": one} for one in things],
            "pageInfo": {"endCursor": Some(null=not things)},
            "totalCount": Count(len(every)),
            "asOf": Some(),
        }

    def _mark(self, module: str, record: str, field: str) -> Mark:
        return Mark(self.company, module, record, field)

    def _of_document(self, module: str, record: str, name: str, _arguments: Any) -> Any:
        mark = self._marks(module, record)
        if name in AMOUNTS:
            return {"amount": mark(AMOUNTS[name])}
        if name in NAMED:
            return {"name": mark(NAMED[name])}
        if name in LISTED:
            return [{key: mark(field) for key, field in LISTED[name].items()}]
        made = _DERIVED.get(name)
        return made(self, module, facts.RECORDS[module][record]) if made else mark(name)

    def _marks(self, module: str, record: str) -> Callable[[str], Mark]:
        return lambda field: self._mark(module, record, field)

    def _of_party(self, _kind: str, party: str, name: str, _arguments: Any) -> Any:
        if name == "account":
            return "account", facts.account_of(party)
        mark = self._mark("customers", party, name)
        return {"amount": mark} if name in AMOUNTS else mark

    def _of_crm(self, kind: str, record: str, name: str, arguments: Mapping[str, Any]) -> Any:
        if name == "id":
            return encode(self.organization, kind, record)
        linked = facts.account_of if kind == "account" else facts.contact_of
        parties = [party for party in reversed(facts.PARTIES) if linked(party) == record]
        if name == "customers":
            return [("party", party) for party in parties]
        if name == "account":
            return "account", facts.ACCOUNTS[facts.CONTACTS.index(record)]
        if name == "documents" or name in MODULES:
            return self._documents(name, arguments, parties)
        return self._mark(f"{kind}s", record, name)

    def global_id(self, module: str, one: facts.Record) -> str:
        """The id that clients know a record by."""
        return encode(self.organization, module, one.id)


_OF: Mapping[str, Callable[..., Any]] = {
    "party": Model._of_party,  # noqa: SLF001  # its own methods
    "account": Model._of_crm,  # noqa: SLF001
    "contact": Model._of_crm,  # noqa: SLF001
}


@cache
def _selections(query: str) -> SelectionSetNode:
    (operation,) = parse(query).definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation.selection_set


def _origin(of: str) -> Callable[[Model, str, facts.Record], Thing | None]:
    return lambda _model, _module, one: (of, one.origin) if one.origin and one.origin in facts.RECORDS[of] else None


def _made(into: str) -> Callable[[Model, str, facts.Record], list[Thing]]:
    return lambda _model, _module, one: [(into, r.id) for r in facts.RECORDS[into].values() if r.origin == one.id]


_DERIVED: Mapping[str, Callable[[Model, str, facts.Record], Any]] = {
    "id": Model.global_id,
    "module": lambda _model, module, _one: MODULES[module],
    "date": lambda _model, _module, one: facts.day(one.place),
    "status": lambda _model, module, _one: STATUS.get(module, "OPEN"),
    "availableActions": lambda _model, module, _one: [
        {"name": name, "available": False} for name in OFFERED[module].split()
    ],
    "customer": lambda _model, _module, one: ("party", one.party),
    "vendor": lambda _model, _module, one: ("party", one.party),
    "account": lambda _model, _module, one: ("account", facts.account_of(one.party)),
    "salesOrder": _origin("salesOrders"),
    "estimate": _origin("estimates"),
    "salesOrders": _made("salesOrders"),
    "invoices": lambda _model, _module, _one: [],
}
"""Fields of documents that are no stored values."""


def _merged(one: Any, other: Any) -> Any:
    """Two selections of the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {name: _merged(one[name], value) if name in one else value for name, value in other.items()}
    if isinstance(one, list):
        return [_merged(mine, theirs) for mine, theirs in zip(one, other, strict=True)]
    return other
