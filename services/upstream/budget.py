"""The calls a product lets an organization make, shared out fairly between the people who want them."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class _Purse:
    """What one organization has spent in one product, and who waits: people in turn, each with his own queue."""

    allowance: Allowance
    in_flight: int = 0
    sent: deque[float] = field(default_factory=deque)
    closed_until: float = 0.0
    waiting: dict[str, deque[_Turn]] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None

    def opens_at(self, now: float) -> float:
        """When the next call is allowed as far as time goes."""
        per_minute, sent = self.allowance.per_minute, self.sent
        while sent and sent[0] <= now - MINUTE:
            sent.popleft()
        if per_minute is not None and len(sent) >= per_minute:
            return max(self.closed_until, sent[0] + MINUTE)
        return self.closed_until

    def spend(self, now: float) -> None:
        self.in_flight += 1
        if self.allowance.per_minute is not None:
            self.sent.append(now)

    def next_in_turn(self) -> _Turn | None:
        """The first call of the person whose turn it is; he goes to the end of the line."""
        while self.waiting:
            person, turns = next(iter(self.waiting.items()))
            del self.waiting[person]
            while turns and turns[0].answer.done():
                turns.popleft()
            if turns:
                turn = turns.popleft()
                if turns:
                    self.waiting[person] = turns
                return turn
        return None

    def dismiss(self, now: float, opens_at: float) -> None:
        """Tell those who cannot wait until the budget opens, so that they need not wait for nothing."""
        for turns in self.waiting.values():
            for turn in turns:
                if turn.deadline <= opens_at and not turn.answer.done():
                    turn.answer.set_result(opens_at - now)


class Budget:
    """Every call enters and leaves. Kept in this process; one that replicas share has the same methods."""

    def __init__(self, allowances: Mapping[Product, Allowance] = ALLOWANCES) -> None:
        self._allowances = allowances
        self._purses: dict[Key, _Purse] = {}

    async def enter(self, key: Key, person: str, deadline: float) -> None:
        """Wait for a call's turn; raises `UpstreamRateLimited` when it cannot come before the deadline."""
        purse, now = self._purse(key), monotonic()
        opens_at = purse.opens_at(now)
        if opens_at >= deadline:
            raise limited(key, opens_at - now)
        if not purse.waiting and opens_at <= now and purse.in_flight < purse.allowance.at_once:
            purse.spend(now)
            return
        await self._wait(key, purse, person, deadline)

    def leave(self, key: Key) -> None:
        """The call has been answered, or will not be."""
        purse = self._purse(key)
        purse.in_flight -= 1
        if purse.waiting:
            self._let_in(purse)

    def close(self, key: Key, seconds: float) -> None:
        """The product refused a call: let nothing pass for so long."""
        purse = self._purse(key)
        purse.closed_until = max(purse.closed_until, monotonic() + seconds)

    def _purse(self, key: Key) -> _Purse:
        purse = self._purses.get(key)
        if purse is None:
            purse = self._purses[key] = _Purse(self._allowances[key[0]])
        return purse

    async def _wait(self, key: Key, purse: _Purse, person: str, deadline: float) -> None:
        turn = _Turn(deadline, asyncio.get_running_loop().create_future())
        purse.waiting.setdefault(person, deque()).append(turn)
        self._let_in(purse)
        try:
            async with asyncio.timeout(deadline - monotonic()):
                late = await turn.answer
        except (TimeoutError, asyncio.CancelledError) as error:
            self._give_back(key, turn)
            if isinstance(error, TimeoutError):
                raise limited(key, purse.opens_at(monotonic()) - monotonic()) from error
            raise
        if late is not None:
            raise limited(key, late)

    def _give_back(self, key: Key, turn: _Turn) -> None:
        """A turn that came in the same moment as its owner went is paid for already."""
        if not turn.answer.cancelled() and turn.answer.result() is None:
            self.leave(key)

    def _let_in(self, purse: _Purse) -> None:
        now = monotonic()
        while purse.waiting and purse.in_flight < purse.allowance.at_once:
            opens_at = purse.opens_at(now)
            if opens_at > now:
                purse.dismiss(now, opens_at)
                self._wake(purse, opens_at - now)
                return
            turn = purse.next_in_turn()
            if turn is not None:
                purse.spend(now)
                turn.answer.set_result(None)

    def _wake(self, purse: _Purse, seconds: float) -> None:
        if purse.timer is not None:
            purse.timer.cancel()
        purse.timer = asyncio.get_running_loop().call_later(seconds, self._let_in, purse)


def limited(key: Key, seconds: float) -> UpstreamRateLimited:
    """The error for a spent budget; `retryAfter` in whole seconds."""
    return UpstreamRateLimited(product=key[0], retryAfter=max(1, ceil(seconds)))
