"""A migration's row: its clocks, its progress, and the notices of what happens to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, update
from sqlmodel.ext.asyncio.session import AsyncSession

from services.errors import Conflict
from services.events import Notices
from services.migration import ledger
from services.migration.moves import Job
from services.migration.states import ItemState, State, Step
from services.migration.values import Items, Purpose, Run, Runs
from services.migration.work import Move, Work
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
    finished = (row.state, row.resumed_at, row.worked_seconds, row.finished_at)
    assert finished == (State.COMPLETED, None, 180, minute(12))
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


async def test_the_estimate_counts_everybody_with_a_result_and_all_the_time_that_was_worked(office: Office) -> None:
    run = await office.start("legacy", "sales1", "sales2", "support1", "support2")
    at = now()
    begun, minutes = at - timedelta(minutes=30), timedelta(minutes=5)
    await office.change(
        update(Migration)
        .where(col(Migration.id) == run.id)
        .values(state=State.RUNNING, started_at=begun, resumed_at=at - minutes, worked_seconds=300.0)
    )
    settled = (ItemState.MIGRATED, ItemState.SKIPPED, ItemState.FAILED, ItemState.ROLLED_BACK)
    for position, state in enumerate(settled, 1):
        item = update(MigrationItem).where(
            col(MigrationItem.migration_id) == run.id, col(MigrationItem.position) == position
        )
        await office.change(item.values(state=state, settled_at=begun))
    found = await office.run(run.id)
    assert (found.migrated, found.skipped, found.failed, found.rolled_back) == (1, 1, 1, 1)
    assert (found.done, found.pending) == (4, 1)
    assert found.estimated_completion_at is not None
    assert abs(found.estimated_completion_at - at - timedelta(seconds=150)) < timedelta(seconds=15)


async def test_migrations_of_one_moment_follow_each_other_as_well(office: Office) -> None:
    runs = [await office.start("legacy", dry_run=True) for _ in range(4)]
    await office.change(update(Migration).values(created_at=BEGINNING))
    seen: list[str] = []
    for _ in runs:
        page = await office.migrations.page(office.id, 1, (BEGINNING, seen[-1]) if seen else None)
        seen += [run.id for run in page.runs]
    assert seen == sorted((run.id for run in runs), reverse=True)


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
        last = await office.start("sales2")
        assert await asyncio.wait_for(anext(work), 10) == last.id


@asynccontextmanager
async def hearing(office: Office, run: Run) -> AsyncIterator[None]:
    """What happens in the block has to be told to those who watch the migration."""
    events = office.assembly.events
    async with events.subscribe(ledger.topic(run.id)) as watched:
        await until(lambda: events.connected)
        await anext(watched)
        yield
        await heard(watched, "")


async def test_watchers_are_told_of_all_that_workers_do(office: Office) -> None:
    async def broken(_session: AsyncSession, _job: Job, _item: MigrationItem) -> None:
        raise ZeroDivisionError

    async def settling(_session: AsyncSession, _job: Job, item: MigrationItem) -> None:
        item.state, item.settled_at = ItemState.SKIPPED, now()

    def lane(move: Move) -> Awaitable[bool]:
        return Work(office.assembly.database, office.assembly.services.identity, {Purpose.USERS: move}).lane(run.id)

    run = await office.start("legacy", "sales1")
    await office.change(update(MigrationItem).values(due_at=now() + timedelta(hours=1)))
    async with hearing(office, run):
        await lane(settling)
    first = update(MigrationItem).where(col(MigrationItem.position) == 1)
    for move in (broken, settling):
        await office.change(first.values(due_at=now()))
        async with hearing(office, run):
            await lane(move)
    await office.change(update(MigrationItem).values(state=ItemState.SKIPPED))
    async with hearing(office, run):
        await lane(settling)
    assert (await office.run(run.id)).state is State.COMPLETED
