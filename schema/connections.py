"""Relay connections."""

from typing import Any, Generic, TypeVar

from resolvers import pagination
from resolvers.relations import Derived
from schema.permissions import Argument, field, guarded
from schema.scalars import DateTime

Item = TypeVar("Item")


@guarded("public", description="Where a page of a connection lies in its list.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = field("public", description="Whether more follow: ask again with `after: endCursor`.")
    has_previous_page: bool = field("public", description="Whether this page was asked for with `after`.")
    start_cursor: str | None = field("public", description="The cursor of the first edge.")
    end_cursor: str | None = field("public", description="The cursor of the last edge.")


@guarded("public", description="A row of a connection and its place in it.")
class Edge(Generic[Item]):
    """Relay's edge."""

    cursor: str = field("public", description="Continue after this row with `after:`. It stays right whatever changes.")
    node: Item = field("public", description="The row.")


@guarded("public", description="A page of a list.")
class Connection(Generic[Item]):
    """Relay's connection, with the moment its rows were true."""

    edges: list[Edge[Item]] = field("public", description="The rows with their cursors.")
    nodes: list[Item] = field("public", description="The rows.")
    page_info: PageInfo = field("public", Derived(lambda page, _: page), description="Whether and where it goes on.")
    as_of: DateTime = field("public", description="The moment at which the rows were true.")
    total_count: int | None = field(
        "public",
        pagination.total,
        description="How many rows the whole list has; null where the product answers, which does not count.",
    )


FIRST = Argument(int | None, "How many rows, 1 to 100; 20 when left out.")
AFTER = Argument(str | None, "The cursor of the row to continue after.")
PAGE = {"first": FIRST, "after": AFTER}


def lists(**more: Argument) -> dict[str, Argument]:
    """The arguments of a connection."""
    return {**PAGE, **more}


def listed(annotation: Any, description: str) -> Argument:
    """An optional argument that narrows or orders a list."""
    return Argument(annotation | None, description)
