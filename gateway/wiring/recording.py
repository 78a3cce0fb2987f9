"""The copy of the products' records: who keeps it, and the commands for it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

import structlog

from gateway.settings import Settings
from services.credentials import Credentials
from services.documents import Document
from services.errors import GatewayError
from services.jobs import TICK
from services.policy import Viewer
from services.records.copy import Copy, NotYet
from services.records.lists import Lists
from services.records.sources import COPIED, SOURCES, Source, needed
from services.records.spending import Share, ShareSpent
from services.storage.engine import Database
from services.storage.models import now
from services.storage.records import RecordPull
from services.upstream.client import Client

log = structlog.get_logger(__name__)


SLACK = timedelta(seconds=TICK / 2)
"""So that what becomes due between two looks is not left until the one after."""
AGAIN, AGAIN_AFTER_ERROR = timedelta(seconds=20), timedelta(seconds=60)
"""After which something is tried again for which the share did not suffice, or which has failed."""
PATIENCE = 20.0
"""Seconds within which one increment is to be done."""
ORIGIN_SECONDS = 3.0
"""That a write waits at most for the record it has been made from to be read again."""
_ORIGINS = {"salesorder_id": "salesOrders", "estimate_id": "estimates"}


def copy_of(settings: Settings, database: Database, client: Client, credentials: Credentials) -> Copy:
    """The copy on this database, inside its share of the budget."""
    options = settings.records
    calls = max(1, round(settings.upstream.calls_per_minute * options.share))
    modules = options.modules or COPIED
    reserved = needed((SOURCES[module] for module in modules), options.interval_factor)
    return Copy(database, Lists(client, credentials, Share(database, calls, reserved)), modules)


@dataclass(frozen=True)
class Recording:
    """What the copy does beside everything else: it never makes anything else fail."""

    copy: Copy
    factor: float = 1
    """Of the sources' intervals, how old a module's copy may become."""
    checked: timedelta = timedelta(days=1)
    """How long ago it may have been compared with the product row by row, which alone finds deletions."""

    async def due(self, organization_ids: Iterable[str]) -> list[tuple[str, str]]:
        """The (organization, module) that are to go on now."""
        known, at = await self.copy.known(), now()
        wanted = [(one, source) for one in organization_ids for source in self.copy.sources]
        return [(one, s.module) for one, s in wanted if self._due(s, known.get((one, s.module)), at)]

    async def pull(self, organization_id: str, module: str) -> None:
        """A job's work: go on with a module as far as the share of this minute allows."""
        try:
            await self._pull(organization_id, SOURCES[module])
        except NotYet:
            return
        except ShareSpent:
            await self.copy.note(organization_id, module, None)
        except GatewayError as error:
            log.warning("a module could not be copied", organization=organization_id, module=module, why=error.message)
            await self.copy.note(organization_id, module, error.message)

    async def _pull(self, organization_id: str, source: Source) -> None:
        state, at = await self.copy.state(organization_id, source.module), now()
        if state.as_of is not None and self._stale(source, state, at):
            moment = at - source.every * self.factor / 2
            if await self.copy.at_least(organization_id, source.module, moment, monotonic() + PATIENCE) is None:
                raise ShareSpent(at + AGAIN)
        if self._overdue(state, at):
            await self.copy.check(organization_id, source.module)
        elif state.as_of is None or state.state == "READING":
            await self.copy.pull(organization_id, source.module)

    def _due(self, source: Source, state: RecordPull | None, at: datetime) -> bool:
        if state is None:
            return True
        unfinished = state.as_of is None or state.state == "READING" or self._overdue(state, at)
        pause = AGAIN_AFTER_ERROR if state.last_error else AGAIN if unfinished else timedelta(0)
        if state.tried_at is not None and state.tried_at > at - pause:
            return False
        return unfinished or self._stale(source, state, at)

    def _stale(self, source: Source, state: RecordPull, at: datetime) -> bool:
        return state.as_of is None or state.as_of <= at - source.every * self.factor + SLACK

    def _overdue(self, state: RecordPull, at: datetime) -> bool:
        return state.full_read_at is not None and state.full_read_at <= at - self.checked

    async def refresh(self, organization_id: str, module: str, record_id: str, since: datetime) -> datetime | None:
        """A job's work: read a record that has changed at the moment `since`; when to try again, if not yet."""
        try:
            await self.copy.refresh(organization_id, module, record_id, since)
        except ShareSpent as spent:
            return spent.again_at
        except GatewayError as error:
            log.warning("a changed record could not be read", record=record_id, module=module, why=error.message)
        return None

    async def wrote(self, viewer: Viewer, document: Document) -> None:
        """Take over what a write of ours has answered; if that fails the next increment brings it."""
        try:
            if (await self.copy.wrote(viewer, document)).new:
                await self._read_origins(viewer.organization_id, document)
        except Exception:  # the write itself has succeeded
            log.exception("a write is not in the copy yet", organization=viewer.organization_id, record=document.id)

    async def _read_origins(self, organization_id: str, document: Document) -> None:
        """A document that was made from another one has changed that."""
        async with asyncio.timeout(ORIGIN_SECONDS):
            for name, module in _ORIGINS.items():
                if (origin := getattr(document, name, None)) and origin != document.id:
                    await self.copy.refresh(organization_id, module, origin)


async def rebuild(copy: Copy, organization_id: str, *, history: bool = False) -> list[RecordPull]:
    """Forget the copy and read it anew, waiting for the share whenever it is spent."""
    await copy.forget(organization_id, history=history)
    for source in copy.sources:
        await _patiently(copy.pull, organization_id, source.module)
    return await copy.states(organization_id)


async def check(copy: Copy, organization_id: str) -> list[RecordPull]:
    """Reconcile every module."""
    for source in copy.sources:
        await _patiently(copy.check, organization_id, source.module)
    return await copy.states(organization_id)


async def _patiently(work: Callable[[str, str], Awaitable[object]], organization_id: str, module: str) -> None:
    while True:
        try:
            await work(organization_id, module)
        except ShareSpent as spent:
            await asyncio.sleep(max(0.0, (spent.again_at - now()).total_seconds()))
        else:
            return


def lines(states: list[RecordPull]) -> list[str]:
    """A line a module: how many rows, as of when, and what is the matter."""
    return [_line(state) for state in states]


def _line(state: RecordPull) -> str:
    drift = ", ".join(f"{len(ids)} {word}" for word, ids in state.drift.items()) or "none"
    parts = [
        f"{state.module:<14} {state.rows:>7} rows",
        f"as of {_moment(state.as_of)}",
        f"{state.calls} calls",
        f"drift: {drift}" if state.checked_at else "not checked yet",
        *([f"{state.state.lower()}, row {state.cursor.get('place', 0)}"] if state.state != "IDLE" else []),
        *([state.last_error] if state.last_error else []),
    ]
    return " · ".join(parts)


def _moment(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ") if at else "never"
