"""How fast each user may go: requests a minute over all processes, without a statement for each request."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from math import ceil

import structlog
from sqlalchemy import text

from services.errors import LimitReached
from services.storage.clock import CLOCK
from services.storage.engine import Database
from services.storage.failures import FAILURES, words

log = structlog.get_logger(__name__)
MINUTE = 60
BEAT = 1.0
"""Seconds between two reports: by so much of its own traffic a process may be ahead of what the others know."""

_SETTLE = text("""
    WITH settled AS (
        INSERT INTO paces AS known (whose, minute, requests)
        SELECT sent.whose, :minute, sent.requests
        FROM unnest(CAST(:whose AS text[]), CAST(:requests AS int[])) AS sent (whose, requests)
        ORDER BY sent.whose
        ON CONFLICT (whose, minute) DO UPDATE SET requests = known.requests + excluded.requests
        RETURNING whose, requests
    )
    SELECT settled.whose, settled.requests, coalesce(earlier.requests, 0)
    FROM settled LEFT JOIN paces AS earlier ON earlier.whose = settled.whose AND earlier.minute = :minute - 1
""")
_FORGET = text("DELETE FROM paces WHERE minute < :minute - 1")


class TooFast(LimitReached):
    """You have sent too many requests in the last minute."""


@dataclass(slots=True)
class Window:
    """One user's requests in this minute and the one before, as all processes have reported; `own`: not reported yet.

    The minute before counts for as much of it as still lies within the last sixty seconds.
    """

    minute: int
    told: int = 0
    before: int = 0
    own: int = 0

    def move(self, minute: int) -> None:
        """Time has passed."""
        if minute != self.minute:
            count = self.told + self.own
            self.before = count if minute == self.minute + 1 else 0
            self.minute, self.told, self.own = minute, 0, 0

    def wait(self, limit: int, second: float) -> float:
        """Seconds until one more is allowed, at this second of the minute; not above 0 when it is so now."""
        room = limit - 1 - self.told - self.own
        if room < 0:
            return MINUTE - second + 1
        return MINUTE * (1 - room / self.before) - second if self.before else 0.0


class Pace:
    """Counts here, and settles with the other processes each second while there is anything to tell.

    While the database is away, each process holds its users to the limit alone.
    """

    def __init__(
        self, database: Database, per_minute: int, *, beat: float = BEAT, clock: Callable[[], float] = CLOCK.seconds
    ) -> None:
        """`database` should have a pool of its own. `clock` gives seconds since the epoch."""
        self._database, self._limit, self._beat, self._clock = database, per_minute, beat, clock
        self._windows: dict[str, Window] = {}
        self._settling: asyncio.Task[None] | None = None
        self._forgotten = 0

    def spend(self, whose: str) -> None:
        """One request more; raises `TooFast`, and does not count it then."""
        minute, second = divmod(self._clock(), MINUTE)
        window = self._windows.get(whose)
        if window is None:
            window = self._windows[whose] = Window(int(minute))
        window.move(int(minute))
        if (wait := window.wait(self._limit, second)) > 0:
            hint = f"At most {self._limit} a minute: wait for {ceil(wait)} seconds."
            raise TooFast(hint=hint, limit="per_minute", allowed=self._limit, retryAfter=ceil(wait))
        window.own += 1
        if self._settling is None:
            self._settling = asyncio.create_task(self._settle_on(), name="pace", context=Context())

    async def settle(self) -> bool:
        """Report and be told; whether there was anything to report."""
        minute = int(self._clock() // MINUTE)
        for window in self._windows.values():
            window.move(minute)
        self._windows = {whose: window for whose, window in self._windows.items() if _counts(window)}
        counts = {whose: window.own for whose, window in self._windows.items() if window.own}
        if counts:
            for whose, (told, before) in (await self._reported(minute, counts)).items():
                window = self._windows[whose]
                if window.minute == minute:
                    window.told, window.before, window.own = told, before, window.own - counts[whose]
        return bool(counts)

    async def aclose(self) -> None:
        """Report what is left."""
        if self._settling is not None:
            self._settling.cancel()
            with suppress(asyncio.CancelledError):
                await self._settling
        with suppress(*FAILURES):
            await self.settle()

    async def _settle_on(self) -> None:
        """Until there is nothing more to report."""
        try:
            while True:
                await asyncio.sleep(self._beat)
                if not await self._settled():
                    return
        finally:
            self._settling = None

    async def _settled(self) -> bool:
        try:
            return await self.settle()
        except FAILURES as error:
            log.warning("requests are counted by this process alone", error=words(error))
            return True

    async def _reported(self, minute: int, counts: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        row = {"minute": minute, "whose": list(counts), "requests": list(counts.values())}
        async with self._database.session() as session:
            connection = await session.connection()
            found = (await connection.execute(_SETTLE, row)).all()
            if minute != self._forgotten:
                await connection.execute(_FORGET, {"minute": minute})
                self._forgotten = minute
        return {whose: (told, before) for whose, told, before in found}


def _counts(window: Window) -> bool:
    return bool(window.own or window.told or window.before)
