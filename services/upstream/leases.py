"""The budget that all processes on one database share: calls and places are lent to each of them ahead."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from math import inf
from time import monotonic
from typing import Protocol
from uuid import uuid4

import structlog

from services.policy import Product
from services.storage.failures import FAILURES, words
from services.upstream.budget import ALLOWANCES, MINUTE, Allowance, Budget, Key, Left, Purse
from services.upstream.shares import AGAIN, AHEAD, LIFE, Lent, Report

log = structlog.get_logger(__name__)

BEAT = 1.0
"""Seconds between two reports of a process that calls."""
IDLE = 3.0
"""Seconds without a call after which all is returned."""
PATIENCE, TICK = 1.0, 0.1
"""Seconds that the database may take; then it is away. Counted in ticks, so that time for which this process is held up
itself, as by the collection of all garbage at the end of a start, is not taken for the database's."""


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    """Raises `TimeoutError` after so many ticks of the block, however long one of them lasts."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.TimerHandle

    def tick(left: int) -> None:
        nonlocal waiting
        if left:
            waiting = loop.call_later(TICK, tick, left - 1)
        else:
            limit.reschedule(loop.time())

    async with asyncio.timeout(None) as limit:
        waiting = loop.call_later(TICK, tick, round(PATIENCE / TICK) - 1)
        try:
            yield
        finally:
            waiting.cancel()


class Lender(Protocol):
    """Where reports go; `ledger.Ledger` is the one."""

    async def settle(self, key: Key, report: Report) -> Lent:
        """What is lent; raises while there is no answer."""


class Leased(Purse):
    """What this process has been lent. When the database is away, what is left of it is all there is, for `LIFE`.

    `_calls` have not been begun; of `_places` no more than `_quota` may be taken; after `_until` both are lost.
    `_known` is the database's last word, and how many calls of this process it counted in it.
    """

    def __init__(self, key: Key, allowance: Allowance, lender: Lender, holder: str) -> None:
        super().__init__(allowance)
        self._key, self._lender, self._holder = key, lender, holder
        self._counted = allowance.per_minute is not None
        self._keep = (allowance.per_minute or 0) // AHEAD
        self._calls = self._places = self._quota = 0
        self._until = self._exhausted_until = self._ask_after = self._called_at = 0.0
        self._reported_at = -inf
        self._crowded = False
        self._known: tuple[Lent, int] | None = None
        self._due = asyncio.Event()
        self._tending: asyncio.Task[None] | None = None

    def opens_at(self, now: float) -> float:  # noqa: ARG002 - it is known without
        """When the next call is allowed as far as is known."""
        if self._counted and not self._calls:
            return max(self.closed_until, self._exhausted_until)
        return self.closed_until

    def has_place(self, now: float) -> bool:
        """Whether a place and a call have been lent."""
        lent = now < self._until and self.in_flight < min(self._places, self._quota)
        return lent and (self._calls > 0 or not self._counted) and super().has_place(now)

    async def enter(self, key: Key, person: str, deadline: float) -> None:
        """As ever; what will soon be lacking is asked for meanwhile."""
        self._called_at = monotonic()
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend(), name=f"budget {key[0]}", context=Context())
        await super().enter(key, person, deadline)

    def leave(self) -> None:
        """One call less is under way: from now on it is one of the last minute's."""
        if self._counted:
            self.spent.append(monotonic())
        super().leave()
        if self._crowded and self.in_flight < self._places:
            self._due.set()

    def left(self, now: float) -> Left:
        """What all processes have left: the database's last word, less what was begun here since; None if it is old."""
        if self._known is None or now >= self._until:
            return Left()
        self._forget(now)
        (lent, counted), day = self._known, self._day_left(now)
        since = self._begun - counted
        minute = None if lent.left is None else max(0, lent.left - since)
        of_all = None if lent.day_left is None else max(0, lent.day_left - max(0, since))
        days = [left for left in (day, of_all) if left is not None]
        return Left(minute if self.closed_until <= now else 0, min(days, default=None))

    @property
    def _begun(self) -> int:
        """Calls of the last minute that have begun."""
        return self.in_flight + len(self.spent)

    def close(self, seconds: float) -> None:
        """Let nothing pass in any process."""
        super().close(seconds)
        self._due.set()

    async def aclose(self) -> None:
        """Return what is left."""
        if self._tending is not None:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending
        if self._calls or self._places:
            await self._return()

    def _spend(self, now: float) -> None:
        self.in_flight += 1
        if self._counted:
            self._calls -= 1
            if self._calls <= self._keep // 2:
                self._ask(now)

    async def _wait(self, key: Key, person: str, deadline: float) -> None:
        self._ask(monotonic())
        await super()._wait(key, person, deadline)

    def _ask(self, now: float) -> None:
        if now >= self._ask_after:
            self._due.set()

    async def _tend(self) -> None:
        """Report while there are calls; then return all, and end when nobody has come meanwhile."""
        while self._in_use:
            while self._in_use:
                self._due.clear()
                pause = await self._tried()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._due.wait()
            await self._return()
        self._tending = None

    @property
    def _in_use(self) -> bool:
        return bool(self._waiting or self.in_flight) or monotonic() < self._called_at + IDLE

    async def _return(self) -> None:
        self._calls = self._places = 0
        with suppress(*FAILURES):
            await self._settled()

    async def _tried(self) -> float:
        """Settle and let in whom it concerns; seconds until the next time."""
        try:
            lent = await self._settled()
        except FAILURES as error:
            log.warning("the shared budget is away; the rest of the lease is used", error=words(error), key=self._key)
            pause = BEAT * random.uniform(0.25, 0.5)
        else:
            pause = self._pause(lent)
        now = monotonic()
        self._let_in()
        if (opens_at := self.opens_at(now)) > now:
            self._dismiss(now, opens_at)
        self._ask_after = now + pause if self._waiting else 0.0
        return pause

    def _pause(self, lent: Lent) -> float:
        """Until calls are free again, or another process may have returned something."""
        if not self._waiting:
            return BEAT
        wait = max(lent.opens_in, lent.closed_for) or (AGAIN if self._places < self.allowance.at_once else BEAT)
        return min(BEAT, wait) * random.uniform(0.5, 1.0) if wait <= AGAIN else min(BEAT, wait + 0.001)

    async def _settled(self) -> Lent:
        started = monotonic()
        report = self._report(started)
        async with _patience():
            lent = await self._lender.settle(self._key, report)
        self._known = lent, report.in_flight + len(report.ages)
        self._reported_at, self._until = started, started + LIFE
        self._calls += lent.calls
        self._places += lent.places
        self._quota, self._crowded = lent.quota, lent.crowded
        self._exhausted_until = started + lent.opens_in
        if lent.closed_for:
            self.closed_until = max(self.closed_until, started + lent.closed_for)
        return lent

    def _report(self, now: float) -> Report:
        """How things are, after giving back what others wait for and what is lost anyway."""
        self._forget(now)
        waiting = sum(not turn.answer.done() for turns in self._waiting.values() for turn in turns)
        if now >= self._until:
            self._calls = self._places = 0
        if self._crowded:
            self._calls = min(self._calls, waiting)
            ready = self._calls if self._counted else waiting
            self._places = min(self._places, max(self.in_flight, min(self._quota, self.in_flight + ready)))
        return Report(
            holder=self._holder,
            known=now < self._reported_at + MINUTE,
            ahead=self._calls,
            in_flight=self.in_flight,
            places=self._places,
            waiting=waiting,
            keep=self._keep,
            ages=[now - at for at in self.spent],
            closed_for=max(0.0, self.closed_until - now),
            day=(self.day[0], self.day[1] - now) if self.day and self.day[1] > now else None,
        )


class SharedBudget(Budget):
    """A budget whose limits hold for all processes with the same lender's database."""

    def __init__(self, lender: Lender, allowances: Mapping[Product, Allowance] = ALLOWANCES) -> None:
        super().__init__(allowances)
        self._lender = lender
        self._holder = uuid4().hex

    async def aclose(self) -> None:
        """Return all that was lent."""
        purses = [purse for purse in self._purses.values() if isinstance(purse, Leased)]
        await asyncio.gather(*(purse.aclose() for purse in purses))

    def _opened(self, key: Key) -> Purse:
        return Leased(key, self._allowances[key[0]], self._lender, self._holder)
