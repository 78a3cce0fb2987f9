"""Statements past the object mapper, for what is read in every request: one round trip, rows as tuples."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from services.storage.connection import Attended, arguments
from services.storage.engine import Database, Pool
from services.storage.watching import SYSTEM, named

Values = Mapping[str, Any]
RECONNECT_SECONDS = 8.0
"""The pool tries to connect ever more rarely; after this it gives up, and whoever comes next makes it begin anew."""
WAIT_SECONDS = 10.0
"""For a connection."""
QUIET_SECONDS = 2.0
"""A connection of which something was heard within them is there."""


class Statements:
    """Connections of their own to a database. Every statement is a transaction of its own."""

    def __init__(self, database: Database, *, connections: int = 4, quiet: float = QUIET_SECONDS) -> None:
        """`connections` at most; they are made when needed, and looked at after `quiet` seconds without a word."""
        self._quiet = quiet
        self._tracer = database.tracer
        self._pool: AsyncConnectionPool[Attended] = AsyncConnectionPool(
            database.conninfo,
            connection_class=Attended,
            min_size=0,
            max_size=connections,
            open=False,
            timeout=WAIT_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
            check=self._see,
            kwargs={"autocommit": True, **arguments(database.url, "finance-gateway reading")},
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Statements"]:
        """Usable within the block."""
        async with self._pool:
            yield self

    def pool(self) -> Pool:
        """How the pool stands."""
        told = self._pool.get_stats()
        idle = told.get("pool_available", 0)
        return Pool(told.get("pool_size", 0) - idle, told.get("requests_waiting", 0), self._pool.max_size)

    async def rows(self, statement: str, given: Values) -> list[tuple[Any, ...]]:
        """What a statement of ours answers; values are given apart from it."""
        if self._tracer is None:
            return await self._rows(statement, given)
        span = self._tracer.inner(named(statement), SYSTEM)
        try:
            return await self._rows(statement, given)
        finally:
            if span is not None:
                span.end()

    async def _see(self, connection: Attended) -> None:
        """That a connection is there of which nothing was heard for a while; when it is lost, all are looked at."""
        if monotonic() < connection.heard_at + self._quiet:
            return
        try:
            await connection.greet()
        except psycopg.Error:
            await self._pool.drain()
            raise

    async def _rows(self, statement: str, given: Values) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            return await (await connection.execute(statement.encode(), given)).fetchall()

    async def run(self, statement: str, given: Values) -> None:
        """Write something."""
        async with self._pool.connection() as connection:
            await connection.execute(statement.encode(), given)
