"""Server-sent events: one operation a connection."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.http.media import wants_events
from gateway.settings import Http, Live
from tests.declared import undeclared
from tests.gateway.live_harness import DECLARED, PATIENCE, SEEN, Server, served, streaming
from tests.harness import Demo

LIMITS = Live(operations_per_user=2, pause_seconds=0.05, silence_seconds=0.1)
COUNT = "subscription ($to: Int!) { count(to: $to) }"


@pytest.fixture(scope="module")
async def live(demo: Demo) -> AsyncIterator[Server]:
    async with demo.gateway() as gateway, served(gateway, LIMITS, Http(body_bytes=1000)) as server:
        yield server


@pytest.fixture
def topic() -> str:
    return secrets.token_hex(4)


async def read(response: httpx.Response) -> list[tuple[str, Any]]:
    """All (event, data) of a stream that ends; its errors have to be among those that may come of what was asked."""
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    heard = [event async for event in events(response)]
    query = json.loads(response.request.content)["query"] if response.request.content else None
    left = [found for _, body in heard for found in undeclared(query, body or {}, DECLARED)]
    assert not left, left
    return heard


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    kind = ""
    async for line in response.aiter_lines():
        name, _, value = line.partition(":")
        if name == "event":
            kind = value.strip()
        elif name == "data":
            yield kind, json.loads(value) if value.strip() else None


def code_of(body: dict[str, Any]) -> str:
    (error,) = body["errors"]
    code: str = error["extensions"]["code"]
    return code


@pytest.mark.parametrize("by_get", [False, True], ids=["POST", "GET"])
async def test_a_live_operation_is_answered_event_by_event_and_completed(live: Server, by_get: bool) -> None:
    async with streaming(live, "staff", COUNT, by_get=by_get, to=2) as response:
        assert response.headers["cache-control"] == "no-store"
        assert await read(response) == [
            ("next", {"data": {"count": 0}}),
            ("next", {"data": {"count": 1}}),
            ("complete", None),
        ]


async def test_queries_and_mutations_are_answered_once(live: Server) -> None:
    async with streaming(live, "staff", "{ name }", by_get=True) as response:
        assert await read(response) == [("next", {"data": {"name": "staff@demo.example"}}), ("complete", None)]
    async with streaming(live, "staff", 'mutation { shout(word: "now") }') as response:
        assert await read(response) == [("next", {"data": {"shout": "NOW"}}), ("complete", None)]


async def test_a_mutation_by_get_is_not_executed(live: Server) -> None:
    async with streaming(live, "staff", 'mutation { shout(word: "now") }', by_get=True) as response:
        (_, body), _ = await read(response)
        assert (code_of(body), "data" in body) == ("BAD_USER_INPUT", False)


@pytest.mark.parametrize("query", ["subscription {", "subscription { nothing }", "{ nothing }", COUNT])
async def test_what_cannot_be_executed_is_told_in_the_stream(live: Server, query: str) -> None:
    async with streaming(live, "staff", query) as response:
        (kind, body), end = await read(response)
        assert (kind, code_of(body), end) == ("next", "BAD_USER_INPUT", ("complete", None))


@pytest.mark.parametrize(("unforeseen", "code"), [(False, "NOT_FOUND"), (True, "INTERNAL")])
async def test_a_later_failure_is_told_in_the_stream_without_the_inside(
    live: Server, unforeseen: bool, code: str
) -> None:
    query = "subscription ($u: Boolean!) { fails(unforeseen: $u) }"
    async with streaming(live, "staff", query, u=unforeseen) as response:
        first, (_, body), end = await read(response)
        assert (first, code_of(body), end) == (("next", {"data": {"fails": 1}}), code, ("complete", None))
        assert "secret" not in json.dumps(body)


async def test_who_may_not_ask_or_asks_for_nothing_is_answered_with_a_status(live: Server) -> None:
    async with streaming(live, None, COUNT, to=1) as response:
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    async with streaming(live, "staff", " ") as response:
        body = json.loads(await response.aread())
        assert (response.status_code, code_of(body)) == (400, "BAD_USER_INPUT")
    async with streaming(live, "staff", COUNT + " " * 2000) as response:
        body = json.loads(await response.aread())
        assert (response.status_code, code_of(body)) == (413, "LIMIT_REACHED")


async def test_an_event_is_told_when_it_happens_and_silence_keeps_the_connection_in_use(
    live: Server, topic: str
) -> None:
    async with streaming(live, "staff", SEEN, topic=topic) as response:
        heard = response.aiter_text()
        assert '"look"' in await asyncio.wait_for(anext(heard), PATIENCE)
        assert await asyncio.wait_for(anext(heard), PATIENCE) == ":\n\n"
        await live.tell(topic, "news")
        async with asyncio.timeout(PATIENCE):
            while '"news"' not in await anext(heard):
                pass
    await live.until_left(topic)


async def test_a_stream_ends_when_the_token_does(live: Server, topic: str) -> None:
    leeway = 30
    signed = live.token("staff", lifetime=2 - leeway)
    async with streaming(live, None, SEEN, signed=signed, topic=topic) as response:
        _, (_, body), end = await asyncio.wait_for(read(response), PATIENCE)
        assert (code_of(body), end) == ("UNAUTHENTICATED", ("complete", None))
    await live.until_left(topic)


async def test_more_streams_than_a_user_may_have_are_refused_until_one_is_left(live: Server, topic: str) -> None:
    async with streaming(live, "approver", SEEN, topic=topic) as first:
        begun = events(first)
        await anext(begun)
        async with streaming(live, "approver", SEEN, topic=f"{topic}2") as second:
            begun_too = events(second)
            await anext(begun_too)
            async with streaming(live, "approver", COUNT, to=1) as third:
                (_, body), _ = await read(third)
                assert code_of(body) == "LIMIT_REACHED"
        await live.until_left(f"{topic}2")
        async with streaming(live, "approver", COUNT, to=1) as third:
            assert (await read(third))[0] == ("next", {"data": {"count": 0}})


async def test_a_server_that_ends_breaks_streams_off_without_completing_them(demo: Demo, topic: str) -> None:
    heard: list[str] = []

    async def listen(server: Server, begun: asyncio.Event) -> None:
        async with streaming(server, "staff", SEEN, topic=topic) as response:
            async for kind, _ in events(response):
                heard.append(kind)
                begun.set()

    async with demo.gateway() as gateway:
        async with served(gateway, LIMITS) as server:
            begun = asyncio.Event()
            listening = asyncio.create_task(listen(server, begun))
            await asyncio.wait_for(begun.wait(), PATIENCE)
        await asyncio.wait_for(listening, PATIENCE)
    assert heard == ["next"]


async def test_a_stream_whose_viewers_rights_cannot_be_looked_at_breaks_off_for_him_to_come_back(
    demo: Demo, topic: str
) -> None:
    async with (
        demo.gateway() as gateway,
        served(gateway, LIMITS, Http(deadline_seconds=0.5)) as live,
        streaming(live, "staff", SEEN, topic=topic) as response,
    ):
        heard = events(response)
        assert (await anext(heard))[0] == "next"
        async with live.undecided():
            await live.tell(topic, "now")
            assert [event async for event in heard] == []


async def test_events_are_sent_to_those_who_like_them_best() -> None:
    json_first = "application/graphql-response+json, application/json, text/event-stream"
    for accept, wanted in {
        "text/event-stream": True,
        "text/event-stream, application/json": True,
        "text/event-stream, multipart/mixed": True,
        "text/event-stream;q=0.5, application/json": False,
        "text/event-stream;q=0": False,
        json_first: False,
        "*/*": False,
        "": False,
        None: False,
    }.items():
        assert wants_events(accept) is wanted, accept
