"""The number under which a request is found again: in its answer, in the log, in the audit."""

import re
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.answer import internal, refused

HEADER = "X-Request-Id"
ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")
log = structlog.get_logger(__name__)


class RequestId:
    """Numbers every request, logs it, and masks what nobody foresaw.

    A caller's own number is kept when it is plain text of 8 to 64 characters.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

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
            await self._app(scope, receive, answer)
        except Exception as error:
            response = refused(internal(error, number))
            if answer.status:
                raise
            await response(scope, receive, answer)
        milliseconds = round((perf_counter() - started) * 1000, 1)
        log.info("request", method=scope["method"], path=scope["path"], status=answer.status, ms=milliseconds)


class _Answer:
    """Passes an answer on with the number in its head."""

    def __init__(self, send: Send, number: str) -> None:
        self._send = send
        self._number = number
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)[HEADER] = self._number
        await self._send(message)
