"""The small one of `make chaos`: three workers on the tests' PostgreSQL, three of their processes killed."""

import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import psutil
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.bench.processes import ROOT, python
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


@pytest.fixture
def at_work(room: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`make chaos` once its workers have begun."""
    command = python("tests.chaos", "--home", room / "run", "--users", 20, "--licensed", 5, "--kills", 0)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        until = monotonic() + 90
        while not list(room.glob("run/undisturbed/worker*.log")) and process.poll() is None and monotonic() < until:
            sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def lives(process: psutil.Process) -> bool:
    """Whether it is more than an entry that nobody has asked for yet."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_it_has_started_ends_with_it(at_work: subprocess.Popen[bytes], room: Path) -> None:
    server = int((room / "run" / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    started = [psutil.Process(server), *psutil.Process(at_work.pid).children()]
    at_work.terminate()
    assert at_work.wait(30) == 128 + signal.SIGTERM
    assert not [one for one in started if lives(one)]


async def test_everybody_is_migrated_once_though_workers_are_killed(empty_url: str, room: Path) -> None:
    async with scene(CROWD, empty_url, room / "scene") as one:
        figures = await one.migrate(Plan(kills=3, seed=3))
    assert figures.seen.kills == 3
    assert (figures.run.migrated, figures.lost, figures.twice) == (CROWD.total, 0, 0)
    assert figures.seats == CROWD.seats
    assert figures.events.total() == figures.mails.total() == figures.files == CROWD.total
    assert figures.seen.went_back == 0
