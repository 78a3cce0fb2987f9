"""Values for the published inputs, as JSON: valid to GraphQL, with as little in them as will do."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLScalarType,
    is_required_input_field,
)

from tests.schema.operations import published

SCALARS: Mapping[str, Any] = {
    "ID": "x",
    "String": "xx",
    "Int": 1,
    "Boolean": True,
    "Decimal": "1",
    "Date": "2026-01-01",
    "DateTime": "2026-01-01T00:00:00Z",
    "CurrencyCode": "EUR",
}


def example(type_: GraphQLInputType | GraphQLNamedType) -> Any:
    """A value of a type: of an object its required fields, or its first one."""
    bare = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if isinstance(bare, GraphQLList):
        return [example(bare.of_type)]
    if isinstance(bare, GraphQLEnumType):
        return next(iter(bare.values))
    if isinstance(bare, GraphQLScalarType):
        return SCALARS[bare.name]
    assert isinstance(bare, GraphQLInputObjectType)
    required = {name: field for name, field in bare.fields.items() if is_required_input_field(field)}
    return {name: example(field.type) for name, field in (required or dict([*bare.fields.items()][:1])).items()}


def fields(input_name: str) -> dict[str, Any]:
    """Each field of an input type with a value for it."""
    type_ = published().type_map[input_name]
    assert isinstance(type_, GraphQLInputObjectType)
    return {name: example(field.type) for name, field in type_.fields.items()}
