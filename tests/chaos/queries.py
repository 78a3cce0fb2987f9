"""How long users' queries take while everybody is migrated, against before: a gateway process beside the workers."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import httpx

from tests.bench.processes import answering, free_port
from tests.chaos.scene import Plan, Scene, Worker
from tests.load.figures import percentile

QUERY = (
    "{ viewer { name access { kind } } invoices(first: 10) { nodes { number total { amount } customer { name } } } }"
)
A_SECOND = 10
CALM_SECONDS = 20.0
ASKING = 8
"""Members of the crowd who keep asking."""


@dataclass(frozen=True)
class Waits:
    """Seconds that each query took, and how many were not answered with data."""

    seconds: Sequence[float]
    failed: int

    def percentile(self, part: float) -> float:
        """The wait that this part of the queries stayed below, in seconds."""
        return percentile(self.seconds, part)


async def measured(scene: Scene) -> tuple[Waits, Waits]:
    """The waits before and during a migration of everybody."""
    async with _gateway(scene) as client:
        tokens = [scene.sandbox.id_token(f"user{number:04}@demo.example", iss=scene.issuer) for number in range(ASKING)]
        ended = asyncio.Event()
        asyncio.get_running_loop().call_later(CALM_SECONDS, ended.set)
        calm = await _asked(client, tokens, ended)
        ended = asyncio.Event()
        asking = asyncio.create_task(_asked(client, tokens, ended))
        await scene.migrate(Plan())
        ended.set()
        return calm, await asking


async def _asked(client: httpx.AsyncClient, tokens: Sequence[str], ended: asyncio.Event) -> Waits:
    """Ask at random moments, whether earlier questions have been answered or not."""
    chance, seconds, failures = random.Random(7), list[float](), list[bool]()

    async def ask(token: str) -> None:
        began = monotonic()
        response = await client.post("/graphql", json={"query": QUERY}, headers={"Authorization": f"Bearer {token}"})
        seconds.append(monotonic() - began)
        failures.append("invoices" not in (response.json().get("data") or {}))

    async with asyncio.TaskGroup() as group:
        while not ended.is_set():
            group.create_task(ask(chance.choice(tokens)))
            await asyncio.sleep(chance.expovariate(A_SECOND))
    return Waits(seconds, sum(failures))


@asynccontextmanager
async def _gateway(scene: Scene) -> AsyncIterator[httpx.AsyncClient]:
    port = free_port()
    gateway = Worker(scene.environment | {"GATEWAY_PORT": str(port)}, scene.directory / "gateway.log", "serve")
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            await answering(gateway.process, str(client.base_url), "/healthz")
            yield client
    finally:
        await asyncio.to_thread(gateway.end)
