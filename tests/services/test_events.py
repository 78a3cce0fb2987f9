import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from services.events import PAYLOAD_BYTES, WAITING_NOTICES, Events, Notice, Notices, notify
from services.storage.engine import Database

PATIENCE = 10.0


@asynccontextmanager
async def connected(database: Database) -> AsyncIterator[Events]:
    """Already listening, so that subscribers look once at first."""
    events = Events(database)
    async with events.subscribe("nothing") as notices:
        await anext(notices)
        await following(notices)
    yield events
    await events.aclose()


@pytest.fixture
async def events(database: Database) -> AsyncIterator[Events]:
    async with connected(database) as events:
        yield events


@pytest.fixture
def topic() -> str:
    return f"test:{secrets.token_hex(4)}"


async def following(notices: Notices) -> Notice:
    return await asyncio.wait_for(anext(notices), PATIENCE)


async def tell(database: Database, topic: str, *payloads: str) -> None:
    async with database.session() as session:
        for payload in payloads:
            await notify(session, topic, payload)


async def cut(database: Database) -> int:
    """Ends all connections that listen; how many."""
    statement = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'finance-gateway events'"
    )
    async with await psycopg.AsyncConnection.connect(database.conninfo, autocommit=True) as connection:
        row = await (await connection.execute(statement)).fetchone()
    assert row
    return int(row[0])


async def test_every_process_hears_what_is_committed_in_order_and_equal_notices_once(
    database: Database, events: Events, topic: str
) -> None:
    async with (
        connected(Database(database.url)) as elsewhere,
        events.subscribe(topic) as here,
        elsewhere.subscribe(topic) as there,
    ):
        for notices in (here, there):
            assert await following(notices) is None
        await tell(database, topic, "1", "2", "1")
        for notices in (here, there):
            assert [await following(notices), await following(notices)] == ["1", "2"]


async def test_nobody_hears_of_what_is_rolled_back_or_of_other_topics(
    database: Database, events: Events, topic: str
) -> None:
    async with events.subscribe(topic) as notices:
        assert await following(notices) is None
        with pytest.raises(ValueError, match="topic"):
            await tell(database, topic, "rolled back", "x" * PAYLOAD_BYTES)
        await tell(database, f"{topic}:other", "another")
        await tell(database, topic, "committed")
        assert await following(notices) == "committed"


async def test_nothing_is_missed_between_the_first_look_and_the_connection(database: Database, topic: str) -> None:
    events = Events(database)
    async with events.subscribe(topic) as notices:
        assert await anext(notices) is None
        await tell(database, topic)
        assert await following(notices) in (None, "")
    await events.aclose()


async def test_after_a_lost_connection_subscribers_look_again_and_hear_again(
    database: Database, events: Events, topic: str
) -> None:
    async with events.subscribe(topic) as notices:
        assert await following(notices) is None
        for _ in range(2):
            assert await cut(database) >= 1
            await tell(database, topic, "into the void")
            assert await following(notices) is None
            await tell(database, topic, "heard")
            while (notice := await following(notices)) is None:
                pass
            assert notice == "heard"


async def test_a_database_that_is_not_there_keeps_nobody_from_the_first_look(topic: str) -> None:
    events = Events(Database("postgresql://nobody@127.0.0.1:1/nowhere"))
    async with events.subscribe(topic) as notices:
        assert await following(notices) is None
    await events.aclose()


async def test_closing_ends_all_subscriptions_and_later_ones_at_once(events: Events, topic: str) -> None:
    async with events.subscribe(topic) as notices:
        await following(notices)
        waiting = asyncio.create_task(following(notices))
        await asyncio.sleep(0)
        await events.aclose()
        with pytest.raises(StopAsyncIteration):
            await waiting
    async with events.subscribe(topic) as late:
        assert [notice async for notice in late] == []


async def test_a_slow_reader_is_told_to_look_at_everything_instead_of_keeping_more_and_more() -> None:
    notices = Notices()
    await following(notices)
    for number in range(WAITING_NOTICES + 1):
        notices.put(str(number))
    notices.put("later")
    assert await following(notices) is None
    notices.put("after")
    assert await following(notices) == "after"


async def test_what_does_not_fit_into_a_notification_is_refused(database: Database, topic: str) -> None:
    for unfit in ({"topic": "two\nlines"}, {"topic": topic, "payload": "x" * PAYLOAD_BYTES}):
        async with database.session() as session:
            with pytest.raises(ValueError, match="topic"):
                await notify(session, **unfit)
    await tell(database, topic, "x" * (PAYLOAD_BYTES - len(topic) - 1))
