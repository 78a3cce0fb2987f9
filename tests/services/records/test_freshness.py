"""How current the copy is kept, what that costs, and who is told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic

import pytest
from msgspec import to_builtins
from sqlalchemy import text
from sqlmodel import col, select

from gateway.wiring.recording import Recording
from services.errors import UpstreamUnavailable
from services.events import Events, Notices
from services.policy import Product
from services.records.copy import Copy
from services.records.cursors import Cursor
from services.records.notices import Change, Notice, read, topic
from services.records.sources import COPIED, SOURCES, needed
from services.sandbox.faults import Fault
from services.sandbox.stamps import written
from services.sandbox.store import Record as Kept
from services.storage.full_records import FullRecord
from services.storage.models import now
from services.storage.records import RecordPull
from tests.services.records.conftest import Office

SIX = ("contacts", "estimates", "invoices", "salesOrders", "purchaseOrders", "subscriptions")
BOOKS = ("books", "billing")


@pytest.fixture
async def copy(office: Office) -> AsyncIterator[Copy]:
    """Everything has been read a while ago."""
    copy = await office.read()
    await pass_(office, 600)
    office.sandbox.clear_calls()
    yield copy
    await copy.aclose()


async def pass_(office: Office, seconds: float) -> None:
    """As if so much time had passed since everything that is known."""
    async with office.database.session() as session:
        connection = await session.connection()
        for statement in (
            "UPDATE record_pulls SET as_of = as_of - :by, full_read_at = full_read_at - :by, tried_at = tried_at - :by",
            "UPDATE record_spending SET minute = minute - :by",
            "UPDATE records SET read_at = read_at - :by",
        ):
            await connection.execute(text(statement), {"by": timedelta(seconds=seconds)})


def calls(office: Office) -> Counter[str]:
    found = [call for call in office.sandbox.calls() if call.product in BOOKS]
    return Counter(call.path.rpartition("/")[2] for call in found)


def soon() -> float:
    return monotonic() + 10


def changed(office: Office, plural: str = "invoices", **changes: object) -> str:
    """A record that somebody has just changed in Books."""
    body = next(iter(office.held(plural, Product.BOOKS).values()))
    office.put(plural, body | {"last_modified_time": written(datetime.now(UTC))} | changes, Product.BOOKS)
    return str(body[SOURCES[plural].id])


def test_the_six_are_kept_in_step_by_twelve_calls_a_minute() -> None:
    assert sum(needed([SOURCES[module] for module in SIX]).values()) == 12
    assert sum(needed([SOURCES[module] for module in COPIED]).values()) <= 13


async def test_minutes_in_which_nothing_changes_cost_twelve_calls_each_at_the_most(office: Office, copy: Copy) -> None:
    recording = Recording(copy)
    await pull_what_is_due(office, recording)
    office.sandbox.clear_calls()
    oldest, began = timedelta(0), datetime.now(UTC)
    for _ in range(24):
        await pass_(office, 5)
        for state in await copy.states(office.organization_id):
            oldest = max(oldest, datetime.now(UTC) - state.as_of if state.as_of and state.module in SIX else oldest)
        await pull_what_is_due(office, recording)
    assert calls(office).total() <= 2 * 12
    assert set(calls(office)) == {"contacts", "estimates", "invoices", "salesorders", "purchaseorders", "subscriptions"}
    assert oldest < timedelta(seconds=33) + (datetime.now(UTC) - began)


async def pull_what_is_due(office: Office, recording: Recording) -> None:
    for organization_id, module in await recording.due([office.organization_id]):
        await recording.pull(organization_id, module)


async def test_the_catalogue_is_asked_for_every_ten_minutes(office: Office, copy: Copy) -> None:
    recording = Recording(copy)
    await pull_what_is_due(office, recording)
    assert {"plans", "addons", "customers"} <= set(calls(office))
    office.sandbox.clear_calls()
    await pass_(office, 590)
    await pull_what_is_due(office, recording)
    assert not {"plans", "addons", "customers"} & set(calls(office))


async def test_what_fails_is_left_alone_for_a_minute(office: Office, copy: Copy) -> None:
    recording = Recording(copy)
    office.sandbox.fault(Fault(path="/books/v3/estimates", kind="status", status=403))
    await recording.pull(office.organization_id, "estimates")
    due = [module for _, module in await recording.due([office.organization_id])]
    assert "estimates" not in due
    assert "invoices" in due
    await pass_(office, 61)
    assert (office.organization_id, "estimates") in await recording.due([office.organization_id])


async def test_a_long_reading_leaves_the_share_of_increments_alone(office: Office) -> None:
    reserved = needed([SOURCES[module] for module in COPIED])
    copy = office.copy(share=reserved[Product.BOOKS] + 1, reserved=reserved)
    recording = Recording(copy)
    for _ in range(3):
        await recording.pull(office.organization_id, "invoices")
    assert calls(office)["invoices"] <= 2  # the minute may have turned
    assert (await copy.state(office.organization_id, "invoices")).as_of is None


async def test_on_demand_a_module_is_brought_up_to_date_by_one_call(office: Office, copy: Copy) -> None:
    record_id, moment = changed(office, balance=Decimal("12.34")), datetime.now(UTC)
    as_of = await copy.at_least(office.organization_id, "invoices", moment, soon())
    assert as_of is not None
    assert moment <= as_of <= datetime.now(UTC)
    assert (await office.record(record_id))["balance"] == Decimal("12.34")
    assert calls(office) == {"invoices": 1}
    assert await copy.at_least(office.organization_id, "invoices", moment, soon()) == as_of
    assert calls(office) == {"invoices": 1}


async def test_as_of_is_a_moment_before_the_product_was_asked(office: Office, copy: Copy) -> None:
    office.sandbox.fault(Fault(path="/books/v3/invoices", kind="delay", seconds=0.3))
    before = datetime.now(UTC)
    as_of = await copy.at_least(office.organization_id, "invoices", before, soon())
    assert as_of is not None
    assert as_of < before + timedelta(seconds=0.25)


async def test_many_who_wait_in_several_processes_are_one_call(office: Office, copy: Copy) -> None:
    office.sandbox.fault(Fault(path="/books/v3/estimates", kind="delay", seconds=0.2))
    moment = datetime.now(UTC)
    others = [office.copy(), office.copy()]
    waiting = [
        one.at_least(office.organization_id, "estimates", moment, soon()) for one in (copy, *others) for _ in range(10)
    ]
    reached = await asyncio.gather(*waiting)
    assert len(set(reached)) == 1
    assert calls(office) == {"estimates": 1}


async def test_a_module_that_was_never_read_in_full_cannot_be_brought_up_to_date(office: Office) -> None:
    copy = office.copy()
    assert await copy.at_least(office.organization_id, "invoices", datetime.now(UTC), soon()) is None
    other = office.copy(modules=("estimates",))
    assert await other.at_least(office.organization_id, "plans", datetime.now(UTC), soon()) is None
    assert not calls(office)


async def exhaust(office: Office) -> None:
    """The share of this minute and the next is spent."""
    async with office.database.session() as session:
        await (await session.connection()).exec_driver_sql(
            "UPDATE record_spending SET calls = 1, minute = date_trunc('minute', now() + interval '1 minute')"
        )


async def test_when_the_share_or_the_time_does_not_suffice_nobody_waits_for_it(office: Office, copy: Copy) -> None:
    await exhaust(office)
    poor = office.copy(share=1)
    assert await poor.at_least(office.organization_id, "invoices", datetime.now(UTC), soon()) is None
    office.sandbox.fault(Fault(path="/books/v3/invoices", kind="delay", seconds=0.5))
    began = monotonic()
    assert await copy.at_least(office.organization_id, "invoices", datetime.now(UTC), began + 0.1) is None
    assert monotonic() - began < 0.4


async def test_who_waits_is_told_why_the_product_does_not_answer(office: Office, copy: Copy) -> None:
    office.sandbox.fault(Fault(path="/books/v3/invoices", kind="refuse", times=20))
    with pytest.raises(UpstreamUnavailable):
        await copy.at_least(office.organization_id, "invoices", datetime.now(UTC), soon())
    office.sandbox.clear_faults()


async def test_a_dead_process_keeps_others_waiting_for_its_claim_only(office: Office, copy: Copy) -> None:
    async with office.database.session() as session:
        await (await session.connection()).exec_driver_sql(
            "UPDATE record_pulls SET claimed_until = clock_timestamp() + interval '0.3 seconds'"
        )
    assert await copy.at_least(office.organization_id, "plans", datetime.now(UTC), soon())


async def test_while_a_comparison_goes_on_changes_are_asked_for_all_the_same(office: Office, copy: Copy) -> None:
    async with office.database.session() as session:
        await (await session.connection()).exec_driver_sql(
            "UPDATE record_pulls SET state = 'READING', cursor = jsonb_build_object('began', now(), 'check', true)"
        )
    record_id = changed(office, balance=Decimal("55.50"))
    as_of = await copy.at_least(office.organization_id, "invoices", datetime.now(UTC), soon())
    assert as_of is not None
    assert (await office.record(record_id))["balance"] == Decimal("55.50")
    await copy.pull(office.organization_id, "invoices")
    state = await copy.state(office.organization_id, "invoices")
    assert (state.state, state.as_of, state.drift) == ("IDLE", as_of, {})


async def test_contacts_are_customers_and_vendors_with_what_their_rows_tell(office: Office) -> None:
    await office.read("contacts")
    held = office.held("contacts", Product.BOOKS)
    assert {body["contact_type"] for body in held.values()} == {"customer", "vendor"}
    for contact_id, body in held.items():
        row = await office.record(contact_id)
        assert (row["party_id"], row["party_name"], row["status"]) == (contact_id, body["contact_name"], body["status"])
        assert (row["currency"], row["balance"]) == (body["currency_code"], body["outstanding_receivable_amount"])
        assert row["body"]["contact_type"] == body["contact_type"]


async def test_the_crm_link_of_a_contact_stays_known_until_a_row_says_there_is_none(office: Office) -> None:
    copy = await office.read("contacts")
    linked = next(body for body in office.held("contacts", Product.BOOKS).values() if body["zcrm_account_id"])
    contact_id = linked["contact_id"]
    assert await copy.refresh(office.organization_id, "contacts", contact_id)
    assert (await office.record(contact_id))["account_id"] == linked["zcrm_account_id"]
    touched = linked | {"last_modified_time": written(datetime.now(UTC)), "phone": "1"}
    office.put("contacts", touched, Product.BOOKS)
    await copy.pull(office.organization_id, "contacts")
    assert (await office.record(contact_id))["account_id"] == linked["zcrm_account_id"]
    later = written(datetime.now(UTC) + timedelta(seconds=2))
    office.put("contacts", touched | {"last_modified_time": later, "is_linked_with_zohocrm": False}, Product.BOOKS)
    await copy.pull(office.organization_id, "contacts")
    assert (await office.record(contact_id))["account_id"] is None


@asynccontextmanager
async def listening(office: Office) -> AsyncIterator[Notices]:
    """What is told about the organization's copy from here on."""
    events = Events(office.database)
    try:
        async with events.subscribe(topic(office.organization_id)) as notices:
            await anext(notices)
            await anext(notices)  # connected
            yield notices
    finally:
        await events.aclose()


