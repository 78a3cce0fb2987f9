"""Linked records of operations that are completed again: what is asked for them."""

from dataclasses import dataclass, field
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry

from gateway.plans import Plans
from resolvers.loaders import Batch
from resolvers.relations import Link, Via
from schema.permissions import field as guarded_field
from schema.permissions import guarded
from services.errors import UpstreamUnavailable
from services.policy import Decision

QUERY = "{ invoices { customer { id account { name } } } }"


def _accounts(_record: Any, context: Any) -> Any:
    return context.accounts


@guarded("public", description="An account.")
class Account:
    name: str = guarded_field("public")


@guarded("public", description="A customer.")
class Customer:
    id: str = guarded_field("public")
    account: Account | None = guarded_field("public", Via(Link(_accounts, attrgetter("account_id"))))


@guarded("public", description="An invoice.")
class Invoice:
    customer: Customer | None = guarded_field("public")


@strawberry.type
class Query:
    @strawberry.field
    async def invoices(self) -> list[Invoice]:
        customer: Any = SimpleNamespace(id="c", account_id="a")
        return [SimpleNamespace(customer=customer) for _ in range(3)]  # type: ignore[misc]


@dataclass
class Visitor:
    """Holds every permission; the product does not answer."""

    touched: set[Any] = field(default_factory=set)
    asked: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accounts = Batch(self._down)

    async def _down(self, keys: list[str]) -> dict[str, Any]:
        self.asked.append(keys)
        raise UpstreamUnavailable

    @property
    def viewer(self) -> "Visitor":
        return self

    def decide(self, permission: str) -> Decision:
        return Decision(permission, True)


@pytest.mark.parametrize("compiled", [True, False])
async def test_a_link_that_fails_of_a_record_in_several_places_is_gone_once(compiled: bool) -> None:
    me, schema = Visitor(), strawberry.Schema(Query)
    answer = await (Plans(schema).execute(QUERY, context=me) if compiled else schema.execute(QUERY, context_value=me))
    assert answer.data == {"invoices": [{"customer": {"id": "c", "account": None}}] * 3}
    paths = [error.path for error in answer.errors or ()]
    assert paths == [["invoices", row, "customer", "account"] for row in range(3)]
    assert me.asked == [["a"]]
