"""A fresh sandbox for every test: a copy in memory of a file that each worker fills once."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from services.sandbox import Sandbox


class Clock:
    """The real time, and whatever a test has added to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sandbox") / "sandbox.db"
    Sandbox(path).close()
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(seeded: Path, clock: Clock) -> Iterator[Sandbox]:
    sandbox = Sandbox.copy_of(seeded, now=clock)
    yield sandbox
    sandbox.close()


@pytest_asyncio.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=sandbox.transport()) as client:
        yield client


@pytest.fixture
def bearing(sandbox: Sandbox) -> Callable[..., dict[str, str]]:
    """Headers of a person: `bearing("staff@demo.example")`, with the scopes given or all."""

    def headers(email: str, *scopes: str) -> dict[str, str]:
        token = sandbox.access_token(email, ",".join(scopes)) if scopes else sandbox.access_token(email)
        return {"Authorization": f"Zoho-oauthtoken {token}"}

    return headers