async def heard(notices: Notices) -> Notice:
    payload = await asyncio.wait_for(anext(notices), 5)
    assert payload
    return read(payload)


async def test_all_processes_are_told_what_has_changed_and_as_of_when(office: Office, copy: Copy) -> None:
    record_id = changed(office)
    before = (await copy.state(office.organization_id, "invoices")).generation
    async with listening(office) as notices:
        await copy.pull(office.organization_id, "invoices")
        change, reached = await heard(notices), await heard(notices)
        state = await copy.state(office.organization_id, "invoices")
        assert (change.generation, change.changed, change.ids) == (before + 1, 1, {record_id: Change.UPDATED})
        assert (reached.generation, reached.as_of, reached.changed) == (before + 1, state.as_of, 0)
        await copy.pull(office.organization_id, "invoices")
        quiet = await heard(notices)
        assert (quiet.generation, quiet.changed, quiet.ids) == (state.generation, 0, {})


async def keep_full(office: Office, record_id: str) -> None:
    async with office.database.session() as session:
        session.add(
            FullRecord(
                organization_id=office.organization_id,
                module="estimates",
                id=record_id,
                shape="",
                body="",
                read_at=now(),
            )
        )


async def test_a_deletion_counts_as_a_change_and_a_late_answer_does_not_bring_the_record_back(
    office: Office, copy: Copy
) -> None:
    record_id = next(iter(office.held("estimates", Product.BOOKS)))
    before = (await copy.state(office.organization_id, "estimates")).generation
    body = office.held("estimates", Product.BOOKS)[record_id]
    await keep_full(office, record_id)
    office.drop("estimates", record_id, Product.BOOKS)
    assert not await copy.refresh(office.organization_id, "estimates", record_id)
    async with office.database.session() as session:
        assert await session.get(FullRecord, (office.organization_id, "estimates", record_id)) is None
    assert (await office.record(record_id))["deleted_at"]
    assert (await copy.state(office.organization_id, "estimates")).generation == before + 1
    assert not await copy.refresh(office.organization_id, "estimates", record_id)
    assert (await copy.state(office.organization_id, "estimates")).generation == before + 1
    office.put("estimates", body, Product.BOOKS)
    assert await copy.refresh(office.organization_id, "estimates", record_id)
    assert (await office.record(record_id))["deleted_at"] is None


