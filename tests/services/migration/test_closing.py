import asyncio
from datetime import timedelta

import pytest
from sqlmodel import col

from services.candidates import Reason
from services.migration import closing, ledger, moves
from services.migration.states import ItemState, State
from services.migration.values import Purpose, Run
from services.policy import AccessKind, CapabilitySet
from services.storage.models import AuditEvent, now
from services.storage.rollout import Migration
from tests.services.migration.office import Office

DAY = timedelta(days=1)


async def begin(office: Office, workers: int = 1) -> None:
    await office.organize(window_closes_at=now() - timedelta(seconds=1))
    await asyncio.gather(*(office.assembly.migrating.tidy() for _ in range(workers)))


async def close(office: Office, workers: int = 1) -> Run:
    """The window closes, so many workers notice it at once, and what follows is worked off."""
    await begin(office, workers)
    await office.work()
    runs = (await office.migrations.page(office.id, 10)).runs
    (found,) = [run for run in runs if run.purpose is Purpose.WINDOW_CLOSED]
    return found


async def test_while_the_window_is_open_nobody_is_added(office: Office) -> None:
    await office.assembly.migrating.tidy()
    assert await office.rows(Migration) == []


async def test_those_who_used_the_modules_become_integration_users_and_the_others_are_told_why_not(
    office: Office,
) -> None:
    await office.used("legacy", 1)
    await office.used("legacy", 1, "Subscription.mrr", "subscriptions.view.mrr")
    run = await close(office)
    items = await office.items(run.id)
    assert (run.state, run.requested_by) == (State.COMPLETED, None)
    assert items["legacy"].state is ItemState.MIGRATED
    assert (items["sales1"].state, items["sales1"].reason) == (ItemState.SKIPPED, Reason.NOT_UTILIZED)
    assert items["restricted"].reason is Reason.AWAITING_AUTHORIZATION
    assert items["inactive"].reason is Reason.INACTIVE
    assert "staff" not in items
    assert await office.mails("MIGRATED") == ["legacy"]
    assert [one.coordinate for one in items["legacy"].mattered] == ["Subscription.mrr"]


async def test_a_migration_by_hand_does_not_take_the_closings_place(office: Office) -> None:
    await office.migrate("legacy")
    await office.used("sales1", 1)
    others = await office.assembly.services.identity.viewer("owner@west.example")
    await office.add(
        ledger.fresh(
            others.organization_id, Purpose.WINDOW_CLOSED, CapabilitySet.ALL_FINANCE_MODULES, state="CANCELLED"
        )
    )
    assert (await office.items((await close(office)).id))["sales1"].state is ItemState.MIGRATED


async def test_both_ends_of_the_closing_are_written_to_the_audit(office: Office) -> None:
    run = await close(office)
    ends = await office.rows(AuditEvent, col(AuditEvent.action) == "migration.windowClosed")
    begun, shut = sorted(ends, key=lambda event: event.at)
    assert begun.changes == [{"field": "state", "before": None, "after": "QUEUED"}]
    assert shut.changes == [{"field": "delegation", "before": True, "after": False}]
    for event in ends:
        assert (event.subject_module, event.subject_id, event.outcome) == ("migrations", run.id, "APPLIED")
        assert (event.actor_name, event.request_id) == (moves.GATEWAY, f"window-{office.id}")


async def test_an_organization_that_was_moved_before_keeps_the_moment(office: Office) -> None:
    run = await office.start("legacy")
    await office.organize(auto_migrated_at=now() - DAY)
    before = (await office.organization()).auto_migrated_at
    async with office.assembly.database.session() as session:
        await closing.shut(session, moves.Job(run.id, office.id, run.purpose, moves.gateway(office.id)))
    assert (await office.organization()).auto_migrated_at == before


async def test_after_it_nobody_works_in_the_old_way(office: Office) -> None:
    await close(office)
    organization = await office.organization()
    assert not organization.delegation
    assert organization.auto_migrated_at is not None
    assert await office.access("sales1") is AccessKind.NONE
    assert await office.access("staff") is AccessKind.PRODUCT_USER
    assert sum((await office.events("migration.windowClosed")).values()) == 2


async def test_three_workers_close_it_once(office: Office) -> None:
    await office.used("legacy", 5)
    first = await close(office, workers=3)
    again = await close(office, workers=3)
    assert first.id == again.id
    assert len(await office.rows(Migration)) == 1
    assert sum((await office.events("users.migrate")).values()) == 1


async def test_the_most_active_get_the_last_seats(office: Office) -> None:
    for name, operations in (("legacy", 3), ("sales1", 9), ("sales2", 6)):
        await office.used(name, operations)
    await office.organize(integration_user_limit=len(await office.seats()) + 2)
    items = await office.items((await close(office)).id)
    states = {name: items[name].reason for name in ("legacy", "sales1", "sales2")}
    assert states == {"legacy": Reason.LIMIT_REACHED, "sales1": None, "sales2": None}


async def test_use_before_the_window_does_not_count(office: Office) -> None:
    await office.used("legacy", 9)
    await office.organize(window_opens_at=now() + DAY)
    items = await office.items((await close(office)).id)
    assert items["legacy"].reason is Reason.NOT_UTILIZED


async def test_own_access_comes_to_those_as_well_who_used_nothing(office: Office) -> None:
    await office.connect("restricted")
    assert (await office.items((await close(office)).id))["restricted"].state is ItemState.MIGRATED
    assert await office.access("restricted") is AccessKind.PRODUCT_USER


@pytest.mark.parametrize(("least", "reason"), [({}, None), ({"least_operations": 2}, Reason.NOT_UTILIZED)])
async def test_one_operation_is_enough_unless_more_are_asked_for(
    office: Office, least: dict[str, int], reason: Reason | None
) -> None:
    await office.used("legacy", 1)
    services = office.assembly.services
    await office.organize(window_closes_at=now() - timedelta(seconds=1))
    await closing.Closing(
        office.assembly.database, services.migrations, services.candidates, services.usage, **least
    ).close_due()
    (run,) = (await office.migrations.page(office.id, 10)).runs
    assert (await office.items(run.id))["legacy"].reason is reason


async def test_who_consents_late_still_comes_to_his_own_access(office: Office) -> None:
    run = await close(office)
    assert await office.access("restricted") is AccessKind.NONE
    await office.connect("restricted")
    await office.work()
    assert await office.access("restricted") is AccessKind.PRODUCT_USER
    assert (await office.items(run.id))["restricted"].state is ItemState.MIGRATED


async def test_what_the_closing_began_is_not_stopped_by_hand(office: Office) -> None:
    await office.used("legacy", 1)
    await begin(office)
    (run,) = (await office.migrations.page(office.id, 10)).runs
    cancelled = await office.migrations.cancel(await office.errand(), run.id)
    await office.work()
    rolled_back = await office.migrations.roll_back(await office.errand(), run.id)
    for done in (cancelled, rolled_back):
        assert done.problems[0].code == "CONFLICT"
        assert done.problems[0].message.startswith("The window has closed")
    assert await office.access("legacy") is AccessKind.INTEGRATION_USER
