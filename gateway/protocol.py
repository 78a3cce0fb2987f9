"""HTTP for clients that do not take all the time in the world."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle


class Prompt(H11Protocol):
    """Hangs up when the head of a request has not arrived in time; uvicorn would wait for it without end."""

    def __init__(self, *, patience: float, **given: Any) -> None:
        """`patience` in seconds."""
        super().__init__(**given)
        self._patience = patience
        self._timer: asyncio.TimerHandle | None = None

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
        elif self._timer is None and _is_over(before) and self.transport.get_protocol() is self:
            self._wait()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """The head is here; what follows is no longer HTTP."""
        self._cease()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._cease()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self._patience, self.transport.close)

    def _cease(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_over(cycle: RequestResponseCycle | None) -> bool:
    return cycle is None or cycle.response_complete
