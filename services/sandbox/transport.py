"""The sandbox for a client in the same process: httpx without a network, faults as httpx's errors."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from services.sandbox.app import App
from services.sandbox.errors import Broken
from services.sandbox.faults import Cut, Faults


class Transport(httpx.AsyncBaseTransport):
    def __init__(self, app: App, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._late: set[asyncio.Task[Response]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        patience = request.extensions.get("timeout", {}).get("read")
        try:
            response = await self._answer(_request(request, body), patience)
        except Broken as broken:
            raise await _error(broken, request, patience) from broken
        if isinstance(response, Cut):
            return httpx.Response(response.status_code, headers=response.raw_headers, stream=_Half(response.half))
        return httpx.Response(response.status_code, headers=response.raw_headers, content=bytes(response.body))

    async def aclose(self) -> None:
        for task in self._late:
            task.cancel()

    async def _answer(self, request: Request, patience: float | None) -> Response:
        """Under faults the sandbox goes on when the client has given up, as a server does."""
        if not self._faults:
            return await self._app.answer(request)
        task = asyncio.create_task(self._app.answer(request))
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        done, _ = await asyncio.wait({task}, timeout=patience)
        if not done:
            raise Broken("silence")
        return task.result()


class _Half(httpx.AsyncByteStream):
    def __init__(self, half: bytes) -> None:
        self._half = half

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._half
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


async def _error(broken: Broken, request: httpx.Request, patience: float | None) -> httpx.TransportError:
    if broken.how == "black_hole":
        await (asyncio.Event().wait() if patience is None else asyncio.sleep(patience))
    error, message = _ERRORS[broken.how]
    return error(message, request=request)


_ERRORS: dict[str, tuple[type[httpx.TransportError], str]] = {
    "refuse": (httpx.ConnectError, "Connection refused"),
    "black_hole": (httpx.ReadTimeout, "The read operation timed out"),
    "silence": (httpx.ReadTimeout, "The read operation timed out"),
    "hang_up": (httpx.RemoteProtocolError, "Server disconnected without sending a response."),
}


def _request(request: httpx.Request, body: bytes) -> Request:
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 0),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)
