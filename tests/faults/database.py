"""What can be done to the database of a gateway in this process, from outside of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.harness import Gateway

END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
ENDED_WAITERS = f"{END} AND wait_event_type = 'Lock'"
WAITERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
PATIENCE = 10.0
CROSSING = """
CREATE OR REPLACE FUNCTION crossing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$
"""


class Server:
    """The PostgreSQL of a gateway, as its administrator sees it."""

    def __init__(self, gateway: Gateway) -> None:
        assert gateway.settings.database_url
        url = make_url(gateway.settings.database_url.get_secret_value()).set(drivername="postgresql")
        self.url = url.render_as_string(hide_password=False)
        self.name = str(url.database)
        self._server = url.set(database="postgres").render_as_string(hide_password=False)

    async def end_backends(self) -> None:
        """As an administrator, or the kernel, ends them."""
        await self._told(END, self.name)

    async def end_waiters(self) -> None:
        """Those that wait for a lock."""
        await self._told(ENDED_WAITERS, self.name)

    async def until_waiting(self, count: int = 1) -> None:
        """Return when so many backends wait for a lock."""
        until = monotonic() + PATIENCE
        while await self._told(WAITERS, self.name) < count:
            assert monotonic() < until, "nobody waits"
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def locked(self, table: str, mode: str = "ACCESS EXCLUSIVE") -> AsyncIterator[None]:
        """Within the block the table is another's."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            await connection.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(sql.Identifier(table), sql.SQL(mode)))
            yield

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Within the block nobody can connect."""
        async with self._altered("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"):
            yield

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[None]:
        """Within the block nothing can be stored, as when it has failed over to a replica."""
        setting = "default_transaction_read_only"
        async with self._altered(f"SET {setting} = on", f"RESET {setting}"):
            yield

    @asynccontextmanager
    async def crossing(self, table: str) -> AsyncIterator[None]:
        """Within the block whoever adds a row to the table is given up as in a deadlock with another."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            await connection.execute(CROSSING)
            about = sql.Identifier(table)
            await connection.execute(
                sql.SQL("CREATE TRIGGER crossing BEFORE INSERT ON {} EXECUTE FUNCTION crossing()").format(about)
            )
            yield
            await connection.execute(sql.SQL("DROP TRIGGER crossing ON {}").format(about))

    @asynccontextmanager
    async def _altered(self, there: str, back: str) -> AsyncIterator[None]:
        try:
            await self._altered_to(there)
            yield
        finally:
            await self._altered_to(back)

    async def _altered_to(self, change: str) -> None:
        async with await psycopg.AsyncConnection.connect(self._server, autocommit=True) as connection:
            statement = sql.SQL("ALTER DATABASE {} {}").format(sql.Identifier(self.name), sql.SQL(change))
            await connection.execute(statement)
        await self.end_backends()

    async def _told(self, statement: str, *given: str) -> int:
        async with await psycopg.AsyncConnection.connect(self._server, autocommit=True) as connection:
            rows = await (await connection.execute(statement.encode(), given)).fetchall()
        return int(rows[0][0]) if rows else 0
