"""The directory as it is kept from the sandbox's CRM and Books."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlmodel import select

from services.credentials import Consent, Credentials
from services.directory import Directory
from services.errors import BadUserInput, GatewayError, NotFound
from services.identity import Identity
from services.policy import AccessKind, Action, CapabilitySet, ModuleGrant, Product
from services.sandbox import Sandbox
from services.sandbox.budget import Limits
from services.sandbox.faults import Fault
from services.storage import models
from services.storage.engine import Database
from services.storage.sealing import Seal
from services.upstream.auth import DATA_CENTERS, Authorization
from services.upstream.books import Books
from services.upstream.client import Client, Patience
from services.upstream.crm import Crm

PLENTY = Limits(minute=100_000, concurrent=1000, day=1_000_000)


@dataclass
class Integration:
    """The sandbox's demo organization, provisioned and with its owner connected, in a database of its own."""

    database: Database
    sandbox: Sandbox
    credentials: Credentials
    directory: Directory
    identity: Identity
    id: str = ""

    async def connect(self, email: str, product: Product, *, is_owner: bool = False) -> None:
        caller = self.sandbox.access.caller(self.sandbox.access_token(email), product.lower(), now=self.sandbox.now())
        assert caller is not None
        await self.credentials.connect(
            Consent(
                organization_id=self.id,
                email=email,
                product=product,
                product_organization_id=caller.organization_id,
                data_center="eu",
                accounts_url=DATA_CENTERS["eu"].accounts_url,
                api_domain=DATA_CENTERS["eu"].api_domain,
                refresh_token=self.sandbox.refresh_token(email),
                is_owner=is_owner,
            )
        )

    async def members(self) -> dict[str, models.Member]:
        async with self.database.session() as session:
            rows = await session.exec(select(models.Member).where(models.Member.organization_id == self.id))
            return {row.email.partition("@")[0]: row for row in rows}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("directory") / "sandbox.db"
    Sandbox(path).close()
    return path


