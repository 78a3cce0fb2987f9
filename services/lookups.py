"""What is looked up again and again: once for all who want it at the same moment, and anew before it is too old."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from random import uniform
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

from services.errors import GatewayError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
AHEAD = 0.7
"""The part of its time after which a value that is still wanted is looked up anew, while nobody waits for it."""
MOST = 10_000
"""Values that are kept at once."""
PATIENCE = 5.0
"""Seconds after which a look-up is joined no longer: what it waits for may be lost, and nobody else's way to it."""


class _Held(NamedTuple):
    """A value, what it was looked up for, and the readings of `monotonic` after which it is renewed, and not used."""

    value: Any
    state: object
    young: float
    until: float


class _Turn(NamedTuple):
    """A look-up under way."""

    task: "asyncio.Task[Any]"
    state: object
    began: float


class Lookups(Generic[K, V]):
    """Values by key, each for some seconds, and while the `state` it was looked up in is the present one.

    It is at least half of the seconds: what was looked up at the same moment is not all looked up again at another.
    """

    def __init__(
        self, seconds: float, keeps: Callable[[K, V], bool] = lambda *_: True, *, patience: float = PATIENCE
    ) -> None:
        """`keeps`: whether a value that has been found is used again."""
        self._seconds = seconds
        self._keeps = keeps
        self._patience = patience
        self._held: dict[K, _Held] = {}
        self._turns: dict[K, _Turn] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        """Those of the turns, and of turns that were forgotten."""

    async def get(self, key: K, state: object, look: Callable[[], Awaitable[V]]) -> V:
        """The value; raises what `look` raises. Whoever knows of a change names another `state` than before it."""
        held, at = self._held.get(key), monotonic()
        if held is not None and at < held.until and held.state == state:
            if at >= held.young and key not in self._turns:
                self._begin(key, state, look, Context())
            value: V = held.value
            return value
        turn = self._turns.get(key)
        if turn is None or turn.state != state or at >= turn.began + self._patience:
            turn = self._begin(key, state, look)
        found: V = await asyncio.shield(turn.task)
        return found

    def forget(self, which: Callable[[K], bool] = lambda _: True) -> None:
        """Look these up anew, even what is being looked up: for whoever asks from now on."""
        for known in (self._held, self._turns):
            for key in [key for key in known if which(key)]:
                del known[key]

    async def aclose(self) -> None:
        """Stop what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, key: K, state: object, look: Callable[[], Awaitable[V]], context: Context | None = None) -> _Turn:
        async def looked() -> V:
            return await look()

        turn = _Turn(asyncio.create_task(looked(), name="look-up", context=context), state, monotonic())
        self._turns[key] = turn
        self._tasks.add(turn.task)
        turn.task.add_done_callback(lambda _: self._over(key, turn))
        return turn

    def _over(self, key: K, turn: _Turn) -> None:
        self._tasks.discard(turn.task)
        asked_for = self._turns.get(key) is turn
        if asked_for:
            del self._turns[key]
        if turn.task.cancelled():
            return
        error = turn.task.exception()  # whoever waits hears of it
        if asked_for and error is None and self._keeps(key, turn.task.result()):
            self._keep(key, turn)
        elif asked_for and (error is None or isinstance(error, GatewayError)):
            self._held.pop(key, None)  # what was known is not so any more

    def _keep(self, key: K, turn: _Turn) -> None:
        if len(self._held) >= MOST:
            self._held.clear()
        lasts = self._seconds * uniform(0.5, 1)
        self._held[key] = _Held(turn.task.result(), turn.state, turn.began + lasts * AHEAD, turn.began + lasts)
