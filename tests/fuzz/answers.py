"""What became of an operation, and how two answers to it differ."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import GraphQLError
from strawberry.types import ExecutionResult

Path = tuple[str | int, ...]
NULL = "Cannot return null for non-nullable field "


@dataclass(frozen=True, slots=True)
class Told:
    """An error as a client sees it."""

    path: Path | None
    text: str
    """Message, locations and extensions."""

    @classmethod
    def of(cls, error: GraphQLError) -> "Told":
        path = None if error.path is None else tuple(error.path)
        return cls(path, f"{error.message} {error.locations} {error.extensions}")


class Call(NamedTuple):
    """A call of a field's resolver, or of a loader for one key (no field)."""

    field: str
    place: str


@dataclass(frozen=True)
class Answer:
    """Data and errors; what was raised instead; and what it took to get there."""

    data: Any = None
    errors: tuple[Told, ...] = ()
    extensions: Any = None
    raised: str | None = None
    calls: tuple[Call, ...] = ()
    """The resolvers that were called, in order."""
    effects: tuple[str, ...] = ()
    """Those of mutations among them."""
    noted: frozenset[tuple[str, str]] = frozenset()
    """What was noted of the viewer's use."""
    places: Mapping[Told, Collection[Path]] = field(default_factory=dict)
    """Where errors without a path were noted, as graphql-core tells it."""


Execute = Callable[..., Awaitable[ExecutionResult]]


async def answered(execution: Awaitable[ExecutionResult]) -> Answer:
    """The answer of an executor, or the exception that it ends with."""
    try:
        result = await execution
    except Exception as error:  # noqa: BLE001 - whatever it is, both must end with it
        return Answer(raised=f"{type(error).__name__}: {error}")
    return Answer(result.data, tuple(map(Told.of, result.errors or ())), result.extensions or None)


def differences(one: Answer, other: Answer, everything: Answer | None = None) -> list[str]:
    """How two answers to one operation differ, as sentences; none when they are the same.

    Data is the same with the order of its keys and the types of its values. Errors are the same multiset of message,
    path, locations and extensions, with the one freedom that the specification leaves ("Handling Execution Errors"):
    where a non-null position passes an error on, fields beside it that are not done yet may be left off. So below the
    null that stands for such errors, and nowhere else, one executor may tell what the other one left off: there both
    must have errors, and each must be one that graphql-core gives: as in its own answer, or in `everything`, its
    answer when all output types are nullable, so that nothing is passed on or left off. An error without a path was
    noted for a field node: it may be missing when graphql-core noted it below such nulls only.
    An error at the null itself is nobody's choice.
    """
    found = [
        f"{name}: {before!r} is not {after!r}"
        for name in ("raised", "data", "extensions")
        if repr(before := getattr(one, name)) != repr(after := getattr(other, name))
    ]
    return found or [*_located(one, other, everything), *_noted(one, other, everything)]


def passed_on(answer: Answer) -> set[Path]:
    """The nulls that stand for errors further below."""
    return {null for error in answer.errors if _is_below(error, null := _null(answer.data, error)) and null is not None}


def _located(one: Answer, other: Answer, everything: Answer | None) -> Iterator[str]:
    here, there = (Counter(error for error in answer.errors if error.path is not None) for answer in (one, other))
    nulls = {error: _null(one.data, error) for error in here | there}
    for null in dict.fromkeys(nulls.values()):
        mine, theirs = ({e: n for e, n in errors.items() if nulls[e] == null} for errors in (here, there))
        free = mine and theirs and all(_is_below(e, null) for e in (*mine, *theirs))
        if mine != theirs and not (free and all(_given(error, mine, everything) for error in theirs)):
            yield f"errors at {null}: {_listed(mine)} is not {_listed(theirs)}"


def _noted(one: Answer, other: Answer, everything: Answer | None) -> Iterator[str]:
    here, there = (Counter(error for error in answer.errors if error.path is None) for answer in (one, other))
    nulls = passed_on(one)
    for error in here - there:
        places = one.places.get(error, ())
        if there[error] or not places or not all(_is_under(place, nulls) for place in places):
            yield f"not noted: {_listed([error])}, at {sorted(places, key=repr)}"
    for error in there - here:
        places = everything.places.get(error, ()) if everything else ()
        if here[error] or there[error] > 1 or not any(_is_under(place, nulls) for place in places):
            yield f"noted: {_listed([error])}"


def _is_under(place: Path, nulls: Iterable[Path]) -> bool:
    return any(len(place) > len(null) and place[: len(null)] == null for null in nulls)


def _is_below(error: Told, null: Path | None) -> bool:
    return null is not None and error.path is not None and len(error.path) > len(null)


def _given(error: Told, mine: Iterable[Told], everything: Answer | None) -> bool:
    """Whether graphql-core gives an error, be it in another order of completion."""
    if error in mine:
        return True
    if everything is None:
        return False
    if error.text.startswith(NULL):
        return _value(everything.data, error.path or ()) is None
    return error in everything.errors or Told(None, error.text) in everything.errors  # a refusal is noted without path


def _value(data: Any, path: Path) -> Any:
    for key in path:
        data = data[key] if data is not None else None
    return data


def _listed(errors: Iterable[Told]) -> str:
    return ", ".join(f"{error.path} {error.text}" for error in errors) or "none"


def _null(data: Any, error: Told) -> Path | None:
    """The position of the null that stands for an error."""
    if error.path is None:
        return None
    for depth, key in enumerate(error.path):
        if data is None:
            return error.path[:depth]
        try:
            data = data[key]
        except (LookupError, TypeError):
            return error.path[:depth]
    return error.path
