"""The calls a product lets an organization make, shared out fairly between the people who want them."""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import ceil
from time import monotonic

from services.errors import UpstreamRateLimited
from services.policy import Product


@dataclass(frozen=True, slots=True)
class Allowance:
    """Calls a minute (None: no such limit) and at once."""

    per_minute: int | None
    at_once: int


ALLOWANCES: Mapping[Product, Allowance] = {
    Product.BOOKS: Allowance(100, 10),
    Product.BILLING: Allowance(100, 10),
    Product.CRM: Allowance(None, 10),
}
"""Facts §2.3 and, for the CRM, §4 (calls at once of the Standard edition)."""

Key = tuple[Product, str]
"""A product and the organization's id in it."""
MINUTE = 60.0


@dataclass(slots=True)
class _Turn:
    """A call that waits: its answer is None when it may go, or the seconds after which it might have."""

    deadline: float
    answer: asyncio.Future[float | None]


@dataclass(frozen=True, slots=True)
class Left:
    """Calls that are left of the minute and of the day; None where that is not known, or there is no such limit."""

    minute: int | None = None
    day: int | None = None


class Purse:
    """What one organization has spent in one product, and who waits: people in turn, each with their own queue."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.in_flight = 0
        self.closed_until = 0.0
        self.spent: deque[float] = deque()
        self.day: tuple[int, float] | None = None
        self._waiting: dict[str, deque[_Turn]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def opens_at(self, now: float) -> float:
        """When the next call is allowed as far as time goes."""
        per_minute, spent = self.allowance.per_minute, self.spent
        self._forget(now)
        if per_minute is not None and len(spent) >= per_minute:
            return max(self.closed_until, spent[0] + MINUTE)
        return self.closed_until

    def has_place(self, now: float) -> bool:
        """Whether one more may be under way."""
        return self.in_flight < self.allowance.at_once and (
            self.day is None or now >= self.day[1] or self.in_flight < self.day[0]
        )

    async def enter(self, key: Key, person: str, deadline: float) -> None:
        """Wait for a call's turn; raises `UpstreamRateLimited` when it cannot come before the deadline."""
        now = monotonic()
        opens_at = self.opens_at(now)
        if opens_at >= deadline:
            raise limited(key, opens_at - now)
        if not self._waiting and opens_at <= now and self.has_place(now):
            self._spend(now)
            return
        await self._wait(key, person, deadline)

    def leave(self) -> None:
        """One call less is under way."""
        self.in_flight -= 1
        if self._waiting:
            self._let_in()

    def left(self, now: float) -> Left:
        """What is left as far as is known."""
        self._forget(now)
        minute = None if self.allowance.per_minute is None else max(0, self.allowance.per_minute - len(self.spent))
        return Left(minute if self.closed_until <= now else 0, self._day_left(now))

    def _day_left(self, now: float) -> int | None:
        """The product's last word on the day, less the calls that it has not answered yet."""
        return None if self.day is None or now >= self.day[1] else max(0, self.day[0] - self.in_flight)

    def told(self, left: int, seconds: float) -> None:
        """The product says how many calls of the day are left, and when it ends."""
        now = monotonic()
        if self.day is not None and now < self.day[1]:
            left = min(left, self.day[0])
        self.day = left, now + seconds
        if not left:
            self.close(seconds)

    def close(self, seconds: float) -> None:
        """Let nothing pass for so long."""
        self.closed_until = max(self.closed_until, monotonic() + seconds)

    def _forget(self, now: float) -> None:
        while self.spent and self.spent[0] <= now - MINUTE:
            self.spent.popleft()

    def _spend(self, now: float) -> None:
        self.in_flight += 1
        if self.allowance.per_minute is not None:
            self.spent.append(now)

    async def _wait(self, key: Key, person: str, deadline: float) -> None:
        turn = _Turn(deadline, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(person, deque()).append(turn)
        self._let_in()
        try:
            async with asyncio.timeout(deadline - monotonic()):
                late = await turn.answer
        except (TimeoutError, asyncio.CancelledError) as error:
            self._give_back(turn)
            if isinstance(error, TimeoutError):
                raise limited(key, self.opens_at(monotonic()) - monotonic()) from error
            raise
        if late is not None:
            raise limited(key, late)

    def _give_back(self, turn: _Turn) -> None:
        """A turn that came in the same moment as its owner went is paid for already."""
        if not turn.answer.cancelled() and turn.answer.result() is None:
            self.leave()

    def _let_in(self) -> None:
        now = monotonic()
        while self._waiting and self.has_place(now):
            opens_at = self.opens_at(now)
            if opens_at > now:
                self._dismiss(now, opens_at)
                self._wake(opens_at - now)
                return
            turn = self._next_in_turn()
            if turn is not None:
                self._spend(now)
                turn.answer.set_result(None)

    def _next_in_turn(self) -> _Turn | None:
        """The first call of the person whose turn it is, who then goes to the end of the line."""
        while self._waiting:
            person, turns = next(iter(self._waiting.items()))
            del self._waiting[person]
            while turns and turns[0].answer.done():
                turns.popleft()
            if turns:
                turn = turns.popleft()
                if turns:
                    self._waiting[person] = turns
                return turn
        return None

    def _dismiss(self, now: float, opens_at: float) -> None:
        """Tell those who cannot wait until the budget opens, so that they need not wait for nothing."""
        for turns in self._waiting.values():
            for turn in turns:
                if turn.deadline <= opens_at and not turn.answer.done():
                    turn.answer.set_result(opens_at - now)

    def _wake(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._let_in)


class Budget:
    """Every call enters and leaves. Kept in this process; `leases.SharedBudget` is shared by all."""

    def __init__(self, allowances: Mapping[Product, Allowance] = ALLOWANCES) -> None:
        self._allowances = allowances
        self._purses: dict[Key, Purse] = {}

    async def enter(self, key: Key, person: str, deadline: float) -> None:
        """Wait for a call's turn; raises `UpstreamRateLimited` when it cannot come before the deadline."""
        await self._purse(key).enter(key, person, deadline)

    def leave(self, key: Key) -> None:
        """The call has been answered, or will not be."""
        self._purse(key).leave()

    def told(self, key: Key, left: int, seconds: float) -> None:
        """The product says with an answer how many calls of the day are left, and in how many seconds it ends.

        To be called before the call leaves.
        """
        self._purse(key).told(left, seconds)

    def close(self, key: Key, seconds: float) -> None:
        """The product refused a call: let nothing pass for so long."""
        self._purse(key).close(seconds)

    def left(self, key: Key) -> Left:
        """What is left as far as this process knows."""
        purse = self._purses.get(key)
        return Left() if purse is None else purse.left(monotonic())

    def least(self) -> Mapping[Product, Left]:
        """For each product, what is left to the organization that has least of it."""
        lefts: dict[Product, list[Left]] = {}
        for key in self._purses:
            lefts.setdefault(key[0], []).append(self.left(key))
        return {product: _least(several) for product, several in lefts.items()}

    def _purse(self, key: Key) -> Purse:
        purse = self._purses.get(key)
        if purse is None:
            purse = self._purses[key] = self._opened(key)
        return purse

    def _opened(self, key: Key) -> Purse:
        return Purse(self._allowances[key[0]])


def _least(several: Collection[Left]) -> Left:
    minutes = (left.minute for left in several if left.minute is not None)
    days = (left.day for left in several if left.day is not None)
    return Left(min(minutes, default=None), min(days, default=None))


def limited(key: Key, seconds: float) -> UpstreamRateLimited:
    """The error for a spent budget; `retryAfter` in whole seconds."""
    return UpstreamRateLimited(product=key[0], retryAfter=max(1, ceil(seconds)))
