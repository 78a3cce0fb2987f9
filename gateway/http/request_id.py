"""The number under which a request is found again: in its answer, in the log, in the audit."""

import re
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.answer import internal, refused
from gateway.observing.metrics import known_path
from gateway.observing.telemetry import Telemetry

HEADER = "X-Request-Id"
PARENT = "traceparent"
"""W3C's header of a trace that a caller has begun."""
ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")
log = structlog.get_logger(__name__)


class RequestId:
    """Numbers every request, logs it, and masks what nobody foresaw.

    A caller's own number is kept when it is plain text of 8 to 64 characters.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry | None = None) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http":
            await self._numbered(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _numbered(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get(HEADER, "")
        number = given if ACCEPTABLE.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = number
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=number)
        answer = _Answer(send, number)
        started = perf_counter()
        try:
            await self._served(scope, receive, answer)
        except Exception as error:
            response = refused(internal(error, number))
            if answer.status:
                raise
            await response(scope, receive, answer)
        if self._telemetry is not None and self._telemetry.metrics is not None and answer.status:
            self._telemetry.metrics.answered(scope["path"], answer.status, answer.began - started)
        milliseconds = round((perf_counter() - started) * 1000, 1)
        log.info("request", method=scope["method"], path=scope["path"], status=answer.status, ms=milliseconds)

    async def _served(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        traces = None if self._telemetry is None else self._telemetry.traces
        if traces is None:
            await self._app(scope, receive, answer)
            return
        with traces.request(scope["method"], known_path(scope["path"]), Headers(scope=scope).get(PARENT)) as span:
            structlog.contextvars.bind_contextvars(trace_id=traces.id_of(span))
            await self._app(scope, receive, answer)
            span.set_attribute("http.response.status_code", answer.status)


class _Answer:
    """Passes an answer on with the number in its head."""

    def __init__(self, send: Send, number: str) -> None:
        self._send = send
        self._number = number
        self.status = 0
        self.began = 0.0
        """When its head was sent, by `perf_counter`."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.began = perf_counter()
            MutableHeaders(scope=message)[HEADER] = self._number
        await self._send(message)