async def test_generations_go_on_growing_when_the_copy_begins_anew(office: Office, copy: Copy) -> None:
    before = {state.module: state.generation for state in await copy.states(office.organization_id)}
    await copy.forget(office.organization_id)
    assert all(state.as_of is None for state in await copy.states(office.organization_id))
    for state in await copy.states(office.organization_id):
        assert state.generation > before[state.module]


async def test_a_list_that_tells_no_changes_is_not_asked_again_and_again(office: Office, copy: Copy) -> None:
    await compared_row_by_row(office, "subscriptions")
    misorder(office, "subscriptions")
    assert await copy.at_least(office.organization_id, "subscriptions", datetime.now(UTC), soon()) is None
    assert calls(office) == {"subscriptions": 1}


async def compared_row_by_row(office: Office, module: str) -> None:
    """As if that had begun and not come far."""
    cursor = Cursor(began=datetime.now(UTC), check=True)
    async with office.database.session() as session:
        pull = await session.get_one(RecordPull, (office.organization_id, module))
        pull.state, pull.cursor = "READING", to_builtins(cursor)


def misorder(office: Office, kind: str) -> None:
    """The list's first row says that it was changed long ago."""
    with office.sandbox.store.session() as session:
        mine = select(Kept).where(Kept.kind == kind, Kept.organization_id == office.products[Product.BILLING])
        first = session.exec(mine.order_by(col(Kept.modified_time).desc())).first()
        assert first
        first.row = first.row.replace(first.body["updated_time"], "2001-01-01T00:00:00+0000")
        session.add(first)
        session.commit()
