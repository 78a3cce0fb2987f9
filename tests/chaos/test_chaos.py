"""The small one of `make chaos`: three workers on the tests' PostgreSQL, three of their processes killed."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.chaos.scene import Crowd, Plan, scene
from tests.harness import drop

CROWD = Crowd(seats=40, users=10)


@pytest.fixture
def empty_url(server: str) -> Iterator[str]:
    url, name = make_url(server).set(drivername="postgresql"), f"chaos_{secrets.token_hex(4)}"
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield url.set(database=name).render_as_string(hide_password=False)
    drop(server, name)


async def test_everybody_is_migrated_once_though_workers_are_killed(empty_url: str, room: Path) -> None:
    async with scene(CROWD, empty_url, room / "scene") as one:
        figures = await one.migrate(Plan(kills=3, seed=3))
    assert figures.seen.kills == 3
    assert (figures.run.migrated, figures.lost, figures.twice) == (CROWD.total, 0, 0)
    assert figures.seats == CROWD.seats
    assert figures.events.total() == figures.mails.total() == figures.files == CROWD.total
    assert figures.seen.went_back == 0
