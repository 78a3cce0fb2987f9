"""What an operation selects: levels of fields, merged and conditioned as graphql-core does it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField
from strawberry.types.graphql import OperationType

MOST_FIELDS = 4000
"""Fields of all levels; an operation with more is not compiled."""


class Uncompiled(Exception):
    """Why an operation runs on graphql-core."""


@dataclass(eq=False, slots=True)
class Field:
    """A field of a level: one key of the answer, however many nodes ask for it."""

    index: int
    key: str
    nodes: list[FieldNode]
    parent: GraphQLObjectType
    definition: GraphQLField | None
    """None for `__typename`."""
    levels: dict[str, "Level"] = field(default_factory=dict)
    """What is selected of its value, by the name of the value's object type."""

    @property
    def name(self) -> str:
        """Its name in the schema."""
        return self.nodes[0].name.value

    @property
    def coordinate(self) -> str:
        """Its schema coordinate."""
        return f"{self.parent.name}.{self.name}"

    @property
    def type(self) -> GraphQLOutputType:
        """The type of its value."""
        return self._defined.type

    @property
    def own(self) -> StrawberryField:
        """Strawberry's form of it; raises `Uncompiled` where it has none."""
        own = self._defined.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if not isinstance(own, StrawberryField):
            raise Uncompiled(f"{self.coordinate} is not a Strawberry field")
        return own

    @property
    def _defined(self) -> GraphQLField:
        if self.definition is None:
            raise Uncompiled(f"{self.coordinate} is introspection")
        return self.definition


@dataclass(eq=False, slots=True)
class Level:
    """The fields that are selected of records of one object type."""

    index: int
    type: GraphQLObjectType
    place: str
    """Where it stands first in the operation, for people."""
    fields: list[Field] = field(default_factory=list)


@dataclass(frozen=True)
class Operation:
    """An operation and what it is written in terms of."""

    schema: GraphQLSchema
    definition: OperationDefinitionNode
    fragments: Mapping[str, FragmentDetails]

    @cached_property
    def type(self) -> OperationType:
        """Whether it is a query or a mutation."""
        return OperationType(self.definition.operation.value)

    @property
    def root(self) -> GraphQLObjectType:
        """The type that its fields are fields of."""
        root = self.schema.get_root_type(self.definition.operation)
        if root is None:
            raise Uncompiled(f"the schema has no {self.definition.operation.value}")
        return root


class Shape:
    """All levels of an operation under given values of the variables that decide what is selected."""

    def __init__(self, operation: Operation, flags: Mapping[str, Any]) -> None:
        self._operation = operation
        self._flags = VariableValues({}, dict(flags))
        self._known: dict[tuple[str, tuple[int, ...]], Level] = {}
        self.fields: list[Field] = []
        self.levels: list[Level] = []
        collected = collect_fields(
            operation.schema, dict(operation.fragments), self._flags, operation.root, operation.definition
        )
        self.root = self._level(operation.root, "")
        self._fill(self.root, collected.grouped_field_set)

    @property
    def owners(self) -> Iterator[StrawberryField]:
        """The Strawberry fields that are asked for."""
        return (field.own for field in self.fields if field.definition is not None)

    def _level(self, type_: GraphQLObjectType, place: str) -> Level:
        level = Level(len(self.levels), type_, place)
        self.levels.append(level)
        return level

    def _fill(self, level: Level, grouped: Mapping[str, list[FieldDetails]]) -> None:
        for key, details in grouped.items():
            made = self._field(level, key, details)
            if made is not None:
                level.fields.append(made)

    def _field(self, level: Level, key: str, details: list[FieldDetails]) -> Field | None:
        nodes = [detail.node for detail in details]
        name = nodes[0].name.value
        definition = None if name == "__typename" else level.type.fields.get(name)
        if definition is None and name != "__typename":
            raise Uncompiled(f"{name} is introspection")
        made = Field(len(self.fields), key, nodes, level.type, definition)
        self.fields.append(made)
        if len(self.fields) > MOST_FIELDS:
            raise Uncompiled(f"more than {MOST_FIELDS} fields")
        if definition is not None and is_composite_type(get_named_type(definition.type)):
            place = f"{level.place}.{key}" if level.place else key
            made.levels = {type_.name: self._below(type_, details, place) for type_ in self._concrete(definition)}
        return made

    def _concrete(self, definition: GraphQLField) -> list[GraphQLObjectType]:
        named = get_named_type(definition.type)
        if is_abstract_type(named):
            return list(self._operation.schema.get_possible_types(named))
        return [named] if is_object_type(named) else []

    def _below(self, type_: GraphQLObjectType, details: list[FieldDetails], place: str) -> Level:
        """A level is shared by all places that select by the same nodes, as a fragment's fields do."""
        key = (type_.name, tuple(id(detail.node) for detail in details))
        level = self._known.get(key)
        if level is None:
            level = self._known[key] = self._level(type_, place)
            operation = self._operation
            collected = collect_subfields(
                operation.schema, dict(operation.fragments), self._flags, operation.definition, type_, details
            )
            self._fill(level, collected.grouped_field_set)
        return level
