"""Relay pages: arguments checked, rows with their cursors."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import Struct

from resolvers.context import Context
from resolvers.cursors import Cursors
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
    """A row whose cursor is written when it is asked for."""

    cursors: Cursors
    row: Row

    @property
    def cursor(self) -> str:
        """The cursor that continues after it."""
        return self.cursors.write(self.row.cursor)

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
    cursors: Cursors
    rank: Ranking

    def page(self, window: Window, count: Count | None = None) -> Page:
        """The answer to it."""
        edges = [Placed(self.cursors, row) for row in window.rows]
        return Page(edges, window.more, self.after is not None, window.at, count=count)


def asked(context: Context, rank: Ranking, first: int | None, after: str | None, *identity: Any) -> Asked:
    """Check `first` and `after` of the list that `identity` describes."""
    cursors = Cursors.of_list(context, rank.attribute, rank.descending, *identity)
    return Asked(size(first), cursors.read(after, rank.parse), cursors, rank)
