"""What queries cost: calls to the products, counted in the sandbox's own log."""

import asyncio
from collections import Counter

import pytest

from tests.harness import Gateway
from tests.resolvers.reading import called, data

RELATED = " ".join(
    f"{kind}(first: 10) {{ nodes {{ %s }} }}"
    for kind in ("estimates", "invoices", "salesOrders", "purchaseOrders", "subscriptions")
)
PAGE = "first: 50"
COSTS = {
    "the viewer": ("viewer { name permissions }", 0),
    "a page": (f"invoices({PAGE}) {{ nodes {{ number total {{ amount }} balance {{ amount }} status }} }}", 1),
    "its customers' names": (f"invoices({PAGE}) {{ nodes {{ customer {{ id name }} }} }}", 1),
    "its actions and links": (f"invoices({PAGE}) {{ nodes {{ productUrl availableActions {{ name }} }} }}", 1),
    "a page of subscriptions": (
        f"subscriptions({PAGE}) {{ nodes {{ name mrr {{ amount }} customer {{ name }} }} }}",
        1,
    ),
    "fifty sales orders with their lines": (
        f"salesOrders({PAGE}) {{ nodes {{ lineItems {{ name }} notes createdBy {{ email }} }} }}",
        2,
    ),
    "ten invoices with their lines": ("invoices(first: 10) { nodes { lineItems { name } notes terms } }", 11),
    "documents over five kinds": ("documents(first: 50) { nodes { module date total { amount } } }", 5),
    "documents of two kinds": ("documents(first: 50, modules: [ESTIMATES, INVOICES]) { nodes { date } }", 2),
    "equal fields under two names": (
        "a: invoices(first: 5) { nodes { id } } b: invoices(first: 5) { nodes { date } }",
        1,
    ),
    "accounts": ("accounts(first: 50) { nodes { name phone website } }", 1),
    "contacts with their accounts": ("contacts(first: 50) { nodes { name account { name } } }", 2),
    "views": ("customViews(module: INVOICES) { name }", 0),
    "the audit trail": ("auditTrail(first: 10) { nodes { action actor { email } } }", 0),
}


@pytest.mark.parametrize(("query", "cost"), COSTS.values(), ids=COSTS)
async def test_a_query_costs_no_more_calls_than_it_has_to(gateway: Gateway, query: str, cost: int) -> None:
    answer, calls = await called(gateway, "owner", f"{{ {query} }}")
    assert "errors" not in answer
    assert len(calls) == cost, Counter(call.path for call in calls)


async def account(gateway: Gateway) -> str:
    """An account with documents of all kinds."""
    found = await data(gateway, "owner", f"{{ accounts(first: 60) {{ nodes {{ id {RELATED % (('id',) * 5)} }} }} }}")
    nodes = found["accounts"]["nodes"]
    return str(max(nodes, key=lambda one: sum(bool(value["nodes"]) for key, value in one.items() if key != "id"))["id"])


async def test_an_account_with_five_related_lists_costs_seven_calls(gateway: Gateway) -> None:
    query = f"query($id: ID!) {{ account(id: $id) {{ name {RELATED % (('date',) * 5)} }} }}"
    _, calls = await called(gateway, "owner", query, id=await account(gateway))
    parties = {call.query["customer_id" if "customer_id" in call.query else "vendor_id"] for call in calls[2:]}
    kinds = Counter(call.path.rpartition("/")[2] for call in calls)
    assert (kinds.pop("Accounts"), kinds.pop("contacts")) == (1, 1), "the account, and the customers linked with it"
    assert all(count <= len(parties) for count in kinds.values())
    assert set(kinds) == {"estimates", "invoices", "salesorders", "purchaseorders", "subscriptions"}


async def test_a_hidden_field_costs_nothing(gateway: Gateway) -> None:
    _, calls = await called(gateway, "readonly", "{ estimates(first: 10) { nodes { number discount { amount } } } }")
    assert len(calls) == 1


async def test_a_list_that_may_not_be_seen_costs_nothing(gateway: Gateway) -> None:
    _, calls = await called(gateway, "outsider", "{ invoices { nodes { id } } documents { nodes { id } } }")
    assert calls == []


async def test_every_customer_and_account_is_read_once_however_many_documents_have_it(gateway: Gateway) -> None:
    query = "{ invoices(first: 40) { nodes { customer { id email phone outstanding { amount } account { name } } } } }"
    answer, calls = await called(gateway, "owner", query)
    customers = {node["customer"]["id"] for node in answer["data"]["invoices"]["nodes"]}
    assert len(customers) < 40
    assert len(calls) <= 1 + len(customers) + 1


async def test_equal_reads_of_several_requests_at_once_are_one_call(gateway: Gateway) -> None:
    query = "{ invoices(first: 7) { nodes { id } } }"
    gateway.sandbox.clear_calls()
    answers = await asyncio.gather(*(gateway.ask("staff", query) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert len(gateway.sandbox.calls(product="books")) < 8


async def test_equal_reads_of_two_people_are_two_calls(gateway: Gateway) -> None:
    query = "{ invoices(first: 7) { nodes { id } } }"
    gateway.sandbox.clear_calls()
    await asyncio.gather(gateway.ask("staff", query), gateway.ask("readonly", query))
    assert {call.email for call in gateway.sandbox.calls(product="books")} == {
        "staff@demo.example",
        "readonly@demo.example",
    }
