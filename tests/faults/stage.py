"""Gateways as processes of their own, on a PostgreSQL and a sandbox that only they use."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import psutil

from services.storage.embedded import Embedded
from tests.bench.processes import ROOT, answering, free_port
from tests.chaos.scene import ENDLESS, Crowd, Scene, scene, surroundings
from tests.faults.aging import settled
from tests.faults.tally import Tally

DEADLINE_SECONDS = 10
TOKEN_SECONDS = 6 * 3600
"""A token lasts for longer than any clock goes wrong here."""
NOBODY = Crowd(seats=0, users=0)
Disturbance = Callable[[], Awaitable[None]]
"""Returns when the fault has ended."""


@dataclass(frozen=True)
class Row:
    """What came of one fault; `recovered` in seconds after its end."""

    fault: str
    recovered: float = 0.0
    lost: int = 0
    twice: int = 0
    uncoded: int = 0
    told: str = ""
    note: str = ""

    @property
    def survived(self) -> bool:
        return self.recovered <= 10 and not (self.lost or self.twice or self.uncoded)


@dataclass
class Served:
    """A gateway process on one port, started again as often as wanted."""

    environment: Mapping[str, str]
    log: Path
    before: Sequence[str] = ()
    """What its command line begins with."""
    port: int = field(init=False)
    process: "subprocess.Popen[bytes]" = field(init=False)

    def __post_init__(self) -> None:
        self.port = free_port()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> None:
        """As a supervisor does it when it has ended."""
        command = [*self.before, sys.executable, "-m", "gateway", "serve"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own
                command,
                cwd=ROOT,
                env=surroundings({**self.environment, "GATEWAY_PORT": str(self.port)}),
                stdout=log,
                stderr=log,
            )

    async def start(self) -> None:
        """Return when it is ready."""
        self.launch()
        await answering(self.process, self.address)

    async def kill(self) -> None:
        """As the kernel does it."""
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def end(self, number: int = signal.SIGTERM) -> float:
        """Seconds that it took to end."""
        began = monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
            await asyncio.to_thread(self.process.wait, 60)
        return monotonic() - began


@dataclass
class Stage:
    """One organization, its sandbox and its database, for many faults."""

    scene: Scene
    url: str
    server: Embedded | None = None
    """Where it is nobody else's, and may be stopped."""

    @property
    def embedded(self) -> Embedded:
        assert self.server is not None
        return self.server

    @asynccontextmanager
    async def gateway(self, *before: str, **environment: str) -> AsyncIterator[Served]:
        """A gateway that is ready; `environment` beside the usual."""
        given = {
            **self.scene.environment,
            "GATEWAY_HTTP__DEADLINE_SECONDS": str(DEADLINE_SECONDS),
            **environment,
        }
        served = Served(given, self.scene.directory / "gateway.log", before)
        await served.start()
        try:
            yield served
        finally:
            await served.end(signal.SIGKILL)

    @asynccontextmanager
    async def asking(self, served: Served) -> AsyncIterator[Tally]:
        """Clients of a gateway that is well."""
        sandbox, issuer = self.scene.sandbox, self.scene.issuer
        issued = int(time.time()) - TOKEN_SECONDS
        token = sandbox.id_token("owner@demo.example", lifetime=TOKEN_SECONDS, iss=issuer, iat=issued)
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=served.address, timeout=DEADLINE_SECONDS + 10, limits=limits) as client:

            async def post(_person: str, body: dict[str, Any]) -> httpx.Response:
                return await client.post("/graphql", json=body, headers={"Authorization": f"Bearer {token}"})

            tally = Tally(post, sandbox)
            await tally.begin()
            yield tally

    async def disturbed(self, fault: str, served: Served, disturb: Disturbance) -> Row:
        """What comes of a fault while clients are at work."""
        async with self.asking(served) as tally:
            ended = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for work in (tally.read, tally.read, tally.write):
                    group.create_task(_busy(work, ended))
                await asyncio.sleep(0.5)
                try:
                    await disturb()
                    self.scene.sandbox.clear_faults()
                    recovered = await tally.recovered(within=60)
                finally:
                    ended.set()
            return await self.closed(fault, tally, recovered)

    async def closed(self, fault: str, tally: Tally, recovered: float, note: str = "") -> Row:
        """The row, after all has been looked up and repeated."""
        self.scene.sandbox.clear_faults()
        await settled(self.url, self.scene.assembly.services, tally)
        verdict = tally.verdict()
        for what in filter(None, (*verdict["uncoded"], verdict["denied"] and f"denied: {verdict['denied']}")):
            print(f"{fault}: {what}", file=sys.stderr)  # noqa: T201
        counted = {**dict(sorted(tally.codes.items())), "no answer": tally.silent}
        return Row(
            fault,
            recovered,
            lost=len(verdict["lost"]) + len(verdict["denied"]),
            twice=len(verdict["twice"]),
            uncoded=len(verdict["uncoded"]) + verdict["wrong"],
            told=", ".join(f"{what} {count}" for what, count in counted.items() if count),
            note=note or f"{len(tally.told)} writes",
        )


async def _busy(work: Callable[[], Awaitable[object]], ended: asyncio.Event) -> None:
    while not ended.is_set():
        await work()
        await asyncio.sleep(0.1)


@asynccontextmanager
async def staged(home: Path, name: str = "faults") -> AsyncIterator[Stage]:
    """Everything under `home`, which must not be there yet."""
    embedded = Embedded(home / "postgres")
    with embedded.running():
        url = embedded.ensure_database(name)
        async with scene(NOBODY, url, home / name, limits=ENDLESS) as one:
            yield Stage(one, url.replace("postgresql+psycopg", "postgresql"), embedded)


def backends(embedded: Embedded) -> list[psutil.Process]:
    """The server and all that work for it."""
    server = psutil.Process(int((embedded.data / "postmaster.pid").read_text().split("\n", 1)[0]))
    return [server, *server.children(recursive=True)]
