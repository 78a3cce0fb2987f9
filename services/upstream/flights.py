"""Equal reads that are under way at the same time are one read."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Any

from services.errors import DeadlineExceeded, GatewayError, UpstreamRateLimited

Outcome = tuple[Any, GatewayError | None]
OWN = (DeadlineExceeded, UpstreamRateLimited)
"""Errors that depend on how long the first asker could wait: those who joined him ask for themselves."""


class Flights:
    """The first to ask does the work; whoever asks meanwhile gets the same value, or the same error."""

    def __init__(self) -> None:
        self._joined: dict[Hashable, list[asyncio.Future[Outcome | None]]] = {}

    async def share(self, key: Hashable, deadline: float, fetch: Callable[[], Awaitable[Any]]) -> Any:
        """What `fetch` answers for the key, fetched here or under way already."""
        while (joined := self._joined.get(key)) is not None:
            outcome = await self._join(joined, deadline)
            if outcome is not None:
                return _value(outcome)
        return await self._lead(key, fetch)

    async def _join(self, joined: list[asyncio.Future[Outcome | None]], deadline: float) -> Outcome | None:
        """The first asker's outcome; None when he gave up, or ran into an error that is his own."""
        landing = asyncio.get_running_loop().create_future()
        joined.append(landing)
        try:
            async with asyncio.timeout(deadline - monotonic()):
                outcome: Outcome | None = await landing
        except TimeoutError as error:
            raise DeadlineExceeded from error
        return outcome

    async def _lead(self, key: Hashable, fetch: Callable[[], Awaitable[Any]]) -> Any:
        joined = self._joined[key] = []
        outcome: Outcome | None = None
        try:
            value = await fetch()
            outcome = (value, None)
        except GatewayError as error:
            outcome = None if isinstance(error, OWN) else (None, error)
            raise
        else:
            return value
        finally:
            del self._joined[key]
            for landing in joined:
                if not landing.done():
                    landing.set_result(outcome)


def _value(outcome: Outcome) -> Any:
    value, error = outcome
    if error is not None:
        raise error
    return value
