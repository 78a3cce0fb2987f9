"""What happens, told to all processes on the database: PostgreSQL's NOTIFY, and one LISTEN connection a process.

A notice says that something is worth looking at; what it is stands in the tables. So notices may be merged and,
while the connection is lost, missed: whoever subscribes is then told to look again.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from typing import NoReturn

import psycopg
import structlog
from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.storage.connection import Attended, arguments
from services.storage.engine import Database
from services.storage.failures import words

log = structlog.get_logger(__name__)

CHANNEL = "gateway_events"
PAYLOAD_BYTES = 7999
"""What PostgreSQL lets one notification hold."""
WAITING_NOTICES = 100
"""That one subscriber may leave unread; with more it is told to look again at everything."""
PROBE_SECONDS = 5.0
"""A connection that was silent for so long is asked whether it is still there."""
RECONNECT_SECONDS = 0.5

Notice = str | None
"""The payload of a notification; None says: look at everything, something may have been missed."""


async def notify(session: AsyncSession, topic: str, payload: str = "") -> None:
    """Tell all subscribers of `topic` when the session's transaction commits, and never when it does not.

    Equal notices of one transaction are one. Raises ValueError when it does not fit into a notification.
    """
    message = f"{topic}\n{payload}"
    if "\n" in topic or len(message.encode()) > PAYLOAD_BYTES:
        raise ValueError("a topic is one line, and topic and payload are at most 7,998 bytes together")
    await session.exec(select(func.pg_notify(CHANNEL, message)))


class Notices:
    """What one subscriber has not read yet, equal notices once. The first one, at once, is None."""

    def __init__(self) -> None:
        self._waiting: dict[Notice, None] = {None: None}
        self._changed = asyncio.Event()
        self._ended = False

    def __aiter__(self) -> "Notices":
        return self

    async def __anext__(self) -> Notice:
        while not self._waiting and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if self._ended:
            raise StopAsyncIteration
        notice = next(iter(self._waiting))
        del self._waiting[notice]
        return notice

    def put(self, notice: Notice) -> None:
        """Add what is new; to look at everything covers all the rest."""
        if None in self._waiting:
            return
        if notice is None or len(self._waiting) >= WAITING_NOTICES:
            self._waiting.clear()
            notice = None
        self._waiting[notice] = None
        self._changed.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._changed.set()


class Events:
    """The notices of a database. Listens from the first subscription on, through losses of the connection."""

    def __init__(self, database: Database) -> None:
        self._conninfo = database.conninfo
        self._arguments = arguments(database.url, "finance-gateway events")
        self._subscribers: defaultdict[str, set[Notices]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._closed = False
        self.connected = False
        """Whether notices arrive at the moment, as far as is known."""

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Notices]:
        """The notices of a topic within the block, none missed between reading what is and waiting for more.

        >>> async with events.subscribe(f"migration:{id}") as notices:
        ...     async for _ in notices:  # the first at once, then whenever it may have changed
        ...         yield await look()
        """
        notices = Notices()
        self._subscribers[topic].add(notices)
        self._listen()
        try:
            yield notices
        finally:
            self._leave(topic, notices)

    async def aclose(self) -> None:
        """End all subscriptions and disconnect."""
        self._closed = True
        for notices in self._everybody():
            notices.end()
        if self._listener:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener

    def _listen(self) -> None:
        if self._closed:
            for notices in self._everybody():
                notices.end()
        elif self._listener is None:
            self._listener = asyncio.create_task(self._stay_connected(), name="events", context=Context())

    def _leave(self, topic: str, notices: Notices) -> None:
        self._subscribers[topic].discard(notices)
        if not self._subscribers[topic]:
            del self._subscribers[topic]

    def _everybody(self) -> list[Notices]:
        return [notices for subscribers in self._subscribers.values() for notices in subscribers]

    async def _stay_connected(self) -> None:
        while True:
            try:
                await self._pass_on()
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("live updates are interrupted; connecting again", error=words(error))
            await asyncio.sleep(RECONNECT_SECONDS * random.uniform(0.5, 1.5))

    async def _pass_on(self) -> None:
        """Listen until the connection is lost, which raises."""
        connection = await Attended.connect(self._conninfo, autocommit=True, **self._arguments)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            for notices in self._everybody():
                notices.put(None)
            self.connected = True
            try:
                await self._hear(connection)
            finally:
                self.connected = False

    async def _hear(self, connection: Attended) -> NoReturn:
        while True:
            async for notification in connection.notifies(timeout=PROBE_SECONDS):
                self._tell(notification.payload)
            await connection.greet()

    def _tell(self, message: str) -> None:
        topic, _, payload = message.partition("\n")
        for notices in self._subscribers.get(topic, ()):
            notices.put(payload)
