import asyncio
from collections.abc import Callable
from time import monotonic

import pytest

from services.errors import NotFound
from services.lookups import Lookups


class Shelf:
    """What is looked up: each look takes as long as it is told to, and finds another number."""

    def __init__(self) -> None:
        self.looks = 0
        self.open = asyncio.Event()
        self.open.set()

    async def look(self) -> int:
        self.looks += 1
        found = self.looks
        await self.open.wait()
        return found


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_who_wants_the_same_at_the_same_moment_shares_one_look_up() -> None:
    shelf, known = Shelf(), Lookups[str, int](60)
    assert await asyncio.gather(*(known.get("a", 1, shelf.look) for _ in range(5))) == [1] * 5
    assert await known.get("b", 1, shelf.look) == 2
    assert await known.get("a", 1, shelf.look) == 1


async def test_a_look_up_goes_on_when_the_first_who_wanted_it_has_gone() -> None:
    shelf, known = Shelf(), Lookups[str, int](60)
    shelf.open.clear()
    first = asyncio.create_task(known.get("a", 1, shelf.look))
    await until(lambda: shelf.looks == 1)
    second = asyncio.create_task(known.get("a", 1, shelf.look))
    await asyncio.sleep(0)
    first.cancel()
    shelf.open.set()
    assert await second == 1


async def test_nobody_waits_for_what_is_still_wanted_when_it_grows_old() -> None:
    shelf, known = Shelf(), Lookups[str, int](1)
    assert await known.get("a", 1, shelf.look) == 1
    shelf.open.clear()
    async with asyncio.timeout(5):
        while shelf.looks == 1:
            assert await known.get("a", 1, shelf.look) == 1
            await asyncio.sleep(0.005)
    shelf.open.set()
    await asyncio.sleep(0.01)
    assert (await known.get("a", 1, shelf.look), shelf.looks) == (2, 2)


async def test_what_is_too_old_is_looked_up_while_one_waits() -> None:
    shelf, known = Shelf(), Lookups[str, int](0.02)
    await known.get("a", 1, shelf.look)
    await asyncio.sleep(0.03)
    assert await known.get("a", 1, shelf.look) == 2


async def test_after_a_change_neither_what_is_known_nor_what_is_under_way_is_used() -> None:
    shelf, known = Shelf(), Lookups[str, int](60)
    assert await known.get("a", 1, shelf.look) == 1
    assert await known.get("a", 2, shelf.look) == 2
    shelf.open.clear()
    before = asyncio.create_task(known.get("a", 3, shelf.look))
    await until(lambda: shelf.looks == 3)
    after = asyncio.create_task(known.get("a", 4, shelf.look))
    await until(lambda: shelf.looks == 4)
    shelf.open.set()
    assert (await before, await after, await known.get("a", 4, shelf.look)) == (3, 4, 4)


async def test_what_is_forgotten_is_not_kept_when_it_comes_later() -> None:
    shelf, known = Shelf(), Lookups[str, int](60)
    shelf.open.clear()
    before = asyncio.create_task(known.get("a", 1, shelf.look))
    await until(lambda: shelf.looks == 1)
    known.forget(lambda key: key == "a")
    shelf.open.set()
    assert await before == 1
    assert await known.get("a", 1, shelf.look) == 2


async def test_a_failure_is_told_to_all_who_wait_and_not_kept() -> None:
    shelf, known = Shelf(), Lookups[str, int](60)

    async def fails() -> int:
        raise ConnectionError

    told = await asyncio.gather(*(known.get("a", 1, fails) for _ in range(2)), return_exceptions=True)
    assert [type(one) for one in told] == [ConnectionError] * 2
    assert await known.get("a", 1, shelf.look) == 1


async def test_what_is_not_to_be_kept_is_shared_all_the_same() -> None:
    shelf, known = Shelf(), Lookups[str, int](60, lambda *_: False)
    assert [*await asyncio.gather(known.get("a", 1, shelf.look), known.get("a", 1, shelf.look))] == [1, 1]
    assert await known.get("a", 1, shelf.look) == 2


async def test_the_end_does_not_wait_for_what_is_under_way() -> None:
    shelf, known = Shelf(), Lookups[str, int](60)
    shelf.open.clear()
    waiting = asyncio.create_task(known.get("a", 1, shelf.look))
    await until(lambda: shelf.looks == 1)
    await known.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_is_refused_when_it_is_looked_up_anew_is_not_used_any_more() -> None:
    refused: list[float] = []

    async def refuse() -> int:
        refused.append(monotonic())
        raise NotFound

    known = Lookups[str, int](4)
    found: list[object] = [await known.get("a", 1, Shelf().look)]
    async with asyncio.timeout(10):
        while found[-1] == 1:
            await asyncio.sleep(0.005)
            found += await asyncio.gather(known.get("a", 1, refuse), return_exceptions=True)
    assert isinstance(found[-1], NotFound)
    assert monotonic() - refused[0] < 0.3  # it would have been used for half a second more


async def test_what_was_forgotten_ends_with_the_rest() -> None:
    shelf, known = Shelf(), Lookups[str, int](60)
    shelf.open.clear()
    asking = asyncio.create_task(known.get("a", 1, shelf.look))
    await until(lambda: shelf.looks == 1)
    known.forget()
    await known.aclose()
    assert (await asyncio.gather(asking, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_a_look_up_that_hangs_keeps_only_those_waiting_who_came_soon() -> None:
    shelf, known = Shelf(), Lookups[str, int](60, patience=0.05)
    shelf.open.clear()
    first = asyncio.create_task(known.get("a", 1, shelf.look))
    await until(lambda: shelf.looks == 1)
    await asyncio.sleep(0.06)
    shelf.open = asyncio.Event()
    shelf.open.set()
    assert await asyncio.wait_for(known.get("a", 1, shelf.look), 5) == 2
    assert not first.done()
    await known.aclose()
    assert await known.get("a", 1, shelf.look) == 2


async def test_what_is_not_kept_when_it_is_looked_up_anew_is_not_used_any_more() -> None:
    gone: list[float] = []

    async def vanish() -> int | None:
        gone.append(monotonic())
        return None

    known = Lookups[str, int | None](4, lambda _, found: found is not None)
    found = await known.get("a", 1, Shelf().look)
    async with asyncio.timeout(10):
        while found == 1:
            await asyncio.sleep(0.005)
            found = await known.get("a", 1, vanish)
    assert monotonic() - gone[0] < 0.3  # it would have been used for half a second more
