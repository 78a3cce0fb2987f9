import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn

from services.sandbox import Fault, Sandbox
from tests.harness import until

Bearing = Callable[..., dict[str, str]]
ORG = "https://www.zohoapis.eu/crm/v8/org"
BOOKS = "https://www.zohoapis.eu/books/v3"
TOKEN = "https://accounts.zoho.eu/oauth/v2/token"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refuse", httpx.ConnectError),
        ("black_hole", httpx.ReadTimeout),
        ("cut", httpx.RemoteProtocolError),
        ("lost_answer", httpx.RemoteProtocolError),
    ],
)
async def test_a_failing_connection_is_an_error_of_the_client(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing, kind: Any, error: type[Exception]
) -> None:
    sandbox.fault(Fault(kind, path="/org", times=1))
    headers = bearing("owner@demo.example")
    with pytest.raises(error):
        await http.get(ORG, headers=headers, timeout=0.05)
    assert (await http.get(ORG, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault("status"), 503, 1000),
        (Fault("status", status=500, code=1000, message="Internal error."), 500, 1000),
        (Fault("code", code=1038), 200, 1038),
        (Fault("rate_limit"), 429, 44),
        (Fault("rate_limit", code=1070, retry_after=3), 429, 1070),
    ],
)
async def test_a_failing_product_says_so_in_its_own_words(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing, fault: Fault, status: int, code: int
) -> None:
    sandbox.fault(fault)
    answer = await http.get(f"{BOOKS}/estimates", headers=bearing("owner@demo.example"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers.get("retry-after") == (str(fault.retry_after) if fault.retry_after else None)


async def test_a_page_instead_of_an_answer(http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing) -> None:
    sandbox.fault(Fault("html", status=200))
    answer = await http.get(ORG, headers=bearing("owner@demo.example"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_garbage_is_half_an_answer_that_looks_whole(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    sandbox.fault(Fault("garbage"))
    answer = await http.get(ORG, headers=bearing("owner@demo.example"))
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="line 1"):
        answer.json()


async def test_a_field_can_be_missing(http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing) -> None:
    sandbox.fault(Fault("missing_field", field="company_name"))
    (organization,) = (await http.get(ORG, headers=bearing("owner@demo.example"))).json()["org"]
    assert "company_name" not in organization
    assert organization["zgid"]


async def test_a_delay_only_delays(http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing) -> None:
    sandbox.fault(Fault("delay", seconds=0.05))
    start = time.monotonic()
    assert (await http.get(ORG, headers=bearing("owner@demo.example"))).status_code == 200
    assert time.monotonic() - start >= 0.05


async def test_a_delay_beyond_the_clients_patience_is_served_all_the_same(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    sandbox.fault(Fault("delay", seconds=0.3))
    with pytest.raises(httpx.ReadTimeout):
        await http.get(ORG, headers=bearing("owner@demo.example"), timeout=0.01)
    await until(lambda: sandbox.calls(path="*/org"))
    assert [call.status for call in sandbox.calls(path="*/org")] == [200]


@pytest.mark.parametrize("fault", [Fault("lost_answer", method="POST"), Fault("status", method="POST", applied=True)])
async def test_what_was_applied_is_there_although_the_answer_says_otherwise(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing, fault: Fault
) -> None:
    headers = bearing("owner@demo.example")
    sandbox.fault(fault)
    with suppress(httpx.RemoteProtocolError):
        await http.post(f"{BOOKS}/contacts", headers=headers, json={"contact_name": "Lantern Press"})
    found = await http.get(f"{BOOKS}/contacts", headers=headers, params={"contact_name": "Lantern Press"})
    assert len(found.json()["contacts"]) == 1


async def test_a_plain_failure_applies_nothing(http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing) -> None:
    headers = bearing("owner@demo.example")
    sandbox.fault(Fault("status", method="POST"))
    await http.post(f"{BOOKS}/contacts", headers=headers, json={"contact_name": "Lantern Press"})
    found = await http.get(f"{BOOKS}/contacts", headers=headers, params={"contact_name": "Lantern Press"})
    assert found.json()["contacts"] == []


async def test_accounts_can_fail_too(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.fault(Fault("token_error", code="invalid_code", product="accounts"))
    answer = await http.post(TOKEN)
    assert (answer.status_code, answer.json()) == (200, {"error": "invalid_code"})


async def test_a_fault_begins_after_so_many_calls_and_ends_after_so_many(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    sandbox.fault(Fault("status", path="/crm/v8/org", after=1, times=2))
    headers = bearing("owner@demo.example")
    assert [(await http.get(ORG, headers=headers)).status_code for _ in range(4)] == [200, 503, 503, 200]


async def test_a_fault_strikes_only_what_it_names(http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing) -> None:
    for fault in (
        Fault("status", product="books"),
        Fault("status", path="/users*"),
        Fault("status", method="POST"),
        Fault("status", email="staff@demo.example"),
    ):
        sandbox.fault(fault)
    assert (await http.get(ORG, headers=bearing("owner@demo.example"))).status_code == 200
    assert (await http.get(ORG, headers=bearing("staff@demo.example"))).status_code == 503
    sandbox.clear_faults()
    assert (await http.get(ORG, headers=bearing("staff@demo.example"))).status_code == 200


@pytest_asyncio.fixture
async def served(sandbox: Sandbox) -> AsyncIterator[str]:
    """The sandbox on a port of its own."""
    config = uvicorn.Config(sandbox.app, host="127.0.0.1", port=0, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await running


@pytest.mark.parametrize("kind", ["refuse", "cut", "lost_answer", "black_hole"])
async def test_a_failing_connection_fails_on_a_real_port_too(served: str, bearing: Bearing, kind: str) -> None:
    async with httpx.AsyncClient(timeout=0.3, headers=bearing("owner@demo.example")) as client:
        ordered = await client.post(f"{served}/sandbox/faults", json={"kind": kind, "path": "/org", "times": 1})
        assert ordered.json()["faults"][0]["fault"]["kind"] == kind
        with pytest.raises((httpx.NetworkError, httpx.RemoteProtocolError, httpx.ReadTimeout)):
            await client.get(f"{served}/eu/api/crm/v8/org")
        assert (await client.get(f"{served}/eu/api/crm/v8/org")).status_code == 200


async def test_an_unknown_fault_is_refused(served: str) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.post(f"{served}/sandbox/faults", json={"kind": "mood"})).status_code == 400
        assert (await client.delete(f"{served}/sandbox/faults")).json() == {"faults": []}
