"""What goes wrong, one thing after the other, each for a while."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
from sqlalchemy import make_url

from tests.chaos.scene import Worker
from tests.load.scene import Scene
from tests.post_office import PostOffice, opened

OUTAGE = 5.0
"""Seconds for which PostgreSQL is stopped."""
_BACKEND = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
"""


@dataclass
class Post:
    """A mail server on a port of its own, which can be away for a while."""

    office: PostOffice = field(default_factory=PostOffice)
    server: AbstractAsyncContextManager[PostOffice] | None = None

    async def open(self) -> None:
        """On the same port again."""
        self.server = opened(self.office)
        await self.server.__aenter__()

    async def close(self) -> None:
        """Nobody answers any more."""
        if self.server is not None:
            await self.server.__aexit__(None, None, None)
            self.server = None


@dataclass
class Site:
    """Everything that can be made to fail: only the first gateway and the first worker are killed."""

    scene: Scene
    gateways: list[Worker]
    workers: list[Worker]
    post: Post


Trouble = Callable[[Site, float], AbstractAsyncContextManager[None]]


def _products(**fault: Any) -> Trouble:
    """A fault of the sandbox, in its own words."""

    @asynccontextmanager
    async def trouble(site: Site, seconds: float) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=site.scene.stage.origin) as client:
            (await client.post("/sandbox/faults", json=fault)).raise_for_status()
            await asyncio.sleep(seconds)
            yield
            (await client.delete("/sandbox/faults")).raise_for_status()

    return trouble


def _killed(chosen: Callable[[Site], Worker]) -> Trouble:
    """A process is killed; another one takes its place at once."""

    @asynccontextmanager
    async def trouble(site: Site, _seconds: float) -> AsyncIterator[None]:
        await asyncio.to_thread(chosen(site).kill)
        yield
        chosen(site).start()

    return trouble


@asynccontextmanager
async def _database_stopped(site: Site, _seconds: float) -> AsyncIterator[None]:
    await asyncio.to_thread(site.scene.embedded.stop)
    await asyncio.sleep(OUTAGE)
    yield
    await asyncio.to_thread(site.scene.embedded.start)


@asynccontextmanager
async def _backend_killed(site: Site, _seconds: float) -> AsyncIterator[None]:
    url = make_url(site.scene.url).set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(_BACKEND)
    yield


@asynccontextmanager
async def _no_mail(site: Site, seconds: float) -> AsyncIterator[None]:
    await site.post.close()
    await asyncio.sleep(seconds)
    yield
    await site.post.open()


TROUBLES: Mapping[str, Trouble] = {
    "Books answers 503": _products(kind="status", product="books", status=503),
    "a gateway is killed": _killed(lambda site: site.gateways[0]),
    "Books cuts its answers": _products(kind="cut", product="books"),
    "PostgreSQL is stopped": _database_stopped,
    "Books takes calls and never answers": _products(kind="black_hole", product="books"),
    "a worker is killed": _killed(lambda site: site.workers[0]),
    "a backend of PostgreSQL is killed": _backend_killed,
    "Books refuses for its budget": _products(kind="rate_limit", product="books", code=44),
    "answers to writes are lost": _products(kind="lost_answer", product="books", method="POST"),
    "the mail server is away": _no_mail,
    "the products send garbage": _products(kind="garbage"),
    "tokens cannot be renewed": _products(kind="token_error", product="accounts"),
}
"""Each ends when the block is left; what comes before `yield` is the trouble itself."""
