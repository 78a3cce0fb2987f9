"""What queries cost: calls to the products, counted in the sandbox's own log."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from services.sandbox.calls import Call
from tests.harness import Gateway
from tests.resolvers.copying import read_copy
from tests.resolvers.reading import Body, called, data, kept, raw

RELATED = " ".join(
    f"{kind}(first: 10) {{ nodes {{ date }} }}"
    for kind in ("estimates", "invoices", "salesOrders", "purchaseOrders", "subscriptions")
)
PAGE = "first: 50"
ACCOUNT = f'account(id: "%s") {{ name {RELATED} }}'
COSTS = {
    "the viewer": ("viewer { name permissions }", 0),
    "a page": (f"invoices({PAGE}) {{ nodes {{ number total {{ amount }} balance {{ amount }} status }} }}", 1),
    "its actions and links": (f"invoices({PAGE}) {{ nodes {{ productUrl availableActions {{ name }} }} }}", 1),
    "a page of subscriptions": (
        f"subscriptions({PAGE}) {{ nodes {{ name mrr {{ amount }} customer {{ name }} }} }}",
        1,
    ),
    "documents of two kinds": ("documents(first: 50, modules: [ESTIMATES, INVOICES]) { nodes { date } }", 2),
    "equal fields under two names": (
        "a: invoices(first: 5) { nodes { id } } b: invoices(first: 5) { nodes { date } }",
        1,
    ),
    "accounts": ("accounts(first: 50) { nodes { name phone website } }", 1),
    "views": ("customViews(module: INVOICES) { name }", 0),
    "the audit trail": ("auditTrail(first: 10) { nodes { action actor { email } } }", 0),
}


@pytest.mark.parametrize(("query", "cost"), COSTS.values(), ids=COSTS)
async def test_a_query_costs_no_more_calls_than_it_has_to(gateway: Gateway, query: str, cost: int) -> None:
    answer, calls = await called(gateway, "owner", f"{{ {query} }}")
    assert "errors" not in answer
    assert len(calls) == cost, Counter(call.path for call in calls)


TABLE = {
    "50 invoices with their customers' names": (f"invoices({PAGE}) {{ nodes {{ customer {{ id name }} }} }}", 1, 1),
    "50 invoices with their customers' addresses": (
        f"invoices({PAGE}) {{ nodes {{ customer {{ email phone }} }} }}",
        2,
        1,
    ),
    "50 invoices with their lines": (f"invoices({PAGE}) {{ nodes {{ lineItems {{ name }} }} }}", 51, 1),
    "50 sales orders with their lines": (
        f"salesOrders({PAGE}) {{ nodes {{ lineItems {{ name }} notes createdBy {{ email }} }} }}",
        2,
        1,
    ),
    "an account with five related lists": (ACCOUNT, 7, 5),
    "documents of five kinds": (f"documents({PAGE}) {{ nodes {{ module date total {{ amount }} }} }}", 5, 5),
}
"""What is asked, and the calls that it costs live, first and again; 0 within the freshness that the client allows."""


@pytest.mark.parametrize(("query", "first", "again"), TABLE.values(), ids=TABLE)
async def test_what_is_known_is_not_asked_again(own_gateway: Gateway, query: str, first: int, again: int) -> None:
    asked = query.replace("%s", await _account(own_gateway))
    live, known = f"query @fresh(within: 0) {{ {asked} }}", f"query @fresh(within: 600) {{ {asked} }}"
    told, calls = await _asked(own_gateway, live)
    assert len(calls) == first, _paths(calls)
    told_again, calls = await _asked(own_gateway, live)
    assert len(calls) == again, _paths(calls)
    await read_copy(own_gateway)
    await _asked(own_gateway, known)  # contacts have been read: whom accounts are linked with is asked once more
    copied, calls = await _asked(own_gateway, known)
    assert len(calls) == 0, _paths(calls)
    assert told == told_again == copied


async def test_without_a_word_the_setting_of_the_organization_holds(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    _, calls = await called(own_gateway, "owner", f"{{ invoices({PAGE}) {{ nodes {{ lineItems {{ name }} }} }} }}")
    assert len(calls) == 50, "the lines; the list is known"
    answer, calls = await called(own_gateway, "owner", f"{{ documents({PAGE}) {{ totalCount nodes {{ date }} }} }}")
    assert calls == []
    assert answer["data"]["documents"]["totalCount"] > 50


async def _asked(gateway: Gateway, query: str) -> tuple[Body, Sequence[Call]]:
    answer, calls = await called(gateway, "owner", query)
    assert "errors" not in answer, answer["errors"]
    return answer["data"], calls


def _paths(calls: Sequence[Call]) -> Counter[str]:
    return Counter(call.path for call in calls)


async def _account(gateway: Gateway) -> str:
    """An account that is linked with one customer and one vendor."""
    linked: dict[str, Counter[str]] = {}
    for contact in kept(gateway.sandbox, "contacts"):
        linked.setdefault(contact["zcrm_account_id"], Counter())[contact["contact_type"]] += 1
    found = await data(gateway, "owner", "{ accounts(first: 100) { nodes { id } } }")
    ids = [node["id"] for node in found["accounts"]["nodes"]]
    return str(next(one for one in ids if linked.get(raw(one)) == Counter(customer=1, vendor=1)))


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
