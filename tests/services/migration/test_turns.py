"""Steps of administrators and moves of workers wait for each other, so that neither undoes what the other has done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from services import seats
from services.candidates import Reason
from services.migration import ledger, moves, undo
from services.migration.closing import shut
from services.migration.moves import Job
from services.migration.states import ItemState, State
from services.migration.values import Purpose
from services.migration.work import Work
from services.policy import AccessKind, CapabilitySet, Product
from services.storage.models import Member, now
from services.storage.rollout import Migration, MigrationItem
from tests.services.migration.office import Office, made


@asynccontextmanager
async def stepping(office: Office, run_id: str) -> AsyncIterator[Migration]:
    """In the midst of a step by somebody else, whose changes nobody sees before its end."""
    async with office.assembly.database.session() as session:
        await ledger.hold(session, run_id)
        migration = await ledger.row(session, office.id, run_id)
        yield migration
        await session.flush()


@pytest.mark.parametrize("step", ["pause", "cancel", "retry_failed", "roll_back"])
async def test_a_step_waits_until_who_is_being_moved_has_been_moved(office: Office, step: str) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def move(session: AsyncSession, job: Job, item: MigrationItem) -> None:
        await moves.enter(session, job, item)
        entered.set()
        await go_on.wait()
        moves.settle(item, ItemState.FAILED, None, None)

    run = await office.start("legacy", "sales1")
    work = Work(office.assembly.database, office.assembly.services.identity, {Purpose.USERS: move})
    lane = asyncio.create_task(work.lane(run.id, 1))
    await entered.wait()
    stepped = asyncio.create_task(getattr(office.migrations, step)(await office.errand(), run.id))
    await office.waits(stepped)
    go_on.set()
    assert made(await stepped).failed == (0 if step == "retry_failed" else 1)
    await lane


async def test_who_is_to_be_moved_waits_until_a_step_is_made(office: Office) -> None:
    run = await office.start("legacy")
    async with stepping(office, run.id) as migration:
        migration.state = State.RUNNING
    async with stepping(office, run.id) as migration:
        lane = asyncio.create_task(office.assembly.migrating.work.lane(run.id))
        await office.waits(lane)
        migration.state = State.PAUSED
    await lane
    assert (await office.run(run.id)).pending == 1
    assert await office.access("legacy") is AccessKind.OWNER_DELEGATED


async def test_a_migration_that_is_cancelled_just_now_does_not_begin(office: Office) -> None:
    run = await office.start("legacy")
    async with stepping(office, run.id) as migration:
        lane = asyncio.create_task(office.assembly.migrating.work.lane(run.id))
        await office.waits(lane)
        migration.state = State.CANCELLED
    assert not await lane
    assert (await office.run(run.id)).state is State.CANCELLED


async def test_a_migration_that_is_paused_just_now_is_not_finished(office: Office) -> None:
    async def move(_session: AsyncSession, _job: Job, item: MigrationItem) -> None:
        item.state, item.settled_at = ItemState.SKIPPED, now()

    run = await office.start("legacy")
    work = Work(office.assembly.database, office.assembly.services.identity, {Purpose.USERS: move})
    async with stepping(office, run.id) as migration:
        migration.state = State.RUNNING
    async with stepping(office, run.id) as migration:
        lane = asyncio.create_task(work.lane(run.id))
        await office.waits(lane)
        migration.state = State.PAUSED
    assert not await lane
    assert (await office.run(run.id)).state is State.PAUSED


async def test_a_failure_of_our_own_is_noted_when_the_step_of_the_moment_is_made(office: Office) -> None:
    async def broken(_session: AsyncSession, _job: Job, _item: MigrationItem) -> None:
        raise ZeroDivisionError

    run = await office.start("legacy")
    work = Work(office.assembly.database, office.assembly.services.identity, {Purpose.USERS: broken})
    async with stepping(office, run.id) as migration:
        migration.state = State.RUNNING
    async with stepping(office, run.id):
        lane = asyncio.create_task(work.lane(run.id))
        await office.waits(lane)
    await lane
    assert (await office.items(run.id))["legacy"].attempts == 1


@asynccontextmanager
async def changing(office: Office, name: str, **values: object) -> AsyncIterator[AsyncSession]:
    """In the midst of somebody else's change of a member, which nobody sees before its end."""
    (member_id,) = await office.ids(name)
    async with office.assembly.database.session() as session:
        member = await session.get_one(Member, member_id, with_for_update={"key_share": True})
        member.sqlmodel_update(values)
        await session.flush()
        yield session


@asynccontextmanager
async def giving_seats(office: Office) -> AsyncIterator[AsyncSession]:
    """In the midst of somebody else's giving seats."""
    async with office.assembly.database.session() as session:
        await seats.hold(session, office.id)
        yield session


async def test_what_is_changed_of_a_member_just_now_decides_about_him(office: Office) -> None:
    run = await office.start("legacy")
    async with changing(office, "legacy", status="inactive"):
        lane = asyncio.create_task(office.assembly.migrating.work.lane(run.id))
        await office.waits(lane)
    await lane
    item = (await office.items(run.id))["legacy"]
    assert (item.state, item.reason) == (ItemState.SKIPPED, Reason.INACTIVE)
    assert "legacy" not in await office.seats()


