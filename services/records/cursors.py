"""Where a reading stands: kept with every stretch of rows, in the same transaction, so that none is lost or doubled."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, convert, field, to_builtins
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.records.lists import Stretch, identity
from services.records.notices import Notice, tell
from services.records.sources import Body, Source, instant
from services.records.store import Taken
from services.storage.models import now
from services.storage.records import Record, RecordPull
from services.upstream.envelopes import LARGEST_PAGE

SKEW = timedelta(minutes=5)
"""How far the products' clocks may be from ours: changes are asked for from so long before the last reading."""
MOST_NAMED = 100
"""Ids that a report of drift names of each sort."""
_OLDEST_FIRST = {"sort_column": "created_time", "sort_order": "A"}


class Cursor(Struct, kw_only=True):
    """`place`: rows read; `last`: the id of the last of them; `since`: changes before it are known.

    `drift`, of a check: ids by what was wrong with them, `missing`, `stale` or `surplus`.
    """

    began: datetime
    place: int = 0
    last: str | None = None
    since: datetime | None = None
    ended: bool = False
    check: bool = False
    drift: dict[str, list[str]] = field(default_factory=dict)


def read(pull: RecordPull) -> Cursor:
    """The cursor of what is under way."""
    return convert(pull.cursor, Cursor)


def _keep(pull: RecordPull, cursor: Cursor) -> None:
    pull.cursor = to_builtins(cursor)


def start(pull: RecordPull, state: str, *, check: bool = False) -> None:
    """Begin to read a list from its top."""
    pull.state = state
    _keep(pull, fresh(pull, check=check))


def fresh(pull: RecordPull, *, check: bool = False) -> Cursor:
    """From now on: what was read before it, the product has told up to now."""
    return Cursor(began=now(), since=pull.as_of - SKEW if pull.as_of else None, check=check)


def params(source: Source, state: str, cursor: Cursor) -> dict[str, str]:
    """What the list is asked: in full it is read from the oldest on, where new rows do not disturb."""
    if state == "READING" or cursor.since is None:
        return _OLDEST_FIRST
    if source.newest:
        return {"sort_column": source.newest, "sort_order": "D"}
    return {**_OLDEST_FIRST, str(source.since): cursor.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")}


def joins(cursor: Cursor, source: Source, stretch: Stretch) -> bool:
    """Whether the rows continue those that were read last, so that none can have slipped through in between."""
    return cursor.last is None or any(identity(source, row) == cursor.last for row in stretch.rows)


def step_back(pull: RecordPull, cursor: Cursor) -> None:
    """Rows have gone from in front: read a page's worth of places again."""
    cursor.place, cursor.last = max(0, cursor.place - LARGEST_PAGE), None
    _keep(pull, cursor)


def is_sorted(source: Source, stretch: Stretch) -> bool:
    """Whether the list obeys: its latest change comes first."""
    times = [instant(row.get(source.modified)) for row in stretch.rows]
    known = [time for time in times if time is not None]
    return len(known) == len(times) and known == sorted(known, reverse=True)


def advance(pull: RecordPull, source: Source, cursor: Cursor, stretch: Stretch, taken: Taken) -> None:
    """Go on behind the stretch, and keep what a check has found in it."""
    move(source, pull.state, cursor, stretch)
    if cursor.check:
        _drifted(source, cursor, stretch, taken)
    _keep(pull, cursor)


def move(source: Source, state: str, cursor: Cursor, stretch: Stretch) -> None:
    """Go on behind the stretch, or note that the rest is known or that there is none."""
    if stretch.rows:
        cursor.place, cursor.last = stretch.end, identity(source, stretch.rows[-1])
    cursor.ended = not stretch.more or _known_from_here(source, state, cursor, stretch)


def told(source: Source, state: str, cursor: Cursor, stretch: Stretch) -> dict[str, Body]:
    """The rows to be taken, by id: of a list sorted by changes those that are not known to be known."""
    rows = stretch.rows
    if state == "PULLING" and source.newest and cursor.since is not None:
        rows = [row for row in rows if not _before(instant(row.get(source.modified)), cursor.since)]
    return {identity(source, row): row for row in rows}


def _known_from_here(source: Source, state: str, cursor: Cursor, stretch: Stretch) -> bool:
    if state != "PULLING" or not source.newest or cursor.since is None:
        return False
    oldest = instant(stretch.rows[-1].get(source.modified)) if stretch.rows else None
    return oldest is None or oldest < cursor.since


def _drifted(source: Source, cursor: Cursor, stretch: Stretch, taken: Taken) -> None:
    """What an increment should have brought before: changes since the last one are none of its faults."""
    late = {identity(source, row) for row in stretch.rows if _before(instant(row.get(source.modified)), cursor.since)}
    for word, ids in (("missing", taken.new), ("stale", taken.changed)):
        if found := [one for one in ids if one in late]:
            cursor.drift[word] = cursor.drift.get(word, []) + found


def _before(modified: datetime | None, since: datetime | None) -> bool:
    return modified is None or (since is not None and modified < since)


async def finish(session: AsyncSession, pull: RecordPull, cursor: Cursor) -> None:
    """All of it has been read: its rows are true as of the moment at which that began, unless later is known."""
    if pull.state == "READING":
        pull.full_read_at = now()
    if cursor.check:
        pull.checked_at = now()
        pull.drift = {word: ids[:MOST_NAMED] for word, ids in cursor.drift.items()}
    pull.state, pull.cursor = "IDLE", {}
    pull.rows = await _count(session, pull)
    await reach(session, pull, cursor.began)


async def reach(session: AsyncSession, pull: RecordPull, moment: datetime) -> None:
    """The copy is true as of the moment, and that is told."""
    pull.as_of = max(moment, pull.as_of or moment)
    await session.flush()
    await session.refresh(pull, ["generation"])
    notice = Notice(module=pull.module, generation=pull.generation, as_of=pull.as_of)
    await tell(session, pull.organization_id, notice)


async def _count(session: AsyncSession, pull: RecordPull) -> int:
    asked: Any = select(func.count()).where(
        Record.organization_id == pull.organization_id,
        Record.module == pull.module,
        col(Record.deleted_at).is_(None),
    )
    return int((await session.exec(asked)).one())
