"""What each process may spend of one organization's budget in one product: the arithmetic, without any I/O.

Calls and places (calls at once) are lent ahead. A call counts from when it is lent until a minute after it was
answered, so that the product, which counts it somewhere in between, never counts more. What is lent to a process that
is no longer heard of can be spent until `LIFE` is over, and counts that long: a place until then, a call a minute more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import Struct, field

from services.upstream.budget import MINUTE, Allowance

LIFE = 10.0
"""Seconds for which what was lent may be used; a killed process's places come back after so long."""
RECENT = 2.5
"""Seconds after which a process that wanted something, and was not heard of since, no longer does."""
RECOVERY = 2.0
"""Seconds for which nobody calls after the database lost the budget, so that all can tell it what they know."""
AGAIN = 0.1
"""Seconds after which to ask again for what another process may return."""
AHEAD = 10
"""The part of a minute's calls that one process keeps at hand is one in so many."""


class Holder(Struct):
    """One process, as last heard of (`seen`, like all times here in seconds of the database's clock).

    `ahead`: calls lent to it that it has not begun; `places`: calls it may have under way; `waiting`: people's calls
    that wait in it; `spent`: when its calls of the last minute were answered.
    """

    seen: float
    ahead: int
    in_flight: int
    places: int
    waiting: int
    spent: list[float]

    @property
    def outstanding(self) -> int:
        """Calls that the product may count any moment."""
        return self.ahead + self.in_flight

    def lives(self, now: float) -> bool:
        """Whether it may still use what it was lent."""
        return now < self.seen + LIFE

    def wants(self, now: float) -> bool:
        """Whether somebody waits in it, as far as is known."""
        return self.waiting > 0 and now < self.seen + RECENT

    def freed(self, now: float) -> Iterator[float]:
        """When each of its calls stops to count, as far as that is known."""
        yield from (at + MINUTE for at in self.spent)
        if self.outstanding and not self.lives(now):
            yield self.seen + LIFE + MINUTE


