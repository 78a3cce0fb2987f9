"""Windows over lists that change while they are read: nothing twice, nothing lost, the order right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.errors import GatewayError, UpstreamRejected, UpstreamUnavailable
from services.kinds import Order
from services.listing import Cursor, Fetch, Ranking, Stream, Window, covering, ranking, window
from services.upstream.envelopes import LARGEST_PAGE, Rows

T0 = datetime(2026, 11, 15, tzinfo=UTC)
DOWN, UP = Ranking("value", int), Ranking("value", int, descending=False)


@dataclass(frozen=True)
class Item:
    """`place` is the product's own, undocumented order among equal values."""

    id: str
    value: int | None
    place: int = 0


@dataclass(frozen=True)
class Change:
    """What happens to the list after one of its pages was read: rows come with these values, others go."""

    added: Sequence[int | None] = ()
    removed: Sequence[int] = ()


@dataclass
class Product:
    """A list as a product keeps it: sorted, paged by number; it changes after each read as `changes` tell."""

    items: list[Item]
    rank: Ranking = DOWN
    changes: list[Change] = field(default_factory=list)
    prefix: str = "n"
    reads: list[tuple[int, int]] = field(default_factory=list)

    async def fetch(self, page: int, size: int) -> Rows[Any]:
        assert page >= 1
        assert 1 <= size <= LARGEST_PAGE
        rows, start = self.rows(), (page - 1) * size
        self.reads.append((page, size))
        if self.changes:
            self.change(self.changes.pop(0))
        return Rows(rows[start : start + size], len(rows) > start + size, T0 + timedelta(seconds=len(self.reads)))

    def rows(self) -> list[Item]:
        return in_order(self.items, self.rank, lambda item: (item.place, item.id))

    def change(self, change: Change) -> None:
        for index in change.removed:
            if self.items:
                self.items.pop(index % len(self.items))
        first = len(self.items) + 1000 * len(self.reads)
        self.items += [Item(f"{self.prefix}{first + i:06d}", value, first % 7) for i, value in enumerate(change.added)]


def in_order(items: Iterable[Item], rank: Ranking, among_equals: Any) -> list[Item]:
    """By value, without one last in descending and first in ascending order."""
    items = sorted(items, key=among_equals)
    some = sorted((i for i in items if i.value is not None), key=lambda i: i.value or 0, reverse=rank.descending)
    none = [item for item in items if item.value is None]
    return some + none if rank.descending else none + some


def items(values: Iterable[int | None], prefix: str = "r") -> list[Item]:
    return [Item(f"{prefix}{(n * 7919) % 10_007:06d}", value, n * 31 % 11) for n, value in enumerate(values)]


def stream(fetch: Fetch, name: str = "a", rank: int = 0) -> Stream:
    return Stream(name, rank, fetch)


async def walk(products: Sequence[Product], rank: Ranking, first: int) -> list[Any]:
    """The rows of all windows, one after another, as (value, rank of the stream, id)."""
    streams = [stream(product.fetch, f"s{n}", n) for n, product in enumerate(products)]
    delivered: list[Any] = []
    after, more = None, True
    while more:
        read = await window(streams, rank, first, after)
        assert len(read.rows) <= first
        assert read.rows or not read.more
        delivered += [(row.cursor.value, row.cursor.rank, row.record.id) for row in read.rows]
        after, more = read.rows[-1].cursor if read.rows else None, read.more
    return delivered


def check(delivered: list[Any], throughout: set[str], rank: Ranking) -> None:
    ids = [key for _, _, key in delivered]
    assert len(ids) == len(set(ids)), "a row came twice"
    assert throughout <= set(ids), "a row was lost"
    for (one, *before), (other, *behind) in pairwise(delivered):
        assert before < behind if one == other else rank.precedes(one, other), "rows are out of order"