@pytest.fixture
def sandbox(filled: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox.copy_of(filled, limits=PLENTY)
    yield sandbox
    sandbox.close()


@pytest.fixture
async def integration(own_database: Database, sandbox: Sandbox, seal: Seal) -> AsyncIterator[Integration]:
    credentials = Credentials(own_database, seal)
    authorization = Authorization(credentials, "sandbox-client", "sandbox-secret")
    client = Client(authorization, sandbox.transport(), patience=Patience(pause=0.01))
    directory = Directory(own_database, credentials, Crm(client, credentials), Books(client, credentials))
    integration = Integration(own_database, sandbox, credentials, directory, Identity(own_database))
    integration.id = await directory.provision(
        name="Demo", data_center="eu", edition="enterprise", crm_org_id="20077000001"
    )
    for product in Product:
        await integration.connect("owner@demo.example", product, is_owner=True)
    yield integration
    await client.aclose()


async def test_crm_users_become_members_with_what_books_says_of_them(integration: Integration) -> None:
    await integration.directory.sync(integration.id)
    members = await integration.members()
    assert len(members) >= 25
    assert (members["staff"].books_role, members["staff"].books_status) == ("staff", "active")
    assert members["assigned"].assigned_only
    assert members["sales"].books_user_id is None
    assert members["booksinactive"].books_status == "inactive"
    assert members["inactive"].status != "active"
    assert not members["unconfirmed"].confirmed
    assert members["mixedcase"].books_user_id is not None


async def test_profiles_bring_their_grants_and_hidden_fields(integration: Integration) -> None:
    await integration.directory.sync(integration.id)
    viewer = await integration.identity.viewer("readonly@demo.example")
    assert viewer.profile["invoices"].actions == {Action.VIEW}
    assert "balance" in viewer.profile["invoices"].hidden
    assert not (await integration.identity.viewer("staff@demo.example")).administers
    assert (await integration.identity.viewer("owner@demo.example")).administers


async def test_a_connection_made_before_its_member_was_known_becomes_his(integration: Integration) -> None:
    await integration.connect("staff@demo.example", Product.BOOKS)
    await integration.directory.sync(integration.id)
    await integration.directory.migrate(integration.id, ["Staff@demo.example"])
    viewer = await integration.identity.viewer("staff@demo.example")
    assert viewer.access_to(Product.BOOKS).kind is AccessKind.PRODUCT_USER
    connection = await integration.credentials.for_viewer(viewer, Product.BOOKS)
    assert (connection.email, connection.member_id) == ("staff@demo.example", viewer.id)


async def test_a_synchronization_that_finds_no_change_changes_nothing(integration: Integration) -> None:
    await integration.directory.sync(integration.id)
    before = await integration.identity.viewer("staff@demo.example")
    version = (await integration.directory.organization(integration.id)).access_version
    await integration.directory.sync(integration.id)
    assert (await integration.directory.organization(integration.id)).access_version == version
    assert await integration.identity.viewer("staff@demo.example") is before


async def test_a_changed_role_is_in_force_for_the_next_request(integration: Integration) -> None:
    await integration.connect("staff@demo.example", Product.BOOKS)
    await integration.directory.sync(integration.id)
    await integration.directory.migrate(integration.id, ["staff@demo.example"])
    assert (await integration.identity.viewer("staff@demo.example")).may("invoices.view")
    integration.sandbox.change("staff@demo.example", books_role="Timesheet Staff")
    await integration.directory.sync(integration.id)
    assert not (await integration.identity.viewer("staff@demo.example")).may("invoices.view")


async def test_a_synchronization_under_a_failing_product_changes_nothing(integration: Integration) -> None:
    await integration.directory.sync(integration.id)
    before = await integration.members()
    integration.sandbox.change("staff@demo.example", crm_status="disabled")
    integration.sandbox.fault(Fault(path="*/users*", product="books", kind="status", status=500))
    with pytest.raises(GatewayError):
        await integration.directory.sync(integration.id)
    assert await integration.members() == before


async def test_two_synchronizations_at_once_do_not_meet(integration: Integration) -> None:
    await asyncio.gather(*(integration.directory.sync(integration.id) for _ in range(3)))
    assert len(await integration.members()) >= 25


async def test_people_are_found_by_their_books_user_id(integration: Integration) -> None:
    await integration.directory.sync(integration.id)
    staff = (await integration.members())["staff"]
    people = await integration.directory.people(integration.id)
    assert staff.books_user_id is not None
    person = people[staff.books_user_id]
    assert (person.id, person.email) == (staff.id, "staff@demo.example")
    assert await integration.directory.people(integration.id) is people


async def test_provisioning_again_keeps_what_administrators_have_changed(integration: Integration) -> None:
    view = {"invoices": ModuleGrant(frozenset({Action.VIEW}))}
    await integration.directory.set_role(integration.id, Product.BOOKS, "Staff", view)
    again = await integration.directory.provision(
        name="Demo Trading", data_center="eu", edition="standard", crm_org_id="20077000001"
    )
    assert again == integration.id
    assert (await integration.directory.organization(again)).name == "Demo Trading"
    async with integration.database.session() as session:
        role = await session.get_one(models.Role, (again, Product.BOOKS, "staff"))
    assert role.grants.keys() == {"invoices"}
    assert await integration.directory.organizations() == [again]


async def test_a_member_without_books_becomes_an_integration_user_and_ceases_to_be_one(
    integration: Integration,
) -> None:
    await integration.directory.sync(integration.id)
    arguments = (integration.id, "sales@demo.example", Product.BOOKS)
    await integration.directory.grant(*arguments, CapabilitySet.ESTIMATES_ONLY)
    await integration.directory.grant(*arguments, CapabilitySet.ALL_FINANCE_MODULES)
    access = (await integration.identity.viewer("sales@demo.example")).access_to(Product.BOOKS)
    assert access.capability_set is CapabilitySet.ALL_FINANCE_MODULES
    await integration.directory.revoke(*arguments)
    access = (await integration.identity.viewer("sales@demo.example")).access_to(Product.BOOKS)
    assert access.kind is not AccessKind.INTEGRATION_USER


async def test_a_user_of_books_cannot_be_added_as_an_integration_user(integration: Integration) -> None:
    await integration.directory.sync(integration.id)
    with pytest.raises(BadUserInput, match="already"):
        await integration.directory.grant(
            integration.id, "staff@demo.example", Product.BOOKS, CapabilitySet.ESTIMATES_ONLY
        )


async def test_a_stranger_cannot_be_added_as_an_integration_user(integration: Integration) -> None:
    with pytest.raises(NotFound):
        await integration.directory.grant(
            integration.id, "stranger@demo.example", Product.BOOKS, CapabilitySet.ESTIMATES_ONLY
        )


async def test_the_directory_is_read_under_the_owners_access_alone(integration: Integration) -> None:
    await integration.connect("staff@demo.example", Product.BOOKS)
    integration.sandbox.clear_calls()
    await integration.directory.sync(integration.id)
    actors = {call.email for call in integration.sandbox.calls() if call.product in {"crm", "books"}}
    assert actors == {"owner@demo.example"}
