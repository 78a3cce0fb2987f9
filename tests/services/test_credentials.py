import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from services.credentials import Connection, Credentials
from services.errors import Forbidden, UpstreamUnavailable
from services.identity import Identity
from services.policy import AccessKind, CapabilitySet, Product
from services.storage import models
from services.storage.sealing import Seal, Unsealable

SOON = datetime(2026, 11, 15, 12, tzinfo=UTC)


async def stored(company: Any, connection: Connection) -> models.Connection:
    async with company.database.session() as session:
        row: models.Connection = await session.get_one(models.Connection, connection.id)
        return row


async def test_a_product_user_works_under_his_own_access(company: Any) -> None:
    await company.product_user("staff")
    connection = await company.credentials.for_viewer(await company.viewer("staff"), Product.BOOKS)
    assert connection.email == f"staff@{company.id}.example"
    assert connection.refresh_token == "refresh-staff"
    assert not connection.is_owner


async def test_a_product_user_whose_connection_vanished_never_gets_the_owners(company: Any) -> None:
    await company.product_user("staff")
    viewer = await company.viewer("staff")
    own = await company.credentials.for_viewer(viewer, Product.BOOKS)
    await company.credentials.disconnect(own.id)
    with pytest.raises(Forbidden) as refusal:
        await company.credentials.for_viewer(viewer, Product.BOOKS)
    assert "Connect your own" in refusal.value.extensions["hint"]
    assert refusal.value.extensions["product"] == Product.BOOKS


async def test_an_integration_user_works_under_the_owners_access(company: Any) -> None:
    await company.integration_user("sales", CapabilitySet.ALL_FINANCE_MODULES)
    connection = await company.credentials.for_viewer(await company.viewer("sales"), Product.BOOKS)
    assert connection.is_owner


async def test_who_is_not_migrated_works_under_the_owners_access(company: Any) -> None:
    await company.member("legacy")
    viewer = await company.viewer("legacy")
    assert viewer.access_to(Product.BILLING).kind is AccessKind.OWNER_DELEGATED
    assert (await company.credentials.for_viewer(viewer, Product.BILLING)).is_owner


async def test_who_has_no_access_is_refused(company: Any) -> None:
    await company.member("lost", migrated_at=SOON)
    with pytest.raises(Forbidden):
        await company.credentials.for_viewer(await company.viewer("lost"), Product.BOOKS)


async def test_the_crm_is_asked_under_ones_own_access_where_it_is_connected(company: Any) -> None:
    await company.member("staff")
    await company.member("sales")
    await company.connect("staff", Product.CRM)
    of = company.credentials.for_viewer
    assert (await of(await company.viewer("staff"), Product.CRM)).email.startswith("staff@")
    assert (await of(await company.viewer("sales"), Product.CRM)).is_owner


async def test_another_companys_connection_is_never_used(company: Any, found: Any) -> None:
    other = await found()
    await company.member("legacy")
    connection = await other.credentials.for_viewer(await company.viewer("legacy"), Product.BOOKS)
    assert connection.organization_id == company.id


async def test_tokens_are_not_readable_in_the_database_nor_in_a_log(company: Any) -> None:
    connection = await company.connect("staff", Product.BOOKS)
    assert b"refresh-staff" not in (await stored(company, connection)).refresh_token
    assert "refresh-staff" not in repr(connection)
    assert "refresh-staff" not in repr(company.consent("staff", Product.BOOKS))


async def test_tokens_copied_to_another_row_do_not_open(company: Any) -> None:
    one = await company.connect("staff", Product.BOOKS)
    other = await company.connect("sales", Product.BOOKS)
    async with company.database.session() as session:
        (await session.get_one(models.Connection, other.id)).refresh_token = (await stored(company, one)).refresh_token
    await company.member("sales", migrated_at=SOON)
    async with company.database.session() as session:
        sales = (await session.exec(select(models.Member).where(models.Member.organization_id == company.id))).one()
        (await session.get_one(models.Connection, other.id)).member_id = sales.id
    with pytest.raises(Unsealable):
        await company.credentials.for_viewer(await company.viewer("sales"), Product.BOOKS)


async def test_connecting_again_replaces_the_consent_and_its_tokens(company: Any) -> None:
    first = await company.connect("staff", Product.BOOKS)
    async with company.credentials.locked(first.id) as held:
        await held.save("old", SOON, first.api_domain)
    again = await company.connect("STAFF", Product.BOOKS, refresh_token="renewed")
    assert (again.id, again.refresh_token) == (first.id, "renewed")
    async with company.credentials.locked(first.id) as held:
        assert held.access_token is None


async def test_a_new_owner_takes_the_place_of_the_earlier_one(company: Any) -> None:
    await company.credentials.owner(company.id, Product.BOOKS)
    await company.connect("second", Product.BOOKS, is_owner=True)
    assert (await company.credentials.owner(company.id, Product.BOOKS)).email.startswith("second@")
    owners = await company.credentials.owners(company.id)
    assert sorted(owner.product for owner in owners) == ["BILLING", "BOOKS", "CRM"]


