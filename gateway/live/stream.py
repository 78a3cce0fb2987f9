"""GraphQL over server-sent events, a connection for each operation.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md (distinct connections mode)
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from strawberry.types.graphql import OperationType

from gateway.http.answer import HEADERS, refused
from gateway.http.endpoint import ALLOWED, Ticket
from gateway.http.media import EVENTS
from gateway.http.refusals import STATUS
from gateway.live.operations import Body, Ended, Interrupted, Live
from services.errors import GatewayError

SILENCE = b":\n\n"
"""A comment that keeps the connection in use."""
COMPLETE = b"event: complete\ndata:\n\n"


async def streamed(request: Request, live: Live) -> Response:
    """The answers to a request, or the coded refusal of one that cannot be executed for this caller."""
    ticket = Ticket.of(request.headers)
    door = live.endpoint.door
    try:
        with door.anybody() if door else nullcontext():
            live.endpoint.check_sender(request)
            await live.admit(ticket)
            operation = await live.endpoint.operation(request)
    except GatewayError as error:
        if live.endpoint.telemetry is not None:
            live.endpoint.telemetry.failed([error.code])
        return refused(error, status=STATUS.get(type(error)))
    allowed = ALLOWED[request.method] | {OperationType.SUBSCRIPTION}
    answers = live.answers(operation, ticket, allowed=allowed, request_id=request.state.request_id)
    head = HEADERS | {"X-Accel-Buffering": "no"}
    return StreamingResponse(_events(answers, live), headers=head, media_type=EVENTS)


async def _events(answers: AsyncGenerator[Body, None], live: Live) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(answers), aclosing(_with_silences(answers, live)) as bodies:
            async for body in bodies:
                yield SILENCE if body is None else _next(body)
    except Interrupted:
        return  # without an end: clients come back
    except Ended as ended:
        yield _next({"errors": ended.errors})
    if not live.leaving.is_set():
        yield COMPLETE


async def _with_silences(answers: AsyncGenerator[Body, None], live: Live) -> AsyncGenerator[Body | None, None]:
    """The bodies, and None whenever there was none for a while; no more when the process is about to end."""
    leaving: asyncio.Future[bool] = asyncio.ensure_future(live.leaving.wait())
    coming: asyncio.Future[Body | None] = asyncio.ensure_future(anext(answers, None))
    try:
        while not leaving.done():
            waited: set[asyncio.Future[Any]] = {coming, leaving}
            await asyncio.wait(waited, timeout=live.limits.silence_seconds, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                yield None
            elif body := coming.result():
                yield body
                coming = asyncio.ensure_future(anext(answers, None))
            else:
                return
    finally:
        leaving.cancel()
        coming.cancel()
        await asyncio.gather(leaving, coming, return_exceptions=True)


def _next(body: Body) -> bytes:
    return b"event: next\ndata: " + msgspec.json.encode(body) + b"\n\n"
