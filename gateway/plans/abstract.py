"""Which object type a record of an interface or union is: Strawberry's and graphql-core's rules, and a short cut."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLAbstractType, GraphQLSchema
from graphql.execution.executor import default_type_resolver
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition, has_object_definition
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from strawberry.types.union import StrawberryUnion

MOST_CLASSES = 1000
Choose = Callable[[Any, Any], Any]
"""From a record and the field's info to the name of its type."""


def chooser(abstract: GraphQLAbstractType, schema: GraphQLSchema) -> Choose:
    """The rules for a type.

    For classes whose instances can hold nothing that names a type, they come down to asking `is_type_of` of each
    possible type in turn.
    """
    rules = abstract.resolve_type or default_type_resolver
    if not _is_default(abstract):
        return lambda record, info: rules(record, info, abstract)
    possible = schema.get_possible_types(abstract)
    tests = [(one.name, one.is_type_of) for one in possible if one.is_type_of is not None]
    bare: dict[type, bool] = {}

    def choose(record: Any, info: Any) -> Any:
        cls = record.__class__
        if cls not in bare and len(bare) < MOST_CLASSES:
            bare[cls] = _is_bare(cls, abstract)
        if bare.get(cls):
            for name, test in tests:
                found = test(record, info)
                if found is True:
                    return name
                if found is not False:
                    break
        return rules(record, info, abstract)

    return choose


def _is_default(abstract: GraphQLAbstractType) -> bool:
    """Whether the rules are Strawberry's own."""
    definition = abstract.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if isinstance(definition, StrawberryObjectDefinition):
        return definition.resolve_type is None
    return type(definition) is StrawberryUnion


def _is_bare(cls: type, abstract: GraphQLAbstractType) -> bool:
    """Whether its instances have no attributes beyond the class's own, and none of these names a type."""
    definition = abstract.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    names = [f"_{base.__name__}__typename" for base in cls.__mro__]
    return not (
        cls.__dictoffset__
        or hasattr(cls, "__getattr__")
        or issubclass(cls, Mapping)
        or has_object_definition(cls)
        or any(hasattr(cls, name) for name in (TYPE_CAST_ATTRIBUTE, *names))
        or (isinstance(definition, StrawberryObjectDefinition) and issubclass(cls, definition.origin))
    )
