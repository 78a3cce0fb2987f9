"""Relay pages: arguments checked, cursors read and written."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from msgspec import Struct

from services.errors import BadUserInput
from services.listing import Cursor, Ranking, Row, Window

DEFAULT_FIRST = 20
MOST_FIRST = 100


@dataclass(frozen=True, slots=True)
class Edge:
    """A row and the cursor that continues after it."""

    cursor: str
    node: Any


class Placed(Struct, frozen=True):
    """A row whose cursor is written when it is asked for; `of` is its list."""

    of: str
    row: Row

    @property
    def cursor(self) -> str:
        """The cursor that continues after it."""
        return write_cursor(self.of, self.row.cursor)

    @property
    def node(self) -> Any:
        """The row itself."""
        return self.row.record


Count = Callable[[], Awaitable[int | None]]


@dataclass(frozen=True, slots=True)
class Page:
    """A connection: Relay's PageInfo and the rows. They are counted when that is asked for, where they can be."""

    edges: Sequence[Edge | Placed]
    has_next_page: bool
    has_previous_page: bool
    as_of: datetime
    total_count: int | None = None
    count: Count | None = None

    @property
    def nodes(self) -> list[Any]:
        """The rows without their cursors."""
        return [edge.node for edge in self.edges]

    @property
    def start_cursor(self) -> str | None:
        """The first row's cursor."""
        return self.edges[0].cursor if self.edges else None

    @property
    def end_cursor(self) -> str | None:
        """The last row's cursor."""
        return self.edges[-1].cursor if self.edges else None


def size(first: int | None) -> int:
    """The page size asked for; raises `BadUserInput` outside 1 to 100."""
    if first is None:
        return DEFAULT_FIRST
    if not 1 <= first <= MOST_FIRST:
        raise BadUserInput(
            f"`first` is {first}; it can be 1 to {MOST_FIRST}.",
            field=("first",),
            hint="Page on with `after: endCursor`.",
        )
    return first


def fingerprint(*parts: Any) -> str:
    """What makes a list this list: cursors of another one are refused."""
    return sha256(json.dumps(parts, default=str).encode()).hexdigest()[:12]


def write_cursor(of: str, cursor: Cursor) -> str:
    """A cursor as opaque text."""
    value = None if cursor.value is None else str(cursor.value)
    text = json.dumps([of, value, cursor.rank, cursor.id, cursor.offsets], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(of: str, text: str | None, parse: Callable[[str], Any]) -> Cursor | None:
    """A client's cursor; raises `BadUserInput` for one that is malformed or of another list."""
    if text is None:
        return None
    try:
        list_of, value, rank, record_id, offsets = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not (isinstance(rank, int) and isinstance(record_id, str) and _offsets(offsets)):
            raise _malformed(text)
        cursor = Cursor(None if value is None else parse(value), rank, record_id, offsets)
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise _malformed(text) from error
    if list_of != of:
        raise BadUserInput(
            "The cursor belongs to another list.",
            field=("after",),
            hint="Keep filters, order and parent the same while paging, or start again without `after`.",
        )
    return cursor


def _offsets(offsets: Any) -> bool:
    if not isinstance(offsets, dict):
        return False
    return all(isinstance(place, int) and 0 <= place < 10**9 for place in offsets.values())


def _malformed(text: str) -> BadUserInput:
    return BadUserInput(f"{text[:80]!r} is not a cursor.", field=("after",), hint="Use an `endCursor` you were given.")


def total(page: Page, _context: Any) -> int | Awaitable[int | None] | None:
    """How many rows the whole list has; None where nobody knows."""
    return page.total_count if page.count is None else page.count()


def empty(at: datetime) -> Page:
    """A list that is known to have no rows."""
    return Page((), has_next_page=False, has_previous_page=False, as_of=at)


@dataclass(frozen=True, slots=True)
class Asked:
    """The checked arguments of a page of one list."""

    first: int
    after: Cursor | None
    of: str
    text: str | None
    rank: Ranking

    def page(self, window: Window, count: Count | None = None) -> Page:
        """The answer to it."""
        edges = [Placed(self.of, row) for row in window.rows]
        return Page(edges, window.more, self.text is not None, window.at, count=count)


def asked(rank: Ranking, first: int | None, after: str | None, *identity: Any) -> Asked:
    """Check `first` and `after` of the list that `identity` describes."""
    of = fingerprint(rank.attribute, rank.descending, *identity)
    return Asked(size(first), read_cursor(of, after, rank.parse), of, after, rank)
