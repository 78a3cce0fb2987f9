"""A product's row as a row of the copy."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services import revenue
from services.documents import Subscription
from services.listing import collated
from services.records.frame import Frame
from services.records.sources import Body, Source, instant
from services.storage.records import Record, SubscriptionChange

Row = dict[str, Any]

_KEPT = ("number", "account_id", "contact_id", "trial_on")
"""What only full records tell stays known when a list row comes."""
_LINKS = ("account_id", "contact_id")
"""Unless the row says that there is no link with the CRM any more."""
TRIALS = frozenset({"trial", "trial_expired"})


def row_of(
    source: Source, body: Body, known: Record | None, frame: Frame, last: SubscriptionChange | None = None
) -> Row:
    """The columns that are taken from the body, in the names of `Record`; `last` is a subscription's latest state."""
    row: Row = {name: column.of(body) for name, column in source.columns.items()}
    row["modified_time"] = instant(body.get(source.modified))
    if known is not None:
        row |= {name: getattr(known, name) for name in _kept(body) if row.get(name) is None}
    row["created_at"] = instant(body.get("created_time"))
    row |= {"number_key": collated(row.get("number")), "party_key": collated(row.get("party_name"))}
    row["rate"] = row.get("rate") or _rate(row.get("currency"), known or last, frame)
    row["base_amount"] = frame.based(row.get("amount"), row["rate"])
    row["base_balance"] = frame.based(row.get("balance"), row["rate"])
    if source.module == "subscriptions":
        _subscribe(row, body, known, frame)
    return row


def _kept(body: Body) -> tuple[str, ...]:
    unlinked = body.get("is_linked_with_zohocrm") is False
    return tuple(name for name in _KEPT if not (unlinked and name in _LINKS))


def _rate(currency: str | None, known: Record | SubscriptionChange | None, frame: Frame) -> Decimal | None:
    """The rate of the first sight, so that a rate's change is never taken for a price's."""
    if known is not None and known.currency == currency and known.rate is not None:
        return known.rate
    return frame.rates.get(currency or "")


def _subscribe(row: Row, body: Body, known: Record | None, frame: Frame) -> None:
    plan = frame.plan(body, row["plan_code"], row["plan_name"])
    if row["plan_code"] is None and plan is not None:
        row["plan_code"] = plan.code
    elif row["plan_code"] is None and known is not None and known.plan_name == row["plan_name"]:
        row["plan_code"] = known.plan_code
    if row["trial_on"] is None:
        row["trial_on"] = _trial_on(row, plan.trial_days if plan else 0)
    row["base_mrr"] = base_mrr(row, body, row["status"], frame)


def _trial_on(row: Row, days: int) -> Any:
    """List rows do not tell it: the day of creation while on trial, or when activation came a trial's length later."""
    created, activated = row["day"], row["activated_on"]
    if row["status"] in TRIALS:
        return created
    if days and created and activated and activated - created == timedelta(days=days):
        return created
    return None


def base_mrr(row: Row, body: Body, status: str | None, frame: Frame) -> Decimal | None:
    """`revenue.mrr` of the record in that status, in the base currency; None while it does not recur."""
    worth = revenue.mrr(
        Subscription(
            id="",
            status=status or "",
            total=row["amount"],
            currency_code=row["currency"],
            interval=body.get("interval"),
            interval_unit=body.get("interval_unit"),
        )
    )
    return frame.based(worth.amount, row["rate"]) if worth else None


def newer(row: Row, known: Record | None, read_at: datetime) -> bool:
    """Whether the row may replace what is known: it is not older.

    The products' times have whole seconds, so of equal ones that wins which was asked for later. So it does where the
    record was found missing: an answer that was under way then may tell a later change, but not that it is there.
    """
    if known is None:
        return True
    mine: datetime | None = row["modified_time"]
    theirs = known.modified_time
    if mine is None or theirs is None or mine == theirs or known.deleted_at is not None:
        return read_at >= known.read_at
    return mine > theirs