values = st.one_of(st.integers(0, 6), st.integers(0, 6), st.none())
changes = st.lists(
    st.builds(Change, st.lists(values, max_size=4), st.lists(st.integers(0, 500), max_size=4)), max_size=12
)
ranks = st.sampled_from([DOWN, UP])


@settings(max_examples=200, deadline=None)
@given(st.lists(values, max_size=60), changes, st.integers(1, 9), ranks)
async def test_a_list_that_changes_after_every_read_is_delivered_once_and_whole(
    start: list[int | None], changed: list[Change], first: int, rank: Ranking
) -> None:
    product = Product(items(start), rank, changed)
    before = {item.id for item in product.items}
    delivered = await walk([product], rank, first)
    check(delivered, before & {item.id for item in product.items}, rank)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.lists(values, max_size=25), changes), min_size=2, max_size=4), st.integers(1, 9), ranks)
async def test_several_changing_lists_are_delivered_as_one(
    start: list[tuple[list[int | None], list[Change]]], first: int, rank: Ranking
) -> None:
    products = [Product(items(own, f"{n}r"), rank, changed, prefix=f"{n}n") for n, (own, changed) in enumerate(start)]
    before = {item.id for product in products for item in product.items}
    delivered = await walk(products, rank, first)
    check(delivered, before & {item.id for product in products for item in product.items}, rank)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 300), changes, st.integers(20, 100))
async def test_a_long_run_of_equal_values_is_delivered_whole(length: int, changed: list[Change], first: int) -> None:
    product = Product(items([3] * length), DOWN, changed)
    before = {item.id for item in product.items}
    delivered = await walk([product], DOWN, first)
    check(delivered, before & {item.id for item in product.items}, DOWN)


async def test_an_unchanged_list_costs_one_call_a_page() -> None:
    product = Product(items(range(1000)))
    delivered = await walk([product], DOWN, 20)
    assert [value for value, _, _ in delivered] == list(range(999, -1, -1))
    assert len(product.reads) == 50


