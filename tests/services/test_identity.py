import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, update

from services import grants
from services.errors import NotFound, Unauthenticated
from services.events import Events
from services.identity import ACCESS, REMEMBERED_SECONDS, Identity
from services.policy import AccessKind, Action, CapabilitySet, ModuleGrant, Product, Source, Viewer
from services.storage import models
from services.storage.engine import DECIDING, Database

MIGRATED = datetime(2026, 5, 15, tzinfo=UTC)


async def reason(company: Any, local: str, **options: Any) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        await company.viewer(local, **options)
    assert refusal.value.hint
    return str(refusal.value.extensions["reason"])


async def allow(company: Any, **allowed: set[str]) -> None:
    """Change the standard profile."""
    chosen = {module: ModuleGrant(frozenset(map(Action, actions))) for module, actions in allowed.items()}
    async with company.database.session() as session:
        profile = await session.get_one(models.Profile, (company.id, "standard"))
        profile.grants = grants.stored(chosen)


def kinds(viewer: Viewer) -> dict[str, str]:
    return {access.product.value: access.kind.value for access in viewer.access}


async def test_addresses_are_compared_without_their_case(company: Any) -> None:
    await company.member("mixed")
    viewer = await company.viewer("MiXed")
    assert (viewer.name, viewer.organization_id, viewer.profile_name) == ("Mixed", company.id, "Standard")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"status": "disabled"}, "INACTIVE"),
        ({"confirmed": False}, "UNCONFIRMED"),
        ({"status": "deleted"}, "UNKNOWN_USER"),
    ],
)
async def test_who_may_not_use_the_crm_is_refused_with_the_reason(
    company: Any, values: dict[str, Any], expected: str
) -> None:
    await company.member("somebody", **values)
    assert await reason(company, "somebody") == expected


async def test_an_address_that_the_crm_does_not_know_is_refused(company: Any) -> None:
    assert await reason(company, "stranger") == "UNKNOWN_USER"


async def test_who_belongs_to_several_organizations_says_for_which_he_asks(company: Any, found: Any) -> None:
    other = await found()
    await company.member("both")
    await other.member("both", email=f"both@{company.id}.example")
    assert await reason(company, "both") == "SEVERAL_ORGANIZATIONS"
    viewer = await company.viewer("both", organization_id=other.id)
    assert viewer.organization_id == other.id


async def test_an_inactive_user_elsewhere_does_not_stand_in_the_way(company: Any, found: Any) -> None:
    other = await found()
    await company.member("both")
    await other.member("both", email=f"both@{company.id}.example", status="disabled")
    assert (await company.viewer("both")).organization_id == company.id


async def test_an_organization_that_is_not_ones_own_is_refused(company: Any, found: Any) -> None:
    await company.member("staff")
    assert await reason(company, "staff", organization_id=(await found()).id) == "UNKNOWN_USER"


async def test_zohos_own_user_number_wins_over_the_address(company: Any) -> None:
    await company.member("renamed", zuid=f"1{company.id}")
    await company.member("reused")
    assert (await company.viewer("reused", subject=f"1{company.id}")).name == "Renamed"
    assert (await company.viewer("reused", subject="another")).name == "Reused"


async def test_a_migrated_user_with_his_own_connection_has_what_his_role_grants(company: Any) -> None:
    await company.product_user("staff")
    viewer = await company.viewer("staff")
    access = viewer.access_to(Product.BOOKS)
    assert (access.kind, access.role, access.migrated_at) == (AccessKind.PRODUCT_USER, "staff", MIGRATED)
    assert access.app_url == "https://books.zoho.eu/app/20098765001"
    assert Action.APPROVE not in access.grants["invoices"].actions
    assert viewer.may("invoices.view")
    assert viewer.decide("invoices.create").missing_from == (Source.CRM_PROFILE,)
    assert kinds(viewer) == {"BOOKS": "PRODUCT_USER", "BILLING": "NONE"}


async def test_a_billing_user_is_staff_until_an_administrator_says_more(company: Any) -> None:
    await allow(company, subscriptions={"view", "approve"})
    await company.product_user("billing", Product.BILLING, books_role=None, books_status=None)
    assert not (await company.viewer("billing")).may("subscriptions.approve")
    assert (await company.viewer("billing")).may("customers.view")
    async with company.database.session() as session:
        await session.exec(
            update(models.Member).where(col(models.Member.organization_id) == company.id).values(billing_role="Admin")
        )
    assert (await company.viewer("billing")).may("subscriptions.approve")
    assert kinds(await company.viewer("billing")) == {"BOOKS": "NONE", "BILLING": "PRODUCT_USER"}


