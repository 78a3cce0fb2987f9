"""The copy of the products' records: read once in full, then by increments, resumed after any crash."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Text, cast
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, delete, select

from services.documents import Document
from services.errors import NotFound
from services.kinds import MODULE_OF
from services.records import cursors, store
from services.records.cursors import Cursor
from services.records.frame import Frame, frame_of
from services.records.lists import Lists, Stretch, exact, identity
from services.records.sources import COPIED, SOURCES, Body, Source
from services.records.store import Batch
from services.storage.engine import Database
from services.storage.models import now
from services.storage.records import Base, Record, RecordPull, SubscriptionChange
from services.upstream.client import encode

DAILY = timedelta(days=1)
"""How long base currency, time zone and rates are taken for known."""
log = structlog.get_logger(__name__)


class NotYet(Exception):
    """A module that the rows refer to has not been read."""


class Copy:
    """What is copied of the organizations' records, and how it is kept."""

    def __init__(self, database: Database, lists: Lists, modules: Collection[str] = COPIED) -> None:
        self._database = database
        self._lists = lists
        self.sources: Sequence[Source] = [SOURCES[name] for name in SOURCES if name in modules]

    async def pull(self, organization_id: str, module: str) -> None:
        """Bring a module up to date, or finish what is under way.

        Raises `ShareSpent` when it has to go on later, `NotYet`, and the products' errors; what was read stays.
        """
        source = SOURCES[module]
        await self._require(organization_id, source)
        frame = await self._frame(organization_id)
        pull = await self._begin(organization_id, source)
        while pull.state != "IDLE":
            pull = await self._step(source, pull, frame)

    async def check(self, organization_id: str, module: str) -> RecordPull:
        """Compare the copy with the product, row by row, mend it, and report the drift. Raises as `pull` does."""
        async with self._database.session() as session:
            pull = await cursors.held(session, organization_id, module)
            if not (pull.state == "READING" and pull.cursor.get("check")):
                cursors.start(pull, "READING", check=pull.as_of is not None)
        await self.pull(organization_id, module)
        return await self.state(organization_id, module)

    async def state(self, organization_id: str, module: str) -> RecordPull:
        """How far a module has been read."""
        async with self._database.session() as session:
            found = await session.get(RecordPull, (organization_id, module))
        return found or RecordPull(organization_id=organization_id, module=module)

    async def states(self, organization_id: str) -> list[RecordPull]:
        """How far everything that is copied has been read."""
        return [await self.state(organization_id, source.module) for source in self.sources]

    async def forget(self, organization_id: str, *, history: bool = False) -> None:
        """Begin from nothing. The history stays, unless it is to begin anew too: no product tells it again."""
        tables = (Record, RecordPull, Base, *((SubscriptionChange,) if history else ()))
        async with self._database.session() as session:
            for table in tables:
                await session.exec(delete(table).where(col(table.organization_id) == organization_id))

    async def refresh(self, organization_id: str, module: str, record_id: str) -> None:
        """Read one record in full, or learn that it is gone."""
        source = SOURCES[module]
        frame = await self._frame(organization_id)
        await self._read_one(source, organization_id, record_id, frame)

    async def wrote(self, organization_id: str, document: Document) -> None:
        """Take over what one of our own writes has answered; fields that its viewer was not shown stay as known."""
        source = SOURCES[MODULE_OF[type(document)]]
        if source not in self.sources or (await self.state(organization_id, source.module)).as_of is None:
            return
        frame = await self._frame(organization_id)
        async with self._database.session() as session:
            asked = select(cast(col(Record.body), Text)).where(
                Record.organization_id == organization_id, Record.module == source.module, Record.id == document.id
            )
            known = (await session.exec(asked)).one_or_none()
            body = (exact.decode(known) if known else {}) | _told(document)
            await store.take(session, Batch(source, organization_id, {document.id: body}, now()), frame)

    async def note(self, organization_id: str, module: str, error: str | None) -> None:
        """Keep why a module could not be read, for `state`."""
        async with self._database.session() as session:
            (await cursors.held(session, organization_id, module)).last_error = error

    async def _require(self, organization_id: str, source: Source) -> None:
        for module in source.after:
            if (await self.state(organization_id, module)).as_of is None:
                raise NotYet(f"{source.module} wait for {module}")

    async def _frame(self, organization_id: str) -> Frame:
        async with self._database.session() as session:
            base = await session.get(Base, organization_id)
        if base is None or base.read_at < now() - DAILY:
            base = await self._read_base(organization_id)
        async with self._database.session() as session:
            return await frame_of(session, base)

    async def _read_base(self, organization_id: str) -> Base:
        currency, zone, rates = await self._lists.base(organization_id)
        base = Base(organization_id=organization_id, currency=currency, time_zone=zone, rates=rates, read_at=now())
        values = base.model_dump()
        statement = insert(Base).values(values).on_conflict_do_update(index_elements=["organization_id"], set_=values)
        async with self._database.session() as session:
            await session.exec(statement)
        return base

    async def _begin(self, organization_id: str, source: Source) -> RecordPull:
        async with self._database.session() as session:
            pull = await cursors.held(session, organization_id, source.module)
            if pull.state == "IDLE":
                cursors.start(pull, "READING" if pull.as_of is None else "PULLING")
        return pull

    async def _step(self, source: Source, pull: RecordPull, frame: Frame) -> RecordPull:
        cursor = cursors.read(pull)
        if cursor.ended:
            return await self._end(source, pull, cursor, frame)
        stretch = await self._lists.stretch(
            pull.organization_id, source, cursor.place, cursors.params(source, pull.state, cursor)
        )
        async with self._database.session() as session:
            held = await cursors.held(session, pull.organization_id, pull.module)
            if (held.state, held.cursor) != (pull.state, pull.cursor):
                return held  # another process has read on meanwhile
            held.calls += 1
            if pull.state == "PULLING" and source.newest and not cursors.is_sorted(source, stretch):
                log.warning("a list is not sorted by its changes: it is read in full", module=source.module)
                cursors.start(held, "READING")
            elif not cursors.joins(cursor, source, stretch):
                cursors.step_back(held, cursor)
            else:
                taken = await store.take(session, _batch(source, pull.organization_id, stretch), frame)
                cursors.advance(held, source, cursor, stretch, taken)
            held.last_error = None
        return held

    async def _end(self, source: Source, pull: RecordPull, cursor: Cursor, frame: Frame) -> RecordPull:
        """The list has been read: what a full reading has not met is asked for by its id, then the work is done."""
        if pull.state == "READING":
            for record_id in await self._unmet(pull, cursor):
                if not await self._read_one(source, pull.organization_id, record_id, frame):
                    cursor.drift.setdefault("surplus", []).append(record_id)
        async with self._database.session() as session:
            held = await cursors.held(session, pull.organization_id, pull.module)
            if (held.state, held.cursor) == (pull.state, pull.cursor):
                await cursors.finish(session, held, cursor)
        return held

    async def _unmet(self, pull: RecordPull, cursor: Cursor) -> list[str]:
        asked = select(Record.id).where(
            Record.organization_id == pull.organization_id,
            Record.module == pull.module,
            col(Record.deleted_at).is_(None),
            Record.read_at < cursor.began,
        )
        async with self._database.session() as session:
            return list(await session.exec(asked.order_by(col(Record.id))))

    async def _read_one(self, source: Source, organization_id: str, record_id: str, frame: Frame) -> bool:
        """Whether the product still has the record."""
        try:
            body, at = await self._lists.one(organization_id, source, record_id)
        except NotFound:
            async with self._database.session() as session:
                await store.bury(session, source, organization_id, record_id, now())
                if source.module == "subscriptions":
                    await store.close_history(session, organization_id, [record_id], frame, now())
            return False
        async with self._database.session() as session:
            await store.take(session, Batch(source, organization_id, {record_id: body}, at, complete=True), frame)
        return True


def _batch(source: Source, organization_id: str, stretch: Stretch) -> Batch:
    return Batch(source, organization_id, {identity(source, row): row for row in stretch.rows}, stretch.at)


def _told(document: Document) -> Body:
    """The fields of a document that were told, in the product's names."""
    body: dict[str, Any] = exact.decode(encode(document))
    return {name: value for name, value in body.items() if value is not None and name != "gateway_complete"}
