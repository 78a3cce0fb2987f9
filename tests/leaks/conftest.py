"""A furnished database for every run: a copy of the one that the first worker furnishes."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.harness import alone, drop
from tests.leaks.stage import furnish


def _create(server: str, name: str, template: str) -> str:
    url = make_url(server).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def furnished(shared: Path, server: str) -> Iterator[str]:
    """The name of the database that all are copied from."""
    users = shared / "leaks.users"
    with alone(shared / "leaks.lock"):
        template, count = users.read_text().split() if users.exists() else (f"leaks_{secrets.token_hex(4)}", "0")
        if count == "0":
            asyncio.run(furnish(_create(server, template, "template0")))
        users.write_text(f"{template} {int(count) + 1}")
    yield template
    with alone(shared / "leaks.lock"):
        left = int(users.read_text().split()[1]) - 1
        users.write_text(f"{template} {left}")
        if not left:
            users.unlink()
            drop(server, template)


@pytest.fixture
def url(server: str, furnished: str) -> Iterator[str]:
    """A furnished database for one test."""
    name = f"{furnished}_{secrets.token_hex(4)}"
    yield _create(server, name, furnished)
    drop(server, name)
