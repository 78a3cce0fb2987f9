import asyncio
import random
from datetime import timedelta

import pytest
from sqlmodel import col, delete, update

from services.audit import Filters
from services.audit import State as Outcome
from services.candidates import Reason
from services.errors import LimitReached, NotFound
from services.migration.states import ItemState, State
from services.policy import AccessKind
from services.storage.models import now
from services.storage.rollout import Migration, MigrationItem, RolloutPhase, Usage
from tests.services.migration.office import Office, made


async def test_a_preview_tells_what_would_become_of_each_and_changes_nothing(office: Office) -> None:
    before = await office.viewer("legacy")
    run = await office.start(dry_run=True)
    items = await office.items(run.id)
    assert (run.state, run.dry_run, run.migrated) == (State.PREVIEW, True, 0)
    assert (items["legacy"].state, items["legacy"].to_access) == (ItemState.PENDING, AccessKind.INTEGRATION_USER)
    assert items["restricted"].reason is Reason.AWAITING_AUTHORIZATION
    assert items["restricted"].to_access is AccessKind.PRODUCT_USER
    assert {name: items[name].reason for name in ("inactive", "unconfirmed", "booksinactive")} == dict.fromkeys(
        ("inactive", "unconfirmed", "booksinactive"), Reason.INACTIVE
    )
    await office.work()
    assert await office.viewer("legacy") == before
    assert await office.mails("MIGRATED") == []
    assert await office.events("migration.run") == {}


async def test_a_preview_tells_which_permissions_are_lost_and_where_that_would_have_mattered(office: Office) -> None:
    await office.used("legacy", 7, "Subscription.mrr", "subscriptions.view.mrr")
    await office.used("legacy", 3, "Invoice.total", "invoices.view")
    item = (await office.items((await office.start("legacy", dry_run=True)).id))["legacy"]
    assert "subscriptions.view.mrr" in item.permissions_lost
    assert "invoices.view" not in item.permissions_lost
    assert item.permissions_gained == ()
    assert [(one.coordinate, one.operations) for one in item.mattered] == [("Subscription.mrr", 7)]

    await office.migrate("legacy")
    viewer = await office.viewer("legacy")
    assert not any(viewer.may(permission) for permission in item.permissions_lost)


async def test_a_preview_leaves_out_those_for_whom_there_is_no_seat(office: Office) -> None:
    await office.organize(integration_user_limit=len(await office.seats()) + 1)
    run = await office.start("sales1", "sales2", dry_run=True)
    assert sorted(str(item.reason) for item in (await office.items(run.id)).values()) == ["LIMIT_REACHED", "None"]


async def test_users_that_nobody_knows_are_named_and_nothing_begins(office: Office) -> None:
    (legacy,) = await office.ids("legacy")
    done = await office.migrations.start(await office.errand(), [legacy, "nobody"], dry_run=False)
    assert done.value is None
    assert [(problem.field, problem.code) for problem in done.problems] == [(("input", "userIds", "1"), "NOT_FOUND")]
    assert await office.rows(Migration) == []
    event = await office.assembly.services.audit.get(office.id, done.audit_event_id)
    assert event is not None
    assert event.outcome is Outcome.REJECTED


async def test_outside_its_phase_an_organization_migrates_nobody(office: Office) -> None:
    await office.change(delete(RolloutPhase))
    with pytest.raises(LimitReached):
        await office.migrations.start(await office.errand(), dry_run=True)
    with pytest.raises(LimitReached):
        await office.assembly.services.capabilities.upgrade(await office.errand(), dry_run=True)


async def test_a_step_that_cannot_be_made_is_refused_with_the_present_state(office: Office) -> None:
    run = await office.migrate("legacy")
    done = await office.migrations.pause(await office.errand(), run.id)
    assert done.value is None
    assert (done.problems[0].code, "COMPLETED" in done.problems[0].message) == ("CONFLICT", True)
    assert (await office.run(run.id)).state is State.COMPLETED
    refused = await office.assembly.services.audit.page(office.id, 5, None, Filters(outcomes=[Outcome.REJECTED]))
    assert [event.action for event in refused.events] == ["migration.pause"]


