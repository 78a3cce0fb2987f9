"""What a serving process is built from while it runs, and in which order."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import httpx
from starlette.applications import Starlette

from gateway.commands.hooking import hooked
from gateway.demo.people import set_up
from gateway.http.authentication import Authentication
from gateway.http.connecting import consents
from gateway.http.door import Door
from gateway.http.endpoint import Endpoint
from gateway.http.origin import origin_of
from gateway.http.webhooks import Webhooks
from gateway.limits.bill import PUBLISHED, SIZES
from gateway.limits.examination import Examination
from gateway.live.routes import live_on
from gateway.observing.exposing import watched
from gateway.observing.readiness import Readiness
from gateway.observing.telemetry import Telemetry
from gateway.plans import Plans
from gateway.settings import Http, Settings
from gateway.trusted.trust import Trust
from gateway.wiring.assembly import Assembly, assembled, database_of, working
from resolvers.pagination import MOST_FIRST
from schema import schema
from schema.limits import weights
from schema.lookups import lookups
from services.observing import NOBODY, Tracer
from services.pace import Pace
from services.sandbox import Sandbox
from services.storage.engine import Database
from services.trusted import Trusted


@dataclass(frozen=True)
class Process:
    """One that serves the application; `sandbox` stands in for Zoho, `transport` is the way to it."""

    settings: Settings
    sandbox: Sandbox | None
    transport: httpx.AsyncBaseTransport | None
    telemetry: Telemetry | None

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """From the database to the first request; closed in reverse."""
        settings, telemetry = self.settings, self.telemetry
        observing = telemetry.observing if telemetry else NOBODY
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(telemetry or nullcontext())
            assembly = await stack.enter_async_context(assembled(settings, self.transport, observing))
            pace = await stack.enter_async_context(_paced(settings))
            if self.sandbox:
                await set_up(assembly.services.credentials, assembly.services.directory, self.sandbox)
            plans = _plans(settings, observing.tracer)
            app.state.endpoint = self._endpoint(assembly, plans, pace)
            live = app.state.live = live_on(app.state.endpoint, settings.live)
            app.state.readiness = readiness = Readiness(assembly.database, live.leaving.is_set)
            app.state.consents = consents(settings, assembly)
            app.state.webhooks = Webhooks(settings.keys, assembly.jobs, settings.http)
            for begun in self._working(app, assembly):
                await stack.enter_async_context(begun)
            exposition = watched(settings, telemetry, readiness, assembly, plans=plans, live=live)
            app.state.metrics_port = await stack.enter_async_context(exposition)
            yield

    def _endpoint(self, assembly: Assembly, plans: Plans | None, pace: Pace) -> Endpoint:
        settings = self.settings
        if settings.openid is None:
            raise ValueError("the settings are not complete")
        return Endpoint(
            assembly.services,
            Authentication(settings.openid, assembly.client.fetch),
            _completed(settings, demo=self.sandbox is not None),
            plans=plans,
            telemetry=self.telemetry,
            examination=_examination(settings),
            most_errors=settings.limits.errors,
            door=Door(settings.limits, pace),
            trust=_trust(settings, assembly.database),
        )

    def _working(self, app: Starlette, assembly: Assembly) -> tuple[AbstractAsyncContextManager[Any], ...]:
        """Jobs, worked on here or only given; and the demo's webhooks, which are jobs."""
        if not self.settings.jobs.inside:
            return (assembly.jobs.open(),)
        if not self.sandbox:
            return (working(assembly),)
        return working(assembly), hooked(app, self.settings, assembly.services.credentials, self.sandbox)


def _plans(settings: Settings, tracer: Tracer | None) -> Plans | None:
    how = settings.execution
    if not how.plans:
        return None
    return Plans(
        schema,
        documents=how.documents,
        variants=how.variants,
        mistakes=settings.limits.errors,
        tracer=tracer,
    )


def _completed(settings: Settings, *, demo: bool) -> Http:
    """What nobody has wished otherwise; our own pages are known by the address under which browsers find us."""
    given = settings.http
    wishes = {
        "graphiql": given.has_page(demo=demo),
        "introspection": given.introspection or ("everyone" if demo else "administrators"),
        "origins": (*given.origins, origin_of(settings.public_url)),
    }
    return given.model_copy(update=wishes)


def _examination(settings: Settings) -> Examination:
    sizes = replace(SIZES, largest_page=MOST_FIRST)
    most = settings.execution.documents
    points, calls = weights(PUBLISHED), lookups(PUBLISHED)
    return Examination(PUBLISHED, settings.limits, sizes=sizes, points=points, calls=calls, most=most)


def _trust(settings: Settings, database: Database) -> Trust:
    how = settings.documents
    trusted = Trusted(database, remembered=how.remembered, seconds=how.remembered_seconds)
    return Trust(trusted, only=how.only)


@asynccontextmanager
async def _paced(settings: Settings) -> AsyncIterator[Pace]:
    """On a connection of its own: a request is not counted late because others wait for theirs."""
    async with database_of(settings, pool_size=1) as database:
        pace = Pace(database, settings.limits.per_minute)
        try:
            yield pace
        finally:
            await pace.aclose()