@pytest.mark.parametrize("first", [1, 20, 50])
async def test_short_runs_of_equal_values_cost_no_further_call(first: int) -> None:
    product = Product(items(n // 3 for n in range(600)))
    await walk([product], DOWN, first)
    assert len(product.reads) == 600 / first


async def test_five_lists_cost_five_calls_a_page() -> None:
    products = [Product(items(range(n, 500, 5), f"{n}r"), prefix=str(n)) for n in range(5)]
    streams = [stream(product.fetch, f"s{n}", n) for n, product in enumerate(products)]
    read = await window(streams, DOWN, 20, None)
    assert [row.cursor.value for row in read.rows] == list(range(499, 479, -1))
    await window(streams, DOWN, 20, read.rows[-1].cursor)
    assert [len(product.reads) for product in products] == [2] * 5


async def test_rows_of_equal_value_stand_by_stream_and_then_by_id() -> None:
    products = [Product([Item(key, 5, place) for place, key in enumerate(keys)]) for keys in (("d", "b"), ("c", "a"))]
    read = await window([stream(p.fetch, str(n), n) for n, p in enumerate(products)], DOWN, 10, None)
    assert [row.record.id for row in read.rows] == ["b", "d", "a", "c"]


async def test_a_row_inserted_before_the_cursor_is_not_delivered_and_moves_nothing() -> None:
    product = Product(items(range(10, 40)))
    page = await window([stream(product.fetch)], DOWN, 10, None)
    product.change(Change(added=[99] * 25))
    following = await window([stream(product.fetch)], DOWN, 10, page.rows[-1].cursor)
    assert [row.record.value for row in following.rows] == list(range(29, 19, -1))


async def test_the_cursors_own_row_and_all_before_it_may_vanish() -> None:
    product = Product(items(range(10, 40)))
    page = await window([stream(product.fetch)], DOWN, 10, None)
    product.items = [item for item in product.items if item.value is not None and item.value < 30]
    following = await window([stream(product.fetch)], DOWN, 10, page.rows[-1].cursor)
    assert [row.record.value for row in following.rows] == list(range(29, 19, -1))


async def test_a_window_is_as_old_as_its_oldest_page() -> None:
    product = Product(items([3] * 300))
    read = await window([stream(product.fetch)], DOWN, 10, None)
    assert len(product.reads) > 1
    assert read.at == T0 + timedelta(seconds=1)


async def test_a_list_that_never_holds_still_is_given_up_with_a_coded_error() -> None:
    numbers = count()

    async def restless(_: int, size: int) -> Rows[Any]:
        return Rows([Item(f"{next(numbers)}", 3) for _ in range(size)], more=True, at=T0)

    with pytest.raises(UpstreamUnavailable, match="keeps changing"):
        await window([stream(restless)], DOWN, 10, Cursor(3, 0, "r", {"a": 50_000}))


async def test_thousands_of_rows_of_one_value_can_be_paged_through() -> None:
    product = Product([Item(f"{n:06d}", 3) for n in range(4000)])
    place = Cursor(3, 0, "002000", {"a": 2001})
    read = await window([stream(product.fetch)], DOWN, 10, place)
    assert [row.record.id for row in read.rows] == [f"{n:06d}" for n in range(2001, 2011)]


async def failing(page: int, size: int) -> Rows[Any]:
    raise UpstreamRejected(f"{page} {size}")


async def broken(page: int, size: int) -> Rows[Any]:
    raise RuntimeError(f"{page} {size}")


async def merged(*fetches: Fetch, tolerant: bool) -> Window:
    return await window([stream(fetch, str(n), n) for n, fetch in enumerate(fetches)], DOWN, 5, None, tolerant=tolerant)


async def test_a_failing_stream_is_left_out_and_named_where_that_is_tolerated() -> None:
    read = await merged(Product(items(range(3))).fetch, failing, tolerant=True)
    assert [row.record.value for row in read.rows] == [2, 1, 0]
    assert {name: failure.code for name, failure in read.failures.items()} == {"1": "UPSTREAM_REJECTED"}


@pytest.mark.parametrize(
    ("fetches", "tolerant", "error"),
    [
        ((Product([]).fetch, failing), False, GatewayError),
        ((failing, failing), True, GatewayError),
        ((Product([]).fetch, broken), True, RuntimeError),
        ((failing, broken), True, RuntimeError),
    ],
    ids=["not tolerated", "all fail", "a bug", "a bug among failures"],
)
async def test_otherwise_a_failing_stream_fails_the_window(
    fetches: Sequence[Fetch], tolerant: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await merged(*fetches, tolerant=tolerant)


@given(st.integers(0, 5000), st.integers(1, 300))
def test_a_page_covers_the_rows_asked_for_or_begins_with_the_first_of_them(start: int, length: int) -> None:
    page, size = covering(start, start + length)
    assert 1 <= size <= LARGEST_PAGE
    assert (page - 1) * size <= start < page * size
    if length <= LARGEST_PAGE // 2:
        assert page * size >= start + length or size == LARGEST_PAGE


@pytest.mark.parametrize(
    ("order", "texts"),
    [
        (Order.TOTAL, ["9.5", "10", "1000.00"]),
        (Order.CREATED_AT, ["2026-01-02T00:00:00+0200", "2026-01-01T23:00:00+0000", "2026-01-01T20:00:00-0800"]),
        (Order.PARTY_NAME, ["alpha", "Älpha", "beta", "Zeta"]),
        (Order.DATE, ["2025-12-31", "2026-01-01"]),
    ],
)
def test_values_are_compared_as_what_they_are_and_not_as_text(order: Order, texts: list[str]) -> None:
    rank = ranking(order, descending=False)
    read = [rank.parse(text) for text in texts]
    assert read == sorted(read)
    assert not any(rank.precedes(later, earlier) for earlier, later in pairwise(read))
    assert isinstance(ranking(Order.TOTAL).parse("9.50"), Decimal)