async def test_a_migration_of_another_organization_is_not_found(office: Office) -> None:
    run = await office.start("legacy")
    stranger = await office.assembly.services.identity.viewer("owner@west.example")
    errand = await office.errand()
    errand.viewer = stranger
    for step in (office.migrations.pause, office.migrations.cancel, office.migrations.roll_back):
        with pytest.raises(NotFound):
            await step(errand, run.id)
    with pytest.raises(NotFound):
        await office.migrations.items(stranger.organization_id, run.id, 5)
    assert await office.migrations.get(stranger.organization_id, run.id) is None


async def test_rolling_back_restores_exactly_what_was_and_only_once(office: Office) -> None:
    before = await office.viewer("legacy")
    run = await office.migrate("legacy", "sales1")
    members = await office.ids("legacy")
    done = made(await office.migrations.roll_back(await office.errand(), run.id, members))
    assert (done.state, done.migrated, done.rolled_back) == (State.COMPLETED, 1, 1)
    assert await office.viewer("legacy") == before
    assert await office.access("sales1") is AccessKind.INTEGRATION_USER
    again = await office.migrations.roll_back(await office.errand(), run.id, members)
    assert again.problems[0].code == "CONFLICT"

    whole = made(await office.migrations.roll_back(await office.errand(), run.id))
    assert (whole.state, whole.rolled_back) == (State.ROLLED_BACK, 2)
    assert await office.access("sales1") is AccessKind.OWNER_DELEGATED
    assert sum((await office.events("users.rollBack")).values()) == 2

    await office.migrate("legacy")
    assert await office.mails("MIGRATED") == ["legacy", "sales1"]


async def test_after_the_window_nobody_goes_back(office: Office) -> None:
    run = await office.migrate("legacy")
    await office.organize(window_closes_at=now() - timedelta(seconds=1))
    done = await office.migrations.roll_back(await office.errand(), run.id)
    assert "no old way" in done.problems[0].message
    assert await office.access("legacy") is AccessKind.INTEGRATION_USER


async def test_pages_of_migrations_and_items_follow_each_other(office: Office) -> None:
    runs = [await office.start("legacy", "sales1", "sales2", dry_run=True) for _ in range(3)]
    first = await office.migrations.page(office.id, 2)
    assert ([run.id for run in first.runs], first.more) == ([runs[2].id, runs[1].id], True)
    last = await office.migrations.page(office.id, 2, (first.runs[1].created_at, first.runs[1].id))
    assert ([run.id for run in last.runs], last.more) == ([runs[0].id], False)
    assert not (await office.migrations.page(office.id, 3)).more
    page = await office.migrations.items(office.id, runs[0].id, 2)
    rest = await office.migrations.items(office.id, runs[0].id, 2, page.items[-1].position)
    assert [item.position for item in (*page.items, *rest.items)] == [1, 2, 3]
    assert (page.more, rest.more) == (True, False)


async def test_old_previews_are_forgotten_and_nothing_else(office: Office) -> None:
    kept, _ = await office.start("legacy"), await office.start("legacy", dry_run=True)
    ago = {"created_at": now() - timedelta(days=8)}
    await office.change(update(Migration).values(**ago))
    await office.migrations.forget_previews()
    assert [run.id for run in (await office.migrations.page(office.id, 5)).runs] == [kept.id]
    assert {item.migration_id for item in await office.rows(MigrationItem)} == {kept.id}


