"""What became of subscriptions: every state that was observed, and before it what the record's own dates tell."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from services import revenue
from services.records.frame import Frame
from services.records.sources import Body, day, instant
from services.records.values import Row, base_mrr
from services.storage.records import SubscriptionChange

ENDED = frozenset({"cancelled", "cancelled_from_dunning", "expired", "trial_expired"})
DELETED = "deleted"
"""Our word for the state of a subscription that the product no longer has."""
_STATE = ("status", "party_id", "plan_code", "plan_name", "currency", "amount", "rate", "base_mrr")
Step = tuple[datetime, str]
"""From when on, in which status."""


def first_sight(row: Row, body: Body, frame: Frame, seen_at: datetime) -> list[SubscriptionChange]:
    """The states up to now of a record that is read for the first time, as far as its dates tell."""
    steps: list[Step] = []
    for at, status in _reported(row, body, frame, seen_at):
        if not steps or status != steps[-1][1]:
            steps.append((max(at, steps[-1][0]) if steps else at, status))
    changes: list[SubscriptionChange] = []
    for at, status in steps:
        changes.append(_change(row, body, frame, at, status, changes[-1] if changes else None, "REPORTED"))
    return changes


def _reported(row: Row, body: Body, frame: Frame, seen_at: datetime) -> Iterable[Step]:
    status = str(row["status"])
    created = instant(body.get("created_time")) or _from(row["day"], frame) or seen_at
    first = frame.day(created)
    starts = [(row["trial_on"], "trial"), (row["activated_on"], "live")]
    begun = [(frame.midnight(on), word) for on, word in starts if on is not None]
    later = [(at, word) for at, word in begun if frame.day(at) > first]
    at_once = [word for at, word in begun if frame.day(at) <= first]
    yield created, at_once[-1] if at_once else "future" if later else status
    yield from later
    yield _since(row, body, frame) or seen_at, status


def _from(on: date | None, frame: Frame) -> datetime | None:
    return frame.midnight(on) if on else None


def _since(row: Row, body: Body, frame: Frame) -> datetime | None:
    """When the present status began: an end and a pause have days of their own, else the last change."""
    modified: datetime | None = row["modified_time"]
    on = (
        row["ends_on"] if row["status"] in ENDED else day(body.get("pause_date")) if row["status"] == "paused" else None
    )
    if on is None or (modified is not None and on >= frame.day(modified)):
        return modified
    return frame.midnight(on)


def observed(
    last: SubscriptionChange, row: Row, body: Body, frame: Frame, seen_at: datetime
) -> SubscriptionChange | None:
    """The new state, unless nothing that counts has changed."""
    status = str(row["status"])
    at = _moment(last, row, body, frame) or seen_at
    change = _change(row, body, frame, max(at, last.at), status, last, "OBSERVED")
    return change if _state(change) != _state(last) else None


def _moment(last: SubscriptionChange, row: Row, body: Body, frame: Frame) -> datetime | None:
    if row["status"] == last.status:
        modified: datetime | None = row["modified_time"]
        return modified
    started: date | None = row["activated_on"]
    if row["status"] == "live" and started and last.status in ("trial", "future") and started > last.day:
        return min(frame.midnight(started), row["modified_time"] or frame.midnight(started))
    return _since(row, body, frame)


def deleted(last: SubscriptionChange, frame: Frame, at: datetime) -> SubscriptionChange | None:
    """The state of being gone; its revenue goes with it."""
    if last.status == DELETED:
        return None
    kept = {name: getattr(last, name) for name in _STATE}
    return _following(last, frame, max(at, last.at), "OBSERVED", kept | {"status": DELETED, "base_mrr": Decimal(0)})


def _change(
    row: Row, body: Body, frame: Frame, at: datetime, status: str, last: SubscriptionChange | None, source: str
) -> SubscriptionChange:
    state = {name: row[name] for name in _STATE}
    state |= {"status": status, "base_mrr": base_mrr(row, body, status, frame) or Decimal(0)}
    if last is None:
        return _made(frame, at, source, 1, state)
    return _following(last, frame, at, source, state)


def _following(
    last: SubscriptionChange, frame: Frame, at: datetime, source: str, state: dict[str, Any]
) -> SubscriptionChange:
    made = _made(frame, at, source, last.sequence + 1, state)
    made.organization_id, made.subscription_id = last.organization_id, last.subscription_id
    made.before_status, made.before_plan_code = last.status, last.plan_code
    made.before_base_mrr = last.base_mrr
    last.until_day = made.day
    return made


def _made(frame: Frame, at: datetime, source: str, sequence: int, state: dict[str, Any]) -> SubscriptionChange:
    recurring = state["status"] in revenue.RECURRING
    return SubscriptionChange(
        organization_id="",
        subscription_id="",
        sequence=sequence,
        at=at,
        day=frame.day(at),
        recurring=recurring,
        source=source,
        **state,
    )


def _state(change: SubscriptionChange) -> tuple[Any, ...]:
    return tuple(getattr(change, name) for name in _STATE)


def owned(changes: Sequence[SubscriptionChange], organization_id: str, subscription_id: str) -> None:
    """Say whose states these are."""
    for change in changes:
        change.organization_id, change.subscription_id = organization_id, subscription_id
