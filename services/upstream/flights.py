"""Equal reads at once are one read: those under way at the same time, and those that only begin a moment later."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from math import inf
from time import monotonic
from typing import Any, NamedTuple

from services.errors import DeadlineExceeded, GatewayError, UpstreamRateLimited

Outcome = tuple[Any, GatewayError | None]
Landing = asyncio.Future[Outcome | None]
OWN = (DeadlineExceeded, UpstreamRateLimited)
"""Errors that depend on how long the first asker could wait: those who joined ask for themselves."""
LINGER = 2.0
"""Seconds for which a value that has landed is kept for those who began before it was asked for."""
MOST = 256
"""Landed values that are kept at once."""


class Read(NamedTuple):
    """What is read, and under whose access: nothing is ever shared between two."""

    access: str
    what: Hashable


class _Landed(NamedTuple):
    """A value, and the times (`monotonic`) at which it was asked for and came."""

    value: Any
    started: float
    at: float


class Flights:
    """The first to ask does the work; whoever asks meanwhile gets the same value, or the same error.

    So does who asks afterwards, but began before the value was asked for: it is as fresh as if asked for then.
    """

    def __init__(self, linger: float = LINGER, most: int = MOST) -> None:
        self._joined: dict[Read, list[Landing]] = {}
        self._landed: dict[Read, _Landed] = {}
        self._linger, self._most = linger, most

    async def share(
        self, key: Read, deadline: float, fetch: Callable[[], Awaitable[Any]], *, began: float = inf
    ) -> Any:
        """What `fetch` answers for the key: fetched here, under way already, or just landed for one who `began` before.

        `began` and `deadline` are readings of `monotonic`.
        """
        while (joined := self._joined.get(key)) is not None:
            outcome = await self._join(joined, deadline)
            if outcome is not None:
                return _value(outcome)
        landed = self._landed.get(key)
        if landed is not None and began <= landed.started and monotonic() < landed.at + self._linger:
            return landed.value
        return await self._lead(key, fetch)

    def forget(self, access: str) -> None:
        """Something is written under the access: from now on nobody gets what was asked for before."""
        for key in [key for key in (*self._joined, *self._landed) if key.access == access]:
            self._joined.pop(key, None)
            self._landed.pop(key, None)

    async def _join(self, joined: list[Landing], deadline: float) -> Outcome | None:
        """The first asker's outcome; None when that one gave up, or ran into an error of its own."""
        landing: Landing = asyncio.get_running_loop().create_future()
        joined.append(landing)
        try:
            async with asyncio.timeout(deadline - monotonic()):
                outcome = await landing
        except TimeoutError as error:
            raise DeadlineExceeded from error
        return outcome

    async def _lead(self, key: Read, fetch: Callable[[], Awaitable[Any]]) -> Any:
        joined = self._joined[key] = []
        started = monotonic()
        outcome: Outcome | None = None
        try:
            value = await fetch()
            outcome = (value, None)
        except GatewayError as error:
            outcome = None if isinstance(error, OWN) else (None, error)
            raise
        else:
            if self._joined.get(key) is joined:
                self._keep(key, _Landed(value, started, monotonic()))
            return value
        finally:
            if self._joined.get(key) is joined:
                del self._joined[key]
            for landing in joined:
                if not landing.done():
                    landing.set_result(outcome)

    def _keep(self, key: Read, landed: _Landed) -> None:
        """Keep a value as the youngest; those that are too old, or too many, go."""
        self._landed.pop(key, None)
        while self._landed and self._is_over(self._landed[eldest := next(iter(self._landed))], landed.at):
            del self._landed[eldest]
        self._landed[key] = landed

    def _is_over(self, landed: _Landed, now: float) -> bool:
        return len(self._landed) >= self._most or landed.at <= now - self._linger


def _value(outcome: Outcome) -> Any:
    value, error = outcome
    if error is not None:
        raise error
    return value
