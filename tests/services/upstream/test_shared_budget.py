"""Several gateways on one database, and a product that counts."""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest
from structlog.testing import capture_logs

from services.documents import Module
from services.errors import GatewayError, UpstreamRateLimited
from services.kinds import KINDS
from services.policy import Product
from services.sandbox.budget import Limits
from services.storage.engine import Database
from services.upstream.budget import Allowance, Key, Left
from services.upstream.leases import PATIENCE, SharedBudget
from services.upstream.ledger import Ledger
from services.upstream.shares import LIFE, Lent, Report

from .conftest import Desk, Open

INVOICES = KINDS[Module.INVOICES]
ROOT = Path(__file__).parents[3]
TOLD_WITHIN, PAUSE = 10.0, 0.2
"""Seconds, however busy the machine is: 50 calls at most of 100."""
Share = Callable[..., SharedBudget]


@pytest.fixture
async def share(own_database: Database) -> AsyncIterator[Share]:
    """Budgets as so many processes have them."""
    async with AsyncExitStack() as stack:

        def open_one(per_minute: int | None = 100, at_once: int = 10) -> SharedBudget:
            database = Database(own_database.url, pool_size=2)
            stack.push_async_callback(database.close)
            allowances = {product: Allowance(per_minute, at_once) for product in Product}
            budget = SharedBudget(Ledger(database, allowances), allowances)
            stack.push_async_callback(budget.aclose)
            return budget

        yield open_one


async def _until_refused(budget: SharedBudget, key: Key) -> UpstreamRateLimited:
    """The refusal, which comes long before the calls of a minute are used up."""
    for _ in range(round(TOLD_WITHIN / PAUSE)):
        try:
            await budget.enter(key, "person", monotonic() + 5)
        except UpstreamRateLimited as limited:
            return limited
        budget.leave(key)
        await asyncio.sleep(PAUSE)
    pytest.fail("nobody was told")


@pytest.fixture
def key() -> Key:
    return Product.BOOKS, secrets.token_hex(4)


async def pages(desk: Desk, count: int, *, seconds: float = 20) -> list[object]:
    errand = desk.errand("staff@demo.example", seconds=seconds)
    asked = (desk.documents.rows(errand, INVOICES, {}, page, 5) for page in range(1, count + 1))
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_four_gateways_keep_the_product_s_limits_together(open_desk: Open, share: Share) -> None:
    desks = [open_desk(share()) for _ in range(4)]
    sandbox = desks[0].sandbox
    sandbox.limit(Limits(minute=100, concurrent=10))
    answers = await asyncio.gather(*(pages(desk, 25) for desk in desks))
    assert not [answer for several in answers for answer in several if isinstance(answer, Exception)]
    (late,) = await pages(desks[2], 1, seconds=5)
    assert isinstance(late, UpstreamRateLimited)
    assert late.details["retryAfter"] > 5
    assert len(sandbox.calls(product="books", status=200)) == 100
    assert not sandbox.calls(product="books", status=429)


async def test_a_process_that_is_held_up_does_not_take_the_database_for_away(share: Share, key: Key) -> None:
    budget = share()
    with capture_logs() as said:
        entering = asyncio.create_task(budget.enter(key, "person", monotonic() + 10))
        await asyncio.sleep(0.001)
        sleep(PATIENCE * 1.2)  # noqa: ASYNC251 - everything is held up
        await entering
    assert said == []


class Silent:
    """A lender that says nothing."""

    async def settle(self, _key: Key, _report: Report) -> Lent:
        await asyncio.sleep(LIFE)
        pytest.fail("it was waited for")


async def test_a_database_that_says_nothing_is_given_up_in_words(key: Key) -> None:
    budget = SharedBudget(Silent())
    with capture_logs() as said, pytest.raises(GatewayError):
        await budget.enter(key, "person", monotonic() + PATIENCE * 1.5)
    await budget.aclose()
    assert {(one["event"].partition(";")[0], one["error"]) for one in said} == {
        ("the shared budget is away", "TimeoutError")
    }


async def test_the_day_s_last_calls_are_shared_as_well(open_desk: Open, share: Share) -> None:
    desks = [open_desk(share()) for _ in range(3)]
    sandbox = desks[0].sandbox
    sandbox.limit(Limits(day=20))
    await pages(desks[0], 1)
    answers = await asyncio.gather(*(pages(desk, 10, seconds=8) for desk in desks))
    refused = [answer for several in answers for answer in several if isinstance(answer, Exception)]
    assert all(isinstance(answer, UpstreamRateLimited) for answer in refused)
    assert len(refused) == 11
    assert not sandbox.calls(product="books", status=429)