async def test_who_sees_assigned_customers_only_has_that_on_every_module(company: Any) -> None:
    await company.product_user("segmented", assigned_only=True)
    await company.product_user("assigned", books_role="staff_assigned")
    for local in ("segmented", "assigned"):
        books = (await company.viewer(local)).access_to(Product.BOOKS)
        assert {grant.assigned_only for grant in books.grants.values()} == {True}


@pytest.mark.parametrize("values", [{"books_status": "inactive"}, {"books_status": "deleted"}])
async def test_who_may_no_longer_use_books_has_no_access(company: Any, values: dict[str, Any]) -> None:
    await company.product_user("former", **values)
    assert kinds(await company.viewer("former"))["BOOKS"] == "NONE"


@pytest.mark.parametrize("role", ["auditor", None])
async def test_a_role_that_nobody_described_grants_nothing(company: Any, role: str | None) -> None:
    await company.product_user("odd", books_role=role)
    viewer = await company.viewer("odd")
    assert viewer.access_to(Product.BOOKS).kind is AccessKind.PRODUCT_USER
    assert viewer.decide("invoices.view").missing_from == (Source.BOOKS_ROLE,)


async def test_an_integration_user_has_his_capability_set_and_sees_customers(company: Any) -> None:
    await company.integration_user("estimator", CapabilitySet.ESTIMATES_ONLY)
    access = (await company.viewer("estimator")).access_to(Product.BOOKS)
    assert access.kind is AccessKind.INTEGRATION_USER
    assert access.app_url is None
    assert {module: sorted(grant.actions) for module, grant in access.grants.items()} == {
        "estimates": ["create", "edit", "email", "view"],
        "invoices": ["view"],
        "salesOrders": ["view"],
        "purchaseOrders": ["view"],
        "customers": ["view"],
    }


async def test_an_integration_user_may_be_granted_less_than_his_set_but_never_more(company: Any) -> None:
    everything = ModuleGrant(frozenset(Action), hidden=frozenset({"balance"}))
    await company.integration_user(
        "sales", CapabilitySet.ESTIMATES_ONLY, {"invoices": everything, "subscriptions": everything}
    )
    granted = (await company.viewer("sales")).access_to(Product.BOOKS).grants
    assert granted.keys() == {"invoices", "customers"}
    assert granted["invoices"] == ModuleGrant(frozenset({Action.VIEW}), hidden=frozenset({"balance"}))


async def test_an_integration_user_does_not_fall_back_on_the_owner_elsewhere(company: Any) -> None:
    await company.integration_user("sales", CapabilitySet.ALL_FINANCE_MODULES)
    assert kinds(await company.viewer("sales")) == {"BOOKS": "INTEGRATION_USER", "BILLING": "NONE"}


async def test_who_is_not_migrated_is_limited_by_his_profile_alone(company: Any) -> None:
    await company.member("legacy")
    viewer = await company.viewer("legacy")
    assert kinds(viewer) == {"BOOKS": "OWNER_DELEGATED", "BILLING": "OWNER_DELEGATED"}
    assert viewer.may("invoices.view")
    assert viewer.decide("invoices.edit").missing_from == (Source.CRM_PROFILE,)
    assert viewer.access_to(Product.BOOKS).app_url is None


async def test_ones_own_connection_is_not_used_before_the_migration(company: Any) -> None:
    await company.product_user("early", migrated_at=None)
    assert kinds(await company.viewer("early"))["BOOKS"] == "OWNER_DELEGATED"


async def test_who_has_no_finance_permission_in_the_crm_gets_no_access(company: Any) -> None:
    await allow(company, accounts={"view"})
    await company.member("outsider")
    assert kinds(await company.viewer("outsider")) == {"BOOKS": "NONE", "BILLING": "NONE"}


async def test_an_organization_without_delegation_gives_nobody_the_owners_access(found: Any) -> None:
    company = await found(delegation=False)
    await company.member("legacy")
    assert kinds(await company.viewer("legacy")) == {"BOOKS": "NONE", "BILLING": "NONE"}


async def test_a_product_that_nobody_connected_is_no_access_at_all(company: Any) -> None:
    owner = await company.credentials.owner(company.id, Product.BILLING)
    await company.credentials.disconnect(owner.id)
    await company.member("legacy")
    assert kinds(await company.viewer("legacy")) == {"BOOKS": "OWNER_DELEGATED"}


async def test_a_change_of_the_profile_is_in_force_for_the_next_request(company: Any) -> None:
    await company.member("legacy")
    identity, email = Identity(company.database), f"legacy@{company.id}.example"
    before = await identity.viewer(email)
    assert await identity.viewer(email) is before
    await allow(company, invoices={"edit"})
    after = await identity.viewer(email)
    assert (before.may("invoices.edit"), after.may("invoices.edit")) == (False, True)


