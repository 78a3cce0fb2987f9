"""How many requests are let in: at once, and in a minute."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.live.tally import Tally
from gateway.settings import Limits
from services.errors import LimitReached
from services.pace import Pace

EVERYONE = ""


class Busy(LimitReached):
    """There are too many requests at once."""


class Door:
    """Of one process."""

    def __init__(self, limits: Limits, pace: Pace) -> None:
        """`pace` is shared with other processes."""
        self._all = Tally(limits.at_once, "requests of everybody", Busy)
        self._own = Tally(limits.at_once_per_user, "requests", Busy)
        self._pace = pace

    @contextmanager
    def anybody(self) -> Iterator[None]:
        """One more request within the block, whoever sends it; raises `Busy`."""
        with self._all.one(EVERYONE):
            yield

    @contextmanager
    def one(self, whose: str) -> Iterator[None]:
        """One more of a user within the block; raises `Busy` or `TooFast`."""
        with self._own.one(whose):
            self._pace.spend(whose)
            yield

    def spend(self, whose: str) -> None:
        """One more of a user, counted otherwise while it is under way; raises `TooFast`."""
        self._pace.spend(whose)
