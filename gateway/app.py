"""The gateway as an ASGI application: what it is built from, and in which order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from gateway.answer import refused
from gateway.assembly import assembled, database_of, working
from gateway.authentication import Authentication
from gateway.connecting import callback, consents
from gateway.consenting import CALLBACK
from gateway.cost import Sizes
from gateway.demo_people import set_up
from gateway.door import Door
from gateway.endpoint import ORGANIZATION_HEADER, Endpoint
from gateway.examination import Examination
from gateway.exposing import watched
from gateway.guard import Guard
from gateway.hooking import hooked
from gateway.live.routes import connected, live_on
from gateway.live.stream import streamed
from gateway.media import wants_events
from gateway.origin import origin_of
from gateway.plans import Plans
from gateway.readiness import Readiness, healthy, ready
from gateway.request_id import HEADER, RequestId
from gateway.settings import Http, Settings
from gateway.telemetry import Telemetry
from gateway.trust import Trust
from gateway.webhooks import Webhooks, routes
from resolvers.pagination import MOST_FIRST
from schema import schema
from schema.limits import UNPAGED
from schema.lookups import lookups
from services.errors import BadUserInput, GatewayError, NotFound
from services.observing import NOBODY, Tracer
from services.pace import Pace
from services.sandbox import Sandbox
from services.storage.engine import Database
from services.trusted import Trusted

WELCOME_HEADERS = ("Authorization", "Content-Type", ORGANIZATION_HEADER, HEADER)


def create_app(
    settings: Settings, *, sandbox: Sandbox | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> Starlette:
    """The application on `settings.database_url`. `sandbox` stands in for Zoho; `transport` is the way to it."""
    if settings.openid is None:
        raise ValueError("the settings are not complete")
    openid = settings.openid
    telemetry = Telemetry.of(settings)
    transport = transport or (sandbox.transport() if sandbox else None)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        observing = telemetry.observing if telemetry else NOBODY
        async with (
            telemetry or nullcontext(),
            assembled(settings, transport, observing) as assembly,
            _paced(settings) as pace,
        ):
            services = assembly.services
            if sandbox:
                await set_up(services.credentials, services.directory, sandbox)
            authentication = Authentication(openid, assembly.client.fetch)
            plans = _plans(settings, observing.tracer)
            app.state.endpoint = Endpoint(
                services,
                authentication,
                _completed(settings, demo=sandbox is not None),
                plans=plans,
                telemetry=telemetry,
                examination=_examination(settings),
                most_errors=settings.limits.errors,
                door=Door(settings.limits, pace),
                trust=_trust(settings, assembly.database),
            )
            live = app.state.live = live_on(app.state.endpoint, settings.live)
            app.state.readiness = readiness = Readiness(assembly.database, live.leaving.is_set)
            app.state.consents = consents(settings, assembly)
            app.state.webhooks = Webhooks(settings.keys, assembly.jobs, settings.http)
            working_here = settings.jobs.inside
            hooks = hooked(app, settings, services.credentials, sandbox) if sandbox and working_here else nullcontext()
            exposition = watched(settings, telemetry, readiness, assembly, plans=plans, live=live)
            async with (
                working(assembly) if working_here else assembly.jobs.open(),
                hooks,
                exposition as app.state.metrics_port,
            ):
                yield

    return Starlette(
        routes=[
            Route("/graphql", _graphql, methods=["GET", "POST"]),
            WebSocketRoute("/graphql", connected),
            Route(CALLBACK, callback),
            *routes(),
            Route("/healthz", healthy),
            Route("/readyz", ready),
        ],
        middleware=[
            Middleware(Guard, https=settings.public_url.startswith("https:")),
            Middleware(RequestId, telemetry=telemetry),
            *_cross_origin(settings),
        ],
        exception_handlers={HTTPException: _coded},
        lifespan=lifespan,
    )


def _plans(settings: Settings, tracer: Tracer | None) -> Plans | None:
    how = settings.execution
    if not how.plans:
        return None
    mistakes = settings.limits.errors
    return Plans(schema, documents=how.documents, variants=how.variants, mistakes=mistakes, tracer=tracer)


def _completed(settings: Settings, *, demo: bool) -> Http:
    """What nobody has wished otherwise; our own pages are known by the address under which browsers find us."""
    given = settings.http
    wishes = {
        "graphiql": demo if given.graphiql is None else given.graphiql,
        "introspection": given.introspection or ("everyone" if demo else "administrators"),
        "origins": (*given.origins, origin_of(settings.public_url)),
    }
    return given.model_copy(update=wishes)


def _examination(settings: Settings) -> Examination:
    sizes, published = Sizes(largest_page=MOST_FIRST, unpaged=UNPAGED), schema._schema  # noqa: SLF001
    most = settings.execution.documents
    return Examination(published, settings.limits, sizes=sizes, calls=lookups(published), most=most)


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


def _cross_origin(settings: Settings) -> list[Middleware]:
    if not settings.http.origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.http.origins,
            allow_methods=["GET", "POST"],
            allow_headers=WELCOME_HEADERS,
            expose_headers=[HEADER],
        )
    ]


async def _graphql(request: Request) -> Response:
    if wants_events(request.headers.get("accept")):
        return await streamed(request, request.app.state.live)
    endpoint: Endpoint = request.app.state.endpoint
    return await endpoint(request)


async def _coded(_: Request, error: Exception) -> Response:
    """The refusals of the router, in the shape of all others."""
    if not isinstance(error, HTTPException):
        raise TypeError from error
    told: GatewayError = NotFound("There is nothing here.") if error.status_code == 404 else BadUserInput(error.detail)  # noqa: PLR2004
    response = refused(told, status=error.status_code)
    response.headers.update(error.headers or {})
    return response
