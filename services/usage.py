"""How often people use what: what a migration's preview and the closing of the window are decided by."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime

import structlog
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from services.policy import FINANCE, MODULES, Viewer
from services.storage import rollout
from services.storage.engine import Database
from services.storage.models import now

TOTAL = ""
"""The coordinate under which whole operations are counted that touched a finance module."""
BATCH = 1000
"""Rows written by one statement."""
MOST = 100_000
"""Counters kept while the database does not take them; what comes on top is not counted."""
log = structlog.get_logger(__name__)

Touch = frozenset[tuple[str, str]]
"""The coordinates that an operation touched, each with the permission that it needs."""


@dataclass(frozen=True, slots=True)
class Utilization:
    """How much a member used the finance modules: operations, and the day (UTC) of the last; None when he never did."""

    operations: int = 0
    last_day: date | None = None


UNUSED = Utilization()


@dataclass(frozen=True, slots=True)
class Touched:
    """A coordinate that a member's operations touched, the permission it needs, and how many did."""

    coordinate: str
    permission: str
    operations: int


@dataclass(frozen=True, slots=True, order=True)
class _Counter:
    organization_id: str
    member_id: str
    day: date
    coordinate: str


class Usage:
    """Counts in memory, and into the database every few seconds: what a killed process had not written is lost."""

    def __init__(self, database: Database, *, every: float = 5.0) -> None:
        """`every` is in seconds."""
        self._database = database
        self._every = every
        self._noted: dict[tuple[str, str, date, Touch], int] = {}
        """Operations since the last writing, not told apart yet by what they touched."""
        self._counted: dict[_Counter, tuple[str, int]] = {}
        self._writing = asyncio.Lock()

    def note(self, viewer: Viewer, touched: Touch) -> None:
        """Count one operation of a viewer: the coordinates it touched, with the permission that each needs.

        Those that no module's permission guards are left out.
        """
        key = (viewer.organization_id, viewer.id, now().date(), touched)
        if key in self._noted or len(self._noted) < MOST:
            self._noted[key] = self._noted.get(key, 0) + 1

    async def flush(self) -> None:
        """Write what has been counted; when the database does not take it, it is kept for the next time."""
        async with self._writing:
            self._tell_apart()
            counted, self._counted = self._counted, {}
            rows = [
                {"organization_id": key.organization_id, "member_id": key.member_id, "day": key.day}
                | {"coordinate": key.coordinate, "permission": permission, "operations": operations}
                for key, (permission, operations) in sorted(counted.items())
            ]
            try:
                await self._write(rows)
            except DBAPIError:
                for key, (permission, operations) in counted.items():
                    self._count(key, permission, operations)
                raise

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
        for (organization_id, member_id, day, touched), operations in noted.items():
            known = {name: permission for name, permission in touched if _module(permission) in MODULES}
            if any(_module(permission) in FINANCE for permission in known.values()):
                known[TOTAL] = ""
            for coordinate, permission in known.items():
                self._count(_Counter(organization_id, member_id, day, coordinate), permission, operations)

    def _count(self, key: _Counter, permission: str, operations: int) -> None:
        before = self._counted.get(key)
        if before is not None:
            self._counted[key] = (permission, before[1] + operations)
        elif len(self._counted) < MOST:
            self._counted[key] = (permission, operations)

    async def _write(self, rows: list[dict[str, object]]) -> None:
        async with self._database.session() as session:
            for batch in _batches(rows):
                statement = insert(rollout.Usage).values(batch)
                given = statement.excluded
                changed = {"permission": given.permission, "operations": rollout.Usage.operations + given.operations}
                keys = ["member_id", "day", "coordinate"]
                await session.exec(statement.on_conflict_do_update(index_elements=keys, set_=changed))

    async def _regularly(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self._try_flush()

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except DBAPIError as error:
            log.warning("usage could not be written, it is kept for later", reason=str(error.orig))


def _module(permission: str) -> str:
    return permission.partition(".")[0]


def _day(since: datetime | date) -> date:
    return since.astimezone(UTC).date() if isinstance(since, datetime) else since


def _batches(rows: list[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
