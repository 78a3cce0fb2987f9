"""How old answers are, who is given them, and what becomes of them when a product cannot be asked."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from services.sandbox.faults import Fault
from tests.harness import Gateway, running, until
from tests.resolvers.copying import read_copy
from tests.resolvers.reading import KINDS, called, codes, data, ids_of, kept, only_error

PAGE = "invoices(first: 5) { asOf nodes { id number asOf customer { name } } }"
LINES = "invoices(first: 5) { nodes { id lineItems { name } } }"
DOWN = Fault(path="/books/v3/*", kind="refuse")


async def _run(gateway: Gateway, statement: str) -> list[Any]:
    address = gateway.environment()["GATEWAY_DATABASE_URL"]
    conninfo = make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        cursor = await connection.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []


async def _aged(gateway: Gateway, seconds: int) -> None:
    """As if the copy had not been looked after for so long."""
    await _run(gateway, f"UPDATE record_pulls SET as_of = as_of - interval '{seconds} seconds'")  # noqa: S608


@pytest.mark.parametrize("within", [-1, 86_401])
async def test_how_old_an_answer_may_be_has_bounds(gateway: Gateway, within: int) -> None:
    literal = await gateway.ask("owner", f"query @fresh(within: {within}) {{ viewer {{ name }} }}")
    given = await gateway.ask("owner", "query($w: Int!) @fresh(within: $w) { viewer { name } }", w=within)
    assert only_error(literal)["code"] == only_error(given)["code"] == "BAD_USER_INPUT"


async def test_how_old_an_answer_may_be_can_be_given_as_a_variable(own_gateway: Gateway) -> None:
    await read_copy(own_gateway, "plans", "invoices")
    query = f"query($w: Int! = 600) @fresh(within: $w) {{ {PAGE} }}"
    counts = [len((await called(own_gateway, "owner", query, **given))[1]) for given in ({}, {"w": 0}, {"w": 60})]
    assert counts == [0, 1, 0]


async def test_every_answer_says_how_old_it_is(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    await _aged(own_gateway, 100)
    query = f"query @fresh(within: 600) {{ {PAGE} documents(first: 3) {{ asOf nodes {{ asOf }} }} }}"
    answer = await data(own_gateway, "owner", query)
    for page in answer.values():
        told = {page["asOf"], *(node["asOf"] for node in page["nodes"])}
        assert all(datetime.fromisoformat(at) < datetime.now(UTC) - timedelta(seconds=99) for at in told)
    live = (await data(own_gateway, "owner", f"query @fresh(within: 0) {{ {PAGE} }}"))["invoices"]
    assert all(
        datetime.fromisoformat(node["asOf"]) > datetime.now(UTC) - timedelta(seconds=60) for node in live["nodes"]
    )


async def test_who_sees_assigned_customers_only_is_answered_by_the_product(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    everything = await data(own_gateway, "owner", f"query @fresh(within: 600) {{ {PAGE} }}")
    answer, calls = await called(own_gateway, "assigned", f"query @fresh(within: 600) {{ {PAGE} {LINES} }}")
    assert {call.email for call in calls if call.product == "books"} == {"assigned@demo.example"}
    assert answer["data"]["invoices"] != everything["invoices"]
    await called(own_gateway, "owner", f"query @fresh(within: 600) {{ {LINES} }}")
    _, again = await called(own_gateway, "assigned", f"query @fresh(within: 600) {{ {LINES} }}")
    assert len(again) == 6, "what others have had looked up is not theirs to be given"


async def test_hidden_fields_stay_hidden_in_an_answer_from_the_copy(own_gateway: Gateway) -> None:
    query = "{ estimates(first: 5) { nodes { number discount { amount } total { amount } lineItems { name } } } }"
    live, _ = await called(own_gateway, "readonly", f"query @fresh(within: 0) {query}")
    await read_copy(own_gateway)
    copied, _ = await called(own_gateway, "readonly", f"query @fresh(within: 600) {query}")
    assert (copied["data"], codes(copied)) == (live["data"], codes(live))
    assert "FORBIDDEN" in codes(live)


async def test_what_is_fetched_by_one_who_does_not_see_all_of_it_is_not_kept_for_others(own_gateway: Gateway) -> None:
    hidden = "UPDATE roles SET grants = jsonb_set(grants, '{invoices,hidden}', '[\"notes\"]') WHERE name = 'staff'"
    await _run(own_gateway, hidden)
    for person in ("assigned", "staff"):
        await data(own_gateway, person, f"{{ {LINES} }}")
        assert await _run(own_gateway, "SELECT id FROM full_records") == []
    await data(own_gateway, "owner", f"{{ {LINES} }}")
    assert len(await _run(own_gateway, "SELECT id FROM full_records")) == 5


async def test_a_copy_that_is_too_old_is_brought_up_to_date_once_for_all_who_wait(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    await _aged(own_gateway, 3600)
    own_gateway.sandbox.clear_calls()
    query = f"query @fresh(within: 60) {{ {PAGE} }}"
    people = ("owner", "staff", "readonly", "sales")
    answers = await asyncio.gather(*(own_gateway.ask(people[n % 4], query) for n in range(20)))
    lists = [call for call in own_gateway.sandbox.calls(product="books") if call.path.endswith("/invoices")]
    assert len(lists) == 1
    assert {call.email for call in lists} == {"owner@demo.example"}
    oldest = datetime.now(UTC) - timedelta(seconds=60)
    assert all(datetime.fromisoformat(answer["data"]["invoices"]["asOf"]) >= oldest for answer in answers)


async def test_a_copy_that_will_soon_be_too_old_is_brought_up_to_date_while_nobody_waits(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    await _aged(own_gateway, 500)
    own_gateway.sandbox.clear_calls()
    own_gateway.sandbox.fault(Fault("delay", seconds=2))
    query = f"query @fresh(within: 600) {{ {PAGE} }}"
    answers = [(await data(own_gateway, "owner", query))["invoices"]["asOf"] for _ in range(3)]
    old, young = (datetime.now(UTC) - timedelta(seconds=age) for age in (499, 60))
    own_gateway.sandbox.clear_faults()
    assert all(datetime.fromisoformat(at) < old for at in answers)
    await until(lambda: own_gateway.sandbox.calls(path="*/invoices"))
    async with asyncio.timeout(30):
        while datetime.fromisoformat((await data(own_gateway, "owner", query))["invoices"]["asOf"]) < young:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.02)
    assert len(own_gateway.sandbox.calls(path="*/invoices")) == 1


async def test_a_product_that_is_down_is_answered_for_as_long_as_the_client_allows(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    await _aged(own_gateway, 600)
    own_gateway.sandbox.fault(DOWN)
    answer, calls = await called(own_gateway, "owner", f"query @fresh(within: 3600) {{ {PAGE} }}")
    assert ("errors" in answer, calls) == (False, [])
    refused = await own_gateway.ask("owner", f"query @fresh(within: 5) {{ {PAGE} }}")
    error = only_error(refused)
    assert error["code"] == "UPSTREAM_UNAVAILABLE"
    assert "@fresh(within: …)" in error["hint"]
    live = only_error(await own_gateway.ask("owner", f"query @fresh(within: 0) {{ {PAGE} }}"))
    assert "@fresh(within: …)" in live["hint"]
    scoped = only_error(await own_gateway.ask("assigned", f"query @fresh(within: 0) {{ {PAGE} }}"))
    assert "@fresh" not in scoped.get("hint", "")


async def test_our_own_write_shows_in_the_next_answer(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    body = next(one for one in kept(own_gateway.sandbox, "estimates") if one["status"] == "draft")
    [record] = await ids_of(own_gateway, KINDS["estimates"], [body["estimate_number"]])
    query = "query($id: ID!) @fresh(within: 600) { estimate(id: $id) { referenceNumber lineItems { name } } }"
    await data(own_gateway, "staff", query, id=record)
    update = """mutation($id: ID!, $key: ID!) { estimateUpdate(id: $id, input: {referenceNumber: "seen at once"},
        idempotencyKey: $key) { outcome userErrors { message } } }"""
    done = await data(own_gateway, "staff", update, id=record, key="k" * 20)
    assert done["estimateUpdate"]["outcome"] == "APPLIED", done
    answer = await data(own_gateway, "owner", query, id=record)
    assert answer["estimate"]["referenceNumber"] == "seen at once"


async def test_a_write_through_one_gateway_is_seen_by_another_at_once(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    body = next(one for one in kept(own_gateway.sandbox, "estimates") if one["status"] == "draft")
    number = body["estimate_number"]
    narrowed = f'estimates(where: {{ number: {{ equals: "{number}" }} }})'
    query = f"query @fresh(within: 600) {{ {narrowed} {{ nodes {{ id referenceNumber }} }} }}"
    async with running(own_gateway.settings, own_gateway.sandbox) as other:
        for _ in range(2):
            [before] = (await data(other, "owner", query))["estimates"]["nodes"]
        update = """mutation($id: ID!, $key: ID!) { estimateUpdate(id: $id, input: {referenceNumber: "elsewhere"},
            idempotencyKey: $key) { outcome } }"""
        await data(own_gateway, "staff", update, id=before["id"], key="k" * 20)
        async with asyncio.timeout(1):
            while (await data(other, "owner", query))["estimates"]["nodes"][0]["referenceNumber"] != "elsewhere":  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # the notice takes its time


async def test_a_full_record_that_has_changed_is_fetched_again(own_gateway: Gateway) -> None:
    query = f"query @fresh(within: 0) {{ {LINES} }}"
    found = (await data(own_gateway, "owner", query))["invoices"]["nodes"]
    _, calls = await called(own_gateway, "owner", query)
    assert len(calls) == 1
    update = """mutation($id: ID!, $key: ID!) { invoiceUpdate(id: $id, input: {notes: "other"}, idempotencyKey: $key)
        { outcome userErrors { message } } }"""
    done = await data(own_gateway, "staff", update, id=found[0]["id"], key="k" * 20)
    assert done["invoiceUpdate"]["outcome"] == "APPLIED", done
    _, calls = await called(own_gateway, "owner", query)
    assert len(calls) == 2


async def test_administrators_say_how_old_answers_may_be(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    change = """mutation($s: Int!) { integrationFreshnessSet(seconds: $s) {
        outcome userErrors { field code } integration { freshnessSeconds } } }"""
    assert len((await called(own_gateway, "owner", f"{{ {PAGE} }}"))[1]) == 0
    done = await data(own_gateway, "owner", change, s=0)
    assert done["integrationFreshnessSet"]["integration"] == {"freshnessSeconds": 0}
    assert len((await called(own_gateway, "owner", f"{{ {PAGE} }}"))[1]) == 1
    refused = await data(own_gateway, "owner", change, s=100_000)
    assert refused["integrationFreshnessSet"]["userErrors"] == [{"field": ["seconds"], "code": "BAD_USER_INPUT"}]
    trail = await data(own_gateway, "owner", "{ auditTrail(first: 2) { nodes { action outcome } } }")
    assert trail["auditTrail"]["nodes"] == [
        {"action": "integration.freshnessSet", "outcome": outcome} for outcome in ("REJECTED", "APPLIED")
    ]
    assert "FORBIDDEN" in codes(await own_gateway.ask("staff", change, s=5))


async def test_what_was_not_asked_for_is_counted_as_saved(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    query = f"query @fresh(within: 600) {{ {PAGE} documents(first: 3) {{ nodes {{ id }} }} }}"
    body = {"query": query, "extensions": {"cost": True}}
    answer = (await own_gateway.post("owner", body)).json()
    assert answer["extensions"]["cost"]["calls"]["saved"] == 6


async def test_a_row_that_may_have_turned_overdue_since_it_was_read_is_told_by_the_product(
    own_gateway: Gateway,
) -> None:
    await read_copy(own_gateway, "plans", "invoices")
    aged = "read_at = now() - interval '3 days', due_on = current_date - 2"
    await _run(own_gateway, f"UPDATE records SET {aged} WHERE module = 'invoices' AND status = 'sent'")  # noqa: S608
    queries = {"": 1, "where: { status: OVERDUE }": 1, "where: { status: PAID }": 0, "where: { status: DRAFT }": 0}
    for narrowed, cost in queries.items():
        listed = f"invoices(first: 100 {narrowed}) {{ nodes {{ id rawStatus }} }}"
        answer, calls = await called(own_gateway, "owner", f"query @fresh(within: 600) {{ {listed} }}")
        assert (len(calls), "errors" in answer) == (cost, False), narrowed
