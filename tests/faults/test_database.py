"""PostgreSQL fails while somebody reads, writes or is about to be told: nothing acknowledged is lost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr

from gateway.http.endpoint import GRACE_SECONDS
from services.sandbox import Fault
from tests.faults.database import Server
from tests.faults.gateways import DEADLINE, another, asking, begun, hurried, survived
from tests.faults.hole import hole
from tests.faults.tally import CREATE, LINES, Tally
from tests.harness import Gateway, running, struck

AT_ONCE = 30
"""More requests than there are connections."""


Work = Callable[[Tally], Awaitable[object]]


@pytest.mark.parametrize(("method", "work"), [("GET", Tally.read), ("POST", Tally.write)], ids=["read", "write"])
async def test_all_backends_are_ended_while_a_product_is_being_asked(common: Gateway, method: str, work: Work) -> None:
    tally = await begun(common)
    common.sandbox.fault(Fault("delay", path="/books/v3/*", method=method, seconds=0.3))
    request = asyncio.ensure_future(work(tally))
    await struck(common.sandbox)
    await Server(common).end_backends()
    await request
    common.sandbox.clear_faults()
    await survived(common, tally)


async def test_the_backend_is_ended_that_stores_what_became_of_a_write(common: Gateway) -> None:
    tally, server = await begun(common), Server(common)
    common.sandbox.fault(Fault("delay", path="/books/v3/*", method="POST", seconds=0.3))
    request = asyncio.create_task(tally.write())
    await struck(common.sandbox)
    async with server.locked("audit_events", "SHARE"):
        await server.until_waiting()
        await server.end_waiters()
        assert await request != "APPLIED"
    common.sandbox.clear_faults()
    await survived(common, tally)
    assert [said[-1] for said in tally.told.values()].count("APPLIED") == len(tally.told)


async def test_a_database_that_nobody_can_reach_is_said_with_a_time_to_come_back(common: Gateway) -> None:
    tally, server = await begun(common), Server(common)
    async with another(common) as gateway:
        tally.post = asking(gateway)
        async with server.away():
            assert not await tally.read()
            response = await gateway.post("staff", {"query": "{ viewer { id } }"})
            assert await tally.write() == "INTERNAL"
        told = response.json()["errors"][0]
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert "Try again" in told["message"]
        assert told["extensions"]["requestId"] == response.headers["x-request-id"]
        await survived(gateway, tally)


async def test_a_database_that_stores_nothing_keeps_writes_from_the_products(common: Gateway) -> None:
    tally, server = await begun(common), Server(common)
    async with server.read_only():
        common.sandbox.clear_calls()
        for person in ("owner", "staff"):
            assert await tally.write(person) == "INTERNAL"
        assert common.sandbox.calls(product="books", method="POST") == []
    await server.end_backends()
    await survived(common, tally)


async def test_a_network_that_is_cut_keeps_nobody_waiting_beyond_his_deadline(common: Gateway) -> None:
    tally, server = await begun(common), Server(common)
    async with hole(server.url) as (way, url):
        settings = common.settings.model_copy(update={"database_url": SecretStr(url)})
        async with running(hurried(settings), common.sandbox) as gateway:
            tally.post = asking(gateway)
            assert await tally.read()
            way.cut()
            async with asyncio.timeout(DEADLINE + 2 * GRACE_SECONDS + 1):
                people = [person for person in ("owner", "staff", "sales") for _ in range(AT_ONCE // 3)]
                *_, written = await asyncio.gather(*map(tally.read, people), tally.write())
            assert written in {"INTERNAL", "DEADLINE_EXCEEDED"}
            assert sum(tally.codes.values()) > 1
            way.mend(forgetting=True)
            await survived(gateway, tally)
            pool = gateway.app.state.readiness._database.pool()  # noqa: SLF001
            assert (pool.in_use, pool.waiting) == (0, 0)


async def test_a_write_that_was_in_anothers_way_is_told_to_come_again_and_may(common: Gateway) -> None:
    tally, server = await begun(common), Server(common)
    async with server.crossing("outcomes"):
        assert await tally.write() == "INTERNAL"
        draft = {"customerId": tally.customer, "lineItems": LINES}
        (error,) = (await common.ask("owner", CREATE, input=draft, key="crossed"))["errors"]
    assert "Try again" in error["message"]
    assert error["extensions"]["retryAfter"] == 1
    await survived(common, tally)


async def test_requests_that_get_no_connection_are_refused_by_their_deadline(common: Gateway) -> None:
    calm, server = await begun(common), Server(common)
    async with another(common, seconds=0.5) as gateway:
        tally = Tally(asking(gateway), gateway.sandbox, calm=calm.calm, customer=calm.customer)
        async with server.locked("members"), asyncio.timeout(15):
            reads = [tally.read() for _ in range(AT_ONCE)]
            await asyncio.gather(*reads, tally.write())
        assert tally.codes == {"DEADLINE_EXCEEDED": AT_ONCE + 1}
    async with another(common) as gateway:
        tally.post = asking(gateway)
        await survived(gateway, tally)
