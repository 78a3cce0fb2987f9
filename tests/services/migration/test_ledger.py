"""A migration's row: its clocks, its progress, and the notices of what happens to it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, update

from services.errors import Conflict
from services.events import Notices
from services.migration import ledger
from services.migration.states import ItemState, State, Step
from services.migration.values import Items, Purpose, Runs
from services.policy import CapabilitySet
from services.storage.models import now
from services.storage.rollout import Migration, MigrationItem
from tests.harness import until
from tests.services.migration.office import Office, made

BEGINNING = datetime(2026, 6, 1, 12, tzinfo=UTC)


def minute(number: int) -> datetime:
    return BEGINNING + timedelta(minutes=number)


def test_the_clock_of_a_migration_leaves_out_its_pauses() -> None:
    row = ledger.fresh("o", Purpose.USERS, CapabilitySet.ALL_FINANCE_MODULES)
    assert (row.state, row.started_at, row.finished_at, row.worked_seconds) == (State.QUEUED, None, None, 0)
    assert ledger.advance(row, Step.BEGIN, minute(0)) == (State.QUEUED, State.RUNNING)
    assert (row.state, row.started_at, row.resumed_at) == (State.RUNNING, minute(0), minute(0))
    assert ledger.advance(row, Step.RETRY, minute(1)) == (State.RUNNING, State.RUNNING)
    assert (row.started_at, row.resumed_at, row.worked_seconds) == (minute(0), minute(0), 0)
    ledger.advance(row, Step.PAUSE, minute(2))
    assert (row.state, row.resumed_at, row.worked_seconds, row.finished_at) == (State.PAUSED, None, 120, None)
    ledger.advance(row, Step.RESUME, minute(10))
    ledger.advance(row, Step.BEGIN, minute(11))
    assert (row.started_at, row.resumed_at, row.worked_seconds) == (minute(0), minute(11), 120)
    ledger.advance(row, Step.FINISH, minute(12))
    assert (row.state, row.resumed_at, row.worked_seconds) == (State.COMPLETED, None, 180)
    assert row.finished_at == minute(12)
    ledger.advance(row, Step.RETRY, minute(13))
    assert (row.state, row.finished_at, row.worked_seconds) == (State.QUEUED, None, 180)
    ledger.advance(row, Step.CANCEL, minute(14))
    assert (row.state, row.finished_at) == (State.CANCELLED, minute(14))
    ledger.advance(row, Step.ROLL_BACK, minute(15))
    assert (row.state, row.finished_at, row.worked_seconds) == (State.ROLLED_BACK, minute(15), 180)


def test_a_step_that_cannot_be_made_changes_nothing() -> None:
    row = ledger.fresh("o", Purpose.USERS, CapabilitySet.ALL_FINANCE_MODULES)
    with pytest.raises(Conflict):
        ledger.advance(row, Step.FINISH)
    assert (row.state, row.started_at, row.finished_at) == (State.QUEUED, None, None)


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    row = ledger.fresh("o", Purpose.USERS, CapabilitySet.ALL_FINANCE_MODULES)
    ledger.advance(row, Step.BEGIN, minute(5))
    ledger.advance(row, Step.PAUSE, minute(4))
    assert row.worked_seconds == 0


def test_a_step_is_made_at_this_moment_unless_another_is_given() -> None:
    row = ledger.fresh("o", Purpose.USERS, CapabilitySet.ALL_FINANCE_MODULES)
    ledger.advance(row, Step.BEGIN)
    assert row.started_at is not None
    assert abs(row.started_at - now()) < timedelta(seconds=10)


def test_where_nothing_is_nothing_follows() -> None:
    assert (Runs().runs, Runs().more, Items().items, Items().more) == ((), False, (), False)


def test_a_preview_is_over_as_soon_as_it_is_made() -> None:
    preview = ledger.fresh("o", Purpose.USERS, "ESTIMATES_ONLY", state=State.PREVIEW, requested_by="m")
    assert (preview.finished_at, preview.requested_by) == (preview.created_at, "m")
    assert (preview.purpose, preview.capability_set) == (Purpose.USERS, "ESTIMATES_ONLY")


async def test_items_say_why_they_stand_where_they_do(office: Office) -> None:
    run = await office.start("legacy", "restricted", "inactive")
    items = await office.items(run.id)
    assert [item.position for item in items.values()] == [1, 2, 3]
    assert {name: item.state for name, item in items.items()} == {
        "inactive": ItemState.SKIPPED,
        "legacy": ItemState.PENDING,
        "restricted": ItemState.PENDING,
    }
    assert {name: item.settled_at for name, item in items.items()} == {
        "inactive": run.created_at,
        "legacy": None,
        "restricted": None,
    }
    assert (run.total, run.skipped, run.pending, run.done) == (3, 1, 2, 1)
    preview = await office.start("legacy", "restricted", dry_run=True)
    seen = await office.items(preview.id)
    assert {name: item.state for name, item in seen.items()} == {
        "legacy": ItemState.PENDING,
        "restricted": ItemState.SKIPPED,
    }
    assert seen["restricted"].settled_at is None
    owner = await office.viewer("owner")
    assert (run.requested_by and run.requested_by.email, run.organization_id) == (owner.email, office.id)
    assert (run.purpose, run.capability_set) == (Purpose.USERS, CapabilitySet.ALL_FINANCE_MODULES)


async def test_items_are_shown_by_their_state_and_a_page_at_a_time(office: Office) -> None:
    run = await office.start("legacy", "sales1", "inactive")
    pending = await office.migrations.items(office.id, run.id, 1, None, ItemState.PENDING)
    assert ([item.state for item in pending.items], pending.more) == ([ItemState.PENDING], True)
    rest = await office.migrations.items(office.id, run.id, 1, pending.items[0].position, ItemState.PENDING)
    assert ([item.state for item in rest.items], rest.more) == ([ItemState.PENDING], False)
    assert rest.items[0].position > pending.items[0].position
    other = await office.start("sales2", dry_run=True)
    assert len((await office.migrations.items(office.id, other.id, 10)).items) == 1


async def test_the_estimate_is_what_was_worked_for_each_times_who_is_left(office: Office) -> None:
    run = await office.start("legacy", "sales1", "sales2", "support1")
    at = now()
    await office.change(
        update(Migration)
        .where(col(Migration.id) == run.id)
        .values(state=State.RUNNING, started_at=at - timedelta(minutes=30), resumed_at=at, worked_seconds=600.0)
    )
    first = update(MigrationItem).where(col(MigrationItem.migration_id) == run.id, col(MigrationItem.position) == 1)
    await office.change(first.values(state=ItemState.SKIPPED, settled_at=at))
    estimated = (await office.run(run.id)).estimated_completion_at
    assert estimated is not None
    assert abs(estimated - at - timedelta(minutes=30)) < timedelta(seconds=30)
    await office.change(first.values(settled_at=at - timedelta(hours=1)))
    assert (await office.run(run.id)).estimated_completion_at is None


async def heard(notices: Notices, wanted: str) -> None:
    async with asyncio.timeout(10):
        async for notice in notices:
            if notice == wanted:
                return


async def test_watchers_are_told_of_each_step_and_workers_when_there_is_work(office: Office) -> None:
    events = office.assembly.events
    async with events.subscribe(ledger.WORK) as work:
        await until(lambda: events.connected)
        await anext(work)
        run = await office.start("legacy")
        await heard(work, run.id)
        async with events.subscribe(ledger.topic(run.id)) as watched:
            await anext(watched)
            made(await office.migrations.pause(await office.errand(), run.id))
            await heard(watched, "")
            other = await office.start("sales1")
            assert await asyncio.wait_for(anext(work), 10) == other.id
            made(await office.migrations.resume(await office.errand(), run.id))
            await heard(work, run.id)
            await heard(watched, "")
            await office.assembly.migrating.work.lane(run.id)
            await heard(watched, "")
