"""Connections whose server says nothing any more."""

import asyncio
from time import monotonic

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from services.storage.connection import CONNECT_SECONDS, HELLO_SECONDS, Attended, arguments
from services.storage.engine import Database, unhurried
from services.storage.failures import is_away
from services.storage.statements import Statements
from tests.faults.hole import hole
from tests.harness import until

SLACK = 3.0
"""Seconds that a busy machine may take for the rest."""


async def test_a_server_that_says_nothing_for_too_long_is_lost(database: Database) -> None:
    connection = await Attended.connect(database.conninfo, autocommit=True)
    connection.patience = 0.2
    with pytest.raises(psycopg.OperationalError, match=r"nothing for 0\.2 seconds") as told:
        await connection.execute("SELECT pg_sleep(20)")
    assert connection.closed
    assert is_away(told.value)


async def test_whoever_waits_for_notices_waits_as_long_as_he_says(database: Database) -> None:
    async with await Attended.connect(database.conninfo, autocommit=True) as connection:
        connection.patience = 0.05
        assert [notice async for notice in connection.notifies(timeout=0.2)] == []
        connection.patience = 5
        await connection.greet()


async def test_whoever_listens_without_an_end_is_not_cut_off(database: Database) -> None:
    async with await Attended.connect(database.conninfo, autocommit=True) as connection:
        connection.patience = 0.1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(connection.notifies()), 0.4)
        assert (await (await connection.execute("SELECT 1")).fetchone()) == (1,)
        assert connection.patience == 0.1


async def test_what_may_take_long_is_waited_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Attended, "patience", 1.0)
    own = Database(database.url)
    async with own.session() as session:
        connection = await session.connection()
        await unhurried(connection)
        await connection.execute(text("SELECT pg_sleep(1.5)"))
    with pytest.raises(OperationalError):
        async with own.session() as session:
            await (await session.connection()).execute(text("SELECT pg_sleep(30)"))
    await own.close()


async def test_what_the_operator_says_of_the_network_is_left_to_him() -> None:
    usual = arguments(make_url("postgresql://db.example/x"), "x")
    told = arguments(make_url("postgresql://db.example/x?tcp_user_timeout=1&connect_timeout=60"), "x")
    assert usual.keys() - told.keys() == {"tcp_user_timeout", "connect_timeout"}
    kept = arguments(make_url("postgresql://db.example/x?options=-c%20work_mem%3D8MB"), "x", 0.5)
    assert kept["options"].startswith("-c work_mem=8MB -c ")
    assert "-c statement_timeout=500" in kept["options"]


async def test_one_lost_connection_has_all_others_replaced(database: Database) -> None:
    async with hole(database.url.render_as_string(hide_password=False)) as (way, url):
        cut_off = Database(url, pool_size=4)
        await asyncio.gather(*(_asked(cut_off) for _ in range(4)))
        way.cut()
        way.mend(forgetting=True)
        began = monotonic()
        for _ in range(4):
            await cut_off.ping()
        assert monotonic() - began < HELLO_SECONDS + SLACK
        await cut_off.close()


async def _asked(database: Database) -> None:
    async with database.session() as session:
        await session.connection()
        await asyncio.sleep(0.1)


async def test_a_network_that_stays_cut_is_said_soon(database: Database) -> None:
    async with hole(database.url.render_as_string(hide_password=False)) as (way, url):
        cut_off = Database(url, pool_size=1)
        await cut_off.ping()
        way.cut()
        began = monotonic()
        with pytest.raises(OperationalError) as told:
            await cut_off.ping()
        assert monotonic() - began < HELLO_SECONDS + CONNECT_SECONDS + SLACK
        assert is_away(told.value)
        way.mend()
        await cut_off.close()


async def test_statements_find_a_connection_that_was_lost_while_nobody_used_it(database: Database) -> None:
    async with (
        hole(database.url.render_as_string(hide_password=False)) as (way, url),
        Statements(Database(url), connections=2, quiet=0.1).running() as statements,
    ):
        await asyncio.gather(*(statements.rows("SELECT pg_sleep(0.1)", {}) for _ in range(2)))
        way.cut()
        way.mend(forgetting=True)
        await asyncio.sleep(0.2)
        began = monotonic()
        assert await statements.rows("SELECT 1", {}) == [(1,)]
        assert monotonic() - began < HELLO_SECONDS + SLACK
        await until(lambda: statements.pool().in_use == 0)
