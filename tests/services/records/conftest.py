"""The copy of the demo organization, on a database and a sandbox of its own."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from gateway.wiring.assembly import Assembly
from services.credentials import Credentials
from services.policy import Product
from services.records.copy import Copy
from services.records.lists import Lists
from services.records.readers import Readers
from services.records.sources import COPIED
from services.records.spending import Share
from services.sandbox import Sandbox
from services.sandbox import records as kept
from services.sandbox.store import Record
from services.storage.engine import Database
from tests.harness import Demo

PLENTY = 10**6


@dataclass
class Office:
    """The demo organization: what the products hold, what the copy holds, and the copy itself."""

    assembly: Assembly
    sandbox: Sandbox
    organization_id: str
    products: dict[Product, str]
    """Product → the organization's id there."""

    @property
    def database(self) -> Database:
        return self.assembly.database

    @property
    def readers(self) -> Readers:
        return Readers(self.database)

    def copy(
        self,
        share: int = PLENTY,
        modules: tuple[str, ...] = COPIED,
        reserved: Mapping[Product, int] = MappingProxyType({}),
    ) -> Copy:
        credentials: Credentials = self.assembly.services.credentials
        lists = Lists(self.assembly.client, credentials, Share(self.database, share, reserved))
        return Copy(self.database, lists, modules)

    async def read(self, *modules: str) -> Copy:
        """A copy that has read these in full."""
        copy = self.copy()
        for module in modules or COPIED:
            await copy.pull(self.organization_id, module)
        return copy

    async def rows(self, statement: str, **given: Any) -> list[Any]:
        async with self.database.session() as session:
            connection = await session.connection()
            found = await connection.execute(text(statement), {"o": self.organization_id, **given})
            return list(found.mappings())

    async def record(self, record_id: str) -> Any:
        return (await self.rows("SELECT * FROM records WHERE organization_id = :o AND id = :id", id=record_id))[0]

    async def states(self, subscription_id: str) -> list[Any]:
        return await self.rows(
            "SELECT * FROM subscription_history WHERE organization_id = :o AND subscription_id = :id ORDER BY sequence",
            id=subscription_id,
        )

    def held(self, kind: str, product: Product = Product.BILLING) -> dict[str, dict[str, Any]]:
        """The product's records of a kind, by id."""
        with self.sandbox.store.session() as session:
            rows = session.exec(
                select(Record).where(Record.organization_id == self.products[product], Record.kind == kind)
            )
            return {row.id: dict(row.body) for row in rows}

    def put(self, kind: str, body: dict[str, Any], product: Product = Product.BILLING) -> None:
        """Change a record behind everybody's back; its time of change is that of the body."""
        with self.sandbox.store.session() as session:
            kept.put(session, self.products[product], kind, body)

    def drop(self, kind: str, record_id: str, product: Product = Product.BILLING) -> None:
        with self.sandbox.store.session() as session:
            kept.drop(session, self.products[product], kind, record_id)


@pytest.fixture
async def office(demo: Demo) -> AsyncIterator[Office]:
    async with demo.assembly() as (assembly, sandbox):
        owners = [one for one in await assembly.services.credentials.owners() if one.email == "owner@demo.example"]
        places = {one.product: one.product_organization_id for one in owners}
        yield Office(assembly, sandbox, owners[0].organization_id, places)
