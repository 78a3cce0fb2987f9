"""The gateway as an ASGI application: what it is built from, and in which order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from gateway.answer import refused
from gateway.assembly import assembled, working
from gateway.authentication import Authentication
from gateway.connecting import callback, consents
from gateway.consenting import CALLBACK
from gateway.demo_people import set_up
from gateway.endpoint import ORGANIZATION_HEADER, Endpoint
from gateway.hooking import hooked
from gateway.live.routes import connected, live_on
from gateway.live.stream import streamed
from gateway.media import wants_events
from gateway.plans import Plans
from gateway.request_id import HEADER, RequestId
from gateway.settings import Settings
from gateway.webhooks import Webhooks, routes
from schema import schema
from services.errors import BadUserInput, GatewayError, NotFound
from services.sandbox import Sandbox

WELCOME_HEADERS = ("Authorization", "Content-Type", ORGANIZATION_HEADER, HEADER)


def create_app(
    settings: Settings, *, sandbox: Sandbox | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> Starlette:
    """The application on `settings.database_url`. `sandbox` stands in for Zoho; `transport` is the way to it."""
    if settings.openid is None:
        raise ValueError("the settings are not complete")
    openid = settings.openid
    transport = transport or (sandbox.transport() if sandbox else None)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with assembled(settings, transport) as assembly:
            services = assembly.services
            if sandbox:
                await set_up(services.credentials, services.directory, sandbox)
            authentication = Authentication(openid, assembly.client.fetch)
            app.state.endpoint = Endpoint(services, authentication, settings.http, plans=_plans(settings))
            app.state.live = live_on(app.state.endpoint, settings.live)
            app.state.consents = consents(settings, assembly)
            app.state.webhooks = Webhooks(settings.keys, assembly.jobs, settings.http)
            working_here = settings.jobs.inside
            hooks = hooked(app, settings, services.credentials, sandbox) if sandbox and working_here else nullcontext()
            async with working(assembly) if working_here else assembly.jobs.open(), hooks:
                yield

    return Starlette(
        routes=[
            Route("/graphql", _graphql, methods=["GET", "POST"]),
            WebSocketRoute("/graphql", connected),
            Route(CALLBACK, callback),
            *routes(),
            Route("/healthz", _healthy),
        ],
        middleware=[Middleware(RequestId), *_cross_origin(settings)],
        exception_handlers={HTTPException: _coded},
        lifespan=lifespan,
    )


def _plans(settings: Settings) -> Plans | None:
    how = settings.execution
    return Plans(schema, documents=how.documents, variants=how.variants) if how.plans else None


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


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _coded(_: Request, error: Exception) -> Response:
    """The refusals of the router, in the shape of all others."""
    if not isinstance(error, HTTPException):
        raise TypeError from error
    told: GatewayError = NotFound("There is nothing here.") if error.status_code == 404 else BadUserInput(error.detail)  # noqa: PLR2004
    response = refused(told, status=error.status_code)
    response.headers.update(error.headers or {})
    return response
