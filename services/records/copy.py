"""The copy of the products' records: read once in full, then by increments, resumed after any crash."""

import asyncio
from collections.abc import Collection, Sequence
from contextvars import Context
from datetime import datetime, timedelta
from typing import Any

import structlog
from msgspec.structs import fields
from sqlalchemy import Text, cast
from sqlmodel import col, delete, select

from services.documents import Document
from services.drafts import camel
from services.errors import GatewayError
from services.kinds import MODULE_OF, PRODUCT_OF
from services.policy import NOTHING, Viewer
from services.records import cursors, pulls, store
from services.records.demand import Demand
from services.records.lists import Lists, exact
from services.records.reading import Reading
from services.records.sources import COPIED, SOURCES, Body, Source
from services.records.spending import ShareSpent
from services.records.store import Batch, Taken
from services.storage.engine import Database
from services.storage.full_records import FullRecord
from services.storage.models import now
from services.storage.records import Base, Record, RecordPull, SubscriptionChange
from services.upstream.client import encode

_EMPTIED = frozenset(
    {
        *("reference_number", "due_date", "expiry_date", "shipment_date", "delivery_date"),
        *("activated_at", "next_billing_at", "cancelled_at", "expires_at"),
    }
)
"""Of what list rows tell, the attributes that a write may leave empty."""
MOST_DOUBTS = 50
"""Records that are read again at once because somebody was told that they are not there."""
CERTAIN = timedelta(minutes=1)
"""For so long a record that was read is taken to be there, whatever somebody else is told."""
log = structlog.get_logger(__name__)


class NotYet(Exception):
    """A module that the rows refer to has not been read."""