async def test_each_step_is_written_to_the_audit_with_what_it_changed(office: Office) -> None:
    run = await office.start("legacy", "restricted")
    begun = await office.event("migration.run")
    assert (begun.permission, begun.subject_module, begun.subject_id) == ("migration.run", "migrations", run.id)
    assert begun.changes == [{"field": "state", "before": None, "after": "QUEUED"}]
    assert (begun.outcome, begun.actor_email) == ("APPLIED", "owner@demo.example")
    for step, action, before, after in (
        ("pause", "migration.pause", "QUEUED", "PAUSED"),
        ("resume", "migration.resume", "PAUSED", "QUEUED"),
        ("cancel", "migration.cancel", "QUEUED", "CANCELLED"),
        ("roll_back", "migration.rollBack", "CANCELLED", "ROLLED_BACK"),
    ):
        done = await getattr(office.migrations, step)(await office.errand(), run.id)
        assert (made(done).id, made(done).state, done.problems) == (run.id, State(after), ())
        event = await office.event(action)
        assert (event.id, event.permission, event.outcome) == (done.audit_event_id, action, "APPLIED")
        assert (event.subject_module, event.subject_id) == ("migrations", run.id)
        assert event.changes == [{"field": "state", "before": before, "after": after}]


async def test_rolling_one_back_is_written_down_for_him_and_leaves_the_migrations_state(office: Office) -> None:
    run = await office.migrate("legacy", "sales1")
    (legacy,) = await office.ids("legacy")
    moved_at = (await office.items(run.id))["legacy"].settled_at
    await office.migrations.roll_back(await office.errand(), run.id, [legacy, legacy])
    whole, own = await office.event("migration.rollBack"), await office.event("users.rollBack")
    assert whole.changes == [{"field": "state", "before": "COMPLETED", "after": "COMPLETED"}]
    assert (own.permission, own.subject_module, own.subject_id, own.outcome) == (
        "migration.rollBack",
        "users",
        legacy,
        "APPLIED",
    )
    assert own.changes == [{"field": "access", "before": "INTEGRATION_USER", "after": "OWNER_DELEGATED"}]
    item = (await office.items(run.id))["legacy"]
    assert (item.state, item.message) == (ItemState.ROLLED_BACK, "The user works as OWNER_DELEGATED again.")
    assert item.settled_at is not None
    assert moved_at is not None
    assert item.settled_at > moved_at
    other = await office.ids("legacy", "sales1")
    refused = await office.migrations.roll_back(await office.errand(), run.id, other)
    assert "Only users whom this migration has migrated" in refused.problems[0].message
    assert await office.access("sales1") is AccessKind.INTEGRATION_USER


async def test_a_refused_step_is_written_down_with_why(office: Office) -> None:
    run = await office.migrate("legacy")
    done = await office.migrations.retry_failed(await office.errand(), run.id)
    (problem,) = done.problems
    assert (problem.field, problem.code, problem.message) == (
        ("id",),
        "CONFLICT",
        "Nobody has failed in this migration.",
    )
    event = await office.event("migration.retry")
    assert (event.id, event.outcome, event.changes) == (done.audit_event_id, "REJECTED", [])
    assert event.user_errors == [
        {"field": ["id"], "message": problem.message, "code": "CONFLICT", "hint": problem.hint}
    ]
    assert (await office.run(run.id)).state is State.COMPLETED


async def test_nobody_goes_back_in_a_migration_that_waits_for_workers(office: Office) -> None:
    run, (legacy, sales) = await office.start("legacy", "sales1"), await office.ids("legacy", "sales1")
    later = update(MigrationItem).where(col(MigrationItem.member_id) == sales).values(due_at=now() + timedelta(hours=1))
    await office.change(later)
    await office.work()
    for step in (office.migrations.pause, office.migrations.resume):
        made(await step(await office.errand(), run.id))
    done = await office.migrations.roll_back(await office.errand(), run.id, [legacy])
    assert done.problems[0].message == "A migration that is QUEUED cannot be rolled back."
    assert await office.access("legacy") is AccessKind.INTEGRATION_USER


async def test_who_failed_begins_anew_when_he_is_retried(office: Office) -> None:
    await office.connect("restricted")
    office.sandbox.change("restricted@demo.example", books_status="inactive")
    run = await office.migrate("restricted", "legacy")
    made(await office.migrations.retry_failed(await office.errand(), run.id))
    items = await office.items(run.id)
    again = items["restricted"]
    assert (again.state, again.reason, again.message, again.attempts, again.settled_at) == (
        ItemState.PENDING,
        None,
        None,
        0,
        None,
    )
    assert items["legacy"].state is ItemState.MIGRATED
    assert await office.assembly.migrating.work.waiting() == [run.id]


