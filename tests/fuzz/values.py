"""Input values at random: what a client may write for a type, as a literal or as a variable."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    is_required_input_field,
)

DEEPEST = 3
"""Input objects inside each other, beyond what is required."""
Sample = Callable[[Random], Any]


class Word(str):
    """A name of an enum's value: bare in a literal, a string in variables."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable, by name."""

    name: str


def _of(*values: Any) -> Sample:
    return lambda chance: chance.choice(values)


SAMPLES: Mapping[str, Sample] = {
    "Int": _of(0, 1, 2, 3, -1, 7, 2**31 - 1, -(2**31)),
    "Float": _of(0, 1, -2, 0.5, -1.25, 1e20, 3.0),
    "String": _of("", "a", "Ωμέγα", 'with "quotes"', "two\nlines", "12", "null"),
    "Boolean": _of(True, False),
    "ID": _of("1", "2", "a", 3, ""),
}
GARBAGE: tuple[Any, ...] = (None, True, 1.5, "no", 2**31, -1, [], [None], [[1]], {}, {"x": 1}, "1", [True, "x"], 1e400)
"""Values that most types refuse."""


@dataclass(frozen=True)
class Values:
    """Writes values of input types; `samples` add or replace what a scalar may be, or a `field.argument`."""

    chance: Random
    samples: Mapping[str, Sample] = field(default_factory=dict)
    null: float = 0.12

    def of(self, type_: GraphQLInputType, name: str = "", depth: int = 0) -> Any:
        """A value that the type accepts."""
        if isinstance(type_, GraphQLNonNull):
            return self.present(type_.of_type, name, depth)
        return None if self.chance.random() < self.null else self.present(type_, name, depth)

    def present(self, type_: Any, name: str, depth: int) -> Any:
        """A value other than null."""
        if isinstance(type_, GraphQLList):
            return self._list(type_.of_type, name, depth)
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(type_, depth)
        if isinstance(type_, GraphQLEnumType):
            return Word(self.chance.choice(list(type_.values)))
        return self._scalar(type_, name)

    def _list(self, item: Any, name: str, depth: int) -> Any:
        if self.chance.random() < 0.15:  # a single value counts as a list of it
            return self.present(item.of_type if isinstance(item, GraphQLNonNull) else item, name, depth)
        return [self.part(item, name, depth) for _ in range(self.chance.randrange(4))]

    def _object(self, type_: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        wished = 0.5 if depth < DEEPEST else 0.0
        fields = type_.fields.items()
        given = [pair for pair in fields if is_required_input_field(pair[1]) or self.chance.random() < wished]
        self.chance.shuffle(given)
        return {name: self.part(one.type, f".{name}", depth + 1) for name, one in given}

    def _scalar(self, type_: GraphQLScalarType, name: str) -> Any:
        sample = self.samples.get(name) or self.samples.get(name.rpartition(".")[2]) or self.samples.get(type_.name)
        return (sample or SAMPLES[type_.name])(self.chance)

    def part(self, type_: GraphQLInputType, name: str, depth: int) -> Any:
        """A value inside another; a subclass may put a variable there."""
        return self.of(type_, name, depth)


def literal(value: Any) -> str:
    """A value in GraphQL's notation."""
    match value:
        case Reference(name):
            return f"${name}"
        case Word():
            return str(value)
        case list():
            return f"[{', '.join(map(literal, value))}]"
        case dict():
            return "{" + ", ".join(f"{name}: {literal(one)}" for name, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def plain(value: Any) -> Any:
    """A value as JSON brings it."""
    match value:
        case Word():
            return str(value)
        case list():
            return [plain(one) for one in value]
        case dict():
            return {name: plain(one) for name, one in value.items()}
    return value
