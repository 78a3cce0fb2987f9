"""Stable windows over product lists that only know page numbers.

The products page by number and sort by one column; rows come and go between two requests, and the order of rows
with equal values is not documented. A window is therefore cut by *keyset*: rows are ordered by (value, stream, id),
and a cursor names the last row delivered, with the place where it was seen only as a hint for where to read.
So nothing is delivered twice and nothing is lost, whatever happens in front of the cursor.

Several streams (modules, or customers of one account) are merged into one list by the same order.
"""

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from msgspec import Struct

from services.errors import GatewayError, UnsupportedByProduct, UpstreamUnavailable
from services.kinds import Order
from services.storage.clock import now
from services.upstream.envelopes import LARGEST_PAGE, Rows

_SLACK = 4
"""Rows read before and beyond what is asked, so that a run of equal values seldom costs another call."""
_MOST_READS = 50
"""Reads of one stream for one window; only a list that changes faster than it is read needs so many."""


Fetch = Callable[[int, int], Awaitable[Rows[Any]]]
"""(page from 1, rows a page) → the page."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The column a list is sorted by: the attribute that holds it and how its text is read back from a cursor."""

    attribute: str
    parse: Callable[[str], Any]
    descending: bool = True

    def value(self, record: Any) -> Any:
        """The comparable value of a record; None where it has none."""
        raw = getattr(record, self.attribute)
        return self.parse(raw) if isinstance(raw, str) else raw

    def follows(self, rows: Sequence[Any]) -> bool:
        """Whether a product that has sorted the rows compares as is done here: with texts that is an assumption."""
        if self.parse is not collated:
            return True
        values = [self.value(row) for row in rows]
        return not any(self.precedes(after, before) for before, after in pairwise(values))

    def precedes(self, one: Any, other: Any) -> bool:
        """Whether a row with the value `one` stands strictly before a row with the value `other`."""
        if one is None or other is None:
            return one is not other and (other is None) == self.descending
        return bool(one > other) if self.descending else bool(one < other)


def collated(text: str | None) -> str | None:
    """Text as the products compare it: without case and accents (an assumption; no source documents it)."""
    if text is None:
        return None
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


def _time(text: str) -> datetime:
    """A moment; without an offset it is UTC."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


_READ: Mapping[Order, Callable[[str], Any]] = {
    Order.CREATED_AT: _time,
    Order.LAST_MODIFIED_AT: _time,
    Order.DATE: date.fromisoformat,
    Order.DUE_DATE: date.fromisoformat,
    Order.SHIPMENT_DATE: date.fromisoformat,
    Order.DELIVERY_DATE: date.fromisoformat,
    Order.TOTAL: Decimal,
    Order.BALANCE: Decimal,
    Order.NUMBER: collated,
    Order.PARTY_NAME: collated,
}


def ranking(order: Order, *, descending: bool = True) -> Ranking:
    """The ranking of an order."""
    return Ranking(order.value, _READ[order], descending)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row delivered: its value, its stream's rank and id, and how many rows of each stream lie before it."""

    value: Any
    rank: int
    id: str
    offsets: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """One product list. `rank` orders rows of equal value between streams; `name` keys its offset in cursors."""

    name: str
    rank: int
    fetch: Fetch


class Row(Struct, frozen=True):
    """A record in its place: the `index`th of the `trail`, which says of which stream and where in it each row is."""

    record: Any
    value: Any
    rank: int
    trail: Sequence[tuple[str, int]]
    index: int
    before: Mapping[str, int]
    """Rows of each stream that lie before the trail."""

    @property
    def cursor(self) -> Cursor:
        """Continues after it."""
        offsets = {name: place + 1 for name, place in self.trail[: self.index + 1]}
        return Cursor(self.value, self.rank, self.record.id, {**self.before, **offsets})


@dataclass(frozen=True, slots=True)
class Window:
    """The rows asked for, whether more follow, and since when they are true."""

    rows: Sequence[Row]
    more: bool
    at: datetime
    failures: Mapping[str, GatewayError] = field(default_factory=dict)


