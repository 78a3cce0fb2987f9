"""What subscriptions are worth: one definition, used wherever revenue is shown."""

from decimal import ROUND_HALF_EVEN, Decimal

from babel.numbers import get_currency_precision

from services.documents import Money, Subscription

RECURRING = frozenset({"live", "non_renewing", "dunning", "unpaid"})
"""Statuses in which a subscription recurs: paid or owed for the running term."""

_MONTHS = {"years": Decimal(12), "months": Decimal(1)}
_DAYS = {"weeks": Decimal(7), "days": Decimal(1)}
_DAYS_A_MONTH = Decimal("365.25") / 12


def interval(subscription: Subscription) -> int | None:
    """How many units lie between two charges; the product sends a number or its text."""
    text = str(subscription.interval)
    return int(text) if text.isdecimal() else None


def mrr(subscription: Subscription) -> Money | None:
    """The amount per interval brought to one month, rounded to the currency's digits; None while it does not recur."""
    months = _months(subscription)
    if months is None or subscription.total is None or subscription.currency_code is None:
        return None
    digit = Decimal(1).scaleb(-get_currency_precision(subscription.currency_code))
    return Money((subscription.total / months).quantize(digit, ROUND_HALF_EVEN), subscription.currency_code)


def _months(subscription: Subscription) -> Decimal | None:
    count, unit = interval(subscription), subscription.interval_unit or ""
    if subscription.status not in RECURRING or not count:
        return None
    if unit in _MONTHS:
        return count * _MONTHS[unit]
    return count * _DAYS[unit] / _DAYS_A_MONTH if unit in _DAYS else None