class Copy:
    """What is copied of the organizations' records, and how it is kept."""

    def __init__(self, database: Database, lists: Lists, modules: Collection[str] = COPIED) -> None:
        self._database = database
        self._reading = Reading(database, lists)
        self._demand = Demand(database, self._increment)
        self._doubted: dict[tuple[str, str, str], asyncio.Task[None]] = {}
        self.sources: Sequence[Source] = [SOURCES[name] for name in SOURCES if name in modules]

    async def aclose(self) -> None:
        """Stop bringing modules up to date, and looking at records again."""
        doubted = list(self._doubted.values())
        for looking in doubted:
            looking.cancel()
        await asyncio.gather(*doubted, return_exceptions=True)
        await self._demand.aclose()

    async def at_least(self, organization_id: str, module: str, moment: datetime, deadline: float) -> datetime | None:
        """Bring a module up to date unless it is as of the moment: one call when nothing has changed.

        Answers as of when it is true then. None when it has never been read in full, or when the copy's share does
        not allow it before `deadline` (`monotonic`). Raises the products' errors.
        """
        if not self._copies(module):
            return None
        try:
            return await self._demand.at_least((organization_id, module), moment, deadline)
        except ShareSpent:
            return None

    def soon(self, organization_id: str, module: str) -> None:
        """Bring a module up to date while nobody waits for it; what goes wrong is left to those who will."""
        if self._copies(module):
            self._demand.soon((organization_id, module))

    async def pull(self, organization_id: str, module: str) -> None:
        """Bring a module up to date, or finish what is under way.

        Raises `ShareSpent` when it has to go on later, `NotYet`, and the products' errors; what was read stays.
        """
        for needed in SOURCES[module].after:
            if (await self.state(organization_id, needed)).as_of is None:
                raise NotYet(f"{module} wait for {needed}")
        await self._reading.go_on(organization_id, module)

    async def check(self, organization_id: str, module: str) -> RecordPull:
        """Compare the copy with the product, row by row, mend it, and report the drift. Raises as `pull` does."""
        async with self._database.session() as session:
            pull = await pulls.held(session, organization_id, module)
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
        tables = (Record, FullRecord, Base, *((SubscriptionChange,) if history else ()))
        async with self._database.session() as session:
            await pulls.begin_anew(session, organization_id)
            for table in tables:
                await session.exec(delete(table).where(col(table.organization_id) == organization_id))

    async def refresh(self, organization_id: str, module: str, record_id: str, since: datetime | None = None) -> bool:
        """Read one record in full, or learn that it is gone, unless it was read after `since`; whether it is there.

        Raises `ShareSpent` and the products' errors. Nothing is done for a module that was never read in full.
        """
        if not self._copies(module) or (await self.state(organization_id, module)).as_of is None:
            return False
        if since is not None and await self._read_since(organization_id, module, record_id, since):
            return True
        return await self._reading.one(organization_id, module, record_id)

    def doubt(self, organization_id: str, module: str, record_id: str) -> None:
        """Somebody was told that there is no such record: if the copy has it, it is read again while nobody waits.

        The lists tell no deletions; without a webhook nothing else does before the next comparison. Who was told so
        may be somebody whom the product does not show it, so that one which is there is left alone for a while.
        """
        key = (organization_id, module, record_id)
        if self._copies(module) and key not in self._doubted and len(self._doubted) < MOST_DOUBTS:
            looking = asyncio.create_task(self._look_again(*key), name=f"doubt {module}", context=Context())
            self._doubted[key] = looking
            looking.add_done_callback(lambda _: self._doubted.pop(key, None))

    async def _look_again(self, organization_id: str, module: str, record_id: str) -> None:
        async with self._database.session() as session:
            record = await session.get(Record, (organization_id, module, record_id))
        if record is None or record.deleted_at is not None or record.read_at > now() - CERTAIN:
            return
        try:
            await self._reading.one(organization_id, module, record_id)
        except (ShareSpent, GatewayError) as error:
            log.info("a record that may be gone could not be read", record=record_id, module=module, why=str(error))

    async def wrote(self, viewer: Viewer, document: Document) -> Taken:
        """Take over what one of our own writes has answered; fields that its viewer was not shown stay as known."""
        organization_id, source = viewer.organization_id, SOURCES[MODULE_OF[type(document)]]
        if not self._copies(source.module) or (await self.state(organization_id, source.module)).as_of is None:
            return Taken()
        frame = await self._reading.frames.of(organization_id, source.module)
        async with self._database.session() as session:
            await pulls.lock(session, organization_id, source.module)
            asked = select(cast(col(Record.body), Text)).where(
                Record.organization_id == organization_id, Record.module == source.module, Record.id == document.id
            )
            known = (await session.exec(asked)).one_or_none()
            body = (exact.decode(known) if known else {}) | _told(document, viewer)
            batch = Batch(source, organization_id, {document.id: body}, document.as_of or now())
            return await store.take(session, batch, frame)

    async def note(self, organization_id: str, module: str, error: str | None) -> None:
        """Keep that a module could not be read for now, and the error that is to blame."""
        async with self._database.session() as session:
            pull = await pulls.held(session, organization_id, module)
            pull.last_error, pull.tried_at = error, now()

    async def known(self) -> dict[tuple[str, str], RecordPull]:
        """How far everything has been read, of all organizations; what was never begun is absent."""
        async with self._database.session() as session:
            return {(pull.organization_id, pull.module): pull for pull in await session.exec(select(RecordPull))}

    def _copies(self, module: str) -> bool:
        return any(source.module == module for source in self.sources)

    async def _increment(self, organization_id: str, module: str) -> None:
        """Ask for what has changed; a comparison that is under way goes on in its own time."""
        reading = (await self.state(organization_id, module)).state == "READING"
        await (self._reading.beside if reading else self._reading.go_on)(organization_id, module)

    async def _read_since(self, organization_id: str, module: str, record_id: str, moment: datetime) -> bool:
        async with self._database.session() as session:
            record = await session.get(Record, (organization_id, module, record_id))
        return record is not None and record.deleted_at is None and record.read_at >= moment


def _told(document: Document, viewer: Viewer) -> Body:
    """The fields of a document that were told, in the product's names; what is empty and not hidden is told, too."""
    body: dict[str, Any] = exact.decode(encode(document))
    module = MODULE_OF[type(document)]
    hidden = viewer.access_to(PRODUCT_OF[type(document)]).grants.get(module, NOTHING).hidden
    empty = {one.encode_name for one in fields(document) if one.name in _EMPTIED and camel(one.name) not in hidden}
    told = {name: value for name, value in body.items() if value is not None or name in empty}
    return {name: value for name, value in told.items() if not name.startswith("gateway_")}