class _Tape:
    """A contiguous stretch of one stream, extended in either direction until it answers."""

    def __init__(self, stream: Stream, rank: Ranking, after: Cursor | None, wanted: int) -> None:
        self.stream = stream
        self.rank = rank
        self.after = after
        self.wanted = wanted
        self.rows: list[Any] = []
        self.low = 0
        self.at = datetime.max.replace(tzinfo=UTC)
        self.ended = False
        self._certain: list[tuple[Any, Any, int]] | None = None

    async def read(self) -> "_Tape":
        """Read until the next `wanted` rows are certain; each further read reaches twice as far."""
        place = self.after.offsets.get(self.stream.name, 0) if self.after else 0
        reach = self.wanted + _SLACK
        low, high = max(0, place - _SLACK), place + reach
        for _ in range(_MOST_READS):
            await self._fetch(low, high)
            reach = max(self.wanted + _SLACK, min(2 * reach, LARGEST_PAGE // 2))
            if not self._begun():
                low, high = max(0, self.low - reach), self.low + 1
            elif not self.ended and len(self.certain()) < self.wanted:
                low = max(0, self.low + len(self.rows) - 1)
                high = low + 1 + reach
            else:
                return self
        raise UpstreamUnavailable("The product's list keeps changing while it is read.", hint="Ask again.")

    async def _fetch(self, start: int, end: int) -> None:
        page, size = covering(start, end)
        read = await self.stream.fetch(page, size)
        if not self.rank.follows(read.rows):
            raise UnsupportedByProduct(
                "The product sorts these texts in another way than pages can be told apart by.",
                hint="Order by something else, or allow an older answer with `@fresh(within: …)`.",
                field=["orderBy"],
            )
        self.at, self._certain = min(self.at, read.at), None
        low, ids = (page - 1) * size, {row.id for row in read.rows}
        rest = [row for row in self.rows if row.id not in ids]
        if len(rest) == len(self.rows):  # nothing in common: rows moved meanwhile, so start over from here
            self.rows, self.low, self.ended = read.rows, low, not read.more
        elif low < self.low:
            self.rows, self.low = read.rows + rest, low
        else:
            self.rows, self.ended = rest + read.rows, not read.more

    def _begun(self) -> bool:
        """Whether no row after the cursor can stand before this stretch."""
        if self.low == 0 or self.after is None or not self.rows:
            return self.low == 0
        return self.rank.precedes(self.rank.value(self.rows[0]), self.after.value)

    def certain(self) -> list[tuple[Any, Any, int]]:
        """(value, record, place) of the rows after the cursor, less a last run of equals that may be incomplete."""
        if self._certain is None:
            self._certain = self._found()
        return self._certain

    def _found(self) -> list[tuple[Any, Any, int]]:
        placed = [(self.rank.value(row), row, self.low + i) for i, row in enumerate(self.rows)]
        if not self.ended and placed:
            last = placed[-1][0]
            placed = [entry for entry in placed if entry[0] != last]
        return [entry for entry in placed if self._follows(entry[0], entry[1].id)]

    def _follows(self, value: Any, record_id: str) -> bool:
        if self.after is None:
            return True
        if value == self.after.value:
            return (self.stream.rank, record_id) > (self.after.rank, self.after.id)
        return self.rank.precedes(self.after.value, value)


def covering(start: int, end: int) -> tuple[int, int]:
    """The (page, rows a page) with the smallest page that holds rows `start` to `end`, or as much as one page can.

    >>> covering(0, 25), covering(98, 125)
    ((1, 25), (4, 32))
    """
    for size in range(max(1, end - start), LARGEST_PAGE + 1):
        page = start // size
        if (page + 1) * size >= end:
            return page + 1, size
    return start // LARGEST_PAGE + 1, LARGEST_PAGE


async def window(
    streams: Sequence[Stream], rank: Ranking, first: int, after: Cursor | None, *, tolerant: bool = False
) -> Window:
    """The next `first` rows of the merged streams.

    A stream that fails fails the window; when `tolerant`, it is left out and named in `failures`, unless all fail.
    """
    tapes = [_Tape(stream, rank, after, first + 1) for stream in streams]
    read = await asyncio.gather(*(tape.read() for tape in tapes), return_exceptions=True)
    ends = {stream.name: end for stream, end in zip(streams, read, strict=True) if isinstance(end, BaseException)}
    failures = {name: end for name, end in ends.items() if isinstance(end, GatewayError)}
    if ends and (not tolerant or len(failures) < len(ends) or len(failures) == len(tapes)):
        raise min(ends.values(), key=lambda end: isinstance(end, GatewayError))
    good = [tape for tape in tapes if tape.stream.name not in failures]
    entries = [(value, tape, record, place) for tape in good for value, record, place in tape.certain()]
    ordered = _ordered(entries, rank)
    at = min((tape.at for tape in good), default=now())
    return Window(_placed(ordered[:first], after), len(ordered) > first, at, failures)


def _ordered(entries: list[Any], rank: Ranking) -> list[Any]:
    entries.sort(key=lambda entry: (entry[1].stream.rank, entry[2].id))
    some = [entry for entry in entries if entry[0] is not None]
    none = [entry for entry in entries if entry[0] is None]
    some.sort(key=lambda entry: entry[0], reverse=rank.descending)
    return some + none if rank.descending else none + some


def _placed(entries: list[Any], after: Cursor | None) -> list[Row]:
    before = after.offsets if after else {}
    trail = [(tape.stream.name, place) for _, tape, _, place in entries]
    return [
        Row(record, value, tape.stream.rank, trail, index, before)
        for index, (value, tape, record, _) in enumerate(entries)
    ]
