"""What the database's errors mean, as PostgreSQL itself raises them."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from services.storage.engine import Database
from services.storage.failures import FAILURES, has_crossed, is_away

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"
MEANT = {
    "40001": "crossed",
    "40P01": "crossed",
    "08006": "away",
    "25006": "away",
    "25P03": "away",
    "53100": "away",
    "53300": "away",
    "55P03": "away",
    "57014": "away",
    "57P01": "away",
    "57P03": "away",
    "58030": "away",
    "22012": "ours",
    "23505": "ours",
    "25P02": "ours",
    "42P01": "ours",
    "42501": "ours",
    "XX000": "ours",
}
"""By SQLSTATE: who is to blame for it."""


def meaning(error: Exception) -> str:
    return "crossed" if has_crossed(error) else "away" if is_away(error) else "ours"


@pytest.mark.parametrize(("state", "meant"), MEANT.items())
async def test_an_error_means_what_its_state_says_whoever_tells_it(database: Database, state: str, meant: str) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"
    async with database.session() as session:
        connection = await session.connection()
        with pytest.raises(SQLAlchemyError) as mapped:
            await connection.execute(text(raising))
        await session.rollback()
    with pytest.raises(psycopg.Error) as plain, psycopg.connect(database.conninfo) as direct:
        direct.execute(raising)
    assert (meaning(mapped.value), meaning(plain.value)) == (meant, meant)


async def _mapped() -> None:
    await Database(NOWHERE).ping()


async def _pooled() -> None:
    async with (
        AsyncConnectionPool(NOWHERE, min_size=0, max_size=1, open=False, timeout=0.05) as pool,
        pool.connection(),
    ):
        pass


async def _queued() -> None:
    app = App(connector=PsycopgConnector(conninfo=NOWHERE, min_size=0, max_size=1, timeout=0.05))
    async with app.open_async():
        await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=1)


@pytest.mark.parametrize(
    ("asked", "raised"),
    [(_mapped, SQLAlchemyError), (_pooled, PoolTimeout), (_queued, ConnectorException)],
    ids=["the mapper", "the pool of statements", "the queue"],
)
async def test_a_server_that_is_not_there_is_away_whoever_asks(
    asked: Callable[[], Any], raised: type[Exception]
) -> None:
    with pytest.raises(raised) as told:
        await asked()
    assert meaning(told.value) == "away"


async def test_no_room_in_the_pool_is_away_and_what_merely_takes_too_long_is_not(database: Database) -> None:
    small = Database(database.url, pool_size=1)
    small._engine.pool._timeout = 0.05  # type: ignore[attr-defined]  # noqa: SLF001 - it is 30 seconds
    async with small.session() as one, small.session() as two:
        await one.connection()
        await two.connection()
        with pytest.raises(SQLAlchemyError) as told:
            await small.ping()
    await small.close()
    assert meaning(told.value) == "away"
    assert meaning(TimeoutError()) == "ours"
    assert isinstance(told.value, FAILURES)
