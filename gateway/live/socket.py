"""GraphQL over WebSocket: the protocol graphql-transport-ws.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, aclosing, nullcontext, suppress
from enum import IntEnum
from typing import Annotated, Any
from uuid import uuid4

import msgspec
import structlog
from msgspec import Meta, Struct
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway.http.answer import PASSING, internal
from gateway.http.door import EVERYONE
from gateway.http.endpoint import ORGANIZATION_HEADER, Ticket
from gateway.http.operation import Malformed, Operation, decoded
from gateway.http.request_id import PARENT
from gateway.live.operations import Ended, Interrupted, Live, SignedOut
from services.errors import GatewayError, Unauthenticated

PROTOCOL = "graphql-transport-ws"
REASON_BYTES = 123
"""What a closing frame has room for."""
SPARE = 20
"""Operations of one socket beyond those that a user may have: while so many more wait for their last word to be sent,
nothing further is read."""


class Code(IntEnum):
    """Why a socket is closed; the protocol's numbers, and WebSocket's own below 4000."""

    INTERNAL = 1011
    """Clients do not come back."""
    TRY_AGAIN_LATER = 1013
    MALFORMED = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    """Come back with another token; clients do so by themselves."""
    NO_COMMON_PROTOCOL = 4406
    INITIALISATION_TIMEOUT = 4408
    SUBSCRIBER_ALREADY_EXISTS = 4409
    TOO_MANY_INITIALISATIONS = 4429


class Close(Exception):
    """The socket is to be closed."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Init(Struct, tag_field="type", tag="connection_init"):
    """The first message. `payload` holds what would stand in a head: authorization, or the bare token."""

    payload: dict[str, Any] | None = None


class Ping(Struct, tag_field="type", tag="ping"):
    """A question whether the other side is there."""

    payload: dict[str, Any] | None = None


class Pong(Struct, tag_field="type", tag="pong"):
    """Its answer."""

    payload: dict[str, Any] | None = None


UNACCEPTABLE = (Code.NO_COMMON_PROTOCOL, f"Subprotocol not acceptable: speak {PROTOCOL}")
Id = Annotated[str, Meta(min_length=1, max_length=256)]


class Subscribe(Struct, tag_field="type", tag="subscribe"):
    """Begin an operation."""

    id: Id
    payload: dict[str, Any]


class Complete(Struct, tag_field="type", tag="complete"):
    """No more of an operation."""

    id: Id


Incoming = Init | Ping | Pong | Subscribe | Complete


