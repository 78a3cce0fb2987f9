"""Equal reads that do not begin in the same instant."""

import asyncio
from dataclasses import dataclass, field
from math import inf
from time import monotonic

import pytest

from services.errors import NotFound
from services.upstream.flights import Flights, Read

ONE, OTHER = Read("one access", "/invoices"), Read("another access", "/invoices")


@dataclass
class Product:
    """Counts what it is asked, and answers with how often that was; a closed gate keeps answers back."""

    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self) -> int:
        self.asked += 1
        answer = self.asked
        await self.gate.wait()
        return answer


@pytest.fixture
def product() -> Product:
    product = Product()
    product.gate.set()
    return product


async def read(flights: Flights, product: Product, what: Read = ONE, *, began: float = inf) -> int:
    answer: int = await flights.share(what, monotonic() + 5, product.answer, began=began)
    return answer


async def test_who_began_before_a_read_was_asked_for_gets_its_answer_afterwards(product: Product) -> None:
    flights, began = Flights(), monotonic()
    assert [await read(flights, product, began=began) for _ in range(40)] == [1] * 40


async def test_who_begins_after_a_read_was_asked_for_asks_anew(product: Product) -> None:
    flights = Flights()
    assert [await read(flights, product, began=monotonic()) for _ in range(3)] == [1, 2, 3]


async def test_the_newest_answer_is_the_one_that_is_kept(product: Product) -> None:
    flights, began = Flights(), monotonic()
    await read(flights, product)
    await read(flights, product)
    assert await read(flights, product, began=began) == 2


async def test_who_does_not_say_when_he_began_asks_anew(product: Product) -> None:
    flights = Flights()
    assert [await read(flights, product), await read(flights, product)] == [1, 2]


async def test_an_answer_is_never_another_access_s(product: Product) -> None:
    flights, began = Flights(), monotonic()
    assert await read(flights, product, ONE, began=began) == 1
    assert await read(flights, product, OTHER, began=began) == 2


async def test_an_answer_does_not_linger(product: Product) -> None:
    flights, began = Flights(linger=0.0), monotonic()
    assert [await read(flights, product, began=began) for _ in range(2)] == [1, 2]


async def test_no_more_answers_are_kept_than_a_few(product: Product) -> None:
    flights, began = Flights(most=2), monotonic()
    pages = [Read("one access", page) for page in range(3)]
    assert [await read(flights, product, page, began=began) for page in pages] == [1, 2, 3]
    assert await read(flights, product, pages[2], began=began) == 3
    assert await read(flights, product, pages[0], began=began) == 4


async def test_after_a_write_under_the_access_an_answer_is_asked_for_anew(product: Product) -> None:
    flights, began = Flights(), monotonic()
    await read(flights, product, ONE, began=began)
    await read(flights, product, OTHER, began=began)
    flights.forget("one access")
    assert await read(flights, product, ONE, began=began) == 3
    assert await read(flights, product, OTHER, began=began) == 2


async def test_a_read_under_way_during_a_write_is_joined_by_nobody_and_not_kept() -> None:
    flights, product, began = Flights(), Product(), monotonic()
    before = [asyncio.create_task(read(flights, product, began=began)) for _ in range(2)]
    await asyncio.sleep(0)
    flights.forget("one access")
    after = asyncio.create_task(read(flights, product, began=began))
    await asyncio.sleep(0)
    product.gate.set()
    assert await asyncio.gather(*before, after) == [1, 1, 2]
    assert await read(flights, product, began=began) == 2


async def test_a_failure_is_not_kept(product: Product) -> None:
    async def missing() -> int:
        raise NotFound

    flights, began = Flights(), monotonic()
    with pytest.raises(NotFound):
        await flights.share(ONE, monotonic() + 5, missing, began=began)
    assert await read(flights, product, began=began) == 1
