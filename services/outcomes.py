"""Writes under an idempotency key: an intent before the call, what became of it after, and never two of one key.

How old a write is, is told by the database's clock alone: a process whose own is wrong must not give up another's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from sqlalchemy import extract
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import and_, col, func, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from services import audit
from services.acts import ActName
from services.audit import Action, FieldChange, State
from services.errand import Errand, UpstreamCall
from services.errors import Conflict
from services.policy import Product
from services.storage import models
from services.storage.engine import Database
from services.storage.models import AuditEvent, new_id, now

LAPSE = timedelta(minutes=2)
"""After this an intent without an outcome is uncertain: whoever tried has ended, no request may last so long."""

GRACE = timedelta(minutes=5)
"""After this a write that is not in the product has not been made: no call is under way for so long."""

STEADY = 240
"""Seconds for which an uncertain write is looked up at every lease's end; a k times older one k times more rarely."""

MAKING = (".create", f".{ActName.CONVERT_TO_SALES_ORDER}", f".{ActName.CONVERT_TO_INVOICE}")
"""How the names of actions end that make a record."""


class Stage(Enum):
    """What beginning a write finds."""

    NEW = auto()
    """Nobody has used the key: go on and write."""
    REPLAY = auto()
    """It has been done: answer what is stored."""
    IN_PROGRESS = auto()
    """Somebody is at it, or it is being looked up: do not write."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a write. `id` serves as our own reference in the product; `details` is for looking it up there."""

    id: str
    organization_id: str
    member_id: str
    key: str
    action: str
    product: Product | None
    state: State
    record_module: str | None
    record_id: str | None
    user_errors: tuple[Mapping[str, Any], ...]
    details: Mapping[str, Any]
    audit_event_id: str
    started_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True)
class Begun:
    """A write at its beginning."""

    stage: Stage
    outcome: Outcome


