"""The days of a report, cut into periods. All days are calendar days of the organization's own time zone."""

from bisect import bisect
from datetime import date, timedelta

from msgspec import Struct

from services.errors import BadUserInput
from services.reports.values import AHEAD, Choice, Grain, Span

MOST = 400
"""Periods in one report."""
_DAY = timedelta(days=1)
_MONTHS = {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}
_THIS = {Span.THIS_MONTH: Grain.MONTH, Span.THIS_QUARTER: Grain.QUARTER, Span.THIS_YEAR: Grain.YEAR}
_PREVIOUS = {Span.PREVIOUS_MONTH: Grain.MONTH, Span.PREVIOUS_QUARTER: Grain.QUARTER, Span.PREVIOUS_YEAR: Grain.YEAR}
_LAST = {Span.LAST_THREE_MONTHS: 3, Span.LAST_TWELVE_MONTHS: 12, Span.LAST_TWENTY_FOUR_MONTHS: 24}
_NEXT = {Span.NEXT_THIRTY_DAYS: 30, Span.NEXT_TWELVE_WEEKS: 84}


class Periods(Struct, frozen=True):
    """Consecutive periods: the first day of each, and the day after the last one."""

    bounds: tuple[date, ...]
    labels: tuple[str, ...]

    @property
    def end(self) -> date:
        """The day after the last."""
        return self.bounds[-1]

    def place(self, day: date) -> int:
        """In which period a day lies, counted from 1; 0 before the first, one more than there are after the last."""
        return bisect(self.bounds, day)


def start_of(day: date, grain: Grain) -> date:
    """The first day of the period in which a day lies."""
    if grain is Grain.DAY:
        return day
    if grain is Grain.WEEK:
        return day - day.weekday() * _DAY
    months = _MONTHS[grain]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def after(start: date, grain: Grain, count: int = 1) -> date:
    """The first day of the period that follows so many periods after the one that begins with `start`."""
    if grain in _MONTHS:
        months = start.year * 12 + start.month - 1 + count * _MONTHS[grain]
        return date(months // 12, months % 12 + 1, 1)
    return start + count * (7 * _DAY if grain is Grain.WEEK else _DAY)


def label(start: date, grain: Grain) -> str:
    """How a period is named: 2026-03, 2026-Q1, 2026, 2026-W12, or its day."""
    if grain is Grain.MONTH:
        return f"{start:%Y-%m}"
    if grain is Grain.QUARTER:
        return f"{start.year}-Q{(start.month + 2) // 3}"
    return {Grain.YEAR: f"{start:%Y}", Grain.WEEK: f"{start:%G-W%V}"}.get(grain, start.isoformat())


def days(choice: Choice, today: date) -> tuple[date, date]:
    """The first and the last day that are asked for, as of `today`."""
    span = choice.span
    if span is Span.CUSTOM:
        return choice.since or after(start_of(today, Grain.MONTH), Grain.MONTH, -11), choice.until or today
    if span in AHEAD:
        return today, today + (_NEXT[span] - 1) * _DAY
    if span in _THIS:
        return start_of(today, _THIS[span]), today
    if span in _PREVIOUS:
        this = start_of(today, _PREVIOUS[span])
        return after(this, _PREVIOUS[span], -1), this - _DAY
    return after(start_of(today, Grain.MONTH), Grain.MONTH, 1 - _LAST[span]), today


def periods(choice: Choice, today: date, *, ahead: bool = False) -> Periods:
    """The periods of a choice, none beyond `today` unless `ahead`; the first begins where its grain does, or today.

    Raises `BadUserInput` when there is none, or when there are too many.
    """
    first, last = days(choice, today)
    last = last if ahead else min(last, today)
    if first > last:
        raise BadUserInput(f"There is no day from {first} until {last}.", field=("from",))
    bounds: list[date] = []
    start = start_of(first, choice.grain)
    while start <= last and len(bounds) <= MOST:
        bounds.append(start)
        start = after(start, choice.grain)
    if len(bounds) > MOST:
        raise BadUserInput(f"That is more than {MOST} periods.", field=("from",), hint="Take longer periods.")
    labels = tuple(label(bound, choice.grain) for bound in bounds)
    return Periods((max(bounds[0], first) if ahead else bounds[0], *bounds[1:], last + _DAY), labels)
