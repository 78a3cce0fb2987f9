"""The database: sessions on PostgreSQL and upgrades of its schema."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, event, func, make_url, text
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.observing import Tracer
from services.storage.clock import CLOCK, Clock
from services.storage.connection import STATEMENT_SECONDS, Attended, arguments
from services.storage.watching import watch

REVISIONS = Path(__file__).parent / "revisions"
_UPGRADE_LOCK = 0x66696E67
"""Number of the advisory lock under which one process upgrades while the others wait."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Connections in use, callers who are about to get one, and how many there can be."""

    in_use: int
    waiting: int
    most: int


class Connections(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, which does not tell by itself how many wait."""

    waiting = 0

    @property
    def most(self) -> int:
        """Connections at once."""
        return self.size() + self._max_overflow

    def _do_get(self) -> ConnectionPoolEntry:
        self.waiting += 1
        try:
            return super()._do_get()
        finally:
            self.waiting -= 1


class Database:
    """PostgreSQL at `url` (any of its usual spellings), with a pool of its own. Connects when first used."""

    def __init__(
        self,
        url: str | URL,
        *,
        pool_size: int = 10,
        statement_timeout: float = STATEMENT_SECONDS,
        tracer: Tracer | None = None,
        clock: Clock = CLOCK,
    ) -> None:
        """`statement_timeout` is in seconds and also bounds waiting for a lock; `clock` is told the server's time."""
        self.url = make_url(url).set(drivername="postgresql+psycopg")
        self._engine = create_async_engine(
            self.url,
            poolclass=Connections,
            pool_size=pool_size,
            max_overflow=pool_size,
            hide_parameters=True,
            connect_args={
                "async_creator_fn": Attended.connect,
                **arguments(self.url, "finance-gateway", statement_timeout),
            },
        )
        self._clock = clock
        self.tracer = tracer
        if tracer is not None:
            watch(self._engine.sync_engine, tracer)
        self.writes = 0
        """Transactions of this process that may have changed who may do what: what was read of it before is old."""
        event.listen(self._engine.sync_engine, "checkout", self._greet)
        event.listen(self._engine.sync_engine, "after_cursor_execute", _mark)
        event.listen(self._engine.sync_engine, "commit", self._count)

    @property
    def conninfo(self) -> str:
        """The address as libpq and psycopg read it, password included."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end, rolled back when an exception leaves it."""
        before = self.writes
        async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            yield session
        if self.writes != before:
            self.writes += 1  # who looked while it was being committed may have seen what was before

    async def upgrade(self, revision: str = "head") -> None:
        """Bring the schema up to date, in one transaction; of several processes that start at once one does it."""
        async with self._engine.begin() as connection:
            await unhurried(connection)
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
            await connection.run_sync(_upgrade, revision)

    def pool(self) -> Pool:
        """How the pool stands."""
        connections = self._engine.pool
        if not isinstance(connections, Connections):
            raise TypeError(connections)
        return Pool(connections.checkedout(), connections.waiting, connections.most)

    async def is_current(self) -> bool:
        """Whether the schema is at least ours: while replicas are replaced, the old ones serve on a newer one."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(_current)

    async def check_current(self) -> None:
        """Raise `alembic.util.AutogenerateDiffsDetected` when the tables and `models` differ."""
        async with self._engine.connect() as connection:
            await connection.run_sync(lambda sync: command.check(_alembic(sync)))

    async def ping(self) -> None:
        """Raise `sqlalchemy.exc.OperationalError` when the database does not answer."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Return all connections."""
        await self._engine.dispose()

    def _greet(self, connection: Any, entry: ConnectionPoolEntry, _proxy: object) -> None:
        """Before it is used: when one that was used before is lost, all that are as old are as well."""
        try:
            connection.run_async(lambda driver: driver.greet(self._clock))
        except psycopg.Error as error:
            if _GREETED in entry.info:
                raise InvalidatePoolError from error
            raise
        entry.info[_GREETED] = True

    def _count(self, connection: Connection) -> None:
        self.writes += connection.info.pop(_WROTE, 0)


def _current(connection: Connection) -> bool:
    applied = set(MigrationContext.configure(connection).get_current_heads())
    heads, ours = _lineage()
    return applied == heads or not applied <= ours


@cache
def _lineage() -> tuple[set[str], set[str]]:
    """The newest revisions, and all of them."""
    revisions = ScriptDirectory(str(REVISIONS))
    return set(revisions.get_heads()), {one.revision for one in revisions.walk_revisions()}


_WROTE, _GREETED = "wrote", "greeted"
DECIDING = ("members", "profiles", "roles", "integration_grants", "connections", "organizations")
"""The tables whose rows decide who may do what. Others are written all the time, and nobody need be looked up anew."""
_DECIDING = re.compile(rf"\b({'|'.join(DECIDING)})\b", re.IGNORECASE)
_TOKEN = re.compile(r"UPDATE connections SET (?!.*\b(member_id|is_owner|product\w*|refresh_token)\b)", re.DOTALL)
"""A renewed token, or its failure: it opens nothing else than the one before."""


def _mark(connection: Connection, _cursor: object, statement: str, *_rest: Any) -> None:
    if not statement.startswith("SELECT") and _DECIDING.search(statement) and not _TOKEN.match(statement):
        connection.info[_WROTE] = 1


async def unhurried(connection: AsyncConnection) -> None:
    """From here on the transaction takes as long as it takes, its end included: neither side gives up."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    driver.patience = None  # until the connection is greeted for somebody else
    await connection.execute(text("SET LOCAL statement_timeout = 0"))


async def alone(session: AsyncSession, what: str) -> None:
    """Let one transaction at a time go on from here, of all that name the same."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(what, 0))))


async def first(session: AsyncSession, what: str) -> bool:
    """Whether nobody else is `alone` with the same; if so, one is so from here on."""
    return bool((await session.exec(select(func.pg_try_advisory_xact_lock(func.hashtextextended(what, 0))))).one())


async def beside(session: AsyncSession, what: str) -> None:
    """Go on with others who go `beside`, while nobody is `alone` with the same; who waits to be is let in first."""
    await session.exec(select(func.pg_advisory_xact_lock_shared(func.hashtextextended(what, 0))))


def _upgrade(connection: Connection, revision: str) -> None:
    command.upgrade(_alembic(connection), revision)


def _alembic(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection}, stdout=StringIO())
    config.set_main_option("script_location", str(REVISIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
