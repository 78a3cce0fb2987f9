"""Clients that take their time, or all the room: what they hold is theirs for a while only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import pytest

from gateway.http.protocol import HEAD_BYTES
from gateway.settings import Http, Live
from services.sandbox import Fault
from tests.gateway.live_harness import PATIENCE, Server, served, streaming
from tests.harness import Gateway

HEAD = b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
QUERY = b'{"query": "{ name }"}'
PATIENT = Http(receive_seconds=60)
HASTY = Http(receive_seconds=0.4)


@dataclass
class Wire:
    """A connection on which anything can be said."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *parts: bytes) -> None:
        with suppress(ConnectionError):  # hung up already
            for part in parts:
                self.writer.write(part)
                await self.writer.drain()

    async def hear(self) -> bytes:
        """All that is said until the other side hangs up."""
        async with asyncio.timeout(PATIENCE):
            heard = b""
            with suppress(ConnectionError):
                while part := await self.reader.read(65536):
                    heard += part
            return heard


@asynccontextmanager
async def wired(server: Server) -> AsyncIterator[Wire]:
    host, port = server.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def filler(size: int) -> bytes:
    return b"X-Filler: " + b"a" * size + b"\r\n"


@pytest.mark.parametrize("pieces", [1, 100])
async def test_a_head_of_more_than_64_kilobytes_is_not_read(own_gateway: Gateway, pieces: int) -> None:
    size = HEAD_BYTES // pieces
    async with served(own_gateway, Live(), PATIENT) as server, wired(server) as wire:
        await wire.say(HEAD, *[filler(size) for _ in range(pieces)], b"\r\n")
        heard = await wire.hear()
        assert heard == b"" or heard.startswith(b"HTTP/1.1 400 ")


async def test_a_long_head_within_the_limit_is_read(own_gateway: Gateway) -> None:
    async with served(own_gateway, Live(), PATIENT) as server, wired(server) as wire:
        await wire.say(HEAD, filler(HEAD_BYTES - 1000), b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
        assert (await wire.hear()).startswith(b"HTTP/1.1 401 ")


async def test_the_limit_of_a_head_is_that_of_each_request_on_a_connection(own_gateway: Gateway) -> None:
    async with served(own_gateway, Live(), PATIENT) as server, wired(server) as wire:
        request = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n" + filler(HEAD_BYTES // 2)
        await wire.say(request, b"\r\n", request, b"\r\n", request, b"Connection: close\r\n\r\n")
        assert (await wire.hear()).count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize("begun", [b"", b"POST /gra", HEAD, HEAD + b"Content-Le"])
async def test_a_head_that_does_not_arrive_is_not_waited_for(own_gateway: Gateway, begun: bytes) -> None:
    async with served(own_gateway, Live(), HASTY) as server, wired(server) as wire:
        await wire.say(begun)
        assert await wire.hear() == b""


async def test_a_head_that_comes_letter_by_letter_is_not_waited_for(own_gateway: Gateway) -> None:
    async with served(own_gateway, Live(), HASTY) as server, wired(server) as wire:
        hearing = asyncio.create_task(wire.hear())
        await wire.say(HEAD + b"X-Filler: ")
        while not hearing.done():
            await wire.say(b"a")
            await asyncio.sleep(0.1)
        assert await hearing == b""


@pytest.mark.parametrize(
    ("length", "body"),
    [(b"Content-Length: 100", b'{"query"'), (b"Transfer-Encoding: chunked", b'8\r\n{"query"\r\n')],
    ids=["declared", "in pieces"],
)
async def test_a_body_that_does_not_arrive_is_answered_408(own_gateway: Gateway, length: bytes, body: bytes) -> None:
    async with served(own_gateway, Live(), HASTY) as server, wired(server) as wire:
        signed = f"Authorization: Bearer {server.token('staff')}\r\n".encode()
        await wire.say(HEAD, signed, length, b"\r\nConnection: close\r\n\r\n", body)
        heard = await wire.hear()
        assert heard.startswith(b"HTTP/1.1 408 ")
        assert b'"DEADLINE_EXCEEDED"' in heard


async def test_nobody_who_has_not_signed_in_is_waited_for(own_gateway: Gateway) -> None:
    async with served(own_gateway, Live(), PATIENT) as server, wired(server) as wire:
        await wire.say(HEAD, b"Content-Length: 100\r\nConnection: close\r\n\r\n", b'{"query"')
        assert (await wire.hear()).startswith(b"HTTP/1.1 401 ")


async def test_sockets_of_strangers_are_bounded_and_do_not_keep_others_out_for_long(own_gateway: Gateway) -> None:
    limits = Live(strangers=3, initialisation_seconds=2)
    async with served(own_gateway, limits) as server, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(server.signed_in("staff"))
        silent = [await stack.enter_async_context(server.connected()) for _ in range(3)]
        async with server.connected() as fourth:
            code, reason = await fourth.closed()
            assert code == 1013
            assert "signed in" in reason
        assert {(await one.closed())[0] for one in silent} == {4408}
        async with server.signed_in("staff") as client:
            await client.say("ping")
            assert await client.hear() == {"type": "pong"}


async def test_streams_are_refused_before_sign_in_without_being_held_open(own_gateway: Gateway) -> None:
    async with served(own_gateway, Live(), PATIENT) as server:
        head = HEAD + b"Accept: text/event-stream\r\nContent-Length: 100\r\nConnection: close\r\n\r\n"
        async with AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(wired(server)) for _ in range(20)]
            for wire in wires:
                await wire.say(head)
            heard = [await wire.hear() for wire in wires]
        assert all(answer.startswith(b"HTTP/1.1 401 ") for answer in heard)


async def test_whoever_cannot_be_signed_in_in_time_is_told_so_over_sockets_and_streams_as_well(
    own_gateway: Gateway,
) -> None:
    own_gateway.sandbox.fault(Fault("black_hole", product="accounts"))
    async with served(own_gateway, Live(), Http(deadline_seconds=0.3)) as server, server.connected() as client:
        await client.say("connection_init", payload={"token": server.token("staff")})
        code, reason = await client.closed()
        assert (code, "longer than it may" in reason) == (1013, True)
        async with streaming(server, "staff", "subscription { count(to: 1) }") as response:
            assert response.status_code == 504
            assert b'"DEADLINE_EXCEEDED"' in await response.aread()
