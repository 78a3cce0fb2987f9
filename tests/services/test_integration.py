"""Integration users and their limit, as administrators change them."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from services import seats
from services.audit import Audit, Filters, State, Subject
from services.errors import LimitReached, NotFound
from services.identity import Identity
from services.integration import Integration
from services.integration_values import NewUser
from services.policy import AccessKind, Action, CapabilitySet, ModuleGrant, Product, Viewer
from services.rollout import Rollout
from services.storage import models

VIEW = ModuleGrant(frozenset({Action.VIEW}))
BOOKS, BILLING = Product.BOOKS, Product.BILLING


class Office:
    """A company, its administrator, and the integration as they change it."""

    def __init__(self, company: Any) -> None:
        self.company = company
        self.integration = Integration(company.database, Rollout(company.database), company.credentials)
        self.audit = Audit(company.database)

    async def add(self, *users: NewUser) -> Any:
        return await self.integration.add(await self.company.errand("admin"), users)

    async def update(self, member: models.Member, *arguments: Any) -> Any:
        return await self.integration.update(await self.company.errand("admin"), member.id, *arguments)

    async def remove(self, member: models.Member, *arguments: Any) -> Any:
        return await self.integration.remove(await self.company.errand("admin"), member.id, *arguments)

    async def raise_limit(self, limit: int, reason: str = "more people") -> Any:
        return await self.integration.raise_limit(await self.company.errand("admin"), limit, reason)

    async def change(self, **values: Any) -> None:
        async with self.company.database.session() as session:
            organization = await session.get_one(models.Organization, self.company.id)
            for name, value in values.items():
                setattr(organization, name, value)

    async def events(self, action: str) -> list[Any]:
        filters = Filters(actions=[action])
        return (await self.audit.page(self.company.id, 100, filters=filters)).events

    async def count(self) -> int:
        return (await self.integration.state(await self.company.errand("admin"))).count


@pytest.fixture
async def office(company: Any) -> Office:
    await company.member("admin")
    return Office(company)


def problems(done: Any) -> list[tuple[str, str]]:
    assert (done.value, done.outcome) == (None, State.REJECTED)
    return [(".".join(problem.field), problem.code) for problem in done.problems]


async def test_a_member_becomes_an_integration_user_within_the_capability_set(office: Office) -> None:
    sales = await office.company.member("sales")
    done = await office.add(NewUser(sales.id, BOOKS))
    assert [user.member_id for user in done.value] == [sales.id]
    assert done.value[0].permissions["invoices.edit"] == (BOOKS,)
    assert "invoices.approve" not in done.value[0].permissions
    access = (await office.company.viewer("sales")).access_to(BOOKS)
    assert (access.kind, access.app_url) == (AccessKind.INTEGRATION_USER, None)
    assert await office.count() == 1


async def test_each_user_added_has_an_event_of_his_own(office: Office) -> None:
    users = [await office.company.member(local) for local in ("sales1", "sales2")]
    done = await office.add(*(NewUser(user.id, BOOKS) for user in users))
    events = await office.events("integration.usersAdd")
    assert {event.subject for event in events} == {Subject("users", user.id) for user in users}
    assert done.audit_event_id in {event.id for event in events}
    assert {event.permission for event in events} == {"integration.usersAdd"}
    assert [(change.field, change.after) for change in events[0].changes] == [
        ("BOOKS.capabilitySet", "ALL_FINANCE_MODULES"),
        ("BOOKS.grants", None),
    ]


async def test_all_mistakes_are_told_at_once_and_nothing_is_done(office: Office, found: Any) -> None:
    company = office.company
    fine = await company.member("fine")
    licensed = await company.product_user("licensed")
    listed = await company.member("listed", books_status="inactive")
    disabled = await company.member("disabled", status="disabled")
    unconfirmed = await company.member("unconfirmed", confirmed=False)
    stranger = await (await found()).member("stranger")
    seated = await company.integration_user("seated", CapabilitySet.ALL_FINANCE_MODULES)
    done = await office.add(
        NewUser(fine.id, BOOKS),
        NewUser(licensed.id, BOOKS),
        NewUser(listed.id, BOOKS),
        NewUser(disabled.id, BOOKS),
        NewUser(unconfirmed.id, BOOKS),
        NewUser(stranger.id, BOOKS),
        NewUser(seated.id, BOOKS),
        NewUser(fine.id, BOOKS),
        NewUser(fine.id, Product.CRM),
        NewUser(licensed.id, BILLING, {"invoices": ModuleGrant(frozenset({Action.APPROVE}))}),
    )
    assert problems(done) == [
        ("input.users.1.userId", "CONFLICT"),
        ("input.users.2.userId", "CONFLICT"),
        ("input.users.3.userId", "CONFLICT"),
        ("input.users.4.userId", "CONFLICT"),
        ("input.users.5.userId", "NOT_FOUND"),
        ("input.users.6.userId", "CONFLICT"),
        ("input.users.7.userId", "BAD_USER_INPUT"),
        ("input.users.8.product", "BAD_USER_INPUT"),
        ("input.users.9.grants", "BAD_USER_INPUT"),
    ]
    assert "ALREADY_IN_PRODUCT" in done.problems[0].message
    assert await office.count() == 1
    event = await office.audit.get(company.id, done.audit_event_id)
    assert event is not None
    assert (event.outcome, len(event.user_errors)) == (State.REJECTED, 9)


@pytest.mark.parametrize("count", [0, 201])
async def test_a_number_of_users_that_is_too_small_or_large_is_refused(office: Office, count: int) -> None:
    assert problems(await office.add(*[NewUser("nobody", BOOKS)] * count))[0] == ("input.users", "BAD_USER_INPUT")


@pytest.mark.parametrize("capability_set", CapabilitySet)
async def test_grants_are_never_more_than_the_organizations_capability_set(
    office: Office, capability_set: CapabilitySet
) -> None:
    await office.change(capability_set=capability_set)
    sales = await office.company.member("sales")
    edits = {"invoices": ModuleGrant(frozenset({Action.VIEW, Action.EDIT}))}
    done = await office.add(NewUser(sales.id, BOOKS, edits))
    assert bool(done.problems) is (capability_set is CapabilitySet.ESTIMATES_ONLY)
    for beyond in ({"subscriptions": VIEW}, {"estimates": ModuleGrant(frozenset({Action.EMAIL}))}, {"customers": VIEW}):
        member = await office.company.member(f"more-{next(iter(beyond))}")
        assert problems(await office.add(NewUser(member.id, BOOKS, beyond))) == [
            ("input.users.0.grants", "BAD_USER_INPUT")
        ]


async def test_changed_grants_are_in_force_for_the_next_request_on_every_replica(office: Office) -> None:
    sales = await office.company.member("sales")
    replicas = [Identity(office.company.database) for _ in range(3)]

    async def seen() -> list[Viewer]:
        return [await replica.viewer(sales.email) for replica in replicas]

    await office.add(NewUser(sales.id, BOOKS))
    assert all(viewer.grant("invoices").actions for viewer in await seen())
    done = await office.update(sales, BOOKS, {"estimates": VIEW})
    assert [viewer.grant("invoices").actions for viewer in await seen()] == [frozenset()] * 3
    assert done.value.sources[0].narrowed
    before, after = (await office.events("integration.usersUpdate"))[0].changes[1].before, {"estimates"}
    assert (before, set((await office.events("integration.usersUpdate"))[0].changes[1].after)) == (None, after)
    await office.update(sales, None, None)
    assert all(viewer.grant("invoices").actions for viewer in await seen())


async def test_a_user_of_several_products_has_the_permissions_of_all_with_their_sources(office: Office) -> None:
    sales = await office.company.member("sales")
    done = await office.add(
        NewUser(sales.id, BOOKS, {"invoices": VIEW}),
        NewUser(sales.id, BILLING, {"subscriptions": VIEW}),
    )
    assert len(done.value) == 1
    assert done.value[0].permissions["invoices.view"] == (BOOKS,)
    assert done.value[0].permissions["subscriptions.view"] == (BILLING,)
    assert done.value[0].permissions["customers.view"] == (BOOKS, BILLING)
    assert await office.count() == 1
    left = await office.remove(sales, BILLING)
    assert "subscriptions.view" not in left.value.permissions
    assert (await office.remove(sales)).value is None


async def test_who_ceases_to_be_an_integration_user_does_not_work_under_the_owners_access(office: Office) -> None:
    sales = await office.company.member("sales")
    await office.add(NewUser(sales.id, BOOKS))
    await office.remove(sales)
    assert (await office.company.viewer("sales")).access_to(BOOKS).kind is AccessKind.NONE
    assert await office.count() == 0
    changes = (await office.events("integration.usersRemove"))[0].changes
    assert (changes[0].before, changes[0].after) == ("ALL_FINANCE_MODULES", None)


async def test_who_is_no_integration_user_cannot_be_changed(office: Office, found: Any) -> None:
    legacy = await office.company.member("legacy")
    elsewhere = await (await found()).integration_user("sales", CapabilitySet.ESTIMATES_ONLY)
    sales = await office.company.integration_user("sales", CapabilitySet.ESTIMATES_ONLY)
    for member, product in ((legacy, None), (elsewhere, None), (sales, BILLING)):
        with pytest.raises(NotFound) as refusal:
            await office.remove(member, product)
        assert refusal.value.details["auditEventId"]
        with pytest.raises(NotFound):
            await office.update(member, product, None)
    assert {event.outcome for event in await office.events("integration.usersRemove")} == {State.REJECTED}


async def test_two_administrators_at_once_do_not_pass_the_limit(office: Office) -> None:
    await office.change(integration_user_limit=5)
    members = [await office.company.member(f"sales{number}") for number in range(12)]
    answers = await asyncio.gather(
        *(office.add(*(NewUser(member.id, BOOKS) for member in members[at : at + 2])) for at in range(0, 12, 2)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, LimitReached)]
    assert (len(refused), await office.count()) == (4, 4)
    assert (refused[0].details["limit"], refused[0].details["asked"]) == (5, 2)
    events = await office.events("integration.usersAdd")
    assert sorted(event.outcome for event in events) == [State.APPLIED] * 4 + [State.REJECTED] * 4


@pytest.mark.parametrize("seated", [False, True])
async def test_who_gets_a_seat_while_the_capability_set_is_widened_gets_the_wider_one(
    office: Office, *, seated: bool
) -> None:
    await office.change(capability_set=CapabilitySet.ESTIMATES_ONLY)
    sales = await office.company.member("sales")
    if seated:
        await office.add(NewUser(sales.id, BOOKS))
    async with office.company.database.session() as session:
        await seats.hold(session, office.company.id)
        changing = asyncio.create_task(
            office.update(sales, BOOKS, None) if seated else office.add(NewUser(sales.id, BOOKS))
        )
        await until_somebody_waits(session)
        organization = await session.get_one(models.Organization, office.company.id)
        organization.capability_set = CapabilitySet.ALL_FINANCE_MODULES
    await changing
    assert (await office.company.viewer("sales")).access_to(BOOKS).capability_set is CapabilitySet.ALL_FINANCE_MODULES


async def until_somebody_waits(session: Any) -> None:
    """For a lock that this transaction holds."""
    waiting = text("SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
    async with asyncio.timeout(5):
        while (await session.exec(waiting)).first() is None:  # noqa: ASYNC110 - what is waited for rings no bell
            await asyncio.sleep(0.01)


async def test_the_1001st_integration_user_is_refused_before_any_effect(office: Office) -> None:
    rows = [
        models.Member(
            organization_id=office.company.id,
            crm_user_id=f"u{number}",
            email=f"u{number}@{office.company.id}.example",
            name=f"User {number}",
            status="active",
            confirmed=True,
        )
        for number in range(1001)
    ]
    await office.company.add(*rows)
    values = {"organization_id": office.company.id, "product": BOOKS, "capability_set": "ESTIMATES_ONLY"}
    await office.company.add(*(models.IntegrationGrant(member_id=row.id, **values) for row in rows[:1000]))
    with pytest.raises(LimitReached):
        await office.add(NewUser(rows[1000].id, BOOKS))
    assert (await office.company.viewer("u1000")).access_to(BOOKS).kind is not AccessKind.INTEGRATION_USER
    assert (await office.add(NewUser(rows[0].id, BILLING))).outcome is State.APPLIED
    assert (await office.raise_limit(1001, "a larger team")).value.limit == 1001
    assert (await office.add(NewUser(rows[1000].id, BOOKS))).outcome is State.APPLIED
    assert await office.count() == 1001


async def test_the_limit_is_raised_with_a_reason_that_is_kept(office: Office) -> None:
    done = await office.raise_limit(1200, " a larger team ")
    assert done.value.limit == 1200
    changes = (await office.events("integration.limitRaise"))[0].changes
    assert [(change.field, change.before, change.after) for change in changes] == [
        ("integrationUserLimit", 1000, 1200),
        ("reason", None, "a larger team"),
    ]


@pytest.mark.parametrize(
    ("limit", "reason", "field"), [(1000, "why", "limit"), (100_001, "why", "limit"), (1001, "  ", "reason")]
)
async def test_a_limit_that_is_not_raised_or_has_no_reason_is_refused(
    office: Office, limit: int, reason: str, field: str
) -> None:
    assert problems(await office.raise_limit(limit, reason)) == [(field, "BAD_USER_INPUT")]


async def test_outside_the_rollout_every_change_is_refused_and_leaves_an_event(office: Office) -> None:
    await office.change(data_center="com")
    sales = await office.company.integration_user("sales", CapabilitySet.ESTIMATES_ONLY)
    for change in (office.add(NewUser(sales.id, BOOKS)), office.update(sales, None, None), office.raise_limit(2000)):
        with pytest.raises(LimitReached, match="not available") as refusal:
            await change
        event = await office.audit.get(office.company.id, refusal.value.details["auditEventId"])
        assert event is not None
        assert event.outcome is State.REJECTED
    state = await office.integration.state(await office.company.errand("admin"))
    assert (state.available.available, bool(state.available.note)) == (False, True)


async def test_integration_users_are_listed_page_by_page_and_found(office: Office, found: Any) -> None:
    await (await found()).integration_user("sales9", CapabilitySet.ESTIMATES_ONLY)
    for number in range(5):
        await office.company.integration_user(f"sales{number}", CapabilitySet.ESTIMATES_ONLY)
    await office.company.member("legacy")
    users = office.integration.users
    first = await users(office.company.id, 3)
    rest = await users(office.company.id, 3, first.users[-1].key)
    assert [user.name for user in [*first.users, *rest.users]] == [f"Sales{number}" for number in range(5)]
    assert (first.more, rest.more, first.total) == (True, False, 5)
    assert [user.name for user in (await users(office.company.id, 9, search="SALES3")).users] == ["Sales3"]
    assert (await users(office.company.id, 9, search="_%")).users == []
    one = first.users[0]
    assert (await office.integration.user(office.company.id, one.member_id)) == one
