"""Checks of values on the straight path. Whatever is out of the ordinary is left to graphql-core."""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLEnumType, GraphQLLeafType
from graphql.pyutils import Undefined, is_iterable
from strawberry.execution import optimized_is_awaitable


class Inexact(Exception):
    """Only graphql-core can answer this: a null or an error has to be placed, or a value is of an unusual kind."""


JSON = frozenset({str, int, float, bool, list, dict})
PLAIN: set[type] = set()
"""Classes whose instances are known to be neither errors nor awaitable."""
MOST_CLASSES = 10_000


def plain(value: Any) -> None:
    """Let an ordinary value pass, and its class from then on; raises `Inexact` for nulls, errors and awaitables."""
    if value is None or value is Undefined or isinstance(value, Exception) or optimized_is_awaitable(value):
        raise Inexact
    if len(PLAIN) >= MOST_CLASSES:
        PLAIN.clear()
    PLAIN.add(value.__class__)


def arrival(record_class: type, known: set[type]) -> Callable[[Any], None]:
    """Lets ordinary records of a class pass, and `known` classes from then on; raises `Inexact` for others."""

    def arrive(record: Any) -> None:
        plain(record)
        if not isinstance(record, record_class):
            raise Inexact
        if len(known) < MOST_CLASSES:
            known.add(record.__class__)

    return arrive


def listed(value: Any) -> Any:
    """The items of a list field's value."""
    if value.__class__ is list or value.__class__ is tuple:
        return value
    plain(value)
    if not is_iterable(value) or hasattr(value, "__aiter__"):
        raise Inexact
    return value


def leaf(type_: GraphQLLeafType) -> Callable[[Any], Any]:
    """The completion of a leaf value that is not null."""
    write = type_.coerce_output_value

    def complete(value: Any) -> Any:
        if value.__class__ not in PLAIN:
            plain(value)
        written = write(value)
        if written is None or written is Undefined:
            raise Inexact
        return written

    return complete


def names(type_: GraphQLEnumType) -> dict[Any, str]:
    """The names of an enum's values, by what resolvers may return for them."""
    values = [value.value for value in type_.values.values()]
    known: dict[Any, str] = {}
    for value in (*getattr(type_, "wrapped_cls", ()), *values):
        try:
            known[value] = type_.coerce_output_value(value)
        except (TypeError, ValueError):  # one that the schema leaves out, or that has no hash
            continue
    return known
