import asyncio
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from services.candidates import Reason
from services.migration.moves import Job
from services.migration.states import ItemState, State
from services.migration.values import Purpose
from services.migration.work import Work
from services.policy import AccessKind, Product
from services.sandbox.faults import Fault
from services.storage.models import now
from services.storage.rollout import MigrationItem
from tests.harness import struck
from tests.services.migration.office import Office, made


async def test_a_user_without_a_licence_becomes_an_integration_user_once(office: Office) -> None:
    assert await office.access("legacy") is AccessKind.OWNER_DELEGATED
    run = await office.migrate("legacy")
    assert (run.state, run.migrated, run.done, run.total) == (State.COMPLETED, 1, 1, 1)
    assert await office.access("legacy") is AccessKind.INTEGRATION_USER
    assert (await office.seats())["legacy"].capability_set == "ALL_FINANCE_MODULES"
    assert await office.mails("MIGRATED") == ["legacy"]
    assert await office.events("users.migrate") == {(await office.ids("legacy"))[0]: 1}


async def test_a_user_of_the_product_with_a_connection_works_under_his_own_access(office: Office) -> None:
    await office.connect("both")
    await office.connect("both", Product.BILLING)
    before = len(office.sandbox.calls(email="both@demo.example"))
    run = await office.migrate("both")
    assert run.migrated == 1
    assert await office.access("both") is AccessKind.PRODUCT_USER
    assert await office.access("both", Product.BILLING) is AccessKind.PRODUCT_USER
    asked = [call.path for call in office.sandbox.calls(email="both@demo.example")[before:]]
    assert "/books/v3/users/me" in asked
    assert "/billing/v1/plans" in asked
    assert "both" not in await office.seats()


async def test_who_has_not_connected_is_asked_once_and_works_as_before_until_he_has(office: Office) -> None:
    run = await office.migrate("restricted", "legacy")
    item = (await office.items(run.id))["restricted"]
    assert (item.state, item.reason) == (ItemState.SKIPPED, Reason.AWAITING_AUTHORIZATION)
    assert run.state is State.COMPLETED
    assert await office.mails("AUTHORIZATION_REQUESTED") == ["restricted"]
    assert await office.access("restricted") is AccessKind.OWNER_DELEGATED
    assert await office.assembly.migrating.work.waiting() == []

    await office.connect("restricted")
    await office.work()
    item = (await office.items(run.id))["restricted"]
    assert (item.state, item.reason) == (ItemState.MIGRATED, None)
    assert await office.access("restricted") is AccessKind.PRODUCT_USER
    assert await office.mails("MIGRATED") == ["legacy", "restricted"]
    assert await office.assembly.migrating.work.waiting() == []


async def test_who_consents_to_a_cancelled_migration_is_not_moved(office: Office) -> None:
    run = await office.start("restricted")
    await office.migrations.cancel(await office.errand(), run.id)
    await office.connect("restricted")
    await office.work()
    assert await office.access("restricted") is AccessKind.OWNER_DELEGATED


async def test_another_persons_account_is_not_taken_for_his(office: Office) -> None:
    await office.connect("restricted", as_whom="timesheet")
    run = await office.migrate("restricted")
    item = (await office.items(run.id))["restricted"]
    assert (item.state, item.reason) == (ItemState.FAILED, Reason.UPSTREAM_ERROR)
    assert "another user" in (item.message or "")
    assert await office.access("restricted") is AccessKind.OWNER_DELEGATED


async def test_a_passing_fault_of_the_product_is_tried_again_later(office: Office) -> None:
    await office.connect("restricted")
    office.sandbox.fault(Fault("status", "/users/me", status=503, times=4))
    run = await office.migrate("restricted")
    item = (await office.items(run.id))["restricted"]
    assert (item.state, item.attempts, run.state) == (ItemState.PENDING, 1, State.RUNNING)
    await office.hurry()
    office.sandbox.clear_faults()
    await _until_migrated(office, run.id, "restricted")


async def _until_migrated(office: Office, run_id: str, name: str) -> None:
    """The circuit may have to close again first."""
    async with asyncio.timeout(30):
        while (await office.items(run_id))[name].state is ItemState.PENDING:
            await office.hurry()
            await office.work()
    assert (await office.items(run_id))[name].state is ItemState.MIGRATED


async def test_a_fault_that_stays_is_a_failure_that_can_be_retried(office: Office) -> None:
    await office.connect("restricted")
    office.sandbox.change("restricted@demo.example", books_status="inactive")
    run = await office.migrate("restricted")
    assert (run.state, run.failed) == (State.COMPLETED, 1)
    item = (await office.items(run.id))["restricted"]
    assert (item.state, item.reason) == (ItemState.FAILED, Reason.UPSTREAM_ERROR)

    office.sandbox.change("restricted@demo.example", books_status="active")
    again = made(await office.migrations.retry_failed(await office.errand(), run.id))
    assert (again.state, again.pending, again.finished_at) == (State.QUEUED, 1, None)
    await office.work()
    assert (await office.run(run.id)).migrated == 1
    assert await office.access("restricted") is AccessKind.PRODUCT_USER