async def test_of_owners_who_connect_at_once_one_is_left(company: Any) -> None:
    people = ["first", "second", "third", "first"]
    await asyncio.gather(*(company.connect(local, Product.BOOKS, is_owner=True) for local in people))
    owners = await company.credentials.owners(company.id)
    assert [owner.product for owner in owners].count(Product.BOOKS) == 1


async def test_an_owner_who_connects_again_as_himself_stays_the_owner(company: Any) -> None:
    await company.connect("owner", Product.BOOKS)
    assert (await company.credentials.owner(company.id, Product.BOOKS)).email.startswith("owner@")


async def test_a_product_that_nobody_connected_is_refused_with_a_hint(company: Any) -> None:
    owner = await company.credentials.owner(company.id, Product.BILLING)
    await company.credentials.disconnect(owner.id)
    with pytest.raises(Forbidden, match="Zoho Billing is not connected"):
        await company.credentials.owner(company.id, Product.BILLING)


async def test_of_two_renewals_at_once_the_second_finds_the_first_ones_token(company: Any, seal: Seal) -> None:
    connection = await company.connect("staff", Product.BOOKS)
    renewed = []

    async def renew(credentials: Credentials) -> str | None:
        async with credentials.locked(connection.id) as held:
            if held.access_token is None:
                renewed.append(credentials)
                await asyncio.sleep(0.05)
                await held.save(f"token-{len(renewed)}", SOON, "https://www.zohoapis.eu")
            return held.access_token

    replicas = [Credentials(company.database, seal) for _ in range(3)]
    assert await asyncio.gather(*map(renew, replicas)) == ["token-1"] * 3
    assert len(renewed) == 1


async def test_a_renewed_token_keeps_its_end_and_its_api_domain(company: Any) -> None:
    connection = await company.credentials.owner(company.id, Product.BOOKS)
    async with company.credentials.locked(connection.id) as held:
        await held.save("token", SOON, "https://www.zohoapis.in")
    async with company.credentials.locked(connection.id) as held:
        assert (held.access_token, held.expires_at) == ("token", SOON)
    assert (await company.credentials.owner(company.id, Product.BOOKS)).api_domain == "https://www.zohoapis.in"
    assert b"token" not in ((await stored(company, connection)).access_token or b"")


async def test_a_failed_renewal_is_remembered_until_one_succeeds(company: Any) -> None:
    connection = await company.credentials.owner(company.id, Product.BOOKS)

    async def fail() -> None:
        async with company.credentials.locked(connection.id) as held:
            await held.save("never stored", SOON, "x")
            raise UpstreamUnavailable

    with pytest.raises(UpstreamUnavailable):
        await fail()
    row = await stored(company, connection)
    assert (row.last_error, row.access_token) == ("The product does not answer at the moment.", None)
    async with company.credentials.locked(connection.id) as held:
        await held.save("token", SOON + timedelta(hours=1), "https://www.zohoapis.eu")
    assert (await stored(company, connection)).last_error is None


async def test_a_removed_connection_cannot_be_locked(company: Any) -> None:
    connection = await company.connect("staff", Product.BOOKS)
    await company.credentials.disconnect(connection.id)
    with pytest.raises(Forbidden):
        async with company.credentials.locked(connection.id):
            pytest.fail("nothing to lock")


async def test_after_rotation_the_old_key_is_needed_no_more(found: Any, own_database: Any) -> None:
    company = await found(own_database)
    old, new = bytes(range(32)), bytes([7] * 32)
    owner = await company.credentials.owner(company.id, Product.BOOKS)
    async with company.credentials.locked(owner.id) as held:
        await held.save("token", SOON, owner.api_domain)
    both = Credentials(own_database, Seal([new, old]))
    assert await both.reseal() == 3
    assert await both.reseal() == 0
    rotated = Credentials(own_database, Seal([new]))
    assert (await rotated.owner(company.id, Product.BOOKS)).refresh_token == "refresh-owner"
    async with rotated.locked(owner.id) as held:
        assert held.access_token == "token"


async def test_a_consent_under_another_address_can_name_its_member(company: Any) -> None:
    member = await company.member("staff", migrated_at=SOON, books_role="staff", books_status="active")
    await company.connect("staff", Product.BOOKS)
    await company.connect("staff", Product.BOOKS, email="private@mail.example", member_id=member.id)
    connection = await company.credentials.for_viewer(await company.viewer("staff"), Product.BOOKS)
    assert connection.email == "private@mail.example"


async def test_what_another_process_connects_or_removes_is_in_force_for_the_next_request(
    company: Any, seal: Seal
) -> None:
    await company.product_user("staff")
    identity, elsewhere = Identity(company.database), Credentials(company.database, seal)

    async def own() -> Connection:
        viewer = await identity.viewer(f"staff@{company.id}.example")
        assert viewer is await identity.viewer(f"staff@{company.id}.example")
        found: Connection = await company.credentials.for_viewer(viewer, Product.BOOKS)
        return found

    before = await own()
    assert await own() is before
    await elsewhere.connect(replace(company.consent("staff", Product.BOOKS), refresh_token="another"))
    assert (await own()).refresh_token == "another"
    await elsewhere.disconnect(before.id)
    with pytest.raises(Forbidden):
        await own()
