"""Gateways in this process that little time is given to, and tallies of what they do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from gateway.settings import Http, Settings
from tests.faults.aging import closed
from tests.faults.tally import WELL, Post, Tally
from tests.harness import Gateway, running
from tests.resolvers.office import Office

DEADLINE = 2.0


def hurried(settings: Settings, seconds: float = DEADLINE) -> Settings:
    """The settings with another deadline for requests."""
    return settings.model_copy(update={"http": Http(deadline_seconds=seconds)})


def asking(gateway: Gateway) -> Post:
    """The way to a gateway in this process."""

    async def post(person: str, body: dict[str, Any]) -> httpx.Response:
        return await gateway.post(person, body)

    return post


async def begun(gateway: Gateway) -> Tally:
    """The tally of a gateway that is well."""
    tally = Tally(asking(gateway), gateway.sandbox)
    await tally.begin()
    return tally


@asynccontextmanager
async def another(gateway: Gateway, seconds: float = DEADLINE) -> AsyncIterator[Gateway]:
    """A further gateway on the same database and sandbox."""
    async with running(hurried(gateway.settings, seconds), gateway.sandbox) as one:
        yield one


async def forget_tokens(gateway: Gateway) -> None:
    """Whoever starts now has to get tokens first."""
    async with Office(gateway).session() as session:
        await (await session.connection()).exec_driver_sql("UPDATE connections SET access_token = NULL")


async def survived(gateway: Gateway, tally: Tally) -> None:
    """Assert that it is well again soon, and that what was said is what is there, also after everything is repeated."""
    assert await tally.recovered() <= 10
    await closed(gateway, tally)
    verdict = tally.verdict()
    assert verdict == WELL
