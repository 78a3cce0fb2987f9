"""Arguments of a field: constants once, those with variables once a run."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from graphql import GraphQLError, Node, VariableNode
from graphql.execution.values import VariableValues, get_argument_values
from strawberry import Schema

from gateway.plans.inputs import Inputs
from gateway.plans.shape import Field

Build = Callable[[Mapping[str, Any]], Any]
"""From the coerced variables to a value that is made of them."""
IMMUTABLE = (str, int, float, bool, Decimal, dt.date, dt.time, Enum, UUID, type(None))


class Arguments:
    """How a field's arguments are made: coerced by graphql-core, converted as Strawberry does, as rarely as can be."""

    def __init__(self, field: Field, schema: Schema, inputs: Inputs) -> None:
        self._field = field
        own = field.own.arguments if field.definition is not None else ()
        name_of = schema.config.name_converter.from_argument
        self._own = {name_of(one): (one.python_name, inputs.of(one.type)) for one in own}
        """By their names in the schema: the name that the resolver knows, and how values are converted."""
        given = field.nodes[0].arguments or ()
        values = {argument.name.value: argument.value for argument in given}
        self._variables = {name: value.name.value for name, value in values.items() if isinstance(value, VariableNode)}
        """The variables that are arguments as they stand, by the arguments' names in the schema."""
        rest = [value for name, value in values.items() if name not in self._variables]
        inner = [node.name.value for value in rest for node in descendants(value) if isinstance(node, VariableNode)]
        self._plain = not inner
        self._needed = [*self._variables.values(), *inner]
        self._build = self._pattern(self._needed) if inner else None
        """Coerces the arguments where each of their variables has a value; None where only graphql-core can."""
        self._known: tuple[dict[str, Any], dict[str, str]] | None = None
        """The arguments that are always the same, and the variables that the others are."""

    def of(self, variables: VariableValues) -> tuple[dict[str, Any], bool]:
        """The arguments by their Python names, and whether they can be used again in the same run."""
        if self._known is not None:
            constant, passed = self._known
            values = {name: variables.coerced.get(variable) for name, variable in passed.items()}
            if None not in values.values():
                return constant | values, True
        made = self._made(variables)
        lasting = all(isinstance(value, IMMUTABLE) for value in made.values())
        if lasting and self._plain:
            self._learn(made, variables.coerced)
        return made, lasting

    def _learn(self, made: dict[str, Any], coerced: dict[str, Any]) -> None:
        """An argument that is its variable's very value is so always: what is done to values depends on their types."""
        passed = {self._own[name][0]: variable for name, variable in self._variables.items()}
        values = [(made.get(name), coerced.get(variable)) for name, variable in passed.items()]
        if all(value is not None and value is given for value, given in values):
            self._known = {name: value for name, value in made.items() if name not in passed}, passed

    def _made(self, variables: VariableValues) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in self._coerced(variables).items():
            name, convert = self._own[key]
            made[name] = value if convert is None else convert(value)
        return made

    def _coerced(self, variables: VariableValues) -> dict[str, Any]:
        if self._build is not None and None not in map(variables.coerced.get, self._needed):
            built: dict[str, Any] = self._build(variables.coerced)
            return built
        return self._given(variables)

    def _given(self, variables: VariableValues) -> dict[str, Any]:
        definition = self._field.definition
        return {} if definition is None else get_argument_values(definition, self._field.nodes[0], variables)

    def _pattern(self, names: list[str]) -> Build | None:
        """graphql-core puts the values of variables where they stand and asks no more of them; so it is shown where."""
        holes = VariableValues({}, {name: _Hole(name) for name in names})
        found: list[str] = []
        try:
            build = _builder(self._given(holes), found)
        except (GraphQLError, _Unknown):
            return None
        return build if sorted(found) == sorted(names) else None


@dataclass(frozen=True, slots=True)
class _Hole:
    """Stands where the value of a variable does."""

    name: str


class _Unknown(Exception):
    """A value that nobody here can make again."""


def _builder(value: Any, found: list[str]) -> Build:
    """Makes a value anew with variables in the place of the holes, whose names are added to `found`."""
    if isinstance(value, _Hole):
        found.append(name := value.name)
        return lambda variables: variables[name]
    if value.__class__ is dict:
        parts = {key: _builder(part, found) for key, part in value.items()}
        return lambda variables: {key: build(variables) for key, build in parts.items()}
    if value.__class__ is list:
        items = [_builder(part, found) for part in value]
        return lambda variables: [build(variables) for build in items]
    if isinstance(value, IMMUTABLE):
        return lambda _: value
    raise _Unknown


def descendants(node: Node) -> Iterator[Node]:
    """A node and all nodes below it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        for key in one.keys:
            value = getattr(one, key, None)
            waiting += [value] if isinstance(value, Node) else value if isinstance(value, (list, tuple)) else []