async def test_every_change_of_access_is_in_force_for_the_next_request(company: Any) -> None:
    member = await company.member("legacy", books_role="staff", books_status="active")
    identity = Identity(company.database)

    async def kind() -> str:
        return kinds(await identity.viewer(member.email))["BOOKS"]

    assert await kind() == "OWNER_DELEGATED"
    async with company.database.session() as session:
        (await session.get_one(models.Organization, company.id)).delegation = False
    assert await kind() == "NONE"
    async with company.database.session() as session:
        (await session.get_one(models.Member, member.id)).migrated_at = MIGRATED
    await company.connect("legacy", Product.BOOKS)
    assert await kind() == "PRODUCT_USER"
    async with company.database.session() as session:
        role = await session.get_one(models.Role, (company.id, Product.BOOKS, "staff"))
        role.grants = {}
    assert not (await identity.viewer(member.email)).may("invoices.view")
    async with company.database.session() as session:
        (await session.get_one(models.Member, member.id)).status = "disabled"
    with pytest.raises(Unauthenticated):
        await kind()


async def test_an_administrator_sees_another_user_as_he_would_see_himself(company: Any, found: Any) -> None:
    member = await company.member("legacy")
    identity = Identity(company.database)
    assert await identity.member(company.id, member.id) == await identity.viewer(member.email)
    with pytest.raises(NotFound):
        await identity.member((await found()).id, member.id)


@pytest.fixture
async def legacy(company: Any) -> Any:
    """Somebody of whom all has been told before anybody listens."""
    return await company.member("legacy")


@pytest.fixture
async def hearing(company: Any, legacy: Any) -> AsyncIterator[Identity]:  # noqa: ARG001 - first of all
    """An identity that is told of changes."""
    events = Events(company.database)
    identity = Identity(company.database, events)
    async with identity.hearing():
        async with events.subscribe(ACCESS) as notices, asyncio.timeout(10):
            await anext(notices)
            await anext(notices)  # comes with the connection
        await asyncio.sleep(0)  # to the identity as well
        yield identity
    await events.aclose()


async def test_a_viewer_seen_just_now_is_not_asked_for_again(company: Any, legacy: Any, hearing: Identity) -> None:
    member = legacy
    before = await hearing.viewer(member.email)
    async with company.database.session() as session:
        await session.exec(text("LOCK TABLE members IN ACCESS EXCLUSIVE MODE"))
        async with asyncio.timeout(5):
            assert await hearing.viewer(member.email) is before


async def test_a_change_by_this_process_is_in_force_at_once(company: Any, legacy: Any, hearing: Identity) -> None:
    member = legacy
    assert not (await hearing.viewer(member.email)).may("invoices.edit")
    await allow(company, invoices={"edit"})
    assert (await hearing.viewer(member.email)).may("invoices.edit")


async def test_a_change_by_another_process_is_told(company: Any, legacy: Any, hearing: Identity) -> None:
    member = legacy
    other = Database(company.database.url)
    for delegation, kind in ((False, "NONE"), (True, "OWNER_DELEGATED")):
        await hearing.viewer(member.email)
        async with other.session() as session:
            (await session.get_one(models.Organization, company.id)).delegation = delegation
        async with asyncio.timeout(REMEMBERED_SECONDS / 2):
            while kinds(await hearing.viewer(member.email))["BOOKS"] != kind:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await other.close()


@pytest.fixture
async def other(company: Any) -> Any:
    """A connection that was made before anybody listens."""
    return await company.connect("other", Product.BOOKS)


async def test_what_decides_about_nobody_has_nobody_asked_for_again(
    company: Any, other: Any, legacy: Any, hearing: Identity
) -> None:
    before = await hearing.viewer(legacy.email)
    async with company.credentials.locked(other.id) as held:
        await held.save("renewed", datetime(2031, 1, 1, tzinfo=UTC), held.api_domain)
    async with company.database.session() as session:
        await session.exec(text("CREATE TEMPORARY TABLE anything AS SELECT 1"))
        await session.exec(text("LOCK TABLE members IN ACCESS EXCLUSIVE MODE"))
        async with asyncio.timeout(5):
            assert await hearing.viewer(legacy.email) is before


async def test_all_tables_that_decide_are_heeded_when_this_process_writes_them(company: Any) -> None:
    asked = text(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
        "WHERE proname IN ('access_changed', 'access_told')"
    )
    async with company.database.session() as session:
        told = {name for (name,) in await session.exec(asked)}
    assert told == set(DECIDING)
