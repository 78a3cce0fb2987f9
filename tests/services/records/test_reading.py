"""Reading the lists: every record, once, as the product holds it, whatever happens in between."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.errors import UpstreamUnavailable
from services.policy import Product
from services.records import store
from services.records.copy import NotYet
from services.records.frame import Frames
from services.records.sources import SOURCES
from services.records.spending import ShareSpent
from services.records.store import Batch
from services.sandbox.faults import Fault
from services.sandbox.stamps import written
from tests.services.records.conftest import Office

SUBSCRIPTIONS = "subscriptions"


async def ids(office: Office, module: str) -> list[str]:
    found = await office.rows(
        "SELECT id FROM records WHERE organization_id = :o AND module = :m AND deleted_at IS NULL", m=module
    )
    return sorted(row["id"] for row in found)


def multiply(office: Office, count: int) -> list[str]:
    """So many more subscriptions, each a second older than the one before."""
    model = next(body for body in office.held(SUBSCRIPTIONS).values() if body["status"] == "live")
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    model |= {"created_at": "2026-03-01", "activated_at": "2026-03-01"}
    made = [f"7{number:017d}" for number in range(count)]
    for number, record_id in enumerate(made):
        at = written(start - timedelta(seconds=number))
        office.put(SUBSCRIPTIONS, model | {"subscription_id": record_id, "created_time": at, "updated_time": at})
    return made


async def calls_of(office: Office, module: str = SUBSCRIPTIONS) -> int:
    return (await office.copy().state(office.organization_id, module)).calls


def touched(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return body | {"updated_time": written(datetime.now(UTC))} | changes


async def test_every_record_is_copied_once(office: Office) -> None:
    copy = await office.read()
    for module in ("plans", "addons", "customers", SUBSCRIPTIONS):
        state = await copy.state(office.organization_id, module)
        assert await ids(office, module) == sorted(office.held(module))
        assert (state.state, state.rows, state.last_error) == ("IDLE", len(office.held(module)), None)
    assert await ids(office, "invoices") == sorted(office.held("invoices", Product.BOOKS))


async def test_amounts_stay_exact_and_are_brought_to_the_base_currency(office: Office) -> None:
    await office.read("plans", SUBSCRIPTIONS)
    foreign = next(body for body in office.held(SUBSCRIPTIONS).values() if body["currency_code"] == "USD")
    row = await office.record(foreign["subscription_id"])
    rate = (Decimal("1.0000") / Decimal("1.0850")).quantize(Decimal("0.000001"))
    assert (row["amount"], row["rate"]) == (foreign["amount"], rate)
    assert row["base_amount"] == (foreign["amount"] * rate).quantize(Decimal("0.01"))


async def test_a_subscription_names_its_plan_though_list_rows_do_not(office: Office) -> None:
    await office.read("plans", SUBSCRIPTIONS)
    for record_id, body in office.held(SUBSCRIPTIONS).items():
        assert (await office.record(record_id))["plan_code"] == body["plan"]["plan_code"]


async def test_subscriptions_wait_for_the_plans(office: Office) -> None:
    with pytest.raises(NotYet):
        await office.copy().pull(office.organization_id, SUBSCRIPTIONS)


async def test_any_other_module_joins_by_its_row(office: Office) -> None:
    copy = office.copy(modules=("estimates", "purchaseOrders", "salesOrders"))
    for source in copy.sources:
        await copy.pull(office.organization_id, source.module)
        assert await ids(office, source.module) == sorted(office.held(source.plural, Product.BOOKS))


async def test_a_crash_in_the_middle_is_resumed_where_it_happened(office: Office) -> None:
    await office.read("plans")
    made = multiply(office, 450)
    office.sandbox.fault(Fault(path="/billing/v1/subscriptions", kind="cut", after=1, times=20))
    with pytest.raises(UpstreamUnavailable):
        await office.copy().pull(office.organization_id, SUBSCRIPTIONS)
    before = await ids(office, SUBSCRIPTIONS)
    assert 0 < len(before) < len(office.held(SUBSCRIPTIONS))
    office.sandbox.clear_faults()
    await office.copy().pull(office.organization_id, SUBSCRIPTIONS)
    assert await ids(office, SUBSCRIPTIONS) == sorted(office.held(SUBSCRIPTIONS))
    assert {len(await office.states(record_id)) for record_id in made[:3]} == {1}


async def test_two_processes_that_read_at_once_double_nothing(office: Office) -> None:
    await office.read("plans")
    made = multiply(office, 450)
    await asyncio.gather(*(office.copy().pull(office.organization_id, SUBSCRIPTIONS) for _ in range(3)))
    assert await ids(office, SUBSCRIPTIONS) == sorted(office.held(SUBSCRIPTIONS))
    assert {len(await office.states(record_id)) for record_id in made[::100]} == {1}


async def test_the_copy_stays_inside_its_share(office: Office) -> None:
    await office.read("plans")
    multiply(office, 450)
    office.sandbox.clear_calls()
    copy = office.copy(share=1)
    with pytest.raises(ShareSpent):
        await copy.pull(office.organization_id, SUBSCRIPTIONS)
    with pytest.raises(ShareSpent):
        await copy.pull(office.organization_id, SUBSCRIPTIONS)
    assert len(office.sandbox.calls(product="billing")) <= 3  # the minute may have turned


async def test_rows_that_go_while_the_list_is_read_take_none_with_them(office: Office) -> None:
    await office.read("plans")
    made = multiply(office, 450)
    with pytest.raises(ShareSpent):
        await office.copy(share=1).pull(office.organization_id, SUBSCRIPTIONS)
    begun = await ids(office, SUBSCRIPTIONS)
    for record_id in [one for one in made if one not in begun][-40:]:  # the minute may have turned, and more been read
        office.drop(SUBSCRIPTIONS, record_id)
    await office.copy().pull(office.organization_id, SUBSCRIPTIONS)
    assert await ids(office, SUBSCRIPTIONS) == sorted(office.held(SUBSCRIPTIONS))


async def test_nothing_new_costs_one_call(office: Office) -> None:
    copy = await office.read("plans", SUBSCRIPTIONS, "invoices")
    for module in (SUBSCRIPTIONS, "invoices"):
        before = await calls_of(office, module)
        await copy.pull(office.organization_id, module)
        assert await calls_of(office, module) == before + 1


async def test_an_increment_brings_changes_and_new_records(office: Office) -> None:
    copy = await office.read("plans", SUBSCRIPTIONS)
    old = next(iter(office.held(SUBSCRIPTIONS).values()))
    office.put(SUBSCRIPTIONS, touched(old, amount=Decimal("77.10")))
    office.put(SUBSCRIPTIONS, touched(old, subscription_id="70000000000000001"))
    before = await calls_of(office)
    await copy.pull(office.organization_id, SUBSCRIPTIONS)
    assert (await office.record(old["subscription_id"]))["amount"] == Decimal("77.10")
    assert await ids(office, SUBSCRIPTIONS) == sorted(office.held(SUBSCRIPTIONS))
    assert await calls_of(office) == before + 1


async def test_a_thousand_changes_cost_a_handful_of_calls(office: Office) -> None:
    copy = await office.read("plans", SUBSCRIPTIONS)
    model = next(iter(office.held(SUBSCRIPTIONS).values()))
    for number in range(1000):
        office.put(SUBSCRIPTIONS, touched(model, subscription_id=f"7{number:017d}"))
    before = await calls_of(office)
    await copy.pull(office.organization_id, SUBSCRIPTIONS)
    assert await ids(office, SUBSCRIPTIONS) == sorted(office.held(SUBSCRIPTIONS))
    assert await calls_of(office) - before <= 8


async def test_a_check_finds_and_mends_what_increments_cannot_see(office: Office) -> None:
    made = multiply(office, 450)
    gone, stale, missing = made[-1], made[-2], "70000000000000009"
    copy = await office.read("plans", SUBSCRIPTIONS)
    body = office.held(SUBSCRIPTIONS)[stale]
    office.drop(SUBSCRIPTIONS, gone)
    office.put(SUBSCRIPTIONS, body | {"amount": Decimal("1.01")})
    office.put(SUBSCRIPTIONS, body | {"subscription_id": missing})
    await copy.pull(office.organization_id, SUBSCRIPTIONS)
    assert gone in await ids(office, SUBSCRIPTIONS)
    state = await copy.check(office.organization_id, SUBSCRIPTIONS)
    assert state.drift == {"surplus": [gone], "stale": [stale], "missing": [missing]}
    assert await ids(office, SUBSCRIPTIONS) == sorted(office.held(SUBSCRIPTIONS))
    assert (await copy.check(office.organization_id, SUBSCRIPTIONS)).drift == {}


async def test_a_rebuilt_copy_keeps_the_history_unless_told_otherwise(office: Office) -> None:
    copy = await office.read("plans", SUBSCRIPTIONS)
    body = next(body for body in office.held(SUBSCRIPTIONS).values() if body["status"] == "live")
    office.put(SUBSCRIPTIONS, touched(body, amount=Decimal("500.00")))
    await copy.pull(office.organization_id, SUBSCRIPTIONS)
    before = await office.states(body["subscription_id"])
    await copy.forget(office.organization_id)
    await office.read("plans", SUBSCRIPTIONS)
    assert await office.states(body["subscription_id"]) == before
    await copy.forget(office.organization_id, history=True)
    await office.read("plans", SUBSCRIPTIONS)
    assert len(await office.states(body["subscription_id"])) < len(before)


async def test_of_a_list_sorted_by_changes_only_what_is_new_is_taken(office: Office) -> None:
    copy = await office.read("plans", SUBSCRIPTIONS)
    body = next(iter(office.held(SUBSCRIPTIONS).values()))
    office.put(SUBSCRIPTIONS, body | {"amount": Decimal("1.01")})  # behind everybody's back, at its old time
    await copy.pull(office.organization_id, SUBSCRIPTIONS)
    assert (await office.record(body["subscription_id"]))["amount"] == body["amount"]


async def test_an_answer_that_was_asked_for_earlier_does_not_replace_a_later_one(office: Office) -> None:
    copy = await office.read("estimates")
    body = next(iter(office.held("estimates", Product.BOOKS).values()))
    office.put("estimates", body | {"total": Decimal("99.99")}, Product.BOOKS)
    assert await copy.refresh(office.organization_id, "estimates", body["estimate_id"])
    frame = await Frames(office.database, copy._reading._lists).of(office.organization_id, "estimates")  # noqa: SLF001
    late = Batch(
        SOURCES["estimates"],
        office.organization_id,
        {body["estimate_id"]: body},
        datetime.now(UTC) - timedelta(seconds=30),
    )
    async with office.database.session() as session:
        await store.take(session, late, frame)
    assert (await office.record(body["estimate_id"]))["amount"] == Decimal("99.99")


async def test_an_answer_that_was_under_way_does_not_bring_back_what_is_gone(office: Office) -> None:
    copy = await office.read("estimates")
    body = next(iter(office.held("estimates", Product.BOOKS).values()))
    changed = body | {"last_modified_time": written(datetime.now(UTC))}
    office.drop("estimates", body["estimate_id"], Product.BOOKS)
    frame = await Frames(office.database, copy._reading._lists).of(office.organization_id, "estimates")  # noqa: SLF001
    asked = datetime.now(UTC)
    assert not await copy.refresh(office.organization_id, "estimates", body["estimate_id"])
    late = Batch(SOURCES["estimates"], office.organization_id, {body["estimate_id"]: changed}, asked)
    async with office.database.session() as session:
        await store.take(session, late, frame)
    assert (await office.record(body["estimate_id"]))["deleted_at"] is not None
