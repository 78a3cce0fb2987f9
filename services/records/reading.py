"""How a module is read: stretch by stretch, each with the place where the reading stands in one transaction."""

import structlog
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.errors import NotFound
from services.records import cursors, pulls, store
from services.records.cursors import Cursor
from services.records.frame import Frame, Frames
from services.records.lists import Lists, Stretch
from services.records.sources import SOURCES, Source
from services.records.store import Batch
from services.storage.engine import Database
from services.storage.models import now
from services.storage.records import Record, RecordPull

log = structlog.get_logger(__name__)


class Reading:
    """Reads modules into the tables. All of it raises `ShareSpent` and the products' errors; what was read stays."""

    def __init__(self, database: Database, lists: Lists) -> None:
        self._database = database
        self._lists = lists
        self.frames = Frames(database, lists)

    async def go_on(self, organization_id: str, module: str) -> None:
        """Finish what is under way, or bring the module up to date; several at once double nothing."""
        source = SOURCES[module]
        frame = await self.frames.of(organization_id, module)
        pull = await self._begin(organization_id, source)
        while pull.state != "IDLE":
            pull = await self._step(source, pull, frame)

    async def beside(self, organization_id: str, module: str) -> None:
        """Bring a module up to date while it is being compared with the product row by row."""
        source = SOURCES[module]
        frame = await self.frames.of(organization_id, module)
        async with self._database.session() as session:
            cursor = cursors.fresh(await pulls.held(session, organization_id, module))
        while not cursor.ended:
            await self._aside(source, organization_id, cursor, frame)

    async def one(self, organization_id: str, module: str, record_id: str, frame: Frame | None = None) -> bool:
        """Read one record in full; whether the product still has it."""
        source = SOURCES[module]
        frame = frame or await self.frames.of(organization_id, module)
        try:
            body, at = await self._lists.one(organization_id, source, record_id)
        except NotFound:
            await self._bury(source, organization_id, record_id, frame)
            return False
        async with self._database.session() as session:
            await store.take(session, Batch(source, organization_id, {record_id: body}, at, complete=True), frame)
        return True

    async def _begin(self, organization_id: str, source: Source) -> RecordPull:
        async with self._database.session() as session:
            pull = await pulls.held(session, organization_id, source.module)
            if pull.state == "IDLE":
                cursors.start(pull, "READING" if pull.as_of is None else "PULLING")
        return pull

    async def _step(self, source: Source, pull: RecordPull, frame: Frame) -> RecordPull:
        cursor = cursors.read(pull)
        if cursor.ended:
            return await self._end(source, pull, cursor, frame)
        stretch = await self._stretch(source, pull.organization_id, pull.state, cursor)
        async with self._database.session() as session:
            held = await pulls.held(session, pull.organization_id, pull.module)
            if (held.state, held.cursor) != (pull.state, pull.cursor):
                return held  # another process has read on meanwhile
            held.calls += 1
            held.last_error = None
            await self._take(session, source, held, cursor, stretch, frame)
            if held.state == "PULLING" and cursor.ended:
                await cursors.finish(session, held, cursor)
        return held

    async def _take(
        self, session: AsyncSession, source: Source, held: RecordPull, cursor: Cursor, stretch: Stretch, frame: Frame
    ) -> None:
        if held.state == "PULLING" and _disobeys(source, stretch):
            cursors.start(held, "READING")
        elif not cursors.joins(cursor, source, stretch):
            cursors.step_back(held, cursor)
        else:
            told = cursors.told(source, held.state, cursor, stretch)
            taken = await store.take(session, Batch(source, held.organization_id, told, stretch.at), frame)
            cursors.advance(held, source, cursor, stretch, taken)

    async def _aside(self, source: Source, organization_id: str, cursor: Cursor, frame: Frame) -> None:
        stretch = await self._stretch(source, organization_id, "PULLING", cursor)
        if source.newest and not cursors.is_sorted(source, stretch):
            cursor.ended = True  # the comparison that goes on reads all of it
            return
        async with self._database.session() as session:
            held = await pulls.held(session, organization_id, source.module)
            held.calls += 1
            told = cursors.told(source, "PULLING", cursor, stretch)
            await store.take(session, Batch(source, organization_id, told, stretch.at), frame)
            cursors.move(source, "PULLING", cursor, stretch)
            if cursor.ended:
                await cursors.reach(session, held, cursor.began)

    async def _stretch(self, source: Source, organization_id: str, state: str, cursor: Cursor) -> Stretch:
        asked = cursors.params(source, state, cursor)
        return await self._lists.stretch(organization_id, source, cursor.place, asked, bulk=state == "READING")

    async def _end(self, source: Source, pull: RecordPull, cursor: Cursor, frame: Frame) -> RecordPull:
        """The list has been read: what a full reading has not met is asked for by its id, then the work is done."""
        if pull.state == "READING":
            for record_id in await self._unmet(pull, cursor):
                if not await self.one(pull.organization_id, source.module, record_id, frame):
                    cursor.drift.setdefault("surplus", []).append(record_id)
        async with self._database.session() as session:
            held = await pulls.held(session, pull.organization_id, pull.module)
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

    async def _bury(self, source: Source, organization_id: str, record_id: str, frame: Frame) -> None:
        async with self._database.session() as session:
            await store.bury(session, source, organization_id, record_id, now())
            if source.module == "subscriptions":
                await store.close_history(session, organization_id, [record_id], frame, now())


def _disobeys(source: Source, stretch: Stretch) -> bool:
    """Whether the list should be sorted by its changes and is not; then it is read in full."""
    unsorted = source.newest is not None and not cursors.is_sorted(source, stretch)
    if unsorted:
        log.warning("a list is not sorted by its changes: it is read in full", module=source.module)
    return unsorted