async def test_members_who_go_back_together_are_held_in_one_order(office: Office) -> None:
    """Of whom the database would come to last the first is held first: otherwise two could wait for each other."""
    ids = dict(zip(await office.ids("legacy", "sales1"), ("legacy", "sales1"), strict=True))
    run = await office.migrate(*ids.values())
    (first, first_name), (_, second_name) = sorted(ids.items())
    await office.change_member(first_name, assigned_only=True)
    async with changing(office, second_name):
        back = asyncio.create_task(office.migrations.roll_back(await office.errand(), run.id))
        await office.waits(back)
        async with office.assembly.database.session() as session:
            with pytest.raises(OperationalError, match="could not obtain lock"):
                await session.get_one(Member, first, with_for_update={"nowait": True})
    assert made(await back).rolled_back == 2


async def test_a_capability_set_that_is_changed_just_now_is_the_one_that_is_given(office: Office) -> None:
    run = await office.start("legacy")
    async with changing(office, "legacy"):
        lane = asyncio.create_task(office.assembly.migrating.work.lane(run.id))
        await office.waits(lane)
        await office.organize(capability_set=CapabilitySet.ESTIMATES_ONLY)
    await lane
    assert (await office.seats())["legacy"].capability_set == CapabilitySet.ESTIMATES_ONLY


async def test_a_change_of_one_member_keeps_no_other_waiting(office: Office) -> None:
    run = await office.start("legacy")
    async with changing(office, "sales1", status="inactive"):
        await office.work()
        assert (await office.run(run.id)).migrated == 1
        assert made(await office.migrations.roll_back(await office.errand(), run.id)).rolled_back == 1


async def test_who_waits_for_a_seat_keeps_nobody_else_waiting(office: Office) -> None:
    """Seats come before members, for all who need both: otherwise two could wait for each other."""
    run = await office.start("legacy")
    (legacy,) = await office.ids("legacy")
    async with giving_seats(office) as session:
        lane = asyncio.create_task(office.assembly.migrating.work.lane(run.id))
        await office.waits(lane)
        await session.get_one(Member, legacy, with_for_update={"nowait": True})
    await lane
    assert (await office.run(run.id)).migrated == 1


async def test_who_needs_no_seat_waits_for_none(office: Office) -> None:
    await office.connect("restricted")
    run = await office.start("restricted", "inactive")
    async with giving_seats(office):
        await office.work()
    assert (await office.run(run.id)).migrated == 1


async def test_a_wider_set_waits_until_seats_have_been_given(office: Office) -> None:
    async with giving_seats(office):
        upgrade = asyncio.create_task(
            office.assembly.services.capabilities.upgrade(await office.errand(), dry_run=False)
        )
        await office.waits(upgrade)
    run = made(await upgrade)
    async with giving_seats(office):
        lane = asyncio.create_task(office.assembly.migrating.work.lane(run.id))
        await office.waits(lane)
    await lane
    assert (await office.run(run.id)).migrated == 1


async def test_a_seat_that_is_taken_back_just_now_is_not_given_again(office: Office) -> None:
    run = made(await office.assembly.services.capabilities.upgrade(await office.errand(), dry_run=False))
    await office.work()
    (estimator,) = await office.ids("estimator")
    async with changing(office, "estimator") as session:
        back = asyncio.create_task(office.migrations.roll_back(await office.errand(), run.id))
        await office.waits(back)
        await seats.take(session, estimator, [Product.BOOKS])
    made(await back)
    assert "estimator" not in await office.seats()


@pytest.mark.parametrize(("name", "purpose"), [("legacy", Purpose.USERS), ("estimator", Purpose.CAPABILITIES)])
async def test_what_refers_to_a_member_is_written_while_he_is_moved(
    office: Office, name: str, purpose: Purpose
) -> None:
    moving = {
        Purpose.USERS: office.assembly.migrating.moves.move,
        Purpose.CAPABILITIES: office.assembly.services.capabilities.widen,
    }

    async def watched(session: AsyncSession, job: Job, item: MigrationItem) -> None:
        await moving[purpose](session, job, item)
        async with asyncio.timeout(5):
            await office.used(name, 1)

    if purpose is Purpose.USERS:
        run = await office.start(name)
    else:
        run = made(await office.assembly.services.capabilities.upgrade(await office.errand(), dry_run=False))
    await Work(office.assembly.database, office.assembly.services.identity, {purpose: watched}).lane(run.id)
    assert (await office.run(run.id)).migrated == 1


async def test_what_refers_to_a_member_is_written_while_he_is_rolled_back(office: Office) -> None:
    run = await office.migrate("legacy")
    items = await office.rows(MigrationItem, col(MigrationItem.migration_id) == run.id)
    async with office.assembly.database.session() as session, asyncio.timeout(5):
        await undo.restore(session, items, seated_only=False)
        await office.used("legacy", 1)
    assert await office.access("legacy") is AccessKind.OWNER_DELEGATED


async def test_what_refers_to_the_organization_is_written_while_its_window_is_shut(office: Office) -> None:
    run = await office.start("legacy")
    job = Job(run.id, office.id, run.purpose, moves.gateway(office.id))
    async with office.assembly.database.session() as session, asyncio.timeout(5):
        await shut(session, job)
        await office.used("legacy", 1)
    assert not (await office.organization()).delegation
