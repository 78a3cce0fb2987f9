"""Nothing that is sent makes the gateway fail, wait, or grow."""

import gc
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from gateway.serving import NEWEST
from gateway.settings import Http, Live
from tests.gateway.hostile.cases import COUNT, MESSAGES, OPERATIONS, TOKENS
from tests.gateway.hostile.refusals import Sent, bodies, documents, everything, heads, refusals, tokens, variables
from tests.gateway.live_harness import served
from tests.harness import Gateway

REFUSED_SECONDS = 0.5
"""Of processor time, for the worst; the machine may be busy with other tests."""
MORE_BYTES = 50 * 1024 * 1024


def named(sent: Sent) -> str:
    return f"{sent.kind}: {sent.name}"


def codes(response: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json().get("errors", ())]


async def harmless(gateway: Gateway, response: httpx.Response) -> None:
    assert response.status_code < 500, response.text[:500]
    assert "INTERNAL" not in codes(response)
    assert len(response.content) < 200_000
    assert (await gateway.send(None, "GET", "/healthz")).status_code == 200


@pytest.fixture
def prompt() -> Iterator[None]:
    """What is refused takes no time to speak of; garbage is collected as in a process that serves."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(NEWEST)
    began = time.process_time()
    yield
    spent = time.process_time() - began
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    assert spent < REFUSED_SECONDS


def test_there_are_enough_cases() -> None:
    assert COUNT >= 150


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize("sent", list(bodies()), ids=named)
async def test_a_hostile_body_is_refused(gateway: Gateway, sent: Sent) -> None:
    response = await sent.to(gateway)
    await harmless(gateway, response)
    assert 400 <= response.status_code < 500
    assert codes(response)
    assert "data" not in response.json()


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize("sent", [*documents(), *variables(), *heads()], ids=named)
async def test_what_is_hostile_within_a_request_is_refused_or_means_nothing(gateway: Gateway, sent: Sent) -> None:
    response = await sent.to(gateway)
    await harmless(gateway, response)
    assert codes(response) or "data" in response.json()


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize("sent", list(tokens()), ids=named)
async def test_a_hostile_token_is_nobodys(gateway: Gateway, sent: Sent) -> None:
    response = await sent.to(gateway)
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
    process = psutil.Process()
    await refusals(gateway, everything())
    before = process.memory_info().rss
    await refusals(gateway, (sent.again(1) for sent in everything()))
    assert process.memory_info().rss - before < MORE_BYTES
    assert (await gateway.send(None, "GET", "/healthz")).json() == {"status": "ok"}