@pytest.mark.parametrize(
    "closed", [{"delegation": False}, {"window_closes_at": None}, {"window_closes_at": now() - timedelta(days=1)}]
)
async def test_without_an_old_way_nobody_goes_back(office: Office, closed: dict[str, object]) -> None:
    run = await office.migrate("legacy")
    await office.organize(**closed)
    done = await office.migrations.roll_back(await office.errand(), run.id)
    assert "there is no old way to go back to" in done.problems[0].message
    assert (await office.run(run.id)).rolled_back == 0


async def test_a_wider_set_of_capabilities_is_taken_back_after_the_window_as_well(office: Office) -> None:
    await office.change_member("estimator", migrated_at=now() - timedelta(days=100))
    before = await office.viewer("estimator")
    done = await office.assembly.services.capabilities.upgrade(await office.errand(), dry_run=False)
    run = made(done)
    await office.work()
    await office.organize(window_closes_at=now() - timedelta(days=1))
    back = made(await office.migrations.roll_back(await office.errand(), run.id))
    assert (back.state, back.rolled_back) == (State.ROLLED_BACK, 1)
    assert (await office.seats())["estimator"].capability_set == "ESTIMATES_ONLY"
    assert await office.viewer("estimator") == before


async def test_a_preview_is_kept_for_a_week(office: Office) -> None:
    days = {7.1: await office.start("legacy", dry_run=True), 6.9: await office.start("legacy", dry_run=True)}
    for age, run in days.items():
        await office.change(
            update(Migration).where(col(Migration.id) == run.id).values(created_at=now() - timedelta(days=age))
        )
    await office.migrations.forget_previews()
    assert [run.id for run in (await office.migrations.page(office.id, 5)).runs] == [days[6.9].id]


async def test_what_was_used_in_the_last_thirty_days_matters(office: Office) -> None:
    (legacy,) = await office.ids("legacy")
    for age, coordinate in ((29, "Subscription.mrr"), (31, "Subscription.plan")):
        await office.add(
            Usage(
                organization_id=office.id,
                member_id=legacy,
                day=(now() - timedelta(days=age)).date(),
                coordinate=coordinate,
                permission="subscriptions.view.mrr",
                operations=1,
            )
        )
    item = (await office.items((await office.start("legacy", dry_run=True)).id))["legacy"]
    assert [one.coordinate for one in item.mattered] == ["Subscription.mrr"]


STEPS = ("work", "pause", "resume", "cancel", "retry_failed", "roll_back", "roll_back_one")


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_done_in_whatever_order_grants_and_items_agree(office: Office, seed: int) -> None:
    chance = random.Random(seed)
    run = await office.start("legacy", "sales1", "sales2", "restricted", "support1")
    for _ in range(8):
        await asyncio.gather(*(_tried(office, run.id, chance.choice(STEPS)) for _ in range(2)))
        found = await office.run(run.id)
        items = await office.items(run.id)
        assert found.total == len(items) == 5
        seated = set(await office.seats()) & set(items)
        assert seated == {name for name, item in items.items() if item.state is ItemState.MIGRATED}
        for name in items:
            wanted = AccessKind.INTEGRATION_USER if name in seated else AccessKind.OWNER_DELEGATED
            assert await office.access(name) is wanted


async def _tried(office: Office, run_id: str, step: str) -> None:
    """A step, which may well be refused."""
    if step == "work":
        await office.assembly.migrating.work.lane(run_id)
        return
    errand, migrations = await office.errand(), office.migrations
    if step == "roll_back_one":
        await migrations.roll_back(errand, run_id, await office.ids("legacy"))
    else:
        await getattr(migrations, step)(errand, run_id)
