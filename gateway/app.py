"""The gateway as an ASGI application: what comes in where, and through what."""

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from gateway.http.answer import refused
from gateway.http.connecting import callback
from gateway.http.endpoint import ORGANIZATION_HEADER, Endpoint
from gateway.http.guard import Guard
from gateway.http.media import wants_events
from gateway.http.request_id import HEADER, RequestId
from gateway.http.webhooks import routes
from gateway.live.routes import connected
from gateway.live.stream import streamed
from gateway.observing.readiness import healthy, ready
from gateway.observing.telemetry import Telemetry
from gateway.process import Process
from gateway.settings import Settings
from gateway.wiring.consenting import CALLBACK
from services.errors import BadUserInput, GatewayError, NotFound
from services.sandbox import Sandbox

WELCOME_HEADERS = ("Authorization", "Content-Type", ORGANIZATION_HEADER, HEADER)


def create_app(
    settings: Settings, *, sandbox: Sandbox | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> Starlette:
    """The application on `settings.database_url`. `sandbox` stands in for Zoho; `transport` is the way to it."""
    telemetry = Telemetry.of(settings)
    process = Process(settings, sandbox, transport or (sandbox.transport() if sandbox else None), telemetry)
    return Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(Guard, https=settings.public_url.startswith("https:")),
            Middleware(RequestId, telemetry=telemetry),
            *_cross_origin(settings),
        ],
        exception_handlers={HTTPException: _coded},
        lifespan=process.lifespan,
    )


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
    if request.method != "HEAD" and wants_events(request.headers.get("accept")):
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


ROUTES = (
    Route("/graphql", _graphql, methods=["GET", "POST"]),
    WebSocketRoute("/graphql", connected),
    Route(CALLBACK, callback),
    *routes(),
    Route("/healthz", healthy),
    Route("/readyz", ready),
)
