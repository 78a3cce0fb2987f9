"""gql, the client for Python, on each of its transports."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from hashlib import sha256
from typing import Any

from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport import AsyncTransport
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import parse, print_ast

from tests.clients.door import Door

PATIENCE = 20.0
PAUSE = 0.4
ESTIMATES = """query Estimates($first: Int!, $after: String) {
  estimates(first: $first, after: $after) { nodes { number } pageInfo { endCursor } }
}"""
MISSING = "query Missing($id: ID!) { invoice(id: $id) { number } }"
NAMED = print_ast(parse("query Named { viewer { name } }"))
UPDATE = """mutation Update($id: ID!, $input: EstimateUpdateInput!, $key: ID!) {
  estimateUpdate(id: $id, input: $input, idempotencyKey: $key) { outcome userErrors { field } }
}"""
CHANGED = """subscription Changed($modules: [Module!]) {
  documentChanged(modules: $modules) { change documentId document { id number } }
}"""

Transport = Callable[[str, str], AsyncTransport]
"""Of the gateway's address and a token."""


def on_httpx(url: str, token: str) -> AsyncTransport:
    return HTTPXAsyncTransport(url=url, headers={"Authorization": f"Bearer {token}"})


def on_aiohttp(url: str, token: str) -> AsyncTransport:
    return AIOHTTPTransport(url=url, headers={"Authorization": f"Bearer {token}"})


def on_websockets(url: str, token: str) -> AsyncTransport:
    return WebsocketsTransport(url=url.replace("http", "ws", 1), init_payload={"authorization": f"Bearer {token}"})


def on_aiohttp_websockets(url: str, token: str) -> AsyncTransport:
    return AIOHTTPWebsocketsTransport(
        url=url.replace("http", "ws", 1), init_payload={"authorization": f"Bearer {token}"}
    )


TRANSPORTS: Mapping[str, Transport] = {
    "gql, httpx": on_httpx,
    "gql, aiohttp": on_aiohttp,
    "gql, websockets": on_websockets,
    "gql, aiohttp websockets": on_aiohttp_websockets,
}
LIVE = (on_websockets, on_aiohttp_websockets)


@asynccontextmanager
async def session(transport: Transport, door: Door, *, seconds: float = 3600) -> AsyncIterator[AsyncClientSession]:
    async with Client(transport=transport(door.url, door.token(seconds))) as opened:
        yield opened


async def asked(transport: Transport, door: Door, query: str, *, by_id: bool = False, **variables: Any) -> Any:
    """The data of an answer; raises `TransportQueryError`."""
    named = {"persistedQuery": {"version": 1, "sha256Hash": sha256(query.encode()).hexdigest()}} if by_id else None
    async with session(transport, door) as opened:
        return await opened.execute(GraphQLRequest(query, variable_values=variables, extensions=named))


async def query(transport: Transport, door: Door) -> None:
    data = await asked(transport, door, ESTIMATES, first=2)
    assert len(data["estimates"]["nodes"]) == 2


async def document_by_id(transport: Transport, door: Door) -> None:
    await door.trust({sha256(NAMED.encode()).hexdigest(): NAMED})
    assert (await asked(transport, door, NAMED, by_id=True))["viewer"]["name"]


async def mutation(transport: Transport, door: Door) -> None:
    dates = {"date": "2026-11-20", "expiryDate": "2026-11-19"}
    refused = (await _updated(transport, door, dates))["estimateUpdate"]
    assert (refused["outcome"], refused["userErrors"]) == ("REJECTED", [{"field": ["input", "expiryDate"]}])
    applied = await _updated(transport, door, {"notes": secrets.token_hex(4)})
    assert applied == {"estimateUpdate": {"outcome": "APPLIED", "userErrors": []}}


async def _updated(transport: Transport, door: Door, changes: Mapping[str, str]) -> Any:
    return await asked(transport, door, UPDATE, id=door.draft, input=changes, key=secrets.token_hex(8))


async def error(transport: Transport, door: Door) -> None:
    told: list[dict[str, Any]] = []
    try:
        await asked(transport, door, MISSING, id=door.missing)
    except TransportQueryError as raised:
        told = raised.errors or []
    assert [(one["extensions"]["code"], one["path"]) for one in told] == [("NOT_FOUND", ["invoice"])]


async def pages(transport: Transport, door: Door) -> None:
    first = (await asked(transport, door, ESTIMATES, first=2))["estimates"]
    second = (await asked(transport, door, ESTIMATES, first=2, after=first["pageInfo"]["endCursor"]))["estimates"]
    assert len({node["number"] for node in first["nodes"] + second["nodes"]}) == 4


async def live(transport: Transport, door: Door) -> None:
    await _hear(transport, door)


async def server_restarts(transport: Transport, door: Door) -> None:
    """The stream says that it is broken off, and begins again when it is asked for again."""
    async with session(transport, door) as opened, aclosing(_changes(opened)) as changes:
        await _next(changes, door)
        await door.restart()
        await _broken_off(changes)
    await _hear(transport, door)


async def token_ends(transport: Transport, door: Door) -> None:
    async with session(transport, door, seconds=5) as opened, aclosing(_changes(opened)) as changes:
        await _next(changes, door)
        await _broken_off(changes)
    await _hear(transport, door)


async def _hear(transport: Transport, door: Door) -> None:
    async with session(transport, door) as opened, aclosing(_changes(opened)) as changes:
        event = await _next(changes, door)
    assert (event["change"], event["document"]["id"]) == ("UPDATED", door.draft)


def _changes(opened: AsyncClientSession) -> AsyncGenerator[Any, None]:
    return opened.subscribe(GraphQLRequest(CHANGED, variable_values={"modules": ["ESTIMATES"]}))


async def _next(changes: AsyncGenerator[Any, None], door: Door) -> Any:
    """The next event, while something happens again and again."""
    coming = asyncio.ensure_future(anext(changes))
    async with asyncio.timeout(PATIENCE):
        while not coming.done():
            await door.change()
            await asyncio.wait({coming}, timeout=PAUSE)
    return coming.result()["documentChanged"]


async def _broken_off(changes: AsyncGenerator[Any, None]) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            async for _ in changes:
                pass
    except TransportConnectionFailed:
        return
    raise AssertionError("the stream has ended as if it were over")


SCENARIOS: Mapping[str, Callable[[Transport, Door], Awaitable[None]]] = {
    "document by id": document_by_id,
    "query": query,
    "mutation, userErrors": mutation,
    "error, code and path": error,
    "pages": pages,
    "live, WebSocket": live,
    "server restarts, WebSocket": server_restarts,
    "token ends, WebSocket": token_ends,
}


def of(transport: Transport) -> list[str]:
    """The scenarios that a transport is good for."""
    return [name for name in SCENARIOS if transport in LIVE or not name.endswith("WebSocket")]
