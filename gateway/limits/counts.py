"""Numbers that may depend on an operation's variables: put together once, worked out for each request."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MOST_POINTS = 10**12
"""Nobody counts further."""

Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """The variables of one request, and what has been counted for them."""

    variables: Variables
    known: dict[Any, int] = field(default_factory=dict)


Varying = Callable[[Run], int]
Count = int | Varying


class Size(NamedTuple):
    """A number that the document says, or the number or list in a variable with its default."""

    default: int
    variable: str | None = None
    most: int = MOST_POINTS
    listed: bool = False
    """Whether a single value stands for a list of it."""

    def of(self, variables: Variables) -> int:
        """The number for these variables."""
        if self.variable is None:
            return self.default
        value = variables.get(self.variable)
        if self.listed and value is not None and not isinstance(value, list):
            value = [value]
        return min(len(value) if isinstance(value, list) else number(value, self.default), self.most)

    def within(self, most: int) -> "Size":
        """The same, and not more than this."""
        return Size(min(self.default, most), self.variable, most, self.listed)


class Condition(NamedTuple):
    """That a variable has this value."""

    variable: str
    value: bool


Conditions = frozenset[Condition]
"""All of which have to hold."""
ALWAYS: Conditions = frozenset()


def number(value: Any, otherwise: int) -> int:
    """A client's number, as far as it is one: an `Int` may be sent as 100.0."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return max(0, value) if type(value) is int else otherwise


def value(count: Count, run: Run) -> int:
    """What it comes to."""
    return count if isinstance(count, int) else count(run)


def once(count: Count) -> Count:
    """The same, counted once a run however often it stands in the operation."""
    if isinstance(count, int):
        return count

    def counted(run: Run) -> int:
        if counted not in run.known:
            run.known[counted] = count(run)
        return run.known[counted]

    return counted


def total(constant: int, counts: Iterable[Count]) -> Count:
    """All of them together."""
    varying: list[Varying] = []
    for count in counts:
        if isinstance(count, int):
            constant += count
        else:
            varying.append(count)
    return (lambda run: constant + sum(count(run) for count in varying)) if varying else constant


def times(size: Size, count: Count) -> Count:
    """A count so many times."""
    if size.variable is None and isinstance(count, int):
        return size.default * count
    return lambda run: size.of(run.variables) * value(count, run)


def dearest(counts: list[Count]) -> Count:
    """The largest."""
    if all(isinstance(count, int) for count in counts):
        return max((count for count in counts if isinstance(count, int)), default=0)
    return lambda run: max(value(count, run) for count in counts)


def when(alternatives: list[Conditions], count: Count) -> Count:
    """The count where any of the alternatives holds."""
    if ALWAYS in alternatives:
        return count
    return lambda run: value(count, run) if any(_hold(one, run.variables) for one in alternatives) else 0


def _hold(conditions: Conditions, variables: Variables) -> bool:
    return all(variables.get(one.variable) is not (not one.value) for one in conditions)
