"""The copy of the products' records: who keeps it, and the commands for it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gateway.settings import Settings
from services.credentials import Credentials
from services.documents import Document
from services.errors import GatewayError
from services.records.copy import Copy, NotYet
from services.records.lists import Lists
from services.records.spending import Share, ShareSpent
from services.storage.engine import Database
from services.storage.models import now
from services.storage.records import RecordPull
from services.upstream.client import Client

log = structlog.get_logger(__name__)


def copy_of(settings: Settings, database: Database, client: Client, credentials: Credentials) -> Copy:
    """The copy on this database, inside its share of the budget."""
    calls = max(1, round(settings.upstream.calls_per_minute * settings.records.share))
    return Copy(database, Lists(client, credentials, Share(database, calls)))


@dataclass(frozen=True)
class Recording:
    """What the copy does beside everything else: it never makes anything else fail."""

    copy: Copy
    interval: timedelta = timedelta(0)
    """How old a module's copy may become."""
    checked: timedelta = timedelta(days=1)
    """How long ago it may have been compared with the product row by row, which alone finds deletions."""

    async def pull(self, organization_id: str, module: str) -> None:
        """A job's work: go on with a module as far as the share of this minute allows."""
        state = await self.copy.state(organization_id, module)
        if not self._due(state):
            return
        overdue = state.full_read_at is not None and state.full_read_at <= now() - self.checked
        try:
            await (self.copy.check if overdue else self.copy.pull)(organization_id, module)
        except (ShareSpent, NotYet):
            return  # the next minute's job goes on
        except GatewayError as error:
            log.warning("a module could not be copied", organization=organization_id, module=module, why=error.message)
            await self.copy.note(organization_id, module, error.message)

    def _due(self, state: RecordPull) -> bool:
        return state.state != "IDLE" or state.as_of is None or state.as_of <= now() - self.interval

    async def wrote(self, organization_id: str, document: Document) -> None:
        """Take over what a write of ours has answered; if that fails the next increment brings it."""
        try:
            await self.copy.wrote(organization_id, document)
        except Exception:  # the write itself has succeeded
            log.exception("a write is not in the copy yet", organization=organization_id, record=document.id)


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
