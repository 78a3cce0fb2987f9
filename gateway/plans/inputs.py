"""Input values as resolvers take them: Strawberry's conversion, with what it finds out of types found out once."""

from collections.abc import Callable
from dataclasses import MISSING
from functools import partial
from typing import Any

from strawberry import UNSET, Schema
from strawberry.relay import GlobalID
from strawberry.scalars import is_scalar
from strawberry.types.arguments import convert_argument
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.lazy_type import LazyType

Convert = Callable[[Any], Any]


class Inputs:
    """The conversions of a schema's input types."""

    def __init__(self, schema: Schema) -> None:
        self._config = schema.config
        self._scalars = schema.schema_converter.scalar_registry
        self._objects: dict[type, Convert] = {}

    def of(self, type_: Any) -> Convert | None:
        """The conversion of values of a type, as graphql-core has coerced them; None where they stay what they are."""
        if type_.__class__ is StrawberryOptional:
            return self.of(type_.of_type)
        if isinstance(type_, StrawberryList):
            return self._list(type_)
        if self._stays(type_):
            return None
        if has_object_definition(type_) and type_.__strawberry_definition__.is_input:
            return self._object(type_)
        return lambda value: convert_argument(value, type_, self._scalars, self._config)

    def _stays(self, type_: Any) -> bool:
        if isinstance(type_, StrawberryMaybe | LazyType) or type_ is GlobalID:
            return False
        return (
            isinstance(type_, StrawberryEnumDefinition) or has_enum_definition(type_) or is_scalar(type_, self._scalars)
        )

    def _list(self, type_: StrawberryList) -> Convert:
        item = self.of(type_.of_type)

        def convert(value: Any) -> Any:
            if value is None or value is UNSET:
                return value
            return list(value) if item is None else [item(one) for one in value]

        return convert

    def _object(self, type_: type) -> Convert:
        """One that is found again while it is made: an input can contain itself."""
        if type_ not in self._objects:
            self._objects[type_] = partial(self._found, type_)
            self._objects[type_] = self._made(type_, type_.__strawberry_definition__)  # type: ignore[attr-defined]
        return self._objects[type_]

    def _found(self, type_: type, value: Any) -> Any:
        return self._objects[type_](value)

    def _made(self, type_: type, definition: StrawberryObjectDefinition) -> Convert:
        if definition.from_input is not None:
            return lambda value: convert_argument(value, type_, self._scalars, self._config)
        own = definition.fields
        absent = {
            one.python_name: None for one in own if one.default_value is MISSING and one.default_factory is MISSING
        }
        name_of = self._config.name_converter.from_field
        fields = {name_of(one): (one.python_name, self.of(one.resolve_type(type_definition=definition))) for one in own}

        def convert(value: Any) -> Any:
            if value is None or value is UNSET:
                return value
            given = dict(absent)
            for key, one in value.items():
                name, inner = fields[key]
                given[name] = one if inner is None else inner(one)
            return type_(**given)

        return convert