class Outcomes:
    """The writes of all organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, errand: Errand, action: Action, *, key: str, digest: str, details: Mapping[str, Any] | None = None
    ) -> Begun:
        """Store the intent together with its audit event, unless the viewer has used the key before.

        Of equal keys at once exactly one is `NEW`. Raises `Conflict` when the key came with another input. `on` in the
        details names what is acted on: then `rivals` in them are the ids of others who are at it.
        """
        row = models.Outcome(
            organization_id=errand.viewer.organization_id,
            member_id=errand.viewer.id,
            key=key,
            digest=digest,
            action=action.name,
            product=action.product,
            state=State.INTENT,
            record_module=action.subject.module,
            record_id=action.subject.id,
            details=dict(details or {}),
            audit_event_id="",
        )
        async with self._database.session() as session:
            if on := row.details.get("on"):
                row.details["rivals"] = await _rivals(session, row.organization_id, on)
            if await _reserved(session, row, event_id := new_id()):
                audit.append(session, errand, action, State.INTENT, event_id=event_id)
                return Begun(Stage.NEW, _value(row))
            earlier = (await session.exec(_of(row.organization_id, row.member_id, key))).one()
        if (earlier.digest, earlier.action) != (digest, action.name):
            raise Conflict(
                "This idempotency key has been used for something else.",
                hint="Use a fresh key for every write, and the same one only to repeat it unchanged.",
            )
        outcome = _value(earlier)
        return Begun(Stage.REPLAY if outcome.state.settled else Stage.IN_PROGRESS, outcome)

    async def settle(
        self,
        outcome_id: str,
        state: State,
        *,
        record_id: str | None = None,
        number: str | None = None,
        user_errors: Sequence[Mapping[str, Any]] = (),
        calls: Sequence[UpstreamCall] = (),
        changes: Sequence[FieldChange] = (),
    ) -> Outcome:
        """Store what became of a write, and of its audit event, in one transaction; the calls add to earlier ones.

        An outcome that is settled stays: then the stored one is returned, whatever is given.
        """
        async with self._database.session() as session:
            row = await session.get_one(models.Outcome, outcome_id, with_for_update=True)
            if State(row.state).settled:
                return _value(row)
            event = await session.get_one(AuditEvent, row.audit_event_id, with_for_update=True)
            row.state = event.outcome = state
            row.settled_at = event.settled_at = now() if state.settled else None
            row.record_id = event.subject_id = record_id or row.record_id
            row.user_errors = event.user_errors = audit.as_json(user_errors)
            event.subject_number = number or event.subject_number
            event.calls = [*event.calls, *audit.as_json(calls)]
            event.changes = [] if state is State.REJECTED else audit.as_json(changes) or event.changes
            event.credential_email = audit.credential(calls, _product(row)) or event.credential_email
            return _value(row)

    async def note(self, outcome_id: str, details: Mapping[str, Any]) -> None:
        """Add to what looking the write up will need."""
        async with self._database.session() as session:
            row = await session.get_one(models.Outcome, outcome_id, with_for_update=True)
            row.details = {**row.details, **details}

    async def others(self, outcome_id: str) -> set[str]:
        """The ids of records that were looked at and are not what the write made (`others` in its details)."""
        told = select(models.Outcome.details).where(models.Outcome.id == outcome_id)
        async with self._database.session() as session:
            return set((await session.exec(told)).one().get("others", ()))

    async def obscures(self, outcome_id: str, record_id: str) -> bool:
        """Whether a reference found on a record is that of a change, and by which write it was made is not known."""
        made = select(models.Outcome.id).where(
            models.Outcome.record_id == record_id,
            or_(*(col(models.Outcome.action).endswith(making) for making in MAKING)),
            models.Outcome.state == State.APPLIED,
        )
        async with self._database.session() as session:
            row = await session.get(models.Outcome, outcome_id)
            if row is None or row.action.endswith(MAKING):
                return False
            own = made.where(models.Outcome.organization_id == row.organization_id)
            return (await session.exec(own.limit(1))).first() is None

    async def is_older(self, outcome_id: str, than: timedelta) -> bool:
        """Whether a write began so long ago."""
        began = select(models.Outcome.id).where(
            models.Outcome.id == outcome_id, col(models.Outcome.started_at) < func.now() - than
        )
        async with self._database.session() as session:
            return (await session.exec(began)).first() is not None

    async def states(self, ids: Sequence[str]) -> set[State]:
        """What has become of these."""
        async with self._database.session() as session:
            return set(
                map(State, await session.exec(select(models.Outcome.state).where(col(models.Outcome.id).in_(ids))))
            )

    async def get(self, organization_id: str, member_id: str, key: str) -> Outcome | None:
        """What became of the member's write under this key."""
        async with self._database.session() as session:
            row = (await session.exec(_of(organization_id, member_id, key))).one_or_none()
            return _value(row) if row else None

    async def claim(self, limit: int = 20, *, lease: timedelta = timedelta(minutes=1)) -> list[Outcome]:
        """Uncertain outcomes to look up; nobody else gets them while the lease lasts.

        Those that have waited longest come first, and what stays uncertain is looked up ever more rarely. Intents that
        have lapsed become uncertain here.
        """
        async with self._database.session() as session:
            await _lapse(session)
            started, looked_up = col(models.Outcome.started_at), col(models.Outcome.looked_up_at)
            rested = extract("epoch", func.now() - looked_up)
            age = extract("epoch", looked_up - started)
            due = (
                select(models.Outcome.id)
                .where(
                    models.Outcome.state == State.UNCERTAIN,
                    or_(looked_up.is_(None), rested > lease.total_seconds() * func.greatest(1, age / STEADY)),
                )
                .order_by(func.coalesce(looked_up, started))
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            taken = (
                update(models.Outcome)
                .where(col(models.Outcome.id).in_(due))
                .values(looked_up_at=func.now())
                .returning(models.Outcome)
            )
            rows = (await session.exec(taken)).scalars().all()
            return sorted(map(_value, rows), key=lambda outcome: outcome.started_at)


async def _reserved(session: AsyncSession, row: models.Outcome, event_id: str) -> bool:
    """Insert the row unless its key is taken; waits for another transaction that is just taking it."""
    row.audit_event_id = event_id
    statement = (
        insert(models.Outcome)
        .values(row.model_dump() | {"started_at": func.now()})
        .on_conflict_do_nothing(index_elements=["organization_id", "member_id", "key"])
        .returning(col(models.Outcome.started_at))
    )
    started_at = (await session.exec(statement)).scalars().one_or_none()
    if started_at is not None:
        row.started_at = started_at
    return started_at is not None


async def _rivals(session: AsyncSession, organization_id: str, on: str) -> list[str]:
    """Those who have begun to act on the same; of two who begin at once the one sees the other.

    Also those of which an effect that the record does not show may still come: a mail, another document.
    """
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{organization_id} {on}", 0))))
    started, hidden = col(models.Outcome.started_at), col(models.Outcome.details)["shows"].is_(None)
    begun = select(models.Outcome.id).where(
        models.Outcome.organization_id == organization_id,
        col(models.Outcome.details)["on"].astext == on,
        or_(
            and_(models.Outcome.state == State.INTENT, started > func.now() - LAPSE),
            and_(models.Outcome.state == State.UNCERTAIN, started > func.now() - GRACE, hidden),
        ),
    )
    return list(await session.exec(begun))


async def _lapse(session: AsyncSession) -> None:
    lapsed = (
        update(models.Outcome)
        .where(col(models.Outcome.state) == State.INTENT, col(models.Outcome.started_at) < func.now() - LAPSE)
        .values(state=State.UNCERTAIN)
        .returning(col(models.Outcome.audit_event_id))
    )
    if events := (await session.exec(lapsed)).scalars().all():
        await session.exec(update(AuditEvent).where(col(AuditEvent.id).in_(events)).values(outcome=State.UNCERTAIN))


def _of(organization_id: str, member_id: str, key: str) -> SelectOfScalar[models.Outcome]:
    return select(models.Outcome).where(
        models.Outcome.organization_id == organization_id,
        models.Outcome.member_id == member_id,
        models.Outcome.key == key,
    )


def _product(row: models.Outcome) -> Product | None:
    return Product(row.product) if row.product else None


def _value(row: models.Outcome) -> Outcome:
    return Outcome(
        id=row.id,
        organization_id=row.organization_id,
        member_id=row.member_id,
        key=row.key,
        action=row.action,
        product=_product(row),
        state=State(row.state),
        record_module=row.record_module,
        record_id=row.record_id,
        user_errors=tuple(row.user_errors),
        details=row.details,
        audit_event_id=row.audit_event_id,
        started_at=row.started_at,
        settled_at=row.settled_at,
    )