class State(Struct):
    """The budget as all processes know it. `day_left` is the product's last word on the day that ends at `day_ends`."""

    closed_until: float = 0.0
    day_left: int | None = None
    day_ends: float = 0.0
    holders: dict[str, Holder] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What a process has and wants; times are seconds from now, ages seconds before it.

    `known`: it has reported before, so it must be among the holders. `keep`: the calls that it would like to have
    ahead, and `day`: what the product said was left of it, and when it ends.
    """

    holder: str
    known: bool
    ahead: int
    in_flight: int
    places: int
    waiting: int
    keep: int
    ages: list[float]
    closed_for: float
    day: tuple[int, float] | None


@dataclass(frozen=True, slots=True)
class Lent:
    """What a process gets in addition, and how things are; times are seconds from now.

    `opens_in`: when there may be calls again, 0 when there are. `crowded`: others wait for what this process has.
    `quota`: calls that it may have under way for the time being, so that others get places too. `left`: calls that all
    processes together may still begin within the minute (None: as many as they like), `day_left` within the day (None:
    not known).
    """

    calls: int
    places: int
    opens_in: float
    closed_for: float
    crowded: bool
    quota: int
    left: int | None
    day_left: int | None


def settle(state: State, allowance: Allowance, report: Report, now: float) -> Lent:
    """Take note of a report in `state`, and lend what is free: to all who wait for something their part of it."""
    _take_note(state, report, now)
    mine = state.holders[report.holder]
    others = [holder for name, holder in state.holders.items() if name != report.holder]
    rivals = sum(other.wants(now) for other in others)
    closed_for = max(0.0, state.closed_until - now)
    free = 0 if closed_for else _free_calls(state, allowance, now)
    calls = _lent_calls(mine, free, rivals, report.keep)
    mine.ahead += calls
    room = _free_places(state, allowance, now)
    fair = allowance.at_once // (rivals + 1)
    places = _lent_places(mine, room, fair, rivals, allowance)
    mine.places += places
    crowded = rivals > 0 and (room <= places or (allowance.per_minute is not None and free <= calls))
    opens_in = 0.0 if mine.ahead or allowance.per_minute is None else _opens_in(state, others, now)
    quota = max(places, fair) if crowded else allowance.at_once
    return Lent(calls, places, opens_in, closed_for, crowded, quota, _left(state, allowance), state.day_left)


def _left(state: State, allowance: Allowance) -> int | None:
    """Calls of the minute that have not begun, whoever has been lent them."""
    if allowance.per_minute is None:
        return None
    return max(0, allowance.per_minute - sum(holder.in_flight + len(holder.spent) for holder in state.holders.values()))


def _take_note(state: State, report: Report, now: float) -> None:
    if report.known and report.holder not in state.holders:
        state.closed_until = max(state.closed_until, now + RECOVERY)
    state.closed_until = max(state.closed_until, now + report.closed_for if report.closed_for > 0 else 0.0)
    if now >= state.day_ends:
        state.day_left = None
    if report.day is not None:
        left, seconds = report.day
        state.day_left = left if state.day_left is None else min(left, state.day_left)
        state.day_ends = now + seconds
    spent = [now - age for age in report.ages]
    state.holders[report.holder] = Holder(now, report.ahead, report.in_flight, report.places, report.waiting, spent)
    for name, holder in list(state.holders.items()):
        holder.spent = [at for at in holder.spent if at > now - MINUTE]
        if now >= holder.seen + LIFE + MINUTE:
            del state.holders[name]


def _free_calls(state: State, allowance: Allowance, now: float) -> int:
    """Calls of the minute that nobody has, as far as the day has as many."""
    if allowance.per_minute is None:
        return 0
    outstanding = sum(holder.outstanding for holder in state.holders.values())
    free = allowance.per_minute - outstanding - sum(len(holder.spent) for holder in state.holders.values())
    if state.day_left is not None and now < state.day_ends:
        free = min(free, state.day_left - outstanding)
    return max(0, free)


def _lent_calls(mine: Holder, free: int, rivals: int, keep: int) -> int:
    """What waits first, a fair part of what is free; then some ahead, the fewer the less is free."""
    needed = min(max(0, mine.waiting - mine.ahead), free, max(1, free // (rivals + 1)))
    ahead = mine.ahead + needed - mine.waiting
    return needed + max(0, min(keep - max(ahead, 0), (free - needed) // (2 * (rivals + 1))))


def _free_places(state: State, allowance: Allowance, now: float) -> int:
    taken = sum(max(holder.places, holder.in_flight) for holder in state.holders.values() if holder.lives(now))
    return max(0, allowance.at_once - taken)


def _lent_places(mine: Holder, room: int, fair: int, rivals: int, allowance: Allowance) -> int:
    """As with the calls, for calls that may begin; who has none gets one, even where processes outnumber places."""
    ready = mine.waiting if allowance.per_minute is None else min(mine.waiting, mine.ahead)
    needed = max(0, min(mine.in_flight + ready, allowance.at_once) - mine.places)
    if rivals:
        return min(needed, room, max(fair - mine.places, 0 if mine.places else 1))
    idle = mine.places - mine.in_flight - mine.waiting
    spare = min(room // 2, max(0, max(1, allowance.at_once // 5) - max(idle, 0)))
    return max(min(needed, room), spare)


def _opens_in(state: State, others: list[Holder], now: float) -> float:
    """Seconds until the next call is free at the earliest."""
    outstanding = sum(holder.outstanding for holder in state.holders.values())
    of_the_day = state.day_left is not None and now < state.day_ends and state.day_left <= outstanding
    if of_the_day or any(other.ahead and other.lives(now) for other in others):
        return AGAIN
    freed = [at for holder in state.holders.values() for at in holder.freed(now)]
    return max(AGAIN, min(freed, default=now + MINUTE) - now)
