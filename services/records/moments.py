"""How far the copies have been read, known without asking as long as the database tells of every change."""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context
from datetime import datetime
from typing import NamedTuple

import structlog

from services.events import Events, Notices
from services.records.notices import Notice, read, topic
from services.storage.failures import words
from services.storage.statements import Statements

log = structlog.get_logger(__name__)
_ASK = "SELECT module, generation, as_of FROM record_pulls WHERE organization_id = %(organization)s"


class Standing(NamedTuple):
    """A module's copy: it differs when its generation does; true as of a moment, None until first read in full."""

    generation: int
    as_of: datetime | None


Standings = Mapping[str, Standing]
Told = Callable[[str, Notice | None], None]
"""(organization's id, what has changed; None: anything may have)"""


class Moments:
    """Of the organizations that were asked about; `told` is called with what other processes and this one tell."""

    def __init__(self, statements: Statements, events: Events, told: Told) -> None:
        self._statements = statements
        self._events = events
        self._told = told
        self._held: dict[str, dict[str, Standing]] = {}
        self._hearing: dict[str, asyncio.Task[None]] = {}
        self._steady: set[str] = set()

    async def aclose(self) -> None:
        """Listen no longer."""
        tasks = list(self._hearing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def known(self, organization_id: str) -> Standings:
        """As told last; asked for when nothing was."""
        self.hear(organization_id)
        held = self._held.get(organization_id) if self._events.connected else None
        return held if held is not None else await self.now(organization_id)

    async def now(self, organization_id: str) -> Standings:
        """As the database has it."""
        asked = await self._statements.rows(_ASK, {"organization": organization_id})
        found = {module: Standing(generation, as_of) for module, generation, as_of in asked}
        held = self._held.get(organization_id)
        if held is not None:
            for module, standing in found.items():
                held[module] = _later(held.get(module), standing)
        return found

    def hear(self, organization_id: str) -> None:
        """Be told of the organization's changes from now on."""
        if organization_id not in self._hearing:
            task = asyncio.create_task(self._hear(organization_id), name="moments", context=Context())
            self._hearing[organization_id] = task
            task.add_done_callback(lambda done: self._ended(organization_id, done))

    def _ended(self, organization_id: str, task: asyncio.Task[None]) -> None:
        self._hearing.pop(organization_id, None)
        if not task.cancelled() and (error := task.exception()):
            log.warning("changes of the copy are not heard", organization=organization_id, error=words(error))

    async def _hear(self, organization_id: str) -> None:
        try:
            async with self._events.subscribe(topic(organization_id)) as notices:
                await self._listen(organization_id, notices)
        finally:
            self._held.pop(organization_id, None)
            self._steady.discard(organization_id)

    async def _listen(self, organization_id: str, notices: Notices) -> None:
        async for notice in notices:
            if notice is None:
                await self._begin(organization_id)
            elif (held := self._held.get(organization_id)) is not None:
                news = read(notice)
                held[news.module] = _later(held.get(news.module), Standing(news.generation, news.as_of))
                self._told(organization_id, news)

    async def _begin(self, organization_id: str) -> None:
        """Something may have been missed, unless nothing was heard before."""
        self._held.pop(organization_id, None)
        if organization_id in self._steady:
            self._told(organization_id, None)
        if self._events.connected:
            self._steady.add(organization_id)
            self._held[organization_id] = dict(await self.now(organization_id))


def _later(one: Standing | None, other: Standing) -> Standing:
    """The later of two; notices may come after what was asked for later."""
    if one is None or other.generation > one.generation:
        return other
    if other.generation < one.generation or other.as_of is None:
        return one
    return other if one.as_of is None or other.as_of > one.as_of else one
