"""Bringing a module up to date for those who wait for it: one call, however many they are and wherever they wait."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from datetime import datetime
from itertools import chain, repeat
from time import monotonic
from typing import Any

from sqlalchemy import CursorResult, TextClause, text
from sqlmodel import select

from services.storage.engine import Database
from services.storage.models import now
from services.storage.records import RecordPull

CLAIM_SECONDS = 15
"""After which a process that has not come back with the changes counts as dead."""
REST_SECONDS = 5.0
"""Between two turns that nobody waits for."""
PAUSES = (0.01, 0.02, 0.05)
"""Seconds after which to look whether another process is done; the last one is repeated."""
_CLAIM = text("""
    UPDATE record_pulls SET claimed_until = clock_timestamp() + make_interval(secs => :seconds)
    WHERE organization_id = :organization_id AND module = :module
      AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
    RETURNING module
""")
_RELEASE = text("""
    UPDATE record_pulls SET claimed_until = NULL WHERE organization_id = :organization_id AND module = :module
""")

Key = tuple[str, str]
"""(organization, module)"""
Work = Callable[[str, str], Awaitable[None]]


class Demand:
    """Who asks for changes: in this process the first who needs them, among processes whoever has claimed it."""

    def __init__(self, database: Database, work: Work) -> None:
        """`work` asks the product for the changes of a module since it was last up to date."""
        self._database = database
        self._work = work
        self._turns: dict[Key, asyncio.Task[bool]] = {}
        self._rested: dict[Key, float] = {}

    async def aclose(self) -> None:
        """Stop what is under way."""
        turns = list(self._turns.values())
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)

    async def at_least(self, key: Key, moment: datetime, deadline: float) -> datetime | None:
        """Ask until the copy is true as of the moment or later; raises what `work` raises.

        None when the module has never been read in full, when `deadline` (`monotonic`) has come, or when a whole turn
        did not bring it on: the list does not tell its changes now.
        """
        wanted, stuck_at = min(moment, now()), None
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            as_of = await self._as_of(key)
            if as_of is None or as_of >= wanted:
                return as_of
            if monotonic() >= deadline or as_of == stuck_at:
                return None
            joins = key in self._turns
            if not await self._turn(key, deadline):
                await asyncio.sleep(pause)
            elif not joins:
                stuck_at = as_of
        raise AssertionError

    def soon(self, key: Key) -> None:
        """Ask for the changes without anybody waiting for them, so that nobody will have to."""
        at = monotonic()
        if key not in self._turns and self._rested.get(key, at) <= at:
            self._rested[key] = at + REST_SECONDS
            self._begun(key)

    async def _turn(self, key: Key, deadline: float) -> bool:
        """Wait for the turn that is under way here, or take it; whether it was this process that asked."""
        turn = self._turns.get(key) or self._begun(key)
        done, _ = await asyncio.wait({turn}, timeout=max(0.0, deadline - monotonic()))
        return turn not in done or turn.result()

    def _begun(self, key: Key) -> asyncio.Task[bool]:
        turn = self._turns[key] = asyncio.create_task(self._take(key), name=f"records {key[1]}", context=Context())
        turn.add_done_callback(lambda done: self._over(key, done))
        return turn

    def _over(self, key: Key, turn: asyncio.Task[bool]) -> None:
        self._turns.pop(key, None)
        if not turn.cancelled():
            turn.exception()  # whoever waits hears of it; perhaps nobody does any more

    async def _take(self, key: Key) -> bool:
        if not await self._claimed(key):
            return False
        try:
            await self._work(*key)
        finally:
            await self._execute(_RELEASE, key)
        return True

    async def _claimed(self, key: Key) -> bool:
        claimed = await self._execute(_CLAIM, key, seconds=CLAIM_SECONDS)
        return claimed.first() is not None

    async def _as_of(self, key: Key) -> datetime | None:
        asked = select(RecordPull.as_of).where(RecordPull.organization_id == key[0], RecordPull.module == key[1])
        async with self._database.session() as session:
            return (await session.exec(asked)).one_or_none()

    async def _execute(self, statement: TextClause, key: Key, **given: Any) -> CursorResult[Any]:
        async with self._database.session() as session:
            connection = await session.connection()
            return await connection.execute(statement, {"organization_id": key[0], "module": key[1], **given})
