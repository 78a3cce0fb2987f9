"""Many who ask the same at once: one access asks the products once, and nobody is answered from another's."""

import asyncio
from collections import Counter

from services.sandbox.calls import Call
from tests.harness import Demo, Gateway
from tests.resolvers.reading import PRODUCTS

QUERY = """{
  invoices(first: 6) { nodes { number lineItems { name } notes customer { email account { name } } } }
  accounts(first: 3) { nodes { name salesOrders(first: 4) { nodes { lineItems { name } createdBy { email } } } } }
}"""
READERS = ("owner", "staff", "assigned", "approver", "readonly", "sales", "estimator", "legacy")
OF_THE_OWNER = {"owner", "sales", "estimator", "legacy"}
"""Who works under the owner's access, and the owner."""


def made(gateway: Gateway) -> list[Call]:
    return [call for call in gateway.sandbox.calls() if call.product in PRODUCTS]


def times(calls: list[Call]) -> Counter[tuple[str, str, str]]:
    return Counter((call.email, call.path, str(sorted(call.query.items()))) for call in calls)


def paths(calls: list[Call]) -> Counter[str]:
    return Counter(call.path for call in calls)


async def test_forty_equal_queries_of_one_user_at_once_are_as_one(demo: Demo) -> None:
    async with demo.gateway() as one, demo.gateway() as many:
        one.sandbox.clear_calls()
        many.sandbox.clear_calls()
        alone = await one.ask("staff", QUERY)
        answers = await asyncio.gather(*(many.ask("staff", QUERY) for _ in range(40)))
        assert "errors" not in alone
        assert all(answer == alone for answer in answers)
        assert set(times(made(many)).values()) == {1}
        assert paths(made(many)) == paths(made(one))


async def test_forty_equal_queries_of_many_users_at_once_are_one_for_each_access(gateway: Gateway) -> None:
    alone = {reader: await gateway.ask(reader, QUERY) for reader in READERS}
    gateway.sandbox.clear_calls()
    asking = READERS * 5
    answers = await asyncio.gather(*(gateway.ask(reader, QUERY) for reader in asking))
    assert all(answer == alone[reader] for reader, answer in zip(asking, answers, strict=True))
    calls = made(gateway)
    assert set(times(calls).values()) == {1}
    own = {f"{reader}@demo.example" for reader in set(READERS) - OF_THE_OWNER | {"owner"}}
    assert {call.email for call in calls if call.path.startswith("/books")} == own


async def test_a_query_that_comes_after_another_was_answered_asks_for_itself(gateway: Gateway) -> None:
    query = "{ invoices(first: 6) { nodes { number } } }"
    gateway.sandbox.clear_calls()
    for _ in range(2):
        await gateway.ask("staff", query)
    assert len(made(gateway)) == 2
