"""How often people use what: what a migration's preview and the closing of the window are decided by."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

import structlog
from msgspec import json
from sqlalchemy import func, text
from sqlmodel import col, select

from services.policy import FINANCE, MODULES, Viewer
from services.storage import rollout
from services.storage.engine import Database
from services.storage.failures import FAILURES
from services.storage.models import now

TOTAL = ""
"""The coordinate under which whole operations are counted that touched a finance module."""
MOST = 100_000
"""Members' operations of different kinds that are noted between two writings; what comes on top is not counted."""
MOST_PEOPLE = 10_000
"""Of whom counts are kept while the database does not take them, each by day; likewise."""
log = structlog.get_logger(__name__)

Touch = frozenset[tuple[str, str]]
"""The coordinates that an operation touched, each with the permission that it needs."""
_Whose = tuple[str, str, date]
"""(organization's id, member's id, day)"""

_WRITE = text("""
    INSERT INTO usage AS known (organization_id, member_id, day, coordinate, permission, operations)
    SELECT told.organization_id, told.member_id, told.day, counted.key,
           CAST(:permissions AS jsonb) ->> counted.key, CAST(counted.value AS int)
    FROM json_to_recordset(CAST(:counts AS json))
         AS told (organization_id text, member_id text, day date, operations json),
         json_each_text(told.operations) AS counted
    ORDER BY told.member_id, told.day, counted.key
    ON CONFLICT (member_id, day, coordinate) DO UPDATE
    SET permission = excluded.permission, operations = known.operations + excluded.operations
""")
"""Users wait while a statement is put together here: this one is the same for any number of counts."""


@dataclass(frozen=True, slots=True)
class Utilization:
    """How much a member used the finance modules: operations, and the day (UTC) of the last; None without any."""

    operations: int = 0
    last_day: date | None = None


UNUSED = Utilization()


@dataclass(frozen=True, slots=True)
class Touched:
    """A coordinate that a member's operations touched, the permission it needs, and how many did."""

    coordinate: str
    permission: str
    operations: int


class Usage:
    """Counts in memory, and into the database every few seconds: what a killed process had not written is lost."""

    def __init__(self, database: Database, *, every: float = 5.0) -> None:
        """`every` is in seconds."""
        self._database = database
        self._every = every
        self._noted: dict[tuple[_Whose, Touch], int] = {}
        """Operations since the last writing, not told apart yet by what they touched."""
        self._counted: dict[_Whose, dict[str, int]] = {}
        """Operations by coordinate that the database has not taken yet."""
        self._permissions: dict[str, str] = {}
        """What each coordinate needs."""
        self._writing = asyncio.Lock()

    def note(self, viewer: Viewer, touched: Touch) -> None:
        """Count one operation of a viewer: the coordinates it touched, with the permission that each needs.

        Those that no module's permission guards are left out.
        """
        key = ((viewer.organization_id, viewer.id, now().date()), touched)
        if key in self._noted or len(self._noted) < MOST:
            self._noted[key] = self._noted.get(key, 0) + 1

    async def flush(self) -> None:
        """Write what has been counted; when the database does not take it, it is kept for the next time."""
        async with self._writing:
            self._tell_apart()
            if self._counted:
                await self._write()
                self._counted = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Usage"]:
        """Flush regularly within the block, and at its end."""
        task = asyncio.create_task(self._regularly(), name="usage")
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._try_flush()

    async def operations(self, organization_id: str, since: datetime | date) -> dict[str, Utilization]:
        """How much each member used the finance modules since a day (UTC, included); who did not is absent."""
        query = (
            select(rollout.Usage.member_id, func.sum(rollout.Usage.operations), func.max(rollout.Usage.day))
            .where(
                rollout.Usage.organization_id == organization_id,
                rollout.Usage.coordinate == TOTAL,
                col(rollout.Usage.day) >= _day(since),
            )
            .group_by(rollout.Usage.member_id)
        )
        async with self._database.session() as session:
            return {member: Utilization(int(total), last) for member, total, last in await session.exec(query)}

    async def touched(self, member_id: str, since: datetime | date) -> list[Touched]:
        """What a member's operations touched since a day, the most frequent first."""
        return (await self.touched_by([member_id], since)).get(member_id, [])

    async def touched_by(self, member_ids: Collection[str], since: datetime | date) -> dict[str, list[Touched]]:
        """The same of several members in one query; who touched nothing is absent."""
        total = func.sum(rollout.Usage.operations)
        query = (
            select(rollout.Usage.member_id, rollout.Usage.coordinate, func.max(rollout.Usage.permission), total)
            .where(
                col(rollout.Usage.member_id).in_(member_ids),
                rollout.Usage.coordinate != TOTAL,
                col(rollout.Usage.day) >= _day(since),
            )
            .group_by(rollout.Usage.member_id, rollout.Usage.coordinate)
            .order_by(total.desc(), rollout.Usage.coordinate)
        )
        found: dict[str, list[Touched]] = {}
        async with self._database.session() as session:
            for member_id, coordinate, permission, operations in await session.exec(query):
                found.setdefault(member_id, []).append(Touched(coordinate, permission, int(operations)))
        return found

    def _tell_apart(self) -> None:
        noted, self._noted = self._noted, {}
        for (whose, touched), operations in noted.items():
            told = _told(touched)
            if told and (whose in self._counted or len(self._counted) < MOST_PEOPLE):
                counts = self._counted.setdefault(whose, {})
                self._permissions.update(told)
                for coordinate in told:
                    counts[coordinate] = counts.get(coordinate, 0) + operations

    async def _write(self) -> None:
        rows = [
            {"organization_id": organization_id, "member_id": member_id, "day": day, "operations": counts}
            for (organization_id, member_id, day), counts in self._counted.items()
        ]
        given = {"counts": json.encode(rows).decode(), "permissions": json.encode(self._permissions).decode()}
        async with self._database.session() as session:
            await (await session.connection()).execute(_WRITE, given)

    async def _regularly(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self._try_flush()

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except FAILURES as error:
            log.warning("usage could not be written, it is kept for later", reason=str(error))


@lru_cache(maxsize=1024)
def _told(touched: Touch) -> Mapping[str, str]:
    """What is counted of it: the coordinates of modules, and all of it as one when a finance module is touched."""
    known = {coordinate: permission for coordinate, permission in touched if _module(permission) in MODULES}
    finance = any(_module(permission) in FINANCE for permission in known.values())
    return {**known, TOTAL: ""} if finance else known


def _module(permission: str) -> str:
    return permission.partition(".")[0]


def _day(since: datetime | date) -> date:
    return since.astimezone(UTC).date() if isinstance(since, datetime) else since
