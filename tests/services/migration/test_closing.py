import asyncio
from datetime import timedelta

import pytest

from services.candidates import Reason
from services.migration.states import ItemState, State
from services.migration.values import Purpose, Run
from services.policy import AccessKind
from services.storage.models import now
from services.storage.rollout import Migration
from tests.services.migration.office import Office

DAY = timedelta(days=1)


async def close(office: Office, workers: int = 1) -> Run:
    """The window closes, so many workers notice it at once, and what follows is worked off."""
    await office.organize(window_closes_at=now() - timedelta(seconds=1))
    await asyncio.gather(*(office.assembly.migrating.tidy() for _ in range(workers)))
    await office.work()
    runs = (await office.migrations.page(office.id, 10)).runs
    (closing,) = [run for run in runs if run.purpose is Purpose.WINDOW_CLOSED]
    return closing


async def test_while_the_window_is_open_nobody_is_added(office: Office) -> None:
    await office.assembly.migrating.tidy()
    assert await office.rows(Migration) == []


async def test_those_who_used_the_modules_become_integration_users_and_the_others_are_told_why_not(
    office: Office,
) -> None:
    await office.used("legacy", 1)
    run = await close(office)
    items = await office.items(run.id)
    assert (run.state, run.requested_by) == (State.COMPLETED, None)
    assert items["legacy"].state is ItemState.MIGRATED
    assert (items["sales1"].state, items["sales1"].reason) == (ItemState.SKIPPED, Reason.NOT_UTILIZED)
    assert items["restricted"].reason is Reason.AWAITING_AUTHORIZATION
    assert items["inactive"].reason is Reason.INACTIVE
    assert "staff" not in items
    assert await office.mails("MIGRATED") == ["legacy"]


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


async def test_who_consents_late_still_comes_to_his_own_access(office: Office) -> None:
    run = await close(office)
    assert await office.access("restricted") is AccessKind.NONE
    await office.connect("restricted")
    await office.work()
    assert await office.access("restricted") is AccessKind.PRODUCT_USER
    assert (await office.items(run.id))["restricted"].state is ItemState.MIGRATED


@pytest.mark.parametrize("step", ["cancel", "roll_back"])
async def test_what_the_closing_began_is_not_stopped_by_hand(office: Office, step: str) -> None:
    await office.used("legacy", 1)
    run = await close(office)
    done = await getattr(office.migrations, step)(await office.errand(), run.id)
    assert done.problems[0].code == "CONFLICT"
    assert await office.access("legacy") is AccessKind.INTEGRATION_USER
