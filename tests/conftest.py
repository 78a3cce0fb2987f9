"""PostgreSQL for every test, and a running gateway for those that come through the front door.

The demo is set up once. Every gateway then works on a copy of it: a database made from a template, a sandbox in memory.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from services.sandbox import Sandbox
from services.storage.embedded import Embedded
from tests.harness import Ask, Demo, Gateway, alone, drop, set_up


def pytest_configure() -> None:
    """What is logged shows no locals beside a traceback: to print them takes seconds, in which nothing else happens."""
    *others, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*others, plain])


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory for a test's processes: another account's PostgreSQL may enter it, as it may not pytest's own."""
    with tempfile.TemporaryDirectory(prefix="gateway-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[str]:
    """The address of a PostgreSQL server: DATABASE_URL's, or an embedded one that all workers and runs share.

    It begins empty when nobody uses it. (Not under pytest's directory, which only its owner may enter.)
    """
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    data = pytestconfig.rootpath / "var" / "tests" / "postgres"
    embedded = Embedded(data, durable=False)
    with alone(data.with_name("tests.lock")):
        if not (data / "postmaster.pid").exists():
            shutil.rmtree(data, ignore_errors=True)
        embedded.start()
    yield embedded.url()
    embedded.stop()


@pytest.fixture(scope="session")
async def demo(shared: Path, server: str) -> AsyncIterator[Demo]:
    """The demo: set up by the first worker that needs it, dropped by the last."""
    users = shared / "demo.users"
    with alone(shared / "demo.lock"):
        template, count = users.read_text().split() if users.exists() else (f"tests_{secrets.token_hex(4)}", "0")
        demo = Demo(server, template, shared / template / "sandbox.db")
        if count == "0":
            await set_up(demo)
        users.write_text(f"{template} {int(count) + 1}")
    yield demo
    with alone(shared / "demo.lock"):
        left = int(users.read_text().split()[1]) - 1
        users.write_text(f"{template} {left}")
        if not left:
            users.unlink()
            drop(server, template)


@pytest.fixture(scope="session")
async def shared_gateway(demo: Demo) -> AsyncIterator[Gateway]:
    """The gateway that a worker's tests share."""
    async with demo.gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway: Gateway) -> Iterator[Gateway]:
    """The shared gateway. A test that needs the log to itself, or changes the demo, takes `own_gateway`."""
    yield shared_gateway
    shared_gateway.sandbox.clear_faults()
    assert shared_gateway.witness.strangers == []


@pytest.fixture
async def own_gateway(demo: Demo) -> AsyncIterator[Gateway]:
    """A gateway, database and sandbox for one test alone: for faults, budgets, and changes of who may do what."""
    async with demo.gateway() as gateway:
        yield gateway
        assert gateway.witness.strangers == []


@pytest.fixture
def ask(gateway: Gateway) -> Ask:
    """`await ask("staff", "{ viewer { email } }", variable=…)`: the decoded answer of the shared gateway."""
    return gateway.ask


@pytest.fixture
def sandbox(gateway: Gateway) -> Sandbox:
    """The sandbox behind the shared gateway."""
    return gateway.sandbox
