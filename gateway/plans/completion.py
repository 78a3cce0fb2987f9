"""Expressions that complete a value by its type: graphql-core's rules for values that are in order."""

from collections.abc import Callable
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLLeafType,
    GraphQLOutputType,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from gateway.plans.plain import leaf, names
from gateway.plans.shape import Field

BUILT_IN = {
    "String": "{0}.__class__ is str",
    "ID": "{0}.__class__ is str",
    "Boolean": "{0}.__class__ is bool",
    "Int": "{0}.__class__ is int and -2147483648 <= {1} <= 2147483647",
    "Float": "{0}.__class__ is float and -1.7976931348623157e308 <= {1} <= 1.7976931348623157e308",
}
"""What a value is that stands for itself in JSON; {0} evaluates it, {1} names it."""


class Completion:
    """Writes the completion of values. `bind` names an object, `project` the projection of a field's records."""

    def __init__(self, bind: Callable[[str, object], str], project: Callable[[Field], str]) -> None:
        self._bind = bind
        self._project = project
        self._bound: dict[str, str] = {}

    def of(self, field: Field, value: str) -> str:
        """The completed value of a field; `value` is an expression, evaluated once."""
        return self._of(field, field.type, value, 0)

    def _of(self, field: Field, type_: GraphQLOutputType, value: str, depth: int) -> str:
        required, inner = is_non_null_type(type_), get_nullable_type(type_)
        if is_leaf_type(inner) and inner.name in BUILT_IN:
            return self._built_in(inner, value, required=required)
        if required:
            return self._given(field, inner, value, depth)
        first, name = _once(value)
        return f"None if {first} is None else {self._given(field, inner, name, depth)}"

    def _built_in(self, type_: GraphQLLeafType, value: str, *, required: bool) -> str:
        first, name = _once(value)
        test = BUILT_IN[type_.name].format(first, name)
        if not required:
            test = f"{test} or {name} is None"
        return f"{name} if {test} else {self._name(type_.name, type_, leaf)}({name})"

    def _given(self, field: Field, type_: Any, value: str, depth: int) -> str:
        """Of a value that must not be null."""
        if is_list_type(type_):
            item = f"item_{depth}"
            return f"[{self._of(field, type_.of_type, item, depth + 1)} for {item} in listed({value})]"
        if is_leaf_type(type_):
            return self._leaf(type_, value, depth)
        return f"{self._project(field)}({value}, run)"

    def _leaf(self, type_: GraphQLLeafType, value: str, depth: int) -> str:
        first, name = _once(value)
        complete = f"{self._name(type_.name, type_, leaf)}({name})"
        if isinstance(type_, GraphQLEnumType):
            return f"{self._name(f'{type_.name}_names', type_, names)}.get({first}) or {complete}"
        if depth:
            return complete  # an item of a list, where a second name would be dear
        write = self._name(f"{type_.name}_text", type_, _writing)
        return f"w if {first}.__class__ in PLAIN and (w := {write}({name})).__class__ in JSON else {complete}"

    def _name(self, text: str, type_: Any, make: Callable[[Any], object]) -> str:
        """One name for what is made of a type."""
        if text not in self._bound:
            self._bound[text] = self._bind(text, make(type_))
        return self._bound[text]


def _writing(type_: GraphQLLeafType) -> object:
    return type_.coerce_output_value


def _once(value: str) -> tuple[str, str]:
    """Two texts: the first evaluates the value, the second names it from then on."""
    return (value, value) if value.isidentifier() else (f"(v := {value})", "v")
