"""The address for those who watch: /metrics, /plans, /healthz and /readyz, apart from the one for users."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import msgspec
import structlog
import uvicorn
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.listening import listening
from gateway.live.operations import Live
from gateway.observing.gauges import Gauges
from gateway.observing.metrics import Metrics
from gateway.observing.readiness import PATIENCE_SECONDS, Readiness, healthy, ready
from gateway.observing.telemetry import Telemetry
from gateway.plans import Plans
from gateway.settings import Metrics as Options
from gateway.settings import Settings
from gateway.wiring.assembly import Assembly
from services.storage.engine import Database
from services.storage.failures import FAILURES
from services.storage.queues import Queues

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Exposition:
    """Everything that Prometheus is told."""

    metrics: Metrics
    gauges: Gauges
    readiness: Readiness
    database: Database

    async def text(self) -> bytes:
        """The metrics; without those of the database while it is away."""
        self.gauges.checks = await self.readiness.checks()
        self.gauges.queues = await self._queues()
        return generate_latest(self.metrics.registry)

    async def _queues(self) -> Queues | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await Queues.read(self.database)
        except FAILURES:
            return None


def watched_app(exposition: Exposition) -> Starlette:
    """The application of the address."""

    async def metrics(_: Request) -> Response:
        return Response(await exposition.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def plans(_: Request) -> Response:
        kept = exposition.gauges.plans
        return Response(msgspec.json.encode([*kept.report()] if kept else []), media_type="application/json")

    routes = [
        Route("/metrics", metrics),
        Route("/plans", plans),
        Route("/healthz", healthy),
        Route("/readyz", ready),
    ]
    app = Starlette(routes=routes)
    app.state.readiness = exposition.readiness
    return app


@asynccontextmanager
async def watched(
    settings: Settings,
    telemetry: Telemetry | None,
    readiness: Readiness,
    assembly: Assembly,
    *,
    plans: Plans | None = None,
    live: Live | None = None,
) -> AsyncIterator[int | None]:
    """Serve the metrics of a process within the block, if there are any: on which port.

    A worker has neither plans nor live operations.
    """
    if telemetry is None or telemetry.metrics is None:
        yield None
        return
    gauges = Gauges(assembly.client.budget, assembly.memories, assembly.pools, plans, live)
    exposition = Exposition(telemetry.metrics, gauges, readiness, assembly.database)
    async with exposed(exposition, settings.metrics) as port:
        yield port


@asynccontextmanager
async def exposed(exposition: Exposition, options: Options) -> AsyncIterator[int]:
    """Serve it within the block, in this process; where. Raises `CannotListen`."""
    exposition.metrics.add(exposition.gauges)
    with listening(options.host, options.port or 0) as listener:
        server = _Beside(_configured(watched_app(exposition)))
        task = asyncio.create_task(server.serve(sockets=[listener]), name="metrics")
        port: int = listener.getsockname()[1]
        log.info("metrics are served", host=options.host, port=port)
        try:
            yield port
        finally:
            server.should_exit = True
            await task


def _configured(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )


class _Beside(uvicorn.Server):
    """Leaves the signals to the process's own server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
