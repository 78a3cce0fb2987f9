"""What people do meanwhile: they read, write, and listen; everything that they were told is kept."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from time import monotonic, time
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.gateway.live_harness import PROTOCOL
from tests.load.crowd import Kept
from tests.load.people import Person
from tests.load.questions import UNCODED, Question, refusals
from tests.load.scene import Scene
from tests.resolvers.office import LINE

CREATE = """mutation($input: EstimateCreateInput!, $key: ID!) { estimateCreate(input: $input, idempotencyKey: $key) {
    outcome userErrors { code message } estimate { id referenceNumber } } }"""
READ = "query($id: ID!) { estimate(id: $id) { referenceNumber } }"
MOVE = "mutation($ids: [ID!]!) { usersMigrate(input: {userIds: $ids, dryRun: false}) { migration { id } } }"
LISTEN = "subscription { documentChanged(modules: [ESTIMATES]) { change documentId } }"
Listen = Callable[[Callable[[Any], None]], Awaitable[None]]
"""Hears of changes until the connection ends, and passes each answer on."""
GIVEN_UP = 60.0
"""Seconds after which a write that was not acknowledged is left alone."""
TOLD_SECONDS = 5.0
"""After which everybody who listens has been told."""
AGAIN = 0.5
"""Seconds before something that failed is tried again."""


@dataclass(frozen=True)
class Failure:
    """A request of the moment `sent` (epoch seconds) that was not answered as it should be, and the code or error."""

    sent: float
    code: str
    gateway: int


@dataclass
class Written:
    """A write: since when and how often it was sent, and when it was acknowledged, under which global id."""

    reference: str
    sent: float = 0.0
    times: int = 0
    acknowledged: float | None = None
    id: str | None = None


@dataclass
class Diary:
    """Everything that happened."""

    kept: Kept = field(default_factory=Kept)
    failures: list[Failure] = field(default_factory=list)
    uncoded: list[str] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Acknowledged writes that another gateway showed otherwise."""
    heard: dict[str, list[tuple[float, str | None]]] = field(default_factory=dict)
    """What each listener was told: when, and of which document; None: of several."""


