"""Setting an organization up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.audit import Audit, Filters, State
from services.errors import LimitReached
from services.integration import Integration
from services.integration_values import SetUp, Window, months_later, window_of
from services.policy import LIMIT_RAISE, AccessKind, CapabilitySet, Product
from services.rollout import Rollout
from services.storage import models
from services.storage.rollout import RolloutPhase

ALL = tuple(Product)


class Office:
    """A company whose administrator sets it up."""

    def __init__(self, company: Any) -> None:
        self.company = company
        self.integration = Integration(company.database, Rollout(company.database), company.credentials)

    async def set_up(self, **given: Any) -> Any:
        given = {"data_center": "eu", "edition": "Enterprise"} | given
        return await self.integration.set_up(await self.company.errand("owner"), SetUp(**given))

    async def administrator(self, local: str, *products: Product) -> models.Member:
        member: models.Member = await self.company.member(local, profile_id="administrator")
        for product in products:
            await self.company.connect(local, product)
        return member

    async def organization(self) -> models.Organization:
        async with self.company.database.session() as session:
            row: models.Organization = await session.get_one(models.Organization, self.company.id)
            return row


@pytest.fixture
async def office(company: Any) -> Office:
    await company.add(
        models.Profile(organization_id=company.id, id="administrator", name="Administrator", administers=True)
    )
    office = Office(company)
    await office.administrator("owner", *ALL)
    return office


def problems(done: Any) -> list[tuple[str, str]]:
    assert (done.value, done.outcome) == (None, State.REJECTED)
    return [(".".join(problem.field), problem.code) for problem in done.problems]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-01-15T10:00", "2026-04-15T10:00"),
        ("2026-11-30T10:00", "2027-02-28T10:00"),
        ("2027-11-30T10:00", "2028-02-29T10:00"),
        ("2026-03-31T23:59", "2026-06-30T23:59"),
        ("2026-10-01T00:00", "2027-01-01T00:00"),
    ],
)
def test_three_months_keep_the_day_or_take_the_last(at: str, expected: str) -> None:
    assert months_later(datetime.fromisoformat(at), 3) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("left", "days"),
    [(timedelta(days=2), 2), (timedelta(days=1, seconds=1), 2), (timedelta(seconds=1), 1), (timedelta(), 0)],
)
def test_begun_days_remain(left: timedelta, days: int) -> None:
    closes = datetime(2026, 6, 1, tzinfo=UTC)
    row = models.Organization(name="", data_center="eu", edition="", crm_org_id="", window_closes_at=closes)
    row.window_opens_at = closes - timedelta(days=90)
    window = window_of(row, closes - left)
    assert isinstance(window, Window)
    assert (window.remaining_days, window.closed) == (days, days == 0)


async def test_an_existing_organization_works_in_the_old_way_within_a_window(office: Office) -> None:
    await office.company.member("legacy")
    done = await office.set_up()
    window = done.value.window
    assert window.closes_at == months_later(window.opens_at, 3)
    assert 89 <= window.remaining_days <= 92
    assert (await office.company.viewer("legacy")).access_to(Product.BOOKS).kind is AccessKind.OWNER_DELEGATED


async def test_a_new_sign_up_has_integration_users_from_the_start(office: Office) -> None:
    await office.company.member("legacy")
    done = await office.set_up(new_sign_up=True)
    assert (done.value.window, done.value.available.available) == (None, True)
    assert (await office.company.viewer("legacy")).access_to(Product.BOOKS).kind is AccessKind.NONE


async def test_how_an_organization_begins_is_decided_once(office: Office) -> None:
    first = await office.set_up()
    again = await office.set_up(edition="Ultimate")
    assert (again.value.window, again.value.edition) == (first.value.window, "Ultimate")
    assert problems(await office.set_up(new_sign_up=True)) == [("input.newSignUp", "CONFLICT")]


async def test_a_new_sign_up_does_not_go_back_to_the_old_way(office: Office) -> None:
    await office.set_up(new_sign_up=True)
    assert problems(await office.set_up()) == [("input.newSignUp", "CONFLICT")]
    assert (await office.organization()).window_opens_at is None


async def test_all_mistakes_are_told_at_once_and_nothing_is_done(office: Office, found: Any) -> None:
    stranger = await (await found()).member("stranger")
    done = await office.set_up(data_center="mars", edition=" ", owner_member_id=stranger.id, products=(Product.BOOKS,))
    assert problems(done) == [
        ("input.dataCenter", "BAD_USER_INPUT"),
        ("input.edition", "BAD_USER_INPUT"),
        ("input.ownerId", "NOT_FOUND"),
        ("input.products.0", "CONFLICT"),
    ]
    assert (await office.organization()).window_opens_at is None


async def test_an_organization_is_where_its_products_are_connected(office: Office) -> None:
    assert problems(await office.set_up(data_center="in")) == [("input.dataCenter", "BAD_USER_INPUT")]


async def test_only_an_administrator_who_has_connected_the_products_becomes_the_owner(office: Office) -> None:
    staff = await office.company.member("staff")
    assert problems(await office.set_up(owner_member_id=staff.id, products=(Product.BOOKS,))) == [
        ("input.ownerId", "BAD_USER_INPUT"),
        ("input.products.0", "CONFLICT"),
    ]
    other = await office.administrator("other", Product.BOOKS)
    assert problems(await office.set_up(owner_member_id=other.id)) == [("input.ownerId", "CONFLICT")] * 2


async def test_the_owner_changes_with_all_that_belongs_to_him(office: Office) -> None:
    await office.administrator("other", *ALL)
    other = await office.company.viewer("other")
    assert (other.owns, other.may(LIMIT_RAISE), (await office.company.viewer("owner")).owns) == (False, False, True)
    done = await office.set_up(owner_member_id=other.id, products=ALL)
    assert {connection.owner.id for connection in done.value.products} == {other.id}
    other = await office.company.viewer("other")
    assert (other.owns, other.may(LIMIT_RAISE), (await office.company.viewer("owner")).owns) == (True, True, False)
    assert (await office.company.credentials.owner(office.company.id, Product.BOOKS)).email == other.email
    back = await office.company.viewer("owner")
    assert (await office.set_up(owner_member_id=back.id)).value.products[0].owner.id == back.id


async def test_who_owns_only_some_of_the_connections_is_not_the_owner(office: Office) -> None:
    other = await office.administrator("other", *ALL)
    await office.set_up(owner_member_id=other.id, products=(Product.BOOKS,))
    assert not any([(await office.company.viewer(local)).owns for local in ("owner", "other")])


async def test_a_set_up_leaves_an_event_that_tells_what_changed(office: Office) -> None:
    done = await office.set_up()
    audit = Audit(office.company.database)
    event = (await audit.page(office.company.id, 9, filters=Filters(actions=["integration.setUp"]))).events[0]
    assert (event.id, event.outcome, event.permission) == (done.audit_event_id, State.APPLIED, "integration.setUp")
    assert [change.field for change in event.changes] == ["edition", "windowOpensAt", "windowClosesAt"]


async def test_an_organization_outside_the_rollout_is_not_set_up(office: Office) -> None:
    with pytest.raises(LimitReached) as refusal:
        await office.set_up(data_center="com")
    event = await Audit(office.company.database).get(office.company.id, refusal.value.details["auditEventId"])
    assert event is not None
    assert (event.outcome, (await office.organization()).window_opens_at) == (State.REJECTED, None)


async def test_who_begins_gets_the_capability_set_that_the_rollout_has_reached(own_database: Any, found: Any) -> None:
    async with own_database.session() as session:
        phase = await session.get_one(RolloutPhase, "all_finance_modules-eu")
        phase.starts_at = datetime.now(UTC) + timedelta(days=3)
    company = await found(own_database)
    await company.member("owner")
    assert (await Office(company).set_up()).value.capability_set is CapabilitySet.ESTIMATES_ONLY


async def test_what_is_not_connected_is_said(office: Office) -> None:
    connection = await office.company.credentials.owner(office.company.id, Product.BILLING)
    await office.company.credentials.disconnect(connection.id)
    state = await office.integration.state(await office.company.errand("owner"))
    assert {one.product: one.connected for one in state.products} == {
        Product.CRM: True,
        Product.BOOKS: True,
        Product.BILLING: False,
    }
    assert problems(await office.set_up(products=ALL)) == [("input.products.2", "CONFLICT")]
