"""Processes that run until they are stopped."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import cast

import httpx
import typer
import uvicorn
from pydantic import SecretStr

from gateway.app import create_app
from gateway.assembly import assembled, database_of
from gateway.demo import completed, open_sandbox
from gateway.protocol import Prompt
from gateway.settings import Settings
from gateway.welcome import welcome
from services.storage.embedded import Embedded

DATABASE = "gateway"


class CannotListen(RuntimeError):
    """Another process has the port."""


class Server(uvicorn.Server):
    """Says where it is once it answers."""

    def __init__(self, config: uvicorn.Config, message: str) -> None:
        super().__init__(config)
        self._message = message

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            typer.echo(self._message)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; what was started for it stops with it."""
    _end_on_signals()
    with listening(settings.host, settings.port) as listener, with_database(completed(settings)) as complete:
        config = uvicorn.Config(
            create_app(complete, sandbox=open_sandbox(settings) if settings.demo else None),
            loop="uvloop",
            http=cast(type[asyncio.Protocol], partial(Prompt, patience=settings.http.receive_seconds)),
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=round(settings.http.deadline_seconds),
        )
        message = welcome(settings, f"http://{settings.host}:{listener.getsockname()[1]}")
        with suppress(KeyboardInterrupt):
            Server(config, message).run(sockets=[listener])


def work(settings: Settings) -> None:
    """Work on jobs until SIGINT or SIGTERM."""
    _end_on_signals()
    transport = open_sandbox(settings).transport() if settings.demo else None
    with with_database(completed(settings)) as complete, suppress(KeyboardInterrupt):
        asyncio.run(_work(complete, transport))


def upgrade(settings: Settings) -> None:
    """Bring the database up to date."""
    with with_database(settings) as complete:
        asyncio.run(_upgrade(complete))


@contextmanager
def with_database(settings: Settings) -> Iterator[Settings]:
    """The settings with the address of a running database: theirs, or an embedded one that runs within the block."""
    if settings.database_url:
        yield settings
        return
    with Embedded(settings.data / "postgres").running() as embedded:
        url = embedded.ensure_database(DATABASE)
        yield settings.model_copy(update={"database_url": SecretStr(url)})


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket to serve on, taken before anything else is started; raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(f"Cannot listen on {host}:{port}: {error.strerror}. Is it being served already?") from error
    with listener:
        yield listener


def _end_on_signals() -> None:
    """Unwind, where the default would end the process with PostgreSQL left running."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit())


async def _upgrade(settings: Settings) -> None:
    async with database_of(settings) as database:
        await database.upgrade()


async def _work(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> None:
    async with assembled(settings, transport) as assembly, assembly.jobs.open():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _current().cancel)
        with suppress(asyncio.CancelledError):
            await assembly.jobs.work()


def _current() -> asyncio.Task[None]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("there is no task")
    return task