async def test_a_refusal_that_one_gateway_meets_closes_the_budget_of_all(share: Share, key: Key) -> None:
    one, other = share(), share()
    for budget in (one, other):
        await budget.enter(key, "person", monotonic() + 5)
        budget.leave(key)
    one.close(key, 60)
    limited = await _until_refused(other, key)
    assert limited.details["retryAfter"] > 60 - TOLD_WITHIN


async def test_places_that_stay_idle_in_one_gateway_are_used_by_another(share: Share, key: Key) -> None:
    one, other = share(), share()
    await one.enter(key, "person", monotonic() + 5)
    one.leave(key)
    started = monotonic()
    await asyncio.gather(*(other.enter(key, "person", monotonic() + 5) for _ in range(10)))
    assert monotonic() - started < 3


async def test_two_gateways_that_are_always_busy_both_get_on(share: Share, key: Key) -> None:
    done = [0, 0]

    async def work(budget: SharedBudget, number: int) -> None:
        while monotonic() < until:
            await budget.enter(key, "person", monotonic() + 10)
            await asyncio.sleep(0.05)
            budget.leave(key)
            done[number] += 1

    budgets, until = [share(None, 4), share(None, 4)], monotonic() + 2
    await asyncio.gather(*(work(budget, number) for number, budget in enumerate(budgets) for _ in range(6)))
    assert min(done) > max(done) / 4


async def test_within_a_gateway_people_still_take_turns(share: Share, key: Key) -> None:
    budget, order = share(None, 1), []

    async def call(person: str) -> None:
        await budget.enter(key, person, monotonic() + 5)
        order.append(person)
        await asyncio.sleep(0)
        budget.leave(key)

    await asyncio.gather(*(call(person) for person in ["many"] * 10 + ["one"] + ["two"] * 2))
    assert order.index("one") <= 3
    assert order[-5:] == ["many"] * 5


HOLDER = """
import asyncio, sys, time
from services.policy import Product
from services.storage.engine import Database
from services.upstream.budget import ALLOWANCES
from services.upstream.leases import SharedBudget
from services.upstream.ledger import Ledger

async def hold() -> None:
    budget = SharedBudget(Ledger(Database(sys.argv[1], pool_size=2), ALLOWANCES))
    for _ in range(10):
        await budget.enter((Product.BOOKS, sys.argv[2]), "person", time.monotonic() + 20)
    print("held", flush=True)
    await asyncio.sleep(60)

asyncio.run(hold())
"""


async def test_the_places_of_a_killed_process_come_back(own_database: Database, share: Share, key: Key) -> None:
    url = own_database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", HOLDER, url, key[1]]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:  # noqa: ASYNC220, S603
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"held\n"
        with pytest.raises(UpstreamRateLimited):
            await share().enter(key, "person", monotonic() + 1)
        process.kill()
    started = monotonic()
    await share().enter(key, "person", monotonic() + 2 * LIFE)
    assert monotonic() - started < LIFE + 2


async def _away(database: Database) -> None:
    name = database.url.database
    url = database.url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


async def _back(database: Database) -> None:
    url = database.url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f'ALTER DATABASE "{database.url.database}" ALLOW_CONNECTIONS true')


async def test_while_the_database_is_away_the_share_that_was_lent_is_all_there_is(
    own_database: Database, share: Share, key: Key
) -> None:
    budgets = [share(), share()]
    for budget in budgets:
        await budget.enter(key, "person", monotonic() + 5)
        budget.leave(key)
    await _away(own_database)
    deadline = monotonic() + 1.5
    calls = (_called(budget, key, deadline) for budget in budgets for _ in range(100))
    went = sum(await asyncio.gather(*calls))
    assert 0 < went <= 98
    await _back(own_database)
    await asyncio.gather(*(budget.enter(key, "person", monotonic() + 10) for budget in budgets))


async def test_what_all_gateways_have_left_is_known_to_each_that_calls(share: Share, key: Key) -> None:
    one, other = share(), share()
    assert one.left(key) == Left()
    for _ in range(8):
        assert await _called(one, key, monotonic() + 5)
    one.told(key, 500, 3600)
    await one.aclose()
    assert other.left(key) == Left()
    await _called(other, key, monotonic() + 5)
    assert other.left(key) == Left(minute=100 - 9, day=499)


async def _called(budget: SharedBudget, key: Key, deadline: float) -> bool:
    try:
        await budget.enter(key, "person", deadline)
    except UpstreamRateLimited:
        return False
    await asyncio.sleep(0)
    budget.leave(key)
    return True