async def test_a_user_who_became_an_integration_user_meanwhile_is_left_alone(office: Office) -> None:
    first, second = await office.start("legacy"), await office.start("legacy")
    await office.work()
    states = {(await office.items(run.id))["legacy"].reason for run in (first, second)}
    assert states == {None, Reason.ALREADY_MIGRATED}
    assert await office.mails("MIGRATED") == ["legacy"]
    assert sum((await office.events("users.migrate")).values()) == 1


async def test_many_lanes_at_once_move_each_member_once(office: Office) -> None:
    run = await office.start()
    work = office.assembly.migrating.work
    while any(await asyncio.gather(*(work.lane(run.id) for _ in range(8)))):
        pass
    done = await office.run(run.id)
    assert done.state is State.COMPLETED
    assert done.migrated > 5
    assert max((await office.events("users.migrate")).values()) == 1
    assert sum((await office.events("users.migrate")).values()) == done.migrated


async def test_seats_beyond_the_limit_are_not_given_by_however_many_lanes(office: Office) -> None:
    taken = len(await office.seats())
    run = await office.start("sales1", "sales2", "sales3", "support1", "support2")
    await office.organize(integration_user_limit=taken + 2)
    work = office.assembly.migrating.work
    while any(await asyncio.gather(*(work.lane(run.id) for _ in range(5)))):
        pass
    items = (await office.items(run.id)).values()
    assert sorted(item.state for item in items) == ["MIGRATED"] * 2 + ["SKIPPED"] * 3
    assert {item.reason for item in items if item.state == "SKIPPED"} == {Reason.LIMIT_REACHED}
    assert len(await office.seats()) == taken + 2


async def test_a_worker_that_dies_in_the_middle_of_a_move_leaves_no_trace_of_it(office: Office) -> None:
    await office.connect("restricted")
    office.sandbox.fault(Fault("delay", "/users/me", seconds=30))
    run = await office.start("restricted")
    dying = asyncio.create_task(office.assembly.migrating.work.lane(run.id))
    await struck(office.sandbox)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    item = (await office.items(run.id))["restricted"]
    assert (item.state, item.attempts) == (ItemState.PENDING, 0)
    office.sandbox.clear_faults()
    await office.work()
    assert (await office.items(run.id))["restricted"].state is ItemState.MIGRATED
    assert sum((await office.events("users.migrate")).values()) == 1


async def test_nobody_is_moved_after_a_pause_even_while_his_access_is_being_checked(office: Office) -> None:
    await office.connect("restricted")
    office.sandbox.fault(Fault("delay", "/users/me", seconds=1))
    run = await office.start("restricted", "legacy")
    lanes = [asyncio.create_task(office.assembly.migrating.work.lane(run.id)) for _ in range(2)]
    await struck(office.sandbox)
    paused = made(await office.migrations.pause(await office.errand(), run.id))
    await asyncio.gather(*lanes)
    assert (await office.run(run.id)).migrated == paused.migrated
    assert await office.access("restricted") is AccessKind.OWNER_DELEGATED

    made(await office.migrations.resume(await office.errand(), run.id))
    await office.work()
    assert (await office.run(run.id)).migrated == 2


async def test_progress_tells_when_it_will_be_done_from_the_pace_so_far(office: Office) -> None:
    await office.connect("restricted")
    office.sandbox.fault(Fault("status", "/users/me", status=503))
    run = await office.start("legacy", "restricted")
    assert run.estimated_completion_at is None
    await office.work()
    estimated = (await office.run(run.id)).estimated_completion_at
    assert estimated is not None
    assert now() < estimated < now() + timedelta(minutes=1)
    office.sandbox.clear_faults()
    await _until_migrated(office, run.id, "restricted")
    assert (await office.run(run.id)).estimated_completion_at is None


async def test_a_fault_of_our_own_stops_one_member_and_not_the_others(office: Office) -> None:
    (legacy,) = await office.ids("legacy")
    moves = office.assembly.migrating.moves

    async def stumbling(session: AsyncSession, job: Job, item: MigrationItem) -> None:
        if item.member_id == legacy:
            raise ZeroDivisionError
        await moves.move(session, job, item)

    run = await office.start("legacy", "sales1")
    work = Work(office.assembly.database, office.assembly.services.identity, {Purpose.USERS: stumbling})
    for _ in range(4):
        await work.lane(run.id)
        await office.hurry()
    await work.lane(run.id)
    items = await office.items(run.id)
    assert (items["legacy"].state, items["legacy"].attempts) == (ItemState.FAILED, 4)
    assert items["sales1"].state is ItemState.MIGRATED
    assert (await office.run(run.id)).state is State.COMPLETED
