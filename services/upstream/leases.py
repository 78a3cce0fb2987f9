"""The budget that all processes on one database share: calls and places are lent to each of them ahead."""

import asyncio
import random
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from math import inf
from time import monotonic
from typing import Protocol
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.policy import Product
from services.upstream.budget import ALLOWANCES, Allowance, Budget, Key, Purse
from services.upstream.shares import AGAIN, AHEAD, LIFE, Lent, Report

log = structlog.get_logger(__name__)

BEAT = 1.0
"""Seconds between two reports of a process that calls."""
IDLE = 3.0
"""Seconds without a call after which all is returned."""
PATIENCE = 1.0
"""Seconds that the database may take; then it is away."""


class Lender(Protocol):
    """Where reports go; `ledger.Ledger` is the one."""

    async def settle(self, key: Key, report: Report) -> Lent:
        """What is lent; raises while there is no answer."""


class Leased(Purse):
    """What this process has been lent. When the database is away, what is left of it is all there is, for `LIFE`.

    `calls` have not been begun; of `places` no more than `quota` may be taken; `until` is when both are lost.
    """

    def __init__(self, key: Key, allowance: Allowance, lender: Lender, holder: str) -> None:
        super().__init__(allowance)
        self._key = key
        self._lender = lender
        self._holder = holder
        self._counted = allowance.per_minute is not None
        self._low = (allowance.per_minute or 0) // AHEAD // 2
        self._calls = self._places = self._quota = 0
        self._until = self._lent_out_until = 0.0
        self._crowded = self._known = False
        self._called_at = 0.0
        self._due = asyncio.Event()
        self._tending: asyncio.Task[None] | None = None

    def opens_at(self, now: float) -> float:
        """When the next call is allowed as far as is known."""
        if self._counted and not self._calls:
            return max(self.closed_until, self._lent_out_until)
        return self.closed_until

    def has_place(self, now: float) -> bool:
        """Whether a place and a call have been lent."""
        return (
            self.in_flight < self._places
            and self.in_flight < self._quota
            and now < self._until
            and (self._calls > 0 or not self._counted or now < self._lent_out_until)
        )

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
        if self._crowded:
            self._due.set()

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
        if self._known:
            self._calls = self._places = 0
            await self._try_settle()

    def _spend(self, now: float) -> None:
        self.in_flight += 1
        if self._counted:
            self._calls -= 1
            if self._calls <= self._low and now >= self._lent_out_until:
                self._due.set()

    async def _wait(self, key: Key, person: str, deadline: float) -> None:
        self._due.set()
        await super()._wait(key, person, deadline)

    async def _tend(self) -> None:
        """Report as long as there are calls; then return all."""
        while self._waiting or self.in_flight or monotonic() < self._called_at + IDLE:
            self._due.clear()
            pause = await self._try_settle()
            self._let_in()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._due.wait()
            await asyncio.sleep(0)
        self._calls = self._places = 0
        self._tending = None
        await self._try_settle()
