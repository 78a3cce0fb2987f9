"""What time it is by the database's clock, which all processes share, without asking it each time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

log = structlog.get_logger(__name__)
NEAR = 0.05
"""Seconds within which two clocks are the same."""
WORTH_TELLING = 1.0


class Clock:
    """Goes by the process's own clock until the database has told its; steps of the own one do not matter after."""

    def __init__(self, wall: Callable[[], float] = time.time, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._ahead = wall() - ticks()

    def now(self) -> datetime:
        """The present instant."""
        return datetime.fromtimestamp(self._ahead + self._ticks(), UTC)

    def seconds(self) -> float:
        """The same since the epoch."""
        return self._ahead + self._ticks()

    def told(self, moment: float, asked: float) -> None:
        """The database has answered with its time, in seconds since the epoch; asked at this reading of `monotonic`."""
        half = (self._ticks() - asked) / 2
        off = moment - half - asked - self._ahead
        if abs(off) > NEAR + half:
            self._ahead += off
            if abs(off) > WORTH_TELLING:
                log.warning("the database's clock is another than ours: its own is taken", seconds=round(off, 1))


CLOCK = Clock()
"""The process's: whatever it keeps and judges is on one database."""
now = CLOCK.now
