"""Monthly recurring revenue and the interval behind it."""

from decimal import Decimal

import pytest

from services import revenue
from services.documents import Money, Subscription

RECURRING = ("live", "non_renewing", "dunning", "unpaid")


def subscription(
    amount: str | None = "120.00",
    count: int | str | None = 1,
    unit: str | None = "months",
    *,
    status: str = "live",
    currency: str | None = "EUR",
) -> Subscription:
    total = None if amount is None else Decimal(amount)
    return Subscription(id="1", status=status, total=total, interval=count, interval_unit=unit, currency_code=currency)


@pytest.mark.parametrize(
    ("amount", "count", "unit", "expected"),
    [
        ("120.00", 1, "months", "120.00"),
        ("120.00", 3, "months", "40.00"),
        ("120.00", 1, "years", "10.00"),
        ("100.00", 1, "years", "8.33"),
        ("100.00", 2, "years", "4.17"),
        ("70.00", 1, "weeks", "304.38"),  # 70 ÷ 7 × 365.25 ÷ 12 = 304.375, half to even
        ("1.00", 1, "days", "30.44"),
        ("0.00", 1, "months", "0.00"),
        ("99999999999.99", 1, "months", "99999999999.99"),
    ],
)
def test_the_amount_is_brought_to_one_month(amount: str, count: int, unit: str, expected: str) -> None:
    assert revenue.mrr(subscription(amount, count, unit)) == Money(Decimal(expected), "EUR")


@pytest.mark.parametrize(("currency", "expected"), [("EUR", "33.33"), ("JPY", "33"), ("KWD", "33.333")])
def test_it_is_rounded_to_the_digits_of_its_currency(currency: str, expected: str) -> None:
    worth = revenue.mrr(subscription("100", 3, currency=currency))
    assert worth is not None
    assert (str(worth.amount), worth.currency) == (expected, currency)


@pytest.mark.parametrize("status", RECURRING)
def test_what_is_paid_or_owed_for_the_running_term_recurs(status: str) -> None:
    assert revenue.mrr(subscription(status=status)) == Money(Decimal("120.00"), "EUR")


@pytest.mark.parametrize(
    "status",
    [
        "trial",
        "future",
        "cancelled",
        "expired",
        "trial_expired",
        "paused",
        "creation_failed",
        "cancelled_from_dunning",
        "a word of tomorrow",
    ],
)
def test_anything_else_has_no_recurring_revenue(status: str) -> None:
    assert revenue.mrr(subscription(status=status)) is None


@pytest.mark.parametrize(
    "unknown",
    [
        subscription(None),
        subscription(currency=None),
        subscription(count=None),
        subscription(count=0),
        subscription(count="x"),
        subscription(unit=None),
        subscription(unit="fortnights"),
    ],
    ids=["amount", "currency", "interval", "zero", "no number", "no unit", "strange unit"],
)
def test_without_amount_currency_or_interval_it_is_unknown_rather_than_zero(unknown: Subscription) -> None:
    assert revenue.mrr(unknown) is None


@pytest.mark.parametrize(("sent", "read"), [(1, 1), ("12", 12), (None, None), ("", None), ("²", None), ("a", None)])
def test_the_interval_is_a_number_or_its_text(sent: int | str | None, read: int | None) -> None:
    assert revenue.interval(subscription(count=sent)) == read
