import asyncio
from time import monotonic

import pytest

from services.documents import Module
from services.errors import UpstreamRateLimited
from services.kinds import KINDS
from services.policy import Product
from services.sandbox.budget import Limits
from services.upstream.budget import Allowance, Budget, Left

from .conftest import Desk, Open

KEY = (Product.BOOKS, "20098765001")
INVOICES = KINDS[Module.INVOICES]


def budget(per_minute: int | None, at_once: int) -> Budget:
    return Budget({product: Allowance(per_minute, at_once) for product in Product})


async def pages(desk: Desk, email: str, count: int, *, seconds: float = 20) -> list[object]:
    errand = desk.errand(email, seconds=seconds)
    asked = (desk.documents.rows(errand, INVOICES, {}, page, 5) for page in range(1, count + 1))
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_no_more_calls_are_under_way_than_the_product_allows(open_desk: Open) -> None:
    desk = open_desk(budget(None, 10))
    desk.sandbox.limit(Limits(minute=1000, concurrent=10))
    await pages(desk, "staff@demo.example", 80)
    assert desk.calls(product="books", status=200) == 80
    assert desk.calls(product="books", status=429) == 0


async def test_the_minute_s_budget_is_kept_and_who_cannot_wait_is_told_when(open_desk: Open) -> None:
    desk = open_desk(budget(30, 10))
    desk.sandbox.limit(Limits(minute=30))
    started = monotonic()
    answers = await pages(desk, "staff@demo.example", 40)
    limited = [answer for answer in answers if isinstance(answer, UpstreamRateLimited)]
    assert len(limited) == 10
    assert {answer.details["product"] for answer in limited} == {Product.BOOKS}
    assert all(55 <= answer.details["retryAfter"] <= 60 for answer in limited)
    assert desk.calls(product="books") == 30
    assert monotonic() - started < 25


async def test_each_organization_and_product_has_a_budget_of_its_own(open_desk: Open) -> None:
    desk = open_desk(budget(3, 10))
    await pages(desk, "staff@demo.example", 3)
    assert (await pages(desk, "owner@west.example", 1))[0]
    assert (await desk.billing.customers(desk.errand("billing@demo.example"), {}, 1)).rows


async def test_a_person_with_many_calls_does_not_keep_another_waiting() -> None:
    shared, order = budget(None, 1), []

    async def call(person: str) -> None:
        await shared.enter(KEY, person, monotonic() + 5)
        order.append(person)
        await asyncio.sleep(0)
        shared.leave(KEY)

    await asyncio.gather(*(call(person) for person in ["many"] * 10 + ["one"] + ["two"] * 2))
    assert order.index("one") <= 3
    assert order[-5:] == ["many"] * 5


async def test_who_gives_up_waiting_leaves_his_place_to_the_others() -> None:
    shared = budget(None, 1)
    await shared.enter(KEY, "first", monotonic() + 5)
    gone = asyncio.create_task(shared.enter(KEY, "gone", monotonic() + 5))
    last = asyncio.create_task(shared.enter(KEY, "last", monotonic() + 5))
    await asyncio.sleep(0)
    gone.cancel()
    shared.leave(KEY)
    await last
    with pytest.raises(UpstreamRateLimited):
        await shared.enter(KEY, "late", monotonic() + 0.02)
    shared.leave(KEY)
    await shared.enter(KEY, "again", monotonic() + 1)


async def test_a_turn_that_comes_as_its_owner_leaves_is_not_lost() -> None:
    shared = budget(None, 1)
    await shared.enter(KEY, "first", monotonic() + 5)
    waiting = asyncio.create_task(shared.enter(KEY, "second", monotonic() + 5))
    await asyncio.sleep(0)
    shared.leave(KEY)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await shared.enter(KEY, "third", monotonic() + 1)


async def test_a_closed_budget_opens_again_by_itself() -> None:
    shared = budget(None, 1)
    shared.close(KEY, 0.05)
    with pytest.raises(UpstreamRateLimited):
        await shared.enter(KEY, "hasty", monotonic() + 0.01)
    await shared.enter(KEY, "patient", monotonic() + 5)


async def test_a_spent_day_is_known_from_the_answers(desk: Desk) -> None:
    desk.sandbox.limit(Limits(minute=1000, day=3))
    answers = await pages(desk, "staff@demo.example", 3)
    assert not any(isinstance(answer, Exception) for answer in answers)
    desk.sandbox.clear_calls()
    (limited,) = await pages(desk, "staff@demo.example", 1)
    assert isinstance(limited, UpstreamRateLimited)
    assert desk.calls() == 0


async def test_what_is_left_is_told_as_far_as_it_is_known(open_desk: Open) -> None:
    known = budget(30, 10)
    desk = open_desk(known)
    desk.sandbox.limit(Limits(minute=30, day=1000))
    assert known.left(KEY) == Left()
    await pages(desk, "staff@demo.example", 4)
    assert known.left(KEY) == Left(minute=26, day=996)
    known.close(KEY, 5)
    assert known.left(KEY).minute == 0
