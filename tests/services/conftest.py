"""A database of its own for every worker, and companies in it for every test."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from services import grants
from services.credentials import Connection, Consent, Credentials
from services.errand import Errand
from services.identity import Identity
from services.policy import MODULES, Action, CapabilitySet, ModuleGrant, Product, Viewer
from services.storage import models
from services.storage.engine import Database
from services.storage.sealing import Seal

VIEW = ModuleGrant(frozenset({Action.VIEW}))
MIGRATED = datetime(2026, 5, 15, tzinfo=UTC)
KEY = bytes(range(32))


def _execute(server: str, statement: str, *names: str) -> None:
    conninfo = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def _temporary(server: str, template: str = "template0") -> Iterator[str]:
    name = f"services_{secrets.token_hex(6)}"
    _execute(server, "CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(server, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
async def template(server: str) -> AsyncIterator[str]:
    """The name of an upgraded, empty database."""
    with _temporary(server) as url:
        database = Database(url)
        await database.upgrade()
        await database.close()
        yield str(database.url.database)


@pytest.fixture(scope="session")
async def database(server: str, template: str) -> AsyncIterator[Database]:
    """The worker's own database; tests keep apart by using companies of their own."""
    with _temporary(server, template) as url:
        database = Database(url)
        yield database
        await database.close()


@pytest.fixture
def empty_url(server: str) -> Iterator[str]:
    """A database without any tables."""
    with _temporary(server) as url:
        yield url


@pytest.fixture
async def own_database(server: str, template: str) -> AsyncIterator[Database]:
    """A database for one test alone."""
    with _temporary(server, template) as url:
        database = Database(url)
        yield database
        await database.close()


@dataclass
class Company:
    """An organization of one test, to be filled with people."""

    database: Database
    id: str
    credentials: Credentials

    async def add(self, *rows: Any) -> None:
        async with self.database.session() as session:
            session.add_all(rows)

    async def member(self, local: str, **values: Any) -> models.Member:
        usual: dict[str, Any] = {
            "crm_user_id": local,
            "email": f"{local}@{self.id}.example",
            "profile_id": "standard",
            "status": "active",
            "confirmed": True,
        }
        row = models.Member(organization_id=self.id, name=local.title(), **usual | values)
        await self.add(row)
        return row

    async def product_user(self, local: str, product: Product = Product.BOOKS, **values: Any) -> models.Member:
        """A migrated member with their own connection."""
        values = {"migrated_at": MIGRATED, "books_role": "staff", "books_status": "active"} | values
        row = await self.member(local, **values)
        await self.connect(local, product)
        return row

    async def integration_user(
        self, local: str, capability_set: CapabilitySet, granted: grants.Grants | None = None
    ) -> models.Member:
        row = await self.member(local)
        stored = None if granted is None else grants.stored(granted)
        await self.add(
            models.IntegrationGrant(
                organization_id=self.id,
                member_id=row.id,
                product=Product.BOOKS,
                capability_set=capability_set,
                grants=stored,
            )
        )
        return row

    async def connect(self, local: str, product: Product, **values: Any) -> Connection:
        return await self.credentials.connect(self.consent(local, product, **values))

    def consent(self, local: str, product: Product, **values: Any) -> Consent:
        given = {
            "organization_id": self.id,
            "email": f"{local}@{self.id}.example",
            "product": product,
            "product_organization_id": "20098765001",
            "data_center": "eu",
            "accounts_url": "https://accounts.zoho.eu",
            "api_domain": "https://www.zohoapis.eu",
            "refresh_token": f"refresh-{local}",
        }
        return Consent(**given | values)

    async def viewer(self, local: str, **options: Any) -> Viewer:
        return await Identity(self.database).viewer(f"{local}@{self.id}.example", **options)

    async def errand(self, local: str) -> Errand:
        return Errand(await self.viewer(local), f"request-{secrets.token_hex(4)}", monotonic() + 10)


@pytest.fixture
def seal() -> Seal:
    return Seal([KEY])


@pytest.fixture
def found(database: Database, seal: Seal) -> Callable[..., Awaitable[Company]]:
    """Founds companies with the default roles, a profile, and an owner who has connected all products."""

    async def company(on: Database = database, **values: Any) -> Company:
        row = models.Organization(
            name="Harbor Foods", data_center="eu", edition="enterprise", crm_org_id=models.new_id(), **values
        )
        company = Company(on, row.id, Credentials(on, seal))
        await company.add(row)
        await company.add(
            models.Profile(
                organization_id=row.id,
                id="standard",
                name="Standard",
                grants=grants.stored(dict.fromkeys(MODULES, VIEW)),
            ),
            *(
                models.Role(organization_id=row.id, product=product, name=name, grants=grants.stored(allowed))
                for product, roles in grants.DEFAULT_ROLES.items()
                for name, allowed in roles.items()
            ),
        )
        for product in Product:
            await company.connect("owner", product, is_owner=True)
        return company

    return company


@pytest.fixture
async def company(found: Callable[..., Awaitable[Company]]) -> Company:
    """A company whose owner has connected all products."""
    return await found()
