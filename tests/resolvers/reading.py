"""Reading through the front door, and what the sandbox itself has kept, without our adapters."""

from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlmodel import select

from services.sandbox import Sandbox
from services.sandbox.calls import Call
from services.sandbox.store import Assignment, Organization, Record
from tests.harness import Gateway

BILLED = ("subscriptions", "customers", "activities", "plans")
PRODUCTS = ("books", "billing", "crm")
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of document as clients and as the products name it."""

    name: str
    plural: str
    path: str
    party: str = "customer"
    product: str = "books"

    @property
    def id_key(self) -> str:
        return f"{self.path.removesuffix('s')}_id"

    @property
    def number_key(self) -> str:
        return f"{self.path.removesuffix('s')}_number"

    @property
    def module(self) -> str:
        return "".join(f"_{c}" if c.isupper() else c.upper() for c in self.plural)

    @property
    def type(self) -> str:
        return self.name[0].upper() + self.name[1:]


KINDS = {
    kind.plural: kind
    for kind in (
        Kind("estimate", "estimates", "estimates"),
        Kind("invoice", "invoices", "invoices"),
        Kind("salesOrder", "salesOrders", "salesorders"),
        Kind("purchaseOrder", "purchaseOrders", "purchaseorders", party="vendor"),
        Kind("subscription", "subscriptions", "subscriptions", product="billing"),
    )
}


def kept(sandbox: Sandbox, kind: str, company: str = "demo") -> list[Body]:
    """Every full record of a kind, in the product's own field names."""
    with sandbox.store.session() as session:
        organization = session.exec(select(Organization).where(Organization.key == company)).one()
        product = "crm" if kind.startswith("crm_") else "billing" if kind in BILLED else "books"
        mine = select(Record).where(Record.organization_id == organization.id_in(product), Record.kind == kind)
        return [record.body for record in session.exec(mine)]


def assigned(sandbox: Sandbox, person: str = "assigned@demo.example") -> set[str]:
    """The ids of the customers and vendors assigned to a person."""
    user = sandbox.person(person).books_user_id
    with sandbox.store.session() as session:
        return set(session.exec(select(Assignment.customer_id).where(Assignment.user_id == user)))


def raw(global_id: str) -> str:
    """The product's id in a global id."""
    return urlsafe_b64decode(global_id + "=" * (-len(global_id) % 4)).decode().rpartition(":")[2]


async def called(gateway: Gateway, person: str, query: str, **variables: Any) -> tuple[dict[str, Any], list[Call]]:
    """The answer, and the calls to products that it took."""
    gateway.sandbox.clear_calls()
    answer = await gateway.ask(person, query, **variables)
    return answer, [call for call in gateway.sandbox.calls() if call.product in PRODUCTS]


async def data(gateway: Gateway, person: str, query: str, **variables: Any) -> dict[str, Any]:
    """The data of an answer without errors."""
    answer = await gateway.ask(person, query, **variables)
    assert "errors" not in answer, answer["errors"]
    found: dict[str, Any] = answer["data"]
    return found


def only_error(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The one error of an answer: its extensions, with message and path."""
    assert len(answer["errors"]) == 1, answer["errors"]
    error = answer["errors"][0]
    return {**error["extensions"], "message": error["message"], "path": error.get("path")}


def codes(answer: Mapping[str, Any]) -> list[str]:
    """The codes of all errors."""
    return [error["extensions"]["code"] for error in answer.get("errors", ())]


async def ids_of(gateway: Gateway, kind: Kind, numbers: Iterable[str], person: str = "owner") -> Sequence[str]:
    """Global ids of records by their numbers."""
    query = f"query($n: String) {{ {kind.plural}(where: {{number: {{equals: $n}}}}) {{ nodes {{ id }} }} }}"
    found = [await data(gateway, person, query, n=number) for number in numbers]
    return [answer[kind.plural]["nodes"][0]["id"] for answer in found]


async def all_pages(
    gateway: Gateway, person: str, field: str, selection: str, first: int = 100
) -> list[dict[str, Any]]:
    """The nodes of every page of a root list; `field` may carry arguments: `invoices(where: {…})`."""
    name, _, arguments = field.partition("(")
    asked = f"first: {first}, after: $after, {arguments}" if arguments else f"first: {first}, after: $after)"
    query = (
        f"query($after: String) {{ {name}({asked} {{ nodes {{ {selection} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    )
    nodes: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await data(gateway, person, query, after=after))[name]
        nodes += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return nodes


def amount(value: Any) -> Decimal:
    """Money of the sandbox's JSON, or of an answer, as a number."""
    return Decimal(str(value["amount"] if isinstance(value, dict) else value))