class Socket:
    """One connection, from its handshake to its end."""

    def __init__(self, socket: WebSocket, live: Live) -> None:
        self._socket = socket
        self._live = live
        self._operations: dict[str, asyncio.Task[None]] = {}
        """By their ids, which are free again when all but the last word is said."""
        self._running: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Talk until one side has had enough."""
        offered = PROTOCOL in self._socket.scope.get("subprotocols", ())
        await self._socket.accept(PROTOCOL if offered else None)
        try:
            await self._talk() if offered else await self._close(*UNACCEPTABLE)
        except Close as close:
            await self._close(close.code, close.reason)
        except WebSocketDisconnect:
            pass
        except Exception as error:  # noqa: BLE001 - the client is told as much as over HTTP
            fault = internal(error, uuid4().hex)
            await self._close(Code.TRY_AGAIN_LATER if isinstance(fault, PASSING) else Code.INTERNAL, fault.message)
        finally:
            await self._end_all()

    async def _talk(self) -> None:
        try:
            with self._live.strangers.one(EVERYONE):
                ticket = await self._initialised()
                viewer, _ = await self._live.admit(ticket)
            with self._live.sockets.one(viewer.id):
                await self._send("connection_ack")
                async with aclosing(self._messages()) as messages:
                    async for message in messages:
                        await self._take(message, ticket)
        except Unauthenticated as error:
            raise Close(Code.UNAUTHORIZED, error.message) from error
        except GatewayError as error:
            raise Close(Code.TRY_AGAIN_LATER, error.message) from error

    async def _initialised(self) -> Ticket:
        try:
            async with asyncio.timeout(self._live.limits.initialisation_seconds):
                async with aclosing(self._messages()) as messages:
                    async for message in messages:
                        if isinstance(message, Init):
                            return _ticket(message.payload or {}, self._socket.headers)
                        await self._take_early(message)
        except TimeoutError as error:
            raise Close(Code.INITIALISATION_TIMEOUT, "Connection initialisation timeout") from error
        raise WebSocketDisconnect

    async def _take_early(self, message: Incoming) -> None:
        match message:
            case Ping(payload=payload):
                await self._send("pong", payload=payload)
            case Subscribe():
                raise Close(Code.UNAUTHORIZED, "Unauthorized: begin with connection_init")

    async def _take(self, message: Incoming, ticket: Ticket) -> None:
        match message:
            case Init():
                raise Close(Code.TOO_MANY_INITIALISATIONS, "Too many initialisation requests")
            case Ping(payload=payload):
                await self._send("pong", payload=payload)
            case Subscribe(id=key) if key in self._operations:
                raise Close(Code.SUBSCRIBER_ALREADY_EXISTS, f"Subscriber for {key} already exists")
            case Subscribe(id=key, payload=payload):
                operation = _operation(payload)
                await self._room()
                self._begin(key, operation, ticket)
            case Complete(id=key) if running := self._operations.pop(key, None):
                running.cancel()

    async def _room(self) -> None:
        """Wait while too much is under way: who does not read what is told is not read either."""
        if len(self._running) >= self._live.limits.operations_per_user + SPARE:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    def _begin(self, key: str, operation: Operation, ticket: Ticket) -> None:
        task = asyncio.create_task(self._operate(key, operation, ticket), name=f"live {key}")
        self._operations[key] = task
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _operate(self, key: str, operation: Operation, ticket: Ticket) -> None:
        """Send all answers. The id is free again before the client learns that the operation is over.

        A ticket that is good no longer, or cannot be looked at now, is the whole socket's: clients open another one,
        and go on with the operation.
        """
        request_id = uuid4().hex
        structlog.contextvars.bind_contextvars(request_id=request_id)
        with suppress(WebSocketDisconnect), self._watched():
            try:
                async with aclosing(self._live.answers(operation, ticket, request_id=request_id)) as answers:
                    async for body in answers:
                        await self._send("next", id=key, payload=body)
            except SignedOut as out:
                await self._close(Code.FORBIDDEN, out.errors[0]["message"])
            except Interrupted as cut:
                await self._close(Code.TRY_AGAIN_LATER, cut.errors[0]["message"])
            except Ended as ended:
                del self._operations[key]
                await self._send("error", id=key, payload=ended.errors)
            else:
                del self._operations[key]
                await self._send("complete", id=key)

    def _watched(self) -> AbstractContextManager[None]:
        telemetry = self._live.endpoint.telemetry
        if telemetry is None:
            return nullcontext()
        return telemetry.message(self._socket.url.path, self._socket.headers.get(PARENT))

    async def _messages(self) -> AsyncGenerator[Incoming, None]:
        while (received := await self._socket.receive())["type"] != "websocket.disconnect":
            yield _message(received.get("text"))

    async def _send(self, kind: str, **fields: Any) -> None:
        given = {name: value for name, value in fields.items() if value is not None}
        if self._socket.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnect
        await self._socket.send_text(msgspec.json.encode({"type": kind, **given}).decode())

    async def _close(self, code: Code, reason: str) -> None:
        cut = reason.encode()[:REASON_BYTES].decode(errors="ignore")
        with suppress(RuntimeError, WebSocketDisconnect):  # the client was faster
            await self._socket.close(code, cut)

    async def _end_all(self) -> None:
        running = list(self._running)
        for operation in running:
            operation.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _message(text: str | None) -> Incoming:
    if text is None:
        raise Close(Code.MALFORMED, "A message must be text.")
    try:
        message: Incoming = msgspec.convert(decoded(text.encode()), Incoming)
    except Malformed as error:
        raise Close(Code.MALFORMED, error.message) from error
    except msgspec.ValidationError as error:
        raise Close(Code.MALFORMED, f"Not a message of the protocol: {error}") from error
    return message


def _operation(payload: dict[str, Any]) -> Operation:
    try:
        return Operation.from_fields(payload)
    except Malformed as error:
        raise Close(Code.MALFORMED, error.message) from error


def _ticket(payload: Mapping[str, Any], head: Mapping[str, str]) -> Ticket:
    """What the payload says goes before what the handshake said."""
    said = {name.lower(): value for name, value in payload.items() if isinstance(value, str)}
    token = said.get("token")
    bare = f"Bearer {token}" if token else None
    return Ticket(
        said.get("authorization") or bare or head.get("authorization"),
        said.get(ORGANIZATION_HEADER) or head.get(ORGANIZATION_HEADER),
    )
