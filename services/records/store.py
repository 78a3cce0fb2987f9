"""Rows into the tables: the newest wins, once, and every change of a subscription leaves a state."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from services.records import history, notices
from services.records.frame import Frame
from services.records.notices import Change
from services.records.pulls import lock
from services.records.sources import Body, Source
from services.records.values import Row, newer, row_of
from services.storage.full_records import FullRecord
from services.storage.models import Table
from services.storage.records import Record, SubscriptionChange
from services.upstream.client import encode


@dataclass
class Taken:
    """What a stretch of rows meant: ids that were unknown, ids that were known otherwise, and those as they were."""

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)

    @property
    def changes(self) -> dict[str, Change]:
        """What is told of it."""
        return dict.fromkeys(self.new, Change.CREATED) | dict.fromkeys(self.changed, Change.UPDATED)


@dataclass
class Batch:
    """Bodies by id that were read at one moment; `complete`: they are full records."""

    source: Source
    organization_id: str
    bodies: Mapping[str, Body]
    read_at: datetime
    complete: bool = False

    @property
    def subscribes(self) -> bool:
        """Whether every change leaves a state in the history."""
        return self.source.module == "subscriptions"


async def take(session: AsyncSession, batch: Batch, frame: Frame) -> Taken:
    """Write the batch and tell what has changed; taken twice, or late, it changes nothing."""
    if not batch.bodies:
        return Taken()
    await lock(session, batch.organization_id, batch.source.module)
    known = await _known(session, batch)
    last = await last_states(session, batch.organization_id, list(batch.bodies)) if batch.subscribes else {}
    taken, rows = Taken(), dict[str, Row]()
    for record_id, body in batch.bodies.items():
        old = known.get(record_id)
        row = row_of(batch.source, body, old, frame, last.get(record_id))
        if newer(row, old, batch.read_at) and not _note(taken, batch, record_id, row, body, old):
            rows[record_id] = row | _around(batch, record_id, body)
    await upsert(session, Record, rows.values())
    await _touch(session, batch)
    if batch.subscribes:
        await _remember(session, batch, rows, last, frame)
    await notices.changed(session, batch.organization_id, batch.source.module, taken.changes)
    return taken


def _note(taken: Taken, batch: Batch, record_id: str, row: Row, body: Body, known: Record | None) -> bool:
    """Note what the row means; whether what is known of the same modification stays in its place.

    Of subscriptions it stays when it is the full record only: their plans may have become known since.
    """
    if known is None or known.deleted_at is not None:
        taken.new.append(record_id)
    elif _differs(known, row, body):
        taken.changed.append(record_id)
    else:
        taken.same.append(record_id)
        return not batch.complete and (known.complete or not batch.subscribes)
    return False


def _around(batch: Batch, record_id: str, body: Body) -> Row:
    return {
        "organization_id": batch.organization_id,
        "module": batch.source.module,
        "id": record_id,
        "body": body,
        "complete": batch.complete,
        "read_at": batch.read_at,
        "deleted_at": None,
    }


async def _touch(session: AsyncSession, batch: Batch) -> None:
    """All of them have been read, the ones that stay as they were too."""
    await session.exec(
        update(Record)
        .where(
            col(Record.organization_id) == batch.organization_id,
            col(Record.module) == batch.source.module,
            col(Record.id).in_(list(batch.bodies)),
            col(Record.read_at) < batch.read_at,
        )
        .values(read_at=batch.read_at)
    )


async def _known(session: AsyncSession, batch: Batch) -> dict[str, Record]:
    asked = select(Record).where(
        Record.organization_id == batch.organization_id,
        Record.module == batch.source.module,
        col(Record.id).in_(list(batch.bodies)),
    )
    found = {row.id: row for row in await session.exec(asked.execution_options(populate_existing=True))}
    for row in found.values():
        session.expunge(row)
    return found


def _differs(known: Record, row: Row, body: Body) -> bool:
    """Whether the record was changed since; of two rows of the same modification, whether what they share differs."""
    if known.modified_time != row["modified_time"]:
        return True
    told = msgspec.json.decode(encode(body))  # numbers as the database gives them back
    return any(known.body[key] != told[key] for key in known.body.keys() & told.keys())


async def _remember(
    session: AsyncSession,
    batch: Batch,
    rows: Mapping[str, Row],
    last: Mapping[str, SubscriptionChange],
    frame: Frame,
) -> None:
    changes: list[SubscriptionChange] = []
    for record_id, row in rows.items():
        body, before = batch.bodies[record_id], last.get(record_id)
        if before is None:
            made = history.first_sight(row, body, frame, batch.read_at)
        else:
            after = history.observed(before, row, body, frame, batch.read_at)
            made = [before, after] if after else []
        history.owned(made, batch.organization_id, record_id)
        changes += made
    await upsert(session, SubscriptionChange, (change.model_dump() for change in changes))


async def last_states(session: AsyncSession, organization_id: str, ids: Sequence[str]) -> dict[str, SubscriptionChange]:
    """The latest state of each subscription, apart from the session."""
    asked = (
        select(SubscriptionChange)
        .where(
            SubscriptionChange.organization_id == organization_id,
            col(SubscriptionChange.subscription_id).in_(ids),
        )
        .ext(distinct_on(col(SubscriptionChange.subscription_id)))
        .order_by(col(SubscriptionChange.subscription_id), col(SubscriptionChange.sequence).desc())
    )
    found = {row.subscription_id: row for row in await session.exec(asked)}
    for row in found.values():
        session.expunge(row)
    return found


async def bury(session: AsyncSession, source: Source, organization_id: str, record_id: str, at: datetime) -> None:
    """Mark a record that the product no longer has; what was asked for before `at` does not bring it back."""
    await lock(session, organization_id, source.module)
    row = await session.get(Record, (organization_id, source.module, record_id), with_for_update=True)
    if row is not None and row.deleted_at is None:
        row.deleted_at = row.read_at = at
        session.add(row)
        if (full := await session.get(FullRecord, (organization_id, source.module, record_id))) is not None:
            await session.delete(full)
        await notices.changed(session, organization_id, source.module, {record_id: Change.DELETED})


async def close_history(
    session: AsyncSession, organization_id: str, ids: Sequence[str], frame: Frame, at: datetime
) -> None:
    """Subscriptions that are gone recur no longer."""
    changes: list[SubscriptionChange] = []
    for last in (await last_states(session, organization_id, ids)).values():
        if gone := history.deleted(last, frame, at):
            changes += [last, gone]
    await upsert(session, SubscriptionChange, (change.model_dump() for change in changes))


async def upsert(session: AsyncSession, table: type[Table], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert or replace by primary key in one statement; decimals stay exact, absent columns become null."""
    given = list(rows)
    if not given:
        return
    name, columns = table.__tablename__, table.__table__.columns  # type: ignore[attr-defined]
    keys = ", ".join(column.name for column in columns if column.primary_key)
    changed = ", ".join(f'"{c.name}" = excluded."{c.name}"' for c in columns if not c.primary_key)
    statement = text(
        f"INSERT INTO {name} SELECT * FROM jsonb_populate_recordset(NULL::{name}, CAST(:rows AS jsonb)) "  # noqa: S608 - our own names
        f"ON CONFLICT ({keys}) DO UPDATE SET {changed}"
    )
    await (await session.connection()).execute(statement, {"rows": encode(given).decode()})
