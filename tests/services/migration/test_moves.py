"""What is written down, and to whom it is told, when a member is moved."""

from datetime import timedelta

import pytest
from sqlmodel import col

from services.candidates import Reason
from services.errors import GatewayError, NotFound, UpstreamRateLimited, UpstreamRejected, UpstreamUnavailable
from services.letters import AuthorizationRequested, Migrated, Template, values_of
from services.migration import moves
from services.migration.states import ItemState
from services.policy import CAPABILITIES, AccessKind, CapabilitySet, Product
from services.sandbox.faults import Fault
from services.storage.models import AuditEvent, now
from services.storage.rollout import Mail, MigrationItem
from tests.services.migration.office import Office, made

WHOLE = CAPABILITIES[CapabilitySet.ALL_FINANCE_MODULES]


async def event(office: Office, action: str) -> AuditEvent:
    (found,) = await office.rows(AuditEvent, col(AuditEvent.action) == action)
    return found


async def letter(office: Office, name: str, template: Template) -> Mail:
    mails = await office.rows(Mail, col(Mail.recipient) == f"{name}@demo.example", col(Mail.event) == template)
    (found,) = mails
    return found


async def test_becoming_an_integration_user_is_told_to_him_and_to_the_audit(office: Office) -> None:
    run = await office.migrate("legacy")
    item = (await office.items(run.id))["legacy"]
    assert item.message == "He is an integration user of Zoho Books."
    assert (item.from_access, item.to_access) == (AccessKind.OWNER_DELEGATED, AccessKind.INTEGRATION_USER)
    assert item.settled_at is not None
    moved = await event(office, "users.migrate")
    assert (moved.permission, moved.outcome, moved.subject_module) == ("migration.run", "APPLIED", "users")
    assert (moved.subject_id, moved.actor_email, moved.request_id) == (
        item.user.id,
        "owner@demo.example",
        f"migration-{item.id}",
    )
    assert moved.changes == [
        {"field": "access", "before": "OWNER_DELEGATED", "after": "INTEGRATION_USER"},
        {"field": "capabilitySet", "before": None, "after": "ALL_FINANCE_MODULES"},
    ]
    assert (moved.calls, moved.credential_email) == ([], None)
    mail = await letter(office, "legacy", Template.MIGRATED)
    assert (mail.member_id, mail.organization_id, mail.migration_item_id) == (item.user.id, office.id, item.id)
    told = values_of(Template(mail.template), mail.values)
    assert isinstance(told, Migrated)
    assert (told.access, told.products) == ("INTEGRATION_USER", (Product.BOOKS,))
    assert {module: set(told.modules[module]) for module in WHOLE} == WHOLE


async def test_coming_to_ones_own_access_is_told_with_the_calls_that_proved_it(office: Office) -> None:
    await office.connect("both")
    await office.connect("both", Product.BILLING)
    run = await office.migrate("both")
    item = (await office.items(run.id))["both"]
    assert item.message == "He works under his own access to Zoho Books and Zoho Billing."
    moved = await event(office, "users.migrate")
    assert moved.changes == [{"field": "access", "before": "OWNER_DELEGATED", "after": "PRODUCT_USER"}]
    assert {call["path"] for call in moved.calls} == {"/books/v3/users/me", "/billing/v1/plans"}
    assert moved.credential_email == "both@demo.example"
    mail = await letter(office, "both", Template.MIGRATED)
    told = values_of(Template(mail.template), mail.values)
    assert told == Migrated(access="PRODUCT_USER", products=(Product.BOOKS, Product.BILLING))


@pytest.mark.parametrize(("days", "lives"), [(80, 80), (3, 14)])
async def test_who_is_asked_for_his_access_has_until_the_window_closes_and_at_least_two_weeks(
    office: Office, days: int, lives: int
) -> None:
    await office.organize(window_closes_at=now() + timedelta(days=days))
    run = await office.migrate("restricted")
    item = (await office.items(run.id))["restricted"]
    assert (item.state, item.reason) == (ItemState.SKIPPED, Reason.AWAITING_AUTHORIZATION)
    assert item.message
    told = values_of(
        Template.AUTHORIZATION_REQUESTED, (await letter(office, "restricted", Template.AUTHORIZATION_REQUESTED)).values
    )
    assert isinstance(told, AuthorizationRequested)
    assert told.products == (Product.BOOKS,)
    assert told.link.startswith("http")
    assert told.until is not None
    assert abs(told.until - now() - timedelta(days=lives)) < timedelta(minutes=5)


async def test_another_persons_account_is_named_with_what_to_do(office: Office) -> None:
    await office.connect("restricted", as_whom="timesheet")
    item = (await office.items((await office.migrate("restricted")).id))["restricted"]
    assert item.message == (
        "The account he has connected is another user's in Zoho Books: timesheet@demo.example. "
        "He has to connect the account of restricted@demo.example."
    )
    assert (item.attempts, item.state) == (1, ItemState.FAILED)
    assert await office.mails("MIGRATED") == []


async def test_who_has_gone_meanwhile_is_left_out_with_the_reason(office: Office) -> None:
    run = await office.start("legacy", "sales1")
    await office.organize(integration_user_limit=len(await office.seats()))
    await office.work()
    item = (await office.items(run.id))["legacy"]
    assert (item.state, item.reason) == (ItemState.SKIPPED, Reason.LIMIT_REACHED)
    assert "integration users are possible" in (item.message or "")
    assert await office.events("users.migrate") == {}
    assert await office.access("legacy") is AccessKind.OWNER_DELEGATED


async def test_nobody_is_moved_in_a_migration_that_is_paused_or_cancelled(office: Office) -> None:
    run = await office.start("legacy")
    job = moves.Job(run.id, office.id, run.purpose, await office.viewer("owner"))
    for step in (office.migrations.pause, office.migrations.cancel):
        made(await step(await office.errand(), run.id))
        async with office.assembly.database.session() as session:
            item = await session.get_one(MigrationItem, (await office.items(run.id))["legacy"].id)
            with pytest.raises(moves.Superseded):
                await moves.enter(session, job, item)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (UpstreamUnavailable(), True),
        (UpstreamRateLimited(), True),
        (UpstreamRejected(), False),
        (NotFound(), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: GatewayError, again: bool) -> None:
    assert moves.passing(error) is again


@pytest.mark.parametrize(
    ("asked", "attempt", "jitter", "seconds"),
    [
        (None, 1, 0.0, 1),
        (None, 1, 1.0, 3),
        (None, 3, 0.5, 8),
        (None, 20, 0.5, 300),
        (45, 1, 0.5, 45),
        (900, 1, 0.5, 300),
    ],
)
def test_a_pause_is_what_the_product_asks_or_doubles(
    asked: int | None, attempt: int, jitter: float, seconds: float
) -> None:
    error = UpstreamUnavailable(**({} if asked is None else {"retryAfter": asked}))
    assert moves.pause(error, attempt, jitter) == timedelta(seconds=seconds)


async def test_a_product_that_asks_for_patience_is_nobodys_failure(office: Office) -> None:
    await office.connect("restricted")
    office.sandbox.fault(Fault("rate_limit", "/users/me", retry_after=100))
    run = await office.start("restricted")
    for _ in range(6):
        await office.work()
        await office.hurry()
    item = (await office.items(run.id))["restricted"]
    assert (item.state, item.attempts) == (ItemState.PENDING, 0)
