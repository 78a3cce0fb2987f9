"""What is written down, and to whom it is told, when a member is moved."""

import asyncio
from datetime import timedelta
from typing import TypedDict

import pytest
from sqlmodel import col, delete, update

from services.candidates import Reason
from services.directory_values import ACTIVE, GONE
from services.errors import (
    Conflict,
    DeadlineExceeded,
    GatewayError,
    NotFound,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from services.integration_values import NewUser
from services.letters import AuthorizationRequested, Migrated, Template, values_of
from services.migration import moves
from services.migration.states import ItemState, State
from services.policy import CAPABILITIES, AccessKind, CapabilitySet, Product
from services.sandbox.faults import Fault
from services.storage.models import Connection, Member, ProductUser, now
from services.storage.rollout import Migration, MigrationItem
from tests.harness import struck
from tests.services.migration.office import Office, made

WHOLE = CAPABILITIES[CapabilitySet.ALL_FINANCE_MODULES]


async def test_becoming_an_integration_user_is_told_to_him_and_to_the_audit(office: Office) -> None:
    run = await office.migrate("legacy")
    item = (await office.items(run.id))["legacy"]
    assert item.message == "The user is an integration user of Zoho Books."
    assert (item.from_access, item.to_access) == (AccessKind.OWNER_DELEGATED, AccessKind.INTEGRATION_USER)
    assert item.settled_at is not None
    (row,) = await office.rows(MigrationItem)
    assert row.undo == {"migrated_at": None, "grants": []}
    moved = await office.event("users.migrate")
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
    mail = await office.letter("legacy", Template.MIGRATED)
    assert (mail.member_id, mail.organization_id, mail.migration_item_id) == (item.user.id, office.id, item.id)
    told = values_of(Template(mail.template), mail.values)
    assert isinstance(told, Migrated)
    assert (told.access, told.products) == ("INTEGRATION_USER", (Product.BOOKS,))
    assert {module: set(actions) for module, actions in told.modules.items() if module in WHOLE} == WHOLE


async def test_coming_to_ones_own_access_is_told_with_the_calls_that_proved_it(office: Office) -> None:
    await office.connect("both")
    await office.connect("both", Product.BILLING)
    run = await office.migrate("both")
    item = (await office.items(run.id))["both"]
    assert item.message == "The user works under their own access to Zoho Books and Zoho Billing."
    moved = await office.event("users.migrate")
    assert moved.changes == [{"field": "access", "before": "OWNER_DELEGATED", "after": "PRODUCT_USER"}]
    assert {call["path"] for call in moved.calls} == {"/books/v3/users/me", "/billing/v1/plans"}
    assert moved.credential_email == "both@demo.example"
    mail = await office.letter("both", Template.MIGRATED)
    told = values_of(Template(mail.template), mail.values)
    assert told == Migrated(access="PRODUCT_USER", products=(Product.BOOKS, Product.BILLING))


@pytest.mark.parametrize(("days", "lives"), [(80, 80), (3, 14), (None, 14)])
async def test_who_is_asked_for_his_access_has_until_the_window_closes_and_at_least_two_weeks(
    office: Office, days: int | None, lives: int
) -> None:
    await office.organize(window_closes_at=None if days is None else now() + timedelta(days=days))
    run = await office.migrate("restricted")
    item = (await office.items(run.id))["restricted"]
    assert (item.state, item.reason) == (ItemState.SKIPPED, Reason.AWAITING_AUTHORIZATION)
    assert item.message
    told = values_of(
        Template.AUTHORIZATION_REQUESTED, (await office.letter("restricted", Template.AUTHORIZATION_REQUESTED)).values
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
        "The connected account belongs to another user of Zoho Books: timesheet@demo.example. "
        "The account to connect is that of restricted@demo.example."
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


@pytest.mark.parametrize("waiting", [ItemState.PENDING, ItemState.SKIPPED])
async def test_nobody_is_moved_in_a_migration_that_is_paused_or_cancelled(office: Office, waiting: ItemState) -> None:
    run = await office.start("legacy")
    job = moves.Job(run.id, office.id, run.purpose, await office.viewer("owner"))
    await office.change(update(MigrationItem).values(state=waiting))
    for step in (office.migrations.pause, office.migrations.cancel):
        made(await step(await office.errand(), run.id))
        async with office.assembly.database.session() as session:
            item = await session.get_one(MigrationItem, (await office.items(run.id))["legacy"].id)
            with pytest.raises(moves.Superseded):
                await moves.enter(session, job, item)


@pytest.mark.parametrize("state", [State.RUNNING, State.COMPLETED])
async def test_who_waited_for_his_consent_is_moved_when_all_others_have_been_as_well(
    office: Office, state: State
) -> None:
    run = await office.start("legacy")
    job = moves.Job(run.id, office.id, run.purpose, await office.viewer("owner"))
    await office.change(update(MigrationItem).values(state=ItemState.SKIPPED))
    await office.change(update(Migration).values(state=state))
    async with office.assembly.database.session() as session:
        item = await session.get_one(MigrationItem, (await office.items(run.id))["legacy"].id)
        await moves.enter(session, job, item)


def test_who_waits_may_wait_on_and_who_was_moved_stays_so() -> None:
    waiting, moved = (
        MigrationItem(
            migration_id="1",
            member_id="1",
            position=0,
            from_access=AccessKind.OWNER_DELEGATED,
            to_access=AccessKind.INTEGRATION_USER,
            state=state,
        )
        for state in (ItemState.SKIPPED, ItemState.MIGRATED)
    )
    moves.settle(waiting, ItemState.SKIPPED, Reason.INACTIVE, "The CRM user is not active.")
    assert (waiting.state, waiting.reason, waiting.message) == ("SKIPPED", "INACTIVE", "The CRM user is not active.")
    with pytest.raises(Conflict):
        moves.settle(moved, ItemState.SKIPPED, None, None)


async def test_who_is_not_known_by_his_id_in_books_is_known_by_his_connection(office: Office) -> None:
    await office.connect("restricted")
    await office.change_member("restricted", books_user_id=None)
    run = await office.migrate("restricted")
    assert run.migrated == 1
    assert await office.access("restricted") is AccessKind.PRODUCT_USER


async def test_who_takes_his_consent_back_while_it_is_checked_is_asked_again(office: Office) -> None:
    await office.connect("restricted")
    (restricted,) = await office.ids("restricted")
    office.sandbox.fault(Fault("delay", "/users/me", seconds=1))
    run = await office.start("restricted")
    lane = asyncio.create_task(office.assembly.migrating.work.lane(run.id))
    await struck(office.sandbox)
    await office.change(delete(Connection).where(col(Connection.member_id) == restricted))
    await lane
    assert await office.mails("AUTHORIZATION_REQUESTED") == ["restricted"]
    assert (await office.items(run.id))["restricted"].reason is Reason.AWAITING_AUTHORIZATION


async def test_whom_the_crm_does_not_list_any_more_is_left_out(office: Office) -> None:
    run = await office.start("legacy")
    await office.change_member("legacy", status=GONE)
    await office.work()
    item = (await office.items(run.id))["legacy"]
    assert (item.state, item.reason) == (ItemState.SKIPPED, Reason.NOT_A_CRM_USER)
    assert item.message == "The CRM does not list this user any more."


async def test_whose_address_another_user_of_the_product_has_by_now_is_left_out(office: Office) -> None:
    await office.connect("restricted")
    run = await office.start("restricted")
    for user_id in ("7001", "7002"):
        await office.add(
            ProductUser(
                organization_id=office.id,
                product=Product.BOOKS,
                user_id=user_id,
                email="restricted@demo.example",
                status=ACTIVE,
            )
        )
    await office.work()
    item = (await office.items(run.id))["restricted"]
    assert (item.state, item.reason) == (ItemState.SKIPPED, Reason.SEVERAL_MATCHES)


class Address(TypedDict):
    organization_id: str
    email: str
    status: str


async def test_addresses_in_another_organization_decide_nothing(office: Office) -> None:
    await office.connect("restricted")
    others = (await office.assembly.services.identity.viewer("owner@west.example")).organization_id
    address: Address = {"organization_id": others, "email": "restricted@demo.example", "status": ACTIVE}
    run = await office.start("restricted")
    for number in ("7001", "7002"):
        await office.add(ProductUser(product=Product.BOOKS, user_id=number, **address))
        await office.add(Member(crm_user_id=number, name="Purchasing", confirmed=True, **address))
    await office.work()
    assert (await office.run(run.id)).migrated == 1


async def test_who_has_a_seat_by_now_is_left_out_with_what_he_has(office: Office) -> None:
    run = await office.start("legacy")
    await office.assembly.services.integration.add(
        await office.errand(), [NewUser((await office.ids("legacy"))[0], Product.BOOKS)]
    )
    await office.work()
    item = (await office.items(run.id))["legacy"]
    assert (item.state, item.reason) == (ItemState.SKIPPED, Reason.ALREADY_MIGRATED)
    assert item.message == "The user is an integration user of Zoho Books already."


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (UpstreamUnavailable(), True),
        (UpstreamRateLimited(), True),
        (DeadlineExceeded(), True),
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
    error = UpstreamUnavailable(retryAfter=asked)
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
