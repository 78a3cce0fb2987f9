"""The same figures by another way: every subscription looked at day by day, without SQL."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeGuard

from tests.services.reports.histories import Life, State

DAY = timedelta(days=1)
Cells = Sequence[object]


def months(first: date, last: date) -> list[tuple[str, date, date]]:
    """(name, first day, last day) of every month from `first` on; the last one may be cut short."""
    found: dict[str, tuple[date, date]] = {}
    at = first
    while at <= last:
        name = at.isoformat()[:7]
        found[name] = (found.get(name, (at, at))[0], at)
        at += DAY
    return [(name, begin, end) for name, (begin, end) in found.items()]


def recurs(state: State | None) -> TypeGuard[State]:
    return state is not None and state.recurring


def worth(state: State | None) -> Decimal:
    return state.worth if state else Decimal(0)


def first_recurred(life: Life) -> date | None:
    return next((state.day for state in life.states if state.recurring), None)


@dataclass(frozen=True)
class Books:
    """What to look at: subscriptions, until which day, and of which plan alone (all without)."""

    lives: Sequence[Life]
    plan: str | None = None

    def of_plan(self, state: State | None) -> bool:
        return state is not None and self.plan in (None, state.plan)

    def active(self, on: date) -> list[Life]:
        return [life for life in self.lives if recurs(s := life.at_end_of(on)) and self.of_plan(s)]

    def mrr(self, on: date) -> Decimal:
        return sum((worth(life.at_end_of(on)) for life in self.active(on)), Decimal(0))

    def customers(self, on: date) -> set[str]:
        return {life.customer for life in self.active(on)}

    def movement(self, begin: date, end: date) -> dict[str, Decimal]:
        """The parts of MRR's movement, every subscription by itself."""
        parts = dict.fromkeys(("new", "expansion", "reactivation", "contraction", "churn"), Decimal(0))
        for life in self.lives:
            for part, amount in self._moved(life, life.at_end_of(begin - DAY), life.at_end_of(end), begin):
                parts[part] += amount
        return parts

    def _moved(self, life: Life, was: State | None, state: State | None, begin: date) -> list[tuple[str, Decimal]]:
        if recurs(was) and recurs(state) and was.plan != state.plan and self.plan:
            left = [("contraction", worth(was))] if was.plan == self.plan else []
            return left + ([("expansion", worth(state))] if state.plan == self.plan else [])
        if recurs(was) and recurs(state):
            step = worth(state) - worth(was) if self.of_plan(state) else Decimal(0)
            return [("expansion" if step > 0 else "contraction", abs(step))]
        if recurs(state) and self.of_plan(state):
            first = first_recurred(life)
            assert first
            return [("new" if first >= begin else "reactivation", worth(state))]
        if recurs(was) and not recurs(state) and self.of_plan(was):
            return [("churn", worth(was))]
        return []

    def lost(self, begin: date, end: date) -> list[tuple[Life, State, State]]:
        """(subscription, what it was, what it is) of all that recurred and no longer do."""
        pairs = [(life, life.at_end_of(begin - DAY), life.at_end_of(end)) for life in self.lives]
        return [
            (life, was, state)
            for life, was, state in pairs
            if recurs(was) and state and not recurs(state) and self.of_plan(was)
        ]

    def earned(self, first: date, last: date) -> Decimal:
        """A day's part of the month, day by day."""
        total, at = Decimal(0), first
        while at <= last:
            total += self.mrr(at) / days_of(at)
            at += DAY
        return total


def days_of(day: date) -> int:
    """How many days the month has."""
    return ((day.replace(day=28) + 4 * DAY).replace(day=1) - DAY).day


def rate(part: Decimal | int, whole: Decimal | int) -> str | None:
    return None if not whole else text(Decimal(100) * part / whole)


def text(amount: Decimal | int) -> str:
    return format(Decimal(amount).quantize(Decimal("0.01")), "f")


def counted(lives: Sequence[Life], first: Callable[[Life], date | None], begin: date, end: date) -> list[Life]:
    return [life for life in lives if (on := first(life)) and begin <= on <= end]


Table = Mapping[str, Cells]
