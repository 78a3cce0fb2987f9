"""A served gateway with a small schema of live operations, and clients that speak to it message by message."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import psycopg
import strawberry
import uvicorn
from starlette.applications import Starlette
from strawberry.types import Info
from strawberry.types.field import StrawberryField
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.http.listening import listening
from gateway.live.routes import live_on
from gateway.plans import Plans
from gateway.serving import configured
from gateway.settings import Http, Live
from resolvers.context import Context
from schema import Schema
from schema.permissions import Epilogue, Permission
from services.errors import NotFound
from services.events import Events, notify
from services.storage.engine import Database
from tests.declared import undeclared
from tests.harness import Gateway

PROTOCOL = Subprotocol("graphql-transport-ws")
PATIENCE = 10.0
ADMINISTRATORS_ONLY = "migration.view"
DECLARED = {
    **dict.fromkeys(("name", "shout", "seen", "count"), frozenset[str]()),
    "confidential": frozenset({"FORBIDDEN"}),
    "fails": frozenset({"NOT_FOUND"}),
}
"""What may come of the fields below."""
SEEN = "subscription ($topic: String!) { seen(topic: $topic) { what by administers } }"


@strawberry.type
class Seen:
    """One event, and who looks at it."""

    what: str

    @strawberry.field
    async def by(self, info: Info[Context, None]) -> str:
        return info.context.viewer.email

    @strawberry.field
    async def administers(self, info: Info[Context, None]) -> bool:
        return info.context.viewer.decide(ADMINISTRATORS_ONLY).granted


@strawberry.type
class Query:
    @strawberry.field
    async def name(self, info: Info[Context, None]) -> str:
        return info.context.viewer.email


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def shout(self, word: str) -> str:
        return word.upper()


def for_administrators(resolver: Callable[..., AsyncIterator[Seen]]) -> StrawberryField:
    return strawberry.subscription(resolver, directives=[Permission(requires=ADMINISTRATORS_ONLY)])


def schema_on(events: Events, left: list[str]) -> Schema:
    """Live operations that hear of `events`, and note the topics they have let go of."""

    async def heard(topic: str) -> AsyncIterator[Seen]:
        try:
            async with events.subscribe(topic) as notices:
                async for notice in notices:
                    yield Seen(what="look" if notice is None else notice)
        finally:
            left.append(topic)

    @strawberry.type
    class Live:
        @strawberry.subscription
        async def seen(self, topic: str) -> AsyncIterator[Seen]:
            async for one in heard(topic):
                yield one

        @for_administrators
        async def confidential(self, topic: str) -> AsyncIterator[Seen]:
            async for one in heard(topic):
                yield one

        @strawberry.subscription
        async def count(self, to: int) -> AsyncIterator[int]:
            for number in range(to):
                yield number

        @strawberry.subscription
        async def fails(self, unforeseen: bool) -> AsyncIterator[int]:
            yield 1
            raise RuntimeError("a secret of the inside") if unforeseen else NotFound

    return Schema(query=Query, mutation=Mutation, subscription=Live, extensions=[Epilogue])


@dataclass
class Server:
    """The gateway as its clients reach it."""

    gateway: Gateway
    database: Database
    address: str
    left: list[str] = field(default_factory=list)
    """Topics that nobody listens to any more."""

    def token(self, person: str, **claims: Any) -> str:
        return self.gateway.token(f"{person}@demo.example", **claims)

    async def tell(self, topic: str, *payloads: str) -> None:
        async with self.database.session() as session:
            for payload in payloads:
                await notify(session, topic, payload)

    async def change(self, statement: str) -> None:
        """Change who may do what, behind everybody's back."""
        async with await psycopg.AsyncConnection.connect(self.database.conninfo, autocommit=True) as connection:
            await connection.execute(statement)

    @asynccontextmanager
    async def undecided(self) -> AsyncIterator[None]:
        """Something has changed, and within the block nobody finds out who may do what now."""
        await self.change("UPDATE profiles SET administers = NOT administers")
        async with await psycopg.AsyncConnection.connect(self.database.conninfo) as connection:
            await connection.execute("LOCK TABLE members IN ACCESS EXCLUSIVE MODE")
            yield

    @asynccontextmanager
    async def connected(self, *, protocols: list[str] | None = None, **headers: str) -> AsyncIterator["Client"]:
        """A WebSocket that has said nothing yet."""
        url = f"{self.address.replace('http', 'ws')}/graphql"
        offered: Any = [PROTOCOL] if protocols is None else protocols or None
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with connect(url, subprotocols=offered, additional_headers=named) as socket:
            yield Client(socket)

    @asynccontextmanager
    async def signed_in(self, person: str, **claims: Any) -> AsyncIterator["Client"]:
        """A WebSocket that has been acknowledged."""
        async with self.connected() as client:
            await client.say("connection_init", payload={"authorization": f"Bearer {self.token(person, **claims)}"})
            assert await client.hear() == {"type": "connection_ack"}
            yield client

    async def until_left(self, topic: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while topic not in self.left:  # noqa: ASYNC110 - the operations of a client know nothing of tests
                await asyncio.sleep(0.01)


@dataclass
class Client:
    """Speaks graphql-transport-ws, or nonsense."""

    socket: ClientConnection
    queries: dict[str, str] = field(default_factory=dict)
    """What was subscribed to, by its id."""

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def subscribe(self, key: str, query: str, **variables: Any) -> None:
        self.queries[key] = query
        await self.say("subscribe", id=key, payload={"query": query, "variables": variables})

    async def hear(self) -> dict[str, Any]:
        """The next message; its errors have to be among those that may come of what was subscribed to."""
        message: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))
        payload = message.get("payload") or {}
        answer = {"errors": payload} if message["type"] == "error" else payload
        left = undeclared(self.queries.get(message.get("id", "")), answer, DECLARED)
        assert not left, left
        return message

    async def closed(self) -> tuple[int, str]:
        """The code and reason with which the server closes, after whatever else it says."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed:
                return self.socket.close_code or 0, self.socket.close_reason or ""


@asynccontextmanager
async def served(gateway: Gateway, limits: Live, http: Http = Http()) -> AsyncIterator[Server]:  # noqa: B008
    """This gateway under uvicorn, with the live operations of `schema_on`."""
    assert gateway.settings.database_url
    database = Database(gateway.settings.database_url.get_secret_value())
    events = Events(database)
    left: list[str] = []
    state = gateway.app.state
    schema = schema_on(events, left)
    before = state.endpoint, state.live
    state.endpoint = replace(state.endpoint, schema=schema, plans=Plans(schema), limits=http)
    state.live = live_on(state.endpoint, limits)
    await _connected(events)
    try:
        async with serving(gateway.app, http) as port:
            yield Server(gateway, database, f"http://127.0.0.1:{port}", left)
    finally:
        state.endpoint, state.live = before
        await events.aclose()
        await database.close()


@asynccontextmanager
async def serving(app: Starlette, http: Http, port: int = 0) -> AsyncIterator[int]:
    """An application that has started already under uvicorn, and its port; streams break off at the end."""
    config = configured(app, http)
    config.lifespan = "off"
    with listening("127.0.0.1", port) as listener:
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn has no other sign
                await asyncio.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            app.state.live.leaving.set()
            server.should_exit = True
            await running


async def _connected(events: Events) -> None:
    """Subscriptions from here on look once at first."""
    async with events.subscribe("nothing") as notices:
        await anext(notices)
        await anext(notices)


@asynccontextmanager
async def streaming(
    server: Server, person: str | None, query: str, *, by_get: bool = False, signed: str | None = None, **variables: Any
) -> AsyncIterator[httpx.Response]:
    """A request for server-sent events."""
    signed = signed or (server.token(person) if person else None)
    headers = {"accept": "text/event-stream"} | ({"authorization": f"Bearer {signed}"} if signed else {})
    body: dict[str, Any] = {"query": query, "variables": variables}
    asked: dict[str, Any] = {"params": body | {"variables": json.dumps(variables)}} if by_get else {"json": body}
    method = "GET" if by_get else "POST"
    async with (
        httpx.AsyncClient(timeout=PATIENCE) as client,
        client.stream(method, f"{server.address}/graphql", headers=headers, **asked) as response,
    ):
        yield response
