"""The chain of an organization's audit as it is read: link after link, a few in memory at a time."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Row, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.errors import NotFound
from services.storage.chain import AuditAnchor, AuditLink
from services.storage.engine import Database, unhurried
from services.storage.models import Organization

_AT_ONCE = 500


@dataclass(frozen=True)
class Place:
    """A link, or what stood before the first one; the very first link follows number 0, which has no hash."""

    sequence: int = 0
    hash: str | None = None

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"

    def meets(self, noted: str) -> bool:
        """Whether this was noted: its hash alone, or both as they are printed."""
        return noted in (self.hash, str(self))


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Which links: from the moment `since` on, before `until`, up to number `through`."""

    since: datetime | None = None
    until: datetime | None = None
    through: int | None = None


class Chain:
    """The chains of all organizations, as they were when the snapshot began."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def organizations(self, chosen: str | None = None) -> list[Organization]:
        """The chosen one, or all; raises `NotFound`."""
        query = select(Organization).order_by(Organization.id)
        found = list(await self.session.exec(query.where(Organization.id == chosen) if chosen else query))
        if chosen and not found:
            raise NotFound("There is no such organization.")
        return found

    async def beginning(self, organization_id: str) -> Place:
        """What the first link follows: the end of what was pruned last, if anything was."""
        pruned = select(AuditAnchor).where(AuditAnchor.organization_id == organization_id)
        anchor = (await self.session.exec(pruned.order_by(col(AuditAnchor.sequence).desc()).limit(1))).first()
        return Place(anchor.sequence, anchor.hash) if anchor else Place()

    async def last_before(self, organization_id: str, before: datetime) -> Place | None:
        """The last link made before a moment."""
        query = select(AuditLink.sequence, AuditLink.hash).where(
            AuditLink.organization_id == organization_id, AuditLink.at < before
        )
        found = (await self.session.exec(query.order_by(col(AuditLink.sequence).desc()).limit(1))).first()
        return Place(*found) if found else None

    async def links(self, organization_id: str, stretch: Stretch = Stretch()) -> AsyncIterator[AuditLink]:
        """The links in their order."""
        query = select(AuditLink).where(AuditLink.organization_id == organization_id)
        if stretch.since:
            query = query.where(AuditLink.at >= stretch.since)
        if stretch.until:
            query = query.where(AuditLink.at < stretch.until)
        if stretch.through is not None:
            query = query.where(AuditLink.sequence <= stretch.through)
        async with self.rows(query.order_by(col(AuditLink.sequence))) as rows:
            async for row in rows:
                link: AuditLink = row[0]
                self.session.expunge(link)
                yield link

    async def first(self, query: Executable, **given: Any) -> Row[Any] | None:
        """The first row of an answer."""
        connection = await self.session.connection()
        return (await connection.execute(query, given)).first()

    @asynccontextmanager
    async def rows(self, query: Executable, **given: Any) -> AsyncIterator[AsyncIterable[Row[Any]]]:
        """The answer to a query, a few rows in memory at a time."""
        answer = await self.session.stream(query, given, execution_options={"yield_per": _AT_ONCE})
        try:
            yield answer
        finally:
            await answer.close()


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[Chain]:
    """The chains at one moment, whatever is appended or pruned meanwhile."""
    async with database.session() as session:
        connection = await session.connection()
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        await unhurried(connection)
        yield Chain(session)
