"""Executors that are wrong in one way each, to show that the fuzz would find it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from graphql import GraphQLError
from strawberry.types import ExecutionResult

from tests.fuzz.answers import Execute

Alter = Callable[[ExecutionResult], None]


@dataclass(frozen=True)
class Altered:
    """Answers with something changed."""

    inner: Execute
    alter: Alter

    async def __call__(self, query: str, **more: Any) -> ExecutionResult:
        result = await self.inner(query, **more)
        self.alter(result)
        return result


@dataclass(frozen=True)
class Twice:
    """Begins anew when something failed, as if nothing had been done."""

    inner: Execute

    async def __call__(self, query: str, **more: Any) -> ExecutionResult:
        result = await self.inner(query, **more)
        return await self.inner(query, **more) if result.errors else result


@dataclass(frozen=True)
class Crossing:
    """Takes the grants of whoever sent the document first for everybody's."""

    inner: Execute
    first: dict[str, Any] = field(default_factory=dict)

    async def __call__(self, query: str, *, context: Any, **more: Any) -> ExecutionResult:
        context.viewer = self.first.setdefault(query, context.viewer)
        return await self.inner(query, context=context, **more)


@dataclass(frozen=True)
class Frozen:
    """Takes the variables that came first with a document for those of all."""

    inner: Execute
    first: dict[str, Any] = field(default_factory=dict)

    async def __call__(self, query: str, *, variables: Any, **more: Any) -> ExecutionResult:
        return await self.inner(query, variables=self.first.setdefault(query, variables), **more)


def swapped(result: ExecutionResult) -> None:
    """Two fields have each other's values."""
    for one in _objects(result.data):
        if len(one) > 1:
            first, second, *_ = one
            one[first], one[second] = one[second], one[first]


def turned(result: ExecutionResult) -> None:
    """Fields come in another order."""
    for one in _objects(result.data):
        for name in list(one)[:-1]:
            one[name] = one.pop(name)


def kept(result: ExecutionResult) -> None:
    """A null that an error below should have passed on becomes an empty object."""
    for error in result.errors or ():
        if error.path:
            _filled(result.data, error.path[:-1])


def _filled(data: Any, path: Sequence[Any]) -> None:
    for key in path:
        if data is not None and data[key] is None:
            data[key] = {}
            return
        data = data and data[key]


def silent(result: ExecutionResult) -> None:
    """The last of several errors is lost."""
    if result.errors and len(result.errors) > 1:
        result.errors = result.errors[:-1]


def rootless(result: ExecutionResult) -> None:
    """Errors have lost the last step of their paths."""
    result.errors = [_moved(error) if error.path else error for error in result.errors or ()] or None


def numbered(result: ExecutionResult) -> None:
    """Booleans are numbers."""
    for one in _objects(result.data):
        one.update({name: int(value) for name, value in one.items() if isinstance(value, bool)})


def _moved(error: GraphQLError) -> GraphQLError:
    assert error.path
    return GraphQLError(error.message, error.nodes, path=error.path[:-1], original_error=error.original_error)


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        yield data
    for one in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _objects(one)


BUGS: Mapping[str, Callable[[Execute], Execute]] = {
    **{alter.__name__: partial(Altered, alter=alter) for alter in (swapped, turned, kept, silent, rootless, numbered)},
    "twice": Twice,
    "crossing": Crossing,
    "frozen": Frozen,
}
