"""What was done, by whom, under whose access and with what result: one event an action, kept as it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlmodel import and_, col, func, select, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from services.errand import Errand, UpstreamCall
from services.policy import AccessKind, Product
from services.storage.chain import AuditLink
from services.storage.engine import Database
from services.storage.models import AuditEvent, Json, new_id, now


class State(StrEnum):
    """What became of an action; an INTENT is about to be tried, an UNCERTAIN one has to be looked up."""

    INTENT = "INTENT"
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    UNCERTAIN = "UNCERTAIN"

    @property
    def settled(self) -> bool:
        """Whether it is known and stays."""
        return self in {State.APPLIED, State.REJECTED}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of the record before and after, as JSON values."""

    field: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The record that an action is about; `module` as in permissions."""

    module: str | None = None
    id: str | None = None
    number: str | None = None


@dataclass(frozen=True, kw_only=True)
class Action:
    """An action to be recorded. `name` is like `invoices.create`; `credential`: whose access it runs under."""

    name: str
    permission: str | None = None
    product: Product | None = None
    subject: Subject = Subject()
    credential: str | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """A recorded action. Names and addresses are those of the moment.

    `sequence` and `hash` are those of the link that proves it as it is now; none when it was put past the chain.
    """

    id: str
    at: datetime
    actor_id: str
    actor_name: str
    actor_email: str
    credential_email: str | None
    access: AccessKind | None
    product: Product | None
    action: str
    permission: str | None
    subject: Subject
    outcome: State
    changes: tuple[FieldChange, ...]
    user_errors: tuple[Mapping[str, Any], ...]
    calls: tuple[UpstreamCall, ...]
    request_id: str
    settled_at: datetime | None
    sequence: int | None
    hash: str | None


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which events; everything that is given has to match. `until` is exclusive."""

    actor_id: str | None = None
    actions: Sequence[str] = ()
    outcomes: Sequence[State] = ()
    product: Product | None = None
    subject: Subject = Subject()
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Events, the newest first, and whether older ones follow."""

    events: list[Event] = field(default_factory=list)
    more: bool = False


class Audit:
    """The audit trail of all organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self,
        errand: Errand,
        action: Action,
        outcome: State,
        *,
        changes: Sequence[FieldChange] = (),
        user_errors: Sequence[Mapping[str, Any]] = (),
        calls: Sequence[UpstreamCall] | None = None,
    ) -> str:
        """Record an action that is over; its event's id. `calls` are its own, without them all of the errand's."""
        own = errand.calls if calls is None else calls
        async with self._database.session() as session:
            return append(session, errand, action, outcome, changes=changes, user_errors=user_errors, calls=own)

    async def get(self, organization_id: str, event_id: str) -> Event | None:
        """One event of an organization."""
        async with self._database.session() as session:
            query = _LINKED.where(AuditEvent.organization_id == organization_id, AuditEvent.id == event_id)
            return next((event(*row) for row in await session.exec(query)), None)

    async def page(
        self,
        organization_id: str,
        first: int,
        after: tuple[datetime, str] | None = None,
        filters: Filters = Filters(),
    ) -> Page:
        """Events newest first, those older than `after`: the moment and id of the last one seen."""
        query = _filtered(_LINKED.where(AuditEvent.organization_id == organization_id), filters)
        key = tuple_(col(AuditEvent.at), col(AuditEvent.id))
        if after is not None:
            query = query.where(key < tuple_(*after))
        newest = query.order_by(col(AuditEvent.at).desc(), col(AuditEvent.id).desc()).limit(first + 1)
        async with self._database.session() as session:
            events = [event(*row) for row in await session.exec(newest)]
        return Page(events[:first], len(events) > first)


def append(
    session: AsyncSession,
    errand: Errand,
    action: Action,
    outcome: State,
    *,
    changes: Sequence[FieldChange] = (),
    user_errors: Sequence[Mapping[str, Any]] = (),
    calls: Sequence[UpstreamCall] = (),
    event_id: str | None = None,
) -> str:
    """Add an event to a transaction; its id."""
    viewer = errand.viewer
    row = AuditEvent(
        id=event_id or new_id(),
        organization_id=viewer.organization_id,
        actor_id=viewer.id,
        actor_name=viewer.name,
        actor_email=viewer.email,
        credential_email=action.credential or credential(calls, action.product),
        access=viewer.access_to(action.product).kind if action.product else None,
        product=action.product,
        action=action.name,
        permission=action.permission,
        subject_module=action.subject.module,
        subject_id=action.subject.id,
        subject_number=action.subject.number,
        outcome=outcome,
        changes=as_json(changes),
        user_errors=as_json(user_errors),
        calls=as_json(calls),
        request_id=errand.request_id,
        settled_at=now() if outcome.settled else None,
    )
    session.add(row)
    return row.id


def credential(calls: Sequence[UpstreamCall], product: Product | None) -> str | None:
    """The address under whose access the product was called last."""
    return next((call.actor for call in reversed(calls) if call.product == product), None)


def as_json(values: Sequence[Any]) -> list[Json]:
    """Values as a JSON column keeps them; decimals and dates become their text."""
    kept: list[Json] = msgspec.to_builtins(list(values))
    return kept


def event(row: AuditEvent, sequence: int | None, digest: str | None) -> Event:
    """The event of a row, and of its newest link."""
    return Event(
        id=row.id,
        at=row.at,
        actor_id=row.actor_id,
        actor_name=row.actor_name,
        actor_email=row.actor_email,
        credential_email=row.credential_email,
        access=AccessKind(row.access) if row.access else None,
        product=Product(row.product) if row.product else None,
        action=row.action,
        permission=row.permission,
        subject=Subject(row.subject_module, row.subject_id, row.subject_number),
        outcome=State(row.outcome),
        changes=tuple(FieldChange(**change) for change in row.changes),
        user_errors=tuple(row.user_errors),
        calls=tuple(UpstreamCall(**call) for call in row.calls),
        request_id=row.request_id,
        settled_at=row.settled_at,
        sequence=sequence,
        hash=digest,
    )


_Linked = Select[AuditEvent, int, str]
_NEWEST = select(func.max(AuditLink.sequence)).where(AuditLink.event_id == AuditEvent.id)
_LINKED: _Linked = select(AuditEvent, AuditLink.sequence, AuditLink.hash).outerjoin(
    AuditLink,
    and_(
        col(AuditLink.event_id) == col(AuditEvent.id),
        col(AuditLink.sequence) == _NEWEST.correlate(AuditEvent).scalar_subquery(),
    ),
)


def _filtered(query: _Linked, filters: Filters) -> _Linked:
    exact = {
        AuditEvent.actor_id: filters.actor_id,
        AuditEvent.product: filters.product,
        AuditEvent.subject_module: filters.subject.module,
        AuditEvent.subject_id: filters.subject.id,
        AuditEvent.subject_number: filters.subject.number,
        AuditEvent.request_id: filters.request_id,
    }
    query = query.where(*(col(column) == value for column, value in exact.items() if value is not None))
    if filters.actions:
        query = query.where(col(AuditEvent.action).in_(filters.actions))
    if filters.outcomes:
        query = query.where(col(AuditEvent.outcome).in_(filters.outcomes))
    if filters.since:
        query = query.where(col(AuditEvent.at) >= filters.since)
    return query.where(col(AuditEvent.at) < filters.until) if filters.until else query
