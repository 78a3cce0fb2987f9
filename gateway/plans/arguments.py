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
from strawberry.types.arguments import convert_arguments

from gateway.plans.shape import Field

IMMUTABLE = (str, int, float, bool, Decimal, dt.date, dt.time, Enum, UUID, type(None))


class Arguments:
    """How a field's arguments are made: by graphql-core's and Strawberry's own functions, as rarely as can be."""

    def __init__(self, field: Field, schema: Schema) -> None:
        self._field = field
        self._schema = schema
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
        names = {self._schema.config.name_converter.from_argument(one): one.python_name for one in self._own}
        passed = {names[name]: variable for name, variable in self._variables.items()}
        values = [(made.get(name), coerced.get(variable)) for name, variable in passed.items()]
        if all(value is not None and value is given for value, given in values):
            self._known = {name: value for name, value in made.items() if name not in passed}, passed

    @property
    def _own(self) -> list[Any]:
        return self._field.own.arguments

    def _made(self, variables: VariableValues) -> dict[str, Any]:
        definition, node = self._field.definition, self._field.nodes[0]
        if definition is None:
            return {}
        given = get_argument_values(definition, node, variables)
        registry = self._schema.schema_converter.scalar_registry
        return convert_arguments(given, self._own, registry, self._schema.config)


def descendants(node: Node) -> Iterator[Node]:
    """A node and all nodes below it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        for key in one.keys:
            value = getattr(one, key, None)
            waiting += [value] if isinstance(value, Node) else value if isinstance(value, (list, tuple)) else []
