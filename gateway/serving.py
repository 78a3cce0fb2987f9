"""Processes that run until they are stopped."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import cast

import httpx
import typer
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.datastructures import State

from gateway.app import create_app
from gateway.demo.sandbox import completed, open_sandbox
from gateway.http.listening import listening
from gateway.http.protocol import Prompt
from gateway.live.operations import Live
from gateway.observing.exposing import watched
from gateway.observing.readiness import Readiness
from gateway.observing.telemetry import Telemetry
from gateway.settings import Http, Settings
from gateway.welcome import welcome
from gateway.wiring.assembly import assembled, at_work, database_of
from gateway.wiring.upgrading import reached, upgraded
from services.observing import NOBODY
from services.records.copy import Copy
from services.storage import rights
from services.storage.embedded import Embedded
from services.storage.records import RecordPull

DATABASE = "gateway"
GIVES_WAY = 10
"""How nice a worker is to gateways on the same machine: users wait for these."""


IDLE_SECONDS = 75
"""Connections that nobody uses are closed after longer than proxies keep theirs: 60 seconds, most of them. Otherwise a
proxy sends a request on one that is just being closed."""
NEWEST = 50_000
"""Objects made and not freed, after which cyclic garbage is looked for among them: more than pages under way need."""


class Server(uvicorn.Server):
    """Says where it is once it answers, and cuts what would go on for ever when it is to end."""

    def __init__(self, config: uvicorn.Config, message: str, state: State) -> None:
        """`state` is the application's."""
        super().__init__(config)
        self._message = message
        self._state = state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            settle_down()
            typer.echo(self._message)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests end, and streams break off."""
        live: Live = self._state.live
        live.leaving.set()
        await super().shutdown(sockets)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; what was started for it stops with it. Raises `CannotListen`, `CannotUpgrade`."""
    _end_on_signals()
    with listening(settings.host, settings.port) as listener, with_database(completed(settings)) as complete:
        asyncio.run(_upgrade(complete))  # what is wrong with it is said here; uvicorn would show a traceback
        app = create_app(complete, sandbox=open_sandbox(settings) if settings.demo else None)
        message = welcome(settings, f"http://{settings.host}:{listener.getsockname()[1]}")
        with suppress(KeyboardInterrupt):
            Server(configured(app, settings.http), message, app.state).run(sockets=[listener])


def configured(app: Starlette, limits: Http) -> uvicorn.Config:
    """How uvicorn serves the gateway."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=cast(type[asyncio.Protocol], partial(Prompt, patience=limits.receive_seconds)),
        ws="websockets-sansio",
        ws_max_size=limits.body_bytes,
        ws_per_message_deflate=False,  # a thousand bytes could be a megabyte to read, from people nobody knows yet
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=round(limits.deadline_seconds),
    )


def work(settings: Settings) -> None:
    """Work on jobs until SIGINT or SIGTERM."""
    _end_on_signals()
    os.nice(GIVES_WAY)
    transport = open_sandbox(settings).transport() if settings.demo else None
    with with_database(completed(settings)) as complete, suppress(KeyboardInterrupt):
        asyncio.run(_work(complete, transport))


def upgrade(settings: Settings, role: str | None = None) -> None:
    """Bring the database up to date, and give a role what the gateway needs there; raises `rights.NotBound`."""
    with with_database(settings) as complete:
        asyncio.run(_upgrade(complete, role))


def on_records(
    settings: Settings, organization: str | None, work: Callable[[Copy, str], Awaitable[list[RecordPull]]]
) -> list[tuple[str, list[RecordPull]]]:
    """Work on the copy of one organization, or of each: (its name, how far each module has been read)."""
    transport = open_sandbox(settings).transport() if settings.demo else None

    async def run(complete: Settings) -> list[tuple[str, list[RecordPull]]]:
        async with assembled(complete, transport) as assembly:
            directory, copy = assembly.services.directory, assembly.services.copy
            chosen = [organization] if organization else await directory.organizations()
            return [((await directory.organization(one)).name, await work(copy, one)) for one in chosen]

    with with_database(completed(settings)) as complete:
        return asyncio.run(run(complete))


@contextmanager
def with_database(settings: Settings) -> Iterator[Settings]:
    """The settings with the address of a running database: theirs, or an embedded one that runs within the block."""
    if settings.database_url:
        with reached():
            yield settings
        return
    with Embedded(settings.data / "postgres").running() as embedded:
        url = embedded.ensure_database(DATABASE)
        yield settings.model_copy(update={"database_url": SecretStr(url)})


def settle_down() -> None:
    """What is there by now stays: the collector of cyclic garbage need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEWEST)


def _end_on_signals() -> None:
    """Unwind, where the default would end the process with PostgreSQL left running."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit())


async def _upgrade(settings: Settings, role: str | None = None) -> None:
    async with database_of(settings) as database:
        await upgraded(database)
        if role:
            async with database.session() as session:
                await rights.grant(session, role)


async def _work(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> None:
    telemetry = Telemetry.of(settings)
    async with (
        telemetry or nullcontext(),
        assembled(settings, transport, telemetry.observing if telemetry else NOBODY) as assembly,
        at_work(assembly) as jobs,
        watched(settings, telemetry, Readiness(assembly.database, lambda: False), assembly),
    ):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _current().cancel)
        with suppress(asyncio.CancelledError):
            await jobs.work()


def _current() -> asyncio.Task[None]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("there is no task")
    return task
