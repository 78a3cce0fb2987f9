"""What a migration would do, without a database."""

from services.candidates import Candidate, Kind, Reason
from services.identity import Access
from services.migration.plan import Differences, Planned, Standing, access_kind, left_out, skipped, within
from services.migration.states import ItemState
from services.policy import (
    EVERYTHING,
    AccessKind,
    Action,
    CapabilitySet,
    ModuleGrant,
    Product,
    ProductAccess,
    Viewer,
)
from services.storage.models import IntegrationGrant, Member, Organization

VIEW = ModuleGrant(frozenset({Action.VIEW}))


def plan(member_id: str, to: AccessKind = AccessKind.INTEGRATION_USER, state: ItemState = ItemState.PENDING) -> Planned:
    return Planned(
        member_id=member_id,
        from_access=AccessKind.OWNER_DELEGATED,
        to_access=to,
        state=state,
        reason=None,
        message=None,
        permissions_lost=["invoices.edit"],
    )


def viewer(*accesses: ProductAccess) -> Viewer:
    return Viewer("1", "o", "A", "a@demo.example", "Standard", {"invoices": EVERYTHING}, accesses)


def books(kind: AccessKind, grant: ModuleGrant, app_url: str | None = None) -> ProductAccess:
    return ProductAccess(Product.BOOKS, kind, {"invoices": grant}, app_url=app_url)


def test_seats_are_given_in_order_to_those_alone_who_need_one() -> None:
    plans = [
        plan("own", AccessKind.PRODUCT_USER),
        plan("1"),
        plan("asked", state=ItemState.SKIPPED),
        plan("2"),
        plan("3"),
    ]
    found = list(within(plans, 2, 7))
    assert found[:4] == plans[:4]
    assert (found[4].member_id, found[4].state, found[4].reason) == ("3", ItemState.SKIPPED, Reason.LIMIT_REACHED)
    assert found[4].message == "All 7 seats of integration users are taken."
    assert [one.reason for one in within(plans[1:2], 0, 7)] == [Reason.LIMIT_REACHED]
    assert [one.reason for one in within(plans[1:2], 1, 7)] == [None]


def test_who_is_left_out_stays_as_he_is() -> None:
    left = left_out(plan("1"), Reason.NOT_UTILIZED, "Not used.")
    assert (left.from_access, left.to_access, left.state) == (
        AccessKind.OWNER_DELEGATED,
        AccessKind.OWNER_DELEGATED,
        ItemState.SKIPPED,
    )
    assert (left.member_id, left.reason, left.message) == ("1", Reason.NOT_UTILIZED, "Not used.")
    assert left.permissions_lost == ()
    candidate = Candidate(
        kind=Kind.INTEGRATION_USER,
        id="1",
        member_id="1",
        name="A",
        email="a@demo.example",
        to=AccessKind.NONE,
        reason=Reason.INACTIVE,
        message="The CRM user is not active.",
    )
    kept = skipped(candidate, AccessKind.INTEGRATION_USER)
    assert kept == Planned(
        member_id="1",
        from_access=AccessKind.INTEGRATION_USER,
        to_access=AccessKind.INTEGRATION_USER,
        state=ItemState.SKIPPED,
        reason=Reason.INACTIVE,
        message="The CRM user is not active.",
    )


def test_the_best_of_several_accesses_names_how_somebody_works() -> None:
    kinds = (AccessKind.NONE, AccessKind.OWNER_DELEGATED, AccessKind.INTEGRATION_USER, AccessKind.PRODUCT_USER)
    for place, kind in enumerate(kinds):
        assert access_kind(viewer(*(ProductAccess(Product.BOOKS, one) for one in kinds[: place + 1]))) is kind
    assert access_kind(viewer()) is AccessKind.NONE


def test_what_is_gained_and_lost_is_told_in_order() -> None:
    differences = Differences(["invoices.view", "invoices.edit", "invoices.create", "estimates.view"])
    narrow = viewer(books(AccessKind.OWNER_DELEGATED, VIEW))
    wide = viewer(books(AccessKind.PRODUCT_USER, EVERYTHING))
    assert differences.between(narrow, wide) == (["invoices.create", "invoices.edit"], [])
    assert differences.between(wide, narrow) == ([], ["invoices.create", "invoices.edit"])
    assert differences.between(wide, wide) == ([], [])


def test_who_becomes_an_integration_user_of_books_keeps_his_seat_in_billing() -> None:
    organization = Organization(name="Harbor Foods", data_center="eu", edition="enterprise", crm_org_id="1")
    member = Member(
        organization_id=organization.id,
        crm_user_id="1",
        email="a@demo.example",
        name="A",
        status="active",
        confirmed=True,
    )
    seat = IntegrationGrant(
        organization_id=organization.id,
        member_id=member.id,
        product=Product.BILLING,
        capability_set=CapabilitySet.ESTIMATES_ONLY,
    )
    every = dict.fromkeys((Product.BOOKS, Product.BILLING))
    standing = Standing(organization, member, Access(None, every, {Product.BILLING: seat}, {}))
    after = standing.as_integration_user(CapabilitySet.ALL_FINANCE_MODULES)
    assert {access.product: access.kind for access in after.access} == dict.fromkeys(every, AccessKind.INTEGRATION_USER)


def test_members_who_are_alike_but_for_their_pages_are_compared_once() -> None:
    differences = Differences(["invoices.edit"])
    before = viewer(books(AccessKind.OWNER_DELEGATED, VIEW))
    one = differences.between(before, viewer(books(AccessKind.PRODUCT_USER, EVERYTHING, app_url="https://a")))
    assert differences.between(before, viewer(books(AccessKind.PRODUCT_USER, EVERYTHING, app_url="https://b"))) is one
