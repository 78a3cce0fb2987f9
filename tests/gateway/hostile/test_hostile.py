"""Nothing that is sent makes the gateway fail, wait, or grow."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest

from gateway.settings import Http, Live
from tests.gateway.hostile.cases import (
    BODIES,
    COUNT,
    DOCUMENTS,
    HEADS,
    MESSAGES,
    OPERATIONS,
    QUERY,
    TOKENS,
    VARIABLES,
    asking,
)
from tests.gateway.live_harness import served
from tests.harness import Gateway

JSON = {"content-type": "application/json"}
REFUSED_SECONDS = 1.0
"""Of processor time, for the worst; the machine may be busy with other tests."""
MORE_BYTES = 50 * 1024 * 1024


def codes(response: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json().get("errors", ())]


async def harmless(gateway: Gateway, response: httpx.Response) -> None:
    assert response.status_code < 500, response.text[:500]
    assert "INTERNAL" not in codes(response)
    assert len(response.content) < 200_000
    assert (await gateway.send(None, "GET", "/healthz")).status_code == 200


@pytest.fixture
def prompt() -> Iterator[None]:
    """What is refused takes no time to speak of."""
    began = time.process_time()
    yield
    assert time.process_time() - began < REFUSED_SECONDS


def test_there_are_enough_cases() -> None:
    assert COUNT >= 150


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_hostile_body_is_refused(gateway: Gateway, body: bytes) -> None:
    response = await gateway.post("staff", body, **JSON)
    await harmless(gateway, response)
    assert 400 <= response.status_code < 500
    assert codes(response)
    assert "data" not in response.json()


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_hostile_document_is_answered_with_coded_errors(gateway: Gateway, document: str) -> None:
    for send in (asking(document), asking(document, operationName="Q1")):
        response = await gateway.post("readonly", send, **JSON)
        await harmless(gateway, response)
        assert codes(response) or "data" in response.json()


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize("body", VARIABLES.values(), ids=VARIABLES)
async def test_hostile_variables_are_answered_with_coded_errors(gateway: Gateway, body: bytes) -> None:
    response = await gateway.post("staff", body, **JSON)
    await harmless(gateway, response)
    assert codes(response) or "data" in response.json()


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
async def test_a_hostile_head_is_refused_or_means_nothing(gateway: Gateway, head: dict[str, str]) -> None:
    sent: Any = {**JSON, **{name: value.encode("latin-1") for name, value in head.items()}}
    response = await gateway.send("staff", "POST", "/graphql", content=QUERY, headers=sent)
    await harmless(gateway, response)
    assert codes(response) or response.json()["data"]


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
async def test_a_hostile_token_is_nobodys(gateway: Gateway, token: str) -> None:
    sent: Any = {**JSON, "authorization": token.encode("latin-1")}
    response = await gateway.send(None, "POST", "/graphql", content=QUERY, headers=sent)
    await harmless(gateway, response)
    assert (response.status_code, codes(response)) == (401, ["UNAUTHENTICATED"])


async def test_hostile_messages_close_the_socket_and_hostile_operations_are_refused(own_gateway: Gateway) -> None:
    async with served(own_gateway, Live(), Http()) as server:
        for name, message in MESSAGES.items():
            async with server.signed_in("staff") as client:
                await client.socket.send(message)
                code, reason = await client.closed()
                assert code in (4400, 4429), (name, code, reason)
        async with server.signed_in("staff") as client:
            for name, operation in OPERATIONS.items():
                await client.say("subscribe", id=name, payload=operation)
                told = await client.hear()
                assert (told["type"], told["id"]) == ("error", name)
                assert all(one["extensions"]["code"] != "INTERNAL" for one in told["payload"]), told
        for name, token in TOKENS.items():
            async with server.connected() as client:
                await client.say("connection_init", payload={"authorization": token})
                assert (await client.closed())[0] == 4401, name
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{server.address}/healthz")).status_code == 200


async def test_nothing_of_it_is_kept(gateway: Gateway) -> None:
    bodies = [*BODIES.values(), *map(asking, DOCUMENTS.values()), *VARIABLES.values()]
    process = psutil.Process()
    for body in bodies:
        await gateway.post("staff", body, **JSON)
    before = process.memory_info().rss
    for number, body in enumerate(bodies):
        await gateway.post("staff", body.replace(b"}", b" " * (number % 7) + b"}", 1), **JSON)
    assert process.memory_info().rss - before < MORE_BYTES
    assert json.loads((await gateway.send(None, "GET", "/healthz")).content) == {"status": "ok"}
