"""Writes whose answer did not come: found out where that can be, and never invented."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, update

from gateway.settings import Http
from gateway.wiring.settling import settle_uncertain
from services.sandbox import records
from services.storage.models import Outcome
from tests.harness import running, until
from tests.resolvers.office import CASES, DEMO, ESTIMATE, INVOICE, SUBSCRIPTION, Case, Office, custom, fresh, record_id

each_kind = pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
APPLIED_BUT_SILENT: list[dict[str, Any]] = [
    {"kind": "cut"},
    {"kind": "garbage"},
    {"kind": "missing_field", "field": "invoice_id"},
    {"kind": "missing_field", "field": "code"},
    {"kind": "status", "status": 500, "applied": True},
    {"kind": "html", "status": 504, "applied": True},
    {"kind": "html", "status": 200, "applied": True},
]
NOT_APPLIED: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "html", "status": 502},
    {"kind": "html", "status": 200},
]


def label(fault: object) -> str | None:
    return "-".join(map(str, fault.values())) if isinstance(fault, dict) else None


async def grow_old(office: Office, key: str, by: timedelta = timedelta(minutes=6)) -> None:
    """Move a write into the past."""
    row = Outcome
    async with office.session() as session:
        await session.exec(update(row).where(col(row.key) == key).values(started_at=row.started_at - by))


async def settle(office: Office) -> None:
    """What the worker does each minute."""
    await settle_uncertain(office.services)


@pytest.fixture(autouse=True)
def _recovered(office: Office) -> Iterator[None]:
    """Each test begins with products in good health, and with an empty log."""
    office.gateway.sandbox.clear_calls()
    yield
    office.recover()


@pytest.fixture
async def hurried(own_office: Office) -> AsyncIterator[Office]:
    """A gateway that gives a request little time, though enough to get as far as the product on a busy machine."""
    gateway = own_office.gateway
    await own_office.party()
    settings = gateway.settings.model_copy(update={"http": Http(deadline_seconds=1.5)})
    async with running(settings, gateway.sandbox) as other:
        yield Office(other, own_office.parties)


# It has been done.


@each_kind
async def test_a_lost_create_is_found_by_our_reference(office: Office, case: Case) -> None:
    key, before = fresh(), office.count(case)
    await office.party(case)
    office.fault("lost_answer", case, "POST", times=1)
    payload = await office.create("owner", case, key)
    assert (payload["outcome"], payload["userErrors"]) == ("APPLIED", [])
    assert office.count(case) == before + 1
    body = office.stored(case, payload[case.name]["id"])
    event = await office.event(payload)
    assert (event["outcome"], event["subjectId"]) == ("APPLIED", payload[case.name]["id"])
    assert [(call["method"], call["status"]) for call in event["upstreamCalls"][:2]] == [("POST", None), ("GET", 200)]
    assert len([call for call in event["upstreamCalls"] if call["method"] == "POST"]) == 1
    assert event["changes"][0] == {"field": "customerId", "before": None, "after": _party_of(body)}
    assert custom(body)["cf_gateway_reference"]
    assert (await office.create("owner", case, key))[case.name]["id"] == payload[case.name]["id"]
    assert office.count(case) == before + 1


def _party_of(body: dict[str, Any]) -> str:
    return str(body.get("customer_id") or body["vendor_id"])


@each_kind
async def test_a_lost_change_is_found_by_our_reference(office: Office, case: Case) -> None:
    key = fresh()
    record = await office.made("owner", case, referenceNumber="before")
    office.fault("lost_answer", case, "PUT", times=1)
    payload = await office.update("owner", case, record, key, referenceNumber="after")
    assert (payload["outcome"], payload[case.name]["referenceNumber"]) == ("APPLIED", "after")
    assert office.stored(case, record)[case.reference_key] == "after"
    event = await office.event(payload)
    assert event["changes"] == [{"field": "referenceNumber", "before": "before", "after": "after"}]
    calls = [(call["method"], call["status"]) for call in event["upstreamCalls"]]
    assert calls == [("GET", 200), ("PUT", None), ("GET", 200)]


@pytest.mark.parametrize("fault", APPLIED_BUT_SILENT, ids=label)
async def test_an_answer_that_tells_nothing_is_looked_up(office: Office, fault: dict[str, Any]) -> None:
    before = office.count(INVOICE)
    await office.party()
    office.fault(fault["kind"], INVOICE, "POST", times=1, **{k: v for k, v in fault.items() if k != "kind"})
    payload = await office.create("staff", INVOICE)
    assert payload["outcome"] == "APPLIED"
    assert office.count(INVOICE) == before + 1
    assert len([call for call in office.writes() if call.method == "POST"]) == 1


@pytest.mark.parametrize("person", ["sales", "legacy", "assigned"])
async def test_whoever_lost_the_answer_it_is_found(office: Office, person: str) -> None:
    query = "{ invoices(first: 50) { nodes { customer { id } total { currency } } } }"
    rows = (await office.ask(person, query))["data"]["invoices"]["nodes"]
    office.fault("lost_answer", INVOICE, "POST", times=1)
    payload = await office.create(person, INVOICE, customerId=rows[0]["customer"]["id"])
    assert payload["outcome"] == "APPLIED"


@pytest.mark.parametrize("case", [INVOICE, SUBSCRIPTION], ids=lambda case: case.name)
async def test_it_is_found_behind_many_newer_records(own_office: Office, case: Case) -> None:
    office, key = own_office, fresh()
    await office.party(case)
    office.fault("status", case, "GET", status=400)
    office.fault("lost_answer", case, "POST", times=1)
    assert (await office.create("owner", case, key))["outcome"] == "UNCERTAIN"
    office.recover()
    lost = _bury(office, case, 120)
    told = await office.outcome("owner", key)
    assert (told["outcome"], record_id(told["document"]["id"])) == ("APPLIED", lost)


def _bury(office: Office, case: Case, count: int) -> str:
    """Make newer records of the same customer, all before the last one in any order; the id of that."""
    (lost,) = (body for body in office.bodies(case) if custom(body).get("cf_gateway_reference"))
    with office.gateway.sandbox.store.session() as session:
        for number in range(count):
            later = {"created_time": f"2026-12-31T00:{number // 60:02}:{number % 60:02}+0100", "name": f"{number:03}"}
            other = {case.id_key: f"46099999999{number:07}", f"{case.store[:-1]}_number": f"X-{number}"}
            records.put(session, DEMO, case.store, lost | later | other | {"custom_fields": []})
    return str(lost[case.id_key])


# It cannot be told now, and later it can.


@each_kind
async def test_what_cannot_be_looked_up_is_uncertain_until_it_can(office: Office, case: Case) -> None:
    key, before = fresh(), office.count(case)
    await office.party(case)
    office.fault("status", case, "GET", status=400)
    office.fault("lost_answer", case, "POST", times=1)
    payload = await office.create("owner", case, key)
    assert (payload["outcome"], payload[case.name], payload["userErrors"]) == ("UNCERTAIN", None, [])
    assert (await office.outcome("owner", key))["outcome"] == "UNCERTAIN"
    assert (await office.event(payload))["outcome"] == "UNCERTAIN"
    office.recover()
    told = await office.outcome("owner", key)
    assert told["outcome"] == "APPLIED"
    assert office.stored(case, told["document"]["id"])
    assert (await office.create("owner", case, key))[case.name]["id"] == told["document"]["id"]
    assert office.count(case) == before + 1


@pytest.mark.parametrize("fault", NOT_APPLIED, ids=label)
async def test_what_was_not_done_is_uncertain_first_and_refused_in_the_end(
    office: Office, fault: dict[str, Any]
) -> None:
    key, before = fresh(), office.count(INVOICE)
    await office.party()
    office.fault(fault["kind"], INVOICE, "POST", status=fault["status"])
    payload = await office.create("staff", INVOICE, key)
    assert (payload["outcome"], payload["invoice"]) == ("UNCERTAIN", None)
    office.recover()
    assert (await office.create("staff", INVOICE, key))["outcome"] == "UNCERTAIN"
    await settle(office)
    assert (await office.outcome("staff", key))["outcome"] == "UNCERTAIN"
    await grow_old(office, key)
    told = await office.outcome("staff", key)
    assert (told["outcome"], told["document"]) == ("REJECTED", None)
    assert told["userErrors"][0]["code"] == "UPSTREAM_UNAVAILABLE"
    event = await office.event(payload)
    assert (event["outcome"], event["changes"]) == ("REJECTED", [])
    assert (await office.create("staff", INVOICE, key))["outcome"] == "REJECTED"
    assert office.count(INVOICE) == before
    assert (await office.create("staff", INVOICE))["outcome"] == "APPLIED"


async def test_what_was_looked_at_for_a_lost_write_is_not_looked_at_again(own_office: Office) -> None:
    office, key = own_office, fresh()
    others = [record_id(await office.made("staff", ESTIMATE)) for _ in range(3)]
    office.fault("status", ESTIMATE, "POST", status=503)
    assert (await office.create("staff", ESTIMATE, key))["outcome"] == "UNCERTAIN"
    office.recover()
    others.append(record_id(await office.made("staff", ESTIMATE)))
    for _ in range(2):
        assert (await office.outcome("staff", key))["outcome"] == "UNCERTAIN"
        await settle(office)
    asked = [call.path for call in office.gateway.sandbox.calls(product="books") if call.method == "GET"]
    assert [asked.count(f"{ESTIMATE.path}/{record}") for record in others] == [1, 1, 1, 1]


async def test_the_job_finds_out_what_nobody_asks_for(own_office: Office) -> None:
    office, lost, never = own_office, fresh(), fresh()
    await office.party()
    office.fault("status", INVOICE, "GET", status=400)
    office.fault("lost_answer", INVOICE, "POST", times=1)
    office.fault("status", INVOICE, "POST", status=503)
    payloads = [await office.create("staff", INVOICE, key) for key in (lost, never)]
    assert [payload["outcome"] for payload in payloads] == ["UNCERTAIN"] * 2
    await grow_old(office, never)
    office.recover()
    await settle(office)
    events = [await office.event(payload) for payload in payloads]
    assert [event["outcome"] for event in events] == ["APPLIED", "REJECTED"]
    assert {call["actor"] for event in events for call in event["upstreamCalls"]} == {"staff@demo.example"}


async def test_of_writes_that_are_looked_up_at_once_each_tells_its_own_calls(own_office: Office) -> None:
    office, keys = own_office, {"a": fresh(), "b": fresh()}
    for case, key in zip((INVOICE, ESTIMATE), keys.values(), strict=True):
        await office.party(case)
        office.fault("status", case, "GET", status=400)
        office.fault("lost_answer", case, "POST", times=1)
        assert (await office.create("staff", case, key))["outcome"] == "UNCERTAIN"
    office.recover()
    for case in (INVOICE, ESTIMATE):
        office.fault("delay", case, "GET", seconds=0.05)
    asked = " ".join(
        f'{alias}: writeOutcome(idempotencyKey: "{key}") {{ auditEventId }}' for alias, key in keys.items()
    )
    told = (await office.ask("staff", f"{{ {asked} }}"))["data"]
    paths = [
        {call["path"].split("/")[3] for call in (await office.event(one))["upstreamCalls"]} for one in told.values()
    ]
    assert paths == [{"invoices"}, {"estimates"}]


async def test_a_change_of_what_was_just_made_is_refused_in_the_end_too(office: Office) -> None:
    key = fresh()
    record = await office.made("staff", INVOICE)
    office.fault("status", INVOICE, "PUT", status=500)
    assert (await office.update("staff", INVOICE, record, key, notes="new"))["outcome"] == "UNCERTAIN"
    office.recover()
    await grow_old(office, key)
    assert (await office.outcome("staff", key))["outcome"] == "REJECTED"
    assert office.stored(INVOICE, record)["notes"] == ""


async def test_under_another_change_nothing_can_be_told(office: Office) -> None:
    key = fresh()
    record = await office.made("staff", INVOICE)
    office.fault("status", INVOICE, "PUT", status=500, times=1)
    assert (await office.update("staff", INVOICE, record, key, notes="new"))["outcome"] == "UNCERTAIN"
    await office.update("owner", INVOICE, record, notes="theirs")
    await grow_old(office, key)
    await settle(office)
    assert (await office.outcome("staff", key))["outcome"] == "UNCERTAIN"
    assert (await office.update("staff", INVOICE, record, key, notes="new"))["outcome"] == "UNCERTAIN"
    assert office.stored(INVOICE, record)["notes"] == "theirs"


async def test_a_product_that_falls_silent_leaves_it_uncertain(hurried: Office) -> None:
    office, key, before = hurried, fresh(), hurried.count(INVOICE)
    office.fault("black_hole", INVOICE, "POST", times=1)
    assert (await office.create("staff", INVOICE, key))["outcome"] == "UNCERTAIN"
    office.recover()
    assert (await office.outcome("staff", key))["outcome"] == "UNCERTAIN"
    await grow_old(office, key)
    await settle(office)
    assert (await office.outcome("staff", key))["outcome"] == "REJECTED"
    assert office.count(INVOICE) == before


async def test_a_write_that_comes_late_is_found_and_not_repeated(hurried: Office) -> None:
    office, key, before = hurried, fresh(), hurried.count(INVOICE)
    office.fault("delay", INVOICE, "POST", seconds=2)
    assert (await office.create("staff", INVOICE, key))["outcome"] == "UNCERTAIN"
    await until(lambda: office.count(INVOICE) == before + 1)
    assert (await office.create("staff", INVOICE, key))["outcome"] == "APPLIED"
    assert office.count(INVOICE) == before + 1


async def test_who_hangs_up_in_the_middle_can_ask_what_became_of_it(office: Office) -> None:
    key, before = fresh(), office.count(INVOICE)
    draft = await office.draft(INVOICE)
    office.fault("delay", INVOICE, "POST", seconds=0.1)
    request = asyncio.create_task(office.send_create("staff", INVOICE, draft, key))
    await office.struck()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await until(lambda: office.count(INVOICE) == before + 1)
    told = await office.outcome("staff", key)
    assert told["outcome"] == "APPLIED"
    event = await office.event(told)
    assert (event["upstreamCalls"][0]["method"], event["upstreamCalls"][0]["status"]) == ("POST", None)
    assert event["changes"]
