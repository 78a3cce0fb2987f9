"""Documents made from others, subscriptions that end and go on, and acts whose answer was lost."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from gateway.wiring.settling import settle_uncertain
from tests.resolvers.office import (
    CASES,
    ESTIMATE,
    INVOICE,
    LINE,
    PURCHASE_ORDER,
    SALES_ORDER,
    SUBSCRIPTION,
    Case,
    Office,
    custom,
    fresh,
    instead,
    record_id,
)
from tests.resolvers.test_life_cycle import act, actions, become, convert, done, status
from tests.resolvers.test_lost_answers import grow_old

CONVERSIONS = [(ESTIMATE, SALES_ORDER), (ESTIMATE, INVOICE), (SALES_ORDER, INVOICE)]
each_conversion = pytest.mark.parametrize(
    ("case", "target"), CONVERSIONS, ids=lambda case: case.name if isinstance(case, Case) else None
)


@pytest.fixture(autouse=True)
def _recovered(office: Office) -> Iterator[None]:
    yield
    office.recover()


async def ready(office: Office, person: str, case: Case, **more: Any) -> str:
    """A record that can be converted."""
    record = await office.made(person, case, **more)
    if case is SALES_ORDER:
        await done(office, person, case, "Open", record)
    return record


async def converted(office: Office, person: str, case: Case, target: Case, record: str, key: str | None = None) -> Any:
    answer = await convert(office, person, case, target, record, key)
    assert "errors" not in answer, answer
    return answer["data"][f"{case.name}ConvertTo{target.type}"]


@each_conversion
async def test_a_document_becomes_another_with_its_lines_and_terms(office: Office, case: Case, target: Case) -> None:
    lines = [LINE | {"discount": {"percent": "5"}}, {"name": "Survey", "rate": "10.55", "quantity": "2"}]
    record = await ready(office, "staff", case, lineItems=lines, notes="as agreed", referenceNumber="PO-7")
    before = office.stored(case, record)
    payload = await converted(office, "staff", case, target, record)
    made = office.stored(target, payload[target.name]["id"])
    assert (payload["outcome"], payload[target.name]["rawStatus"]) == ("APPLIED", "draft")
    for name in ("total", "customer_id", "notes", "reference_number"):
        assert made[name] == before[name]
    assert [line["discount"] for line in made["line_items"]] == [line["discount"] for line in before["line_items"]]
    assert record_id(record) in (made["estimate_id"], made.get("salesorder_id"))
    event = await office.event(payload)
    assert (event["outcome"], event["subjectId"]) == ("APPLIED", payload[target.name]["id"])
    assert event["changes"] == [{"field": f"{case.name}Id", "before": None, "after": record_id(record)}]
    assert event["action"] == f"{case.module}.convertTo{target.type}"


async def test_all_the_way_from_an_estimate_to_an_invoice(office: Office) -> None:
    estimate = await office.made("sales", ESTIMATE)
    await done(office, "sales", ESTIMATE, "MarkSent", estimate)
    await done(office, "sales", ESTIMATE, "Accept", estimate)
    order = (await converted(office, "sales", ESTIMATE, SALES_ORDER, estimate))["salesOrder"]["id"]
    await done(office, "sales", SALES_ORDER, "Open", order)
    invoice = (await converted(office, "sales", SALES_ORDER, INVOICE, order))["invoice"]["id"]
    assert custom(office.stored(INVOICE, invoice))["cf_acting_user"] == "sales@demo.example"
    assert status(office, SALES_ORDER, order) == "invoiced"
    query = "query($id: ID!) { estimate(id: $id) { salesOrders { id invoices { id } } } }"
    found = (await office.ask("sales", query, id=estimate))["data"]["estimate"]
    assert found["salesOrders"] == [{"id": order, "invoices": [{"id": invoice}]}]


async def test_a_later_write_of_a_request_shows_what_an_earlier_one_has_changed(office: Office) -> None:
    estimate = await ready(office, "owner", ESTIMATE)
    invoice = (await converted(office, "owner", ESTIMATE, INVOICE, estimate))["invoice"]["id"]
    shown = "{ outcome estimate { invoices { notes } } }"
    query = f"""mutation($estimate: ID!, $invoice: ID!) {{
      one: estimateEmail(id: $estimate, input: {{}}, idempotencyKey: "{fresh()}") {shown}
      two: invoiceUpdate(id: $invoice, input: {{notes: "agreed"}}, idempotencyKey: "{fresh()}") {{ outcome }}
      three: estimateEmail(id: $estimate, input: {{}}, idempotencyKey: "{fresh()}") {shown}
    }}"""
    data = (await office.ask("owner", query, estimate=estimate, invoice=invoice))["data"]
    assert {payload["outcome"] for payload in data.values()} == {"APPLIED"}
    assert data["one"]["estimate"]["invoices"] == [{"notes": None}]
    assert data["three"]["estimate"]["invoices"] == [{"notes": "agreed"}]


@each_conversion
async def test_of_two_conversions_at_once_one_is_made(office: Office, case: Case, target: Case) -> None:
    record, count = await ready(office, "owner", case), office.count(target)
    people = ("owner", "staff", "sales")
    office.fault("delay", target, "POST", seconds=1)  # so that all have begun before one has ended
    payloads = await asyncio.gather(*(converted(office, who, case, target, record) for who in people))
    assert sorted(payload["outcome"] for payload in payloads) == ["APPLIED", "REJECTED", "REJECTED"]
    assert {e["code"] for payload in payloads for e in payload["userErrors"]} == {"CONFLICT"}
    assert office.count(target) == count + 1


@each_conversion
async def test_a_lost_conversion_is_found_and_not_repeated(office: Office, case: Case, target: Case) -> None:
    record, count, key = await ready(office, "staff", case), office.count(target), fresh()
    office.fault("lost_answer", target, "POST", times=1)
    payload = await converted(office, "staff", case, target, record, key)
    assert (payload["outcome"], office.count(target)) == ("APPLIED", count + 1)
    again = await converted(office, "staff", case, target, record, key)
    assert (again["auditEventId"], again[target.name]["id"]) == (payload["auditEventId"], payload[target.name]["id"])
    assert office.count(target) == count + 1


@each_conversion
async def test_a_conversion_that_never_arrived_is_told_so_in_the_end(office: Office, case: Case, target: Case) -> None:
    record, count, key = await ready(office, "staff", case), office.count(target), fresh()
    office.fault("status", target, "POST", status=500, times=1)
    assert (await converted(office, "staff", case, target, record, key))["outcome"] == "UNCERTAIN"
    await grow_old(office, key)
    await settle_uncertain(office.services)
    assert (await office.outcome("staff", key))["outcome"] == "REJECTED"
    assert office.count(target) == count


@each_conversion
async def test_what_may_still_become_another_document_is_not_made_one_by_somebody_else(
    office: Office, case: Case, target: Case
) -> None:
    record, count, key = await ready(office, "staff", case), office.count(target), fresh()
    office.fault("status", target, "POST", status=500, times=1)
    assert (await converted(office, "staff", case, target, record, key))["outcome"] == "UNCERTAIN"
    (error,) = (await converted(office, "owner", case, target, record))["userErrors"]
    assert (error["code"], office.count(target)) == ("CONFLICT", count)
    await grow_old(office, key)
    assert (await office.outcome("staff", key))["outcome"] == "REJECTED"
    assert (await converted(office, "owner", case, target, record))["outcome"] == "APPLIED"
    assert office.count(target) == count + 1


async def test_a_conversion_needs_the_right_to_both(office: Office) -> None:
    record = await office.made("owner", ESTIMATE)
    answer = await convert(office, "estimator", ESTIMATE, INVOICE, record)
    assert answer["errors"][0]["extensions"]["required"] == "invoices.create"
    assert (await actions(office, "estimator", ESTIMATE, record))["CONVERT_TO_INVOICE"]["available"] is False


async def subscribed(office: Office, state: str = "live") -> str:
    record = await office.made("billing", SUBSCRIPTION)
    today = office.gateway.sandbox.today
    term = {"current_term_starts_at": today.isoformat(), "current_term_ends_at": (today + timedelta(30)).isoformat()}
    become(office, SUBSCRIPTION, record, status=state, **term)
    return record


@pytest.mark.parametrize(("at_end", "expected"), [(False, "cancelled"), (True, "non_renewing")])
async def test_a_subscription_ends_now_or_with_its_term(office: Office, at_end: bool, expected: str) -> None:
    record = await subscribed(office)
    payload = await done(office, "billing", SUBSCRIPTION, "Cancel", record, atTermEnd=("Boolean!", at_end))
    assert (payload["outcome"], payload["subscription"]["rawStatus"]) == ("APPLIED", expected)
    again = await done(office, "billing", SUBSCRIPTION, "Cancel", record, atTermEnd=("Boolean!", True))
    assert again["userErrors"][0]["code"] == "CONFLICT"
    back = await done(office, "billing", SUBSCRIPTION, "Reactivate", record)
    assert back["outcome"] == ("APPLIED" if at_end else "REJECTED")
    assert status(office, SUBSCRIPTION, record) == ("live" if at_end else "cancelled")


async def test_one_key_is_not_good_for_the_other_way_to_end(office: Office) -> None:
    record, key = await subscribed(office), fresh()
    await done(office, "billing", SUBSCRIPTION, "Cancel", record, key=key, atTermEnd=("Boolean!", True))
    answer = await act(office, "billing", SUBSCRIPTION, "Cancel", record, key, atTermEnd=("Boolean!", False))
    assert answer["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert status(office, SUBSCRIPTION, record) == "non_renewing"


async def test_a_renewal_is_postponed(office: Office) -> None:
    record = await subscribed(office)
    day = (office.gateway.sandbox.today + timedelta(days=60)).isoformat()
    payload = await done(office, "billing", SUBSCRIPTION, "Postpone", record, renewalAt=("Date!", day))
    assert payload["outcome"] == "APPLIED"
    assert office.stored(SUBSCRIPTION, record)["next_billing_at"] == day
    (change,) = (await office.event(payload))["changes"]
    assert (change["field"], change["after"]) == ("nextBillingAt", day)
    past = date(2020, 1, 1).isoformat()
    refused = await done(office, "billing", SUBSCRIPTION, "Postpone", record, renewalAt=("Date!", past))
    assert (refused["outcome"], refused["userErrors"][0]["code"]) == ("REJECTED", "UPSTREAM_REJECTED")
    assert "renewal_at" in refused["userErrors"][0]["message"]


LOST = [
    (ESTIMATE, "MarkSent", {}),
    (INVOICE, "Void", {}),
    (SALES_ORDER, "Open", {}),
    (PURCHASE_ORDER, "Submit", {}),
    (SUBSCRIPTION, "Cancel", {"atTermEnd": ("Boolean!", True)}),
    (SUBSCRIPTION, "Postpone", {"renewalAt": ("Date!", "2031-01-31")}),
]
each_lost = pytest.mark.parametrize(("case", "name", "given"), LOST, ids=[f"{c.name}{n}" for c, n, _ in LOST])


@each_lost
async def test_a_lost_act_is_found_by_the_records_state(
    office: Office, case: Case, name: str, given: dict[str, Any]
) -> None:
    record = await subscribed(office) if case is SUBSCRIPTION else await office.made("owner", case)
    office.fault("lost_answer", case, "POST", times=1)
    office.gateway.sandbox.clear_calls()
    payload = await done(office, "owner", case, name, record, **given)
    assert (payload["outcome"], len(office.writes())) == ("APPLIED", 1)
    (change,) = (await office.event(payload))["changes"]
    assert change["after"] not in (None, change["before"])


@each_lost
async def test_an_act_that_never_arrived_stays_open_until_that_is_certain(
    office: Office, case: Case, name: str, given: dict[str, Any]
) -> None:
    record, key = await subscribed(office) if case is SUBSCRIPTION else await office.made("owner", case), fresh()
    office.fault("status", case, "POST", status=500, times=1)
    before = status(office, case, record)
    assert (await done(office, "owner", case, name, record, key=key, **given))["outcome"] == "UNCERTAIN"
    await grow_old(office, key)
    await settle_uncertain(office.services)
    assert (await office.outcome("owner", key))["outcome"] == "REJECTED"
    assert status(office, case, record) == before
    assert (await done(office, "owner", case, name, record, **given))["outcome"] == "APPLIED"


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
async def test_an_unknown_or_foreign_id_is_refused_without_a_call(office: Office, case: Case) -> None:
    name = {"invoice": "Void", "purchaseOrder": "Cancel", "salesOrder": "Open", "estimate": "Accept"}.get(case.name)
    record = await office.made("owner", case)
    office.gateway.sandbox.clear_calls()
    answer = await act(office, "owner", case, name or "Reactivate", "nonsense")
    assert (answer["errors"][0]["extensions"]["code"], office.gateway.sandbox.calls()) == ("BAD_USER_INPUT", [])
    payload = await done(office, "owner", case, name or "Reactivate", instead(record, "46000000000000999"))
    assert (payload["outcome"], payload["userErrors"][0]["code"]) == ("REJECTED", "NOT_FOUND")
    assert office.writes() == []
