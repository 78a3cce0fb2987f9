"""One execution of a compiled operation: what waits, what was reached, and what was fetched."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, NamedTuple

from graphql import GraphQLResolveInfo
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from strawberry.execution import optimized_is_awaitable

from gateway.plans.plain import PLAIN, Inexact
from gateway.plans.shape import Field
from gateway.plans.variant import Variant
from gateway.plans.ways import Link
from services.observing import Tracer


class Raised(NamedTuple):
    """An error in the place of a value."""

    error: Exception


Row = tuple[Any, Any, dict[str, Any]]
"""What waits: the record of the answer, what was reached from it so far, and the answer."""


class Fetched(NamedTuple):
    """A value or an error, and with which wave it came; None where nobody had to wait for it."""

    value: Any
    wave: int | None
    lasting: bool = False
    """Whether it holds for everyone who asks from here on: the way from a record to a linked one is gone once."""


Kept = dict[tuple[int, int], deque[Fetched]]
"""What was fetched, by (id of the field's node, id of the parent record), in the order of the calls."""


class Run:
    """The state of one execution."""

    __slots__ = (
        "_arguments",
        "_awaited",
        "_kept",
        "_places",
        "_waves",
        "answers",
        "context",
        "reached",
        "root",
        "rows",
        "tracer",
        "variables",
        "variant",
        "waves",
    )

    def __init__(
        self, variant: Variant, context: Any, root: Any, variables: VariableValues, tracer: Tracer | None = None
    ) -> None:
        self.variant = variant
        self.context = context
        self.root = root
        self.variables = variables
        self.tracer = tracer
        self.rows: list[list[Any]] = [[] for _ in variant.waits]
        self.reached = [False] * len(variant.shape.levels)
        self.answers: dict[tuple[int, int], tuple[Any, Any]] = {}
        """(record, answer) by (level, id of the record), of levels whose records are often the same."""
        self._arguments: dict[int, dict[str, Any]] = {}
        self._places: dict[int, Any] = {}
        self._kept: list[tuple[int, Any, Any]] = []
        self._waves: list[tuple[int, Sequence[Row], Sequence[Any], int, bool]] = []
        self.waves = 0
        """How often something waited for has come."""
        self._awaited: dict[int, Fetched] = {}

    async def settle(self) -> None:
        """Fetch all that waits, each kind of it at once; what follows from it is settled by whoever fetched it."""
        due = []
        for place, rows in enumerate(self.rows):
            if rows:
                self.rows[place] = []
                due.append(self.variant.waits[place](self, rows))
        if self.tracer is not None and due:
            await _traced(self.tracer, due)
        elif len(due) == 1:
            await due[0]
        elif due:
            await _together(due)

    def arguments(self, index: int) -> dict[str, Any]:
        """The arguments of a field."""
        known = self._arguments.get(index)
        if known is None:
            known, lasting = self.variant.arguments[index].of(self.variables)
            if lasting:
                self._arguments[index] = known
        return known

    def place(self, index: int) -> Any:
        """The info of a field; without a path inside records, since it is the same for all of them."""
        place = self._places.get(index)
        if place is None:
            place = self._places[index] = self._info(index)
        return place

    def _info(self, index: int) -> Any:
        field, operation = self.variant.shape.fields[index], self.variant.operation
        at_root = field in self.variant.shape.root.fields
        return GraphQLResolveInfo(
            field_name=field.name,
            field_nodes=field.nodes,
            return_type=field.type,
            parent_type=field.parent,
            path=Path(None, field.key, field.parent.name) if at_root else None,  # type: ignore[arg-type]
            schema=operation.schema,
            fragments={name: fragment.definition for name, fragment in operation.fragments.items()},
            root_value=self.root,
            operation=operation.definition,
            variable_values=self.variables.coerced,  # type: ignore[arg-type]  # as Strawberry gives them
            context=self.context,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
            abort_signal=None,
            async_helpers=None,  # type: ignore[arg-type]
        )

    def refused(self) -> list[Field]:
        """The refused fields of levels that were reached; raises where graphql-core would find fault with arguments."""
        fields = [refusal.field for refusal in self.variant.refusals if self.reached[refusal.level.index]]
        for field in fields:
            self.arguments(field.index)
        return fields

    def keep(self, index: int, record: Any, value: Any) -> Any:
        """Remember a value, so that it need not be fetched again."""
        if value.__class__ not in PLAIN:
            value = _steady(value)
        self._kept.append((index, record, value))
        return value

    def fail(self, index: int, record: Any, error: Exception) -> None:
        """Remember a failure likewise."""
        self._kept.append((index, record, Raised(error)))

    async def fetched(self, index: int, rows: Sequence[Row], awaitables: Sequence[Awaitable[Any]]) -> Sequence[Any]:
        """The values of coroutines, one a row; all are awaited and remembered, then the first failure ends the run."""
        outcomes = await _outcomes(awaitables)
        self._waves.append((index, rows, outcomes, self._wave(), False))
        return _values(outcomes)

    async def awaited(self, rows: Sequence[Row]) -> Sequence[Any]:
        """The values of awaitables that calls returned; they stand in the rows where records do."""
        awaitables = [awaitable for _, awaitable, _ in rows]
        outcomes = await _outcomes(awaitables)
        wave = self._wave()
        fetched = [Fetched(outcome, wave) for outcome in outcomes]
        self._awaited.update(zip(map(id, awaitables), fetched, strict=True))
        return _values(outcomes)

    async def linked(self, link: Link, rows: Sequence[Row], indexes: Sequence[int]) -> Sequence[Any]:
        """The linked records, one a row; every key is asked for once. `indexes` are the fields that wait for them."""
        addresses = [self._address(link, record) for _, record, _ in rows]
        wanted = [address for address in dict.fromkeys(addresses) if address is not None]
        loading = [loader.load(key) for loader, key in wanted]
        loaded = [await _outcome(future) for future in loading]
        found = dict(zip(wanted, loaded, strict=True))
        outcomes = [None if address is None else found[address] for address in addresses]
        failed = [place for place, outcome in enumerate(outcomes) if outcome.__class__ is Raised]
        if failed:
            errors, of = [outcomes[place] for place in failed], [rows[place] for place in failed]
            wave = self._wave()
            self._waves += [(index, of, errors, wave, True) for index in indexes]
        return _values(outcomes)

    def _address(self, link: Link, record: Any) -> tuple[Any, Any] | None:
        key = link.key(record)
        return None if key is None else (link.loader(record, self.context), key)

    def kept(self) -> Kept:
        """All that was fetched."""
        kept: Kept = {}
        for index, record, value in self._kept:
            self._add(kept, index, record, self._awaited.get(id(value)) or Fetched(value, None))
        for index, rows, values, wave, lasting in self._waves:
            for (origin, _, _), value in zip(rows, values, strict=True):
                self._add(kept, index, origin, Fetched(value, wave, lasting))
        return kept

    def _wave(self) -> int:
        self.waves += 1
        return self.waves - 1

    def _add(self, kept: Kept, index: int, record: Any, fetched: Fetched) -> None:
        node = self.variant.shape.fields[index].nodes[0]
        kept.setdefault((id(node), id(record)), deque()).append(fetched)


def _steady(value: Any) -> Any:
    """A value that can be iterated twice."""
    return list(value) if hasattr(value, "__next__") else value


async def _traced(tracer: Tracer, due: Sequence[Awaitable[Any]]) -> None:
    """One wave as a span, named for the fields of the functions that wait."""
    names = (getattr(one, "__name__", "").removeprefix("wait_") for one in due)
    with tracer.span("fields", {"graphql.fields": ", ".join(names)}):
        await _together(due)


async def _together(due: Iterable[Awaitable[Any]]) -> None:
    """Wait for all, then raise what failed."""
    for outcome in await asyncio.gather(*due, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _outcomes(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    if len(awaitables) == 1:
        return [await _outcome(awaitables[0])]
    return [_told(outcome) for outcome in await asyncio.gather(*awaitables, return_exceptions=True)]


async def _outcome(awaitable: Awaitable[Any]) -> Any:
    try:
        return _told(await awaitable)
    except Exception as error:  # noqa: BLE001  # it is raised again at its place
        return Raised(error)


def _told(outcome: Any) -> Any:
    if isinstance(outcome, Exception):
        return Raised(outcome)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome if outcome.__class__ in PLAIN else _steady(outcome)


def _values(outcomes: list[Any]) -> list[Any]:
    for outcome in outcomes:
        if outcome.__class__ is Raised:
            raise Inexact from outcome.error
    return outcomes
