"""HTTP for clients that do not take all the time in the world, nor all the room."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_BYTES = 64 * 1024
"""Of a request; uvicorn's parser would take as many as come."""


class TooLong(Exception):
    """The head of a request; uvicorn answers 400 and hangs up."""


class Prompt(HttpToolsProtocol):
    """Hangs up when the head of a request has not arrived in time, or is too long; uvicorn would wait without end."""

    def __init__(self, *, patience: float, **given: Any) -> None:
        """`patience` in seconds."""
        super().__init__(**given)
        self._patience = patience
        self._timer: asyncio.TimerHandle | None = None
        self._head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """End the wait with a whole head; begin another with the first bytes of the next one."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._cease()
        elif _is_over(before) and self.transport.get_protocol() is self:
            self._more(len(data))

    def on_headers_complete(self) -> None:
        """A whole head may have come at once."""
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            raise TooLong
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """The head is here; what follows is no longer HTTP."""
        self._cease()
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._cease()
        super().connection_lost(exc)

    def _more(self, count: int) -> None:
        """So many bytes of a head that is not whole yet."""
        self._head += count
        if self._head > HEAD_BYTES:
            self.transport.close()
        elif self._timer is None:
            self._wait()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self._patience, self.transport.close)

    def _cease(self) -> None:
        self._head = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_over(cycle: RequestResponseCycle | None) -> bool:
    return cycle is None or cycle.response_complete
