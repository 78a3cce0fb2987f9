"""Arguments of a field: constants once, those with variables once a run."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from graphql import Node, VariableNode
from graphql.execution.values import VariableValues, get_argument_values
from strawberry import Schema

from gateway.plans.inputs import Inputs
from gateway.plans.shape import Field

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
        self._plain = not any(isinstance(node, VariableNode) for value in rest for node in descendants(value))
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
        if self._field.definition is None:
            return {}
        made: dict[str, Any] = {}
        for key, value in get_argument_values(self._field.definition, self._field.nodes[0], variables).items():
            name, convert = self._own[key]
            made[name] = value if convert is None else convert(value)
        return made


def descendants(node: Node) -> Iterator[Node]:
    """A node and all nodes below it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        for key in one.keys:
            value = getattr(one, key, None)
            waiting += [value] if isinstance(value, Node) else value if isinstance(value, (list, tuple)) else []