@dataclass
class Life:
    """People at gateways on these ports until `ended` is set; `haste`: by how much they are faster than people are."""

    scene: Scene
    ports: Sequence[int]
    questions: Sequence[Question]
    customer: str
    haste: float = 1.0
    diary: Diary = field(default_factory=Diary)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def go_on(self, client: httpx.AsyncClient, movers: Sequence[str], chance: Random) -> None:
        """Everybody at once; those who listen do so until the others have ended."""
        listening = [asyncio.create_task(self._listening(*one)) for one in self._listeners(client)]
        try:
            await self._work(client, movers, chance)
            await asyncio.sleep(TOLD_SECONDS / self.haste)
        finally:
            for one in listening:
                one.cancel()
            await asyncio.gather(*listening, return_exceptions=True)

    async def _work(self, client: httpx.AsyncClient, movers: Sequence[str], chance: Random) -> None:
        readers = [who for who, one in enumerate(self.scene.people) if one.role not in ("assigned", "legacy")]
        writers = [one for one in self.scene.people if one.role in ("staff", "sales", "both")][:3]
        async with asyncio.TaskGroup() as group:
            for who in readers:
                group.create_task(self._reading(client, who, Random(chance.random())))
            for one in writers:
                group.create_task(self._writing(client, one, Random(chance.random())))
            group.create_task(self._moving(client, movers))

    def _listeners(self, client: httpx.AsyncClient) -> Iterator[tuple[str, Listen]]:
        for place, port in enumerate(self.ports):
            yield f"SSE {place + 1}", self._events(client, port)
            yield f"WebSocket {place + 1}", self._messages(port)

    async def ask(
        self, client: httpx.AsyncClient, person: str, place: int, query: str, **variables: Any
    ) -> Mapping[str, Any]:
        """An answer as it is decoded; one with errors is a failure, and empty when nothing came at all."""
        sent = time()
        found = await self._post(client, person, place, json.dumps({"query": query, "variables": variables}).encode())
        answer: dict[str, Any] = json.loads(found) if found else {}
        for code, *_ in refusals(answer):
            self.diary.failures.append(Failure(sent, code, place))
        return answer

    async def _post(self, client: httpx.AsyncClient, person: str, place: int, body: bytes) -> bytes | None:
        """The body of an answer that is JSON; anything else is noted."""
        sent = time()
        headers = self.scene.stage.signed(person) | {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            response = await client.post(self._url(place), content=body, headers=headers)
        except httpx.HTTPError as error:
            self.diary.failures.append(Failure(sent, type(error).__name__, place))
            return None
        try:
            codes = [code for code, *_ in refusals(json.loads(response.content))]
        except ValueError:
            codes = [UNCODED]
        if UNCODED in codes:
            self.diary.uncoded.append(response.text[:200])
        return response.content if codes != [UNCODED] else None

    def _url(self, place: int) -> str:
        return f"http://127.0.0.1:{self.ports[place]}/graphql"

    async def _reading(self, client: httpx.AsyncClient, who: int, chance: Random) -> None:
        while not await self._over(chance.uniform(0.2, 1.0)):
            what, place = chance.randrange(len(self.questions)), chance.randrange(len(self.ports))
            sent, began = time(), monotonic()
            body = await self._post(client, self.scene.people[who].name, place, self.questions[what].body)
            if body is not None:
                self.diary.kept.add(who, what, sent, monotonic() - began, body)

    async def _writing(self, client: httpx.AsyncClient, person: Person, chance: Random) -> None:
        while not await self._over(chance.uniform(6, 14)):
            one = Written(f"SOAK-{len(self.diary.written):04}", sent=time())
            self.diary.written.append(one)
            place = await self._written(client, person.name, one, chance)
            if one.acknowledged is not None:
                await self._shown(client, person.name, one, 1 - place)

    async def _written(self, client: httpx.AsyncClient, person: str, one: Written, chance: Random) -> int:
        """Send it until it is acknowledged, each time under the same key; the gateway that did."""
        draft = {"customerId": self.customer, "lineItems": [LINE], "referenceNumber": one.reference}
        until, place = monotonic() + GIVEN_UP, 0
        while monotonic() < until and not self.ended.is_set():
            one.times, place = one.times + 1, chance.randrange(len(self.ports))
            answer = await self.ask(client, person, place, CREATE, input=draft, key=f"key-{one.reference}")
            payload = (answer.get("data") or {}).get("estimateCreate") or {}
            if payload.get("outcome") == "APPLIED":
                one.acknowledged, one.id = time(), (payload.get("estimate") or {}).get("id")
                break
            await asyncio.sleep(AGAIN)
        return place

    async def _shown(self, client: httpx.AsyncClient, person: str, one: Written, place: int) -> None:
        """Ask another gateway for what was just written."""
        if one.id is None:
            return
        answer = await self.ask(client, person, place, READ, id=one.id)
        found = (answer.get("data") or {}).get("estimate")
        if answer and not answer.get("errors") and (found or {}).get("referenceNumber") != one.reference:
            self.diary.unread.append(f"{one.reference}: {answer}")

    async def _moving(self, client: httpx.AsyncClient, movers: Sequence[str]) -> None:
        for number, mover in enumerate(movers):
            if await self._over(10):
                return
            while not self.ended.is_set():
                answer = await self.ask(client, "owner", number % len(self.ports), MOVE, ids=[mover])
                if answer.get("data"):
                    break
                await asyncio.sleep(AGAIN)

    async def _listening(self, name: str, listen: Listen) -> None:
        """Again whenever the connection is lost."""
        heard = self.diary.heard[name] = []

        def told(answer: Mapping[str, Any]) -> None:
            if data := answer.get("data"):
                heard.append((time(), data["documentChanged"]["documentId"]))
            for code, *_ in refusals(answer):
                self.diary.failures.append(Failure(time(), f"live {code}", 0))

        while not await self._over(AGAIN):
            try:
                await listen(told)
            except (httpx.HTTPError, WebSocketException, OSError, TimeoutError):
                continue

    def _events(self, client: httpx.AsyncClient, port: int) -> Listen:
        headers = self.scene.stage.signed("owner") | {"Accept": "text/event-stream"}

        async def listen(told: Callable[[Any], None]) -> None:
            url = f"http://127.0.0.1:{port}/graphql"
            async with client.stream("POST", url, json={"query": LISTEN}, headers=headers) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        told(json.loads(line.removeprefix("data: ")))

        return listen

    def _messages(self, port: int) -> Listen:
        authorization = self.scene.stage.signed("owner")["Authorization"]

        async def listen(told: Callable[[Any], None]) -> None:
            offered: Any = [PROTOCOL]
            async with connect(f"ws://127.0.0.1:{port}/graphql", subprotocols=offered) as socket:
                await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": authorization}}))
                await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": LISTEN}}))
                async for text in socket:
                    message = json.loads(text)
                    if message["type"] == "next":
                        told(message["payload"])
                    if message["type"] == "ping":
                        await socket.send(json.dumps({"type": "pong"}))

        return listen

    async def _over(self, seconds: float) -> bool:
        """Let some time pass; whether it has all ended meanwhile."""
        try:
            await asyncio.wait_for(self.ended.wait(), seconds / self.haste)
        except TimeoutError:
            return False
        return True
