"""A world behind a schema: every value is told by a seed and the place where it stands, right or wrong.

So two executors that ask for the same places get the same answers, in whatever order and however often they ask.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any
from zlib import crc32

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLUnionType,
    is_abstract_type,
    is_leaf_type,
)

from services.errors import GatewayError, NotFound, UpstreamUnavailable
from tests.fuzz.answers import Call


class Oops(Exception):
    """A resolver's own failure."""


class Explained(Exception):
    """A failure that carries extensions."""

    extensions = {"code": "ODD", "more": [1, {"a": None}]}  # noqa: RUF012 - as any library's class may have it


class Later:
    """An awaitable that may be awaited twice."""

    def __init__(self, value: Any, turns: int) -> None:
        self._value = value
        self._turns = turns

    async def _told(self) -> Any:
        for _ in range(self._turns):
            await asyncio.sleep(0)
        return raised(self._value)

    def __await__(self) -> Any:
        return self._told().__await__()

    def __repr__(self) -> str:
        return "<later>"


def raised(value: Any) -> Any:
    """A value, or the exception that it is, raised."""
    if isinstance(value, Exception):
        raise value
    return value


class Record:
    """An object of some type; its attributes are told when first read, and then kept."""

    def __init__(self, kind: str, key: str, world: "World") -> None:
        self.kind = kind
        self.key = key
        self.world = world

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = self.world.value(self, name, {})
        if isinstance(value, Exception) and self.world.raises(self, name):
            raise value
        self.__dict__[name] = value
        return value

    def __repr__(self) -> str:
        return f"<{self.kind}>"


OUTPUTS: Mapping[str, tuple[Any, ...]] = {
    "Int": (0, 1, -5, 2**31 - 1, True, 3.0),
    "Float": (0.0, 1.5, -2, 1e300, 7, True),
    "String": ("", "a", "Ωμέγα", "two\nlines", 5, 1.5, True),
    "ID": ("1", "a", 7),
    "Boolean": (True, False, 1, 0, 2.5),
}
"""What resolvers may return for a scalar, with what is not of its type but is accepted."""
WRONG: tuple[Any, ...] = (
    *(None, None, None, 2**31, -(2**40), 1.5, float("nan"), float("inf"), "no", "", "bad", True, b"x", Decimal("1.50")),
    *([], ["a", None], {}, {"x": 1}, (1, "b"), frozenset({1}), object, Oops("returned"), Explained("returned")),
)
"""What no type, or only some, can take."""


@dataclass
class World:
    """What resolvers find.

    `types` are those of the fields of each kind of record, `samples` are values of custom scalars, `hidden` those of
    attributes that are no fields, `plain` the classes whose records are instances of them. `wrong` is how probable it
    is that a place holds something that does not fit.
    """

    seed: int
    schema: GraphQLSchema
    types: Mapping[str, Mapping[str, Any]]
    samples: Mapping[str, tuple[Any, ...]]
    plain: Mapping[str, type]
    hidden: Mapping[str, tuple[Any, ...]]
    wrong: float = 0.0
    calls: list[Call] = field(default_factory=list)
    """The places whose resolvers were called, in order."""

    def told(self, record: Record, name: str, arguments: Mapping[str, Any]) -> Any:
        """A resolver's answer; raised when it is a failure."""
        self.calls.append(Call(name, self._place(record, name, arguments)))
        return self.derived(record, name, arguments)

    def derived(self, record: Record, name: str, arguments: Mapping[str, Any]) -> Any:
        """The same without a call."""
        value = self.value(record, name, arguments)
        return raised(value) if self.raises(record, name) else value

    async def later(self, record: Record, name: str, arguments: Mapping[str, Any]) -> Any:
        """The same after some turns of the loop."""
        place = self._place(record, name, arguments)
        for _ in range(self.turns(place)):
            await asyncio.sleep(0)
        return self.told(record, name, arguments)

    def failing(self, record: Record) -> Exception | None:
        """The failure that takes the place of a record, if one does."""
        chance = self._chance("failing", record.key)
        return self._failure(record.key, chance) if chance.random() < self.wrong else None

    def turns(self, place: str) -> int:
        """How long a place makes one wait."""
        return crc32(place.encode()) % 4

    def raises(self, record: Record, name: str) -> bool:
        """Whether a failure is raised where it is told; else it is returned as a value."""
        return self._chance("raises", record.key, name).random() < 0.8

    def value(self, record: Record, name: str, arguments: Mapping[str, Any]) -> Any:
        """What stands at a place, by the type that the schema gives it."""
        place = self._place(record, name, arguments)
        if name in self.hidden:
            return self._chance(place).choice(self.hidden[name])
        return self._of(self.types[record.kind][name], place, self._chance(place))

    def _place(self, record: Record, name: str, arguments: Mapping[str, Any]) -> str:
        return f"{record.key}.{name}{dict(arguments) or ''}"

    def _chance(self, *place: Any) -> Random:
        return Random(crc32(repr((self.seed, *place)).encode()))

    def _of(self, type_: Any, place: str, chance: Random) -> Any:
        if chance.random() < self.wrong:
            return self._wrong(place, chance)
        if not isinstance(type_, GraphQLNonNull):
            return None if chance.random() < 0.1 else self._present(type_, place, chance)
        return self._present(type_.of_type, place, chance)

    def _present(self, type_: Any, place: str, chance: Random) -> Any:
        if isinstance(type_, GraphQLList):
            return self._list(type_.of_type, place, chance)
        if isinstance(type_, GraphQLEnumType):
            return chance.choice([value.value for value in type_.values.values()])
        if is_leaf_type(type_):
            return chance.choice(self.samples.get(type_.name) or OUTPUTS[type_.name])
        return self.record(type_, place, chance)

    def _list(self, item: Any, place: str, chance: Random) -> Any:
        items = [self._of(item, f"{place}[{at}]", chance) for at in range(chance.choice((0, 1, 2, 2, 3, 5)))]
        if self.wrong and chance.random() < 0.05:
            items = [Later(one, self.turns(f"{place}[{at}]")) for at, one in enumerate(items)]
        return tuple(items) if chance.random() < 0.1 else items

    def record(self, type_: Any, place: str, chance: Random) -> Any:
        """An object of the type; of an abstract one, any that it allows."""
        if is_abstract_type(type_):
            type_ = chance.choice(self.schema.get_possible_types(type_))
        return self._plain(type_, place, chance) if type_.name in self.plain else Record(type_.name, place, self)

    def _plain(self, type_: Any, place: str, chance: Random) -> Any:
        """An instance of Strawberry's own class."""
        values = {name: self._of(one.type, f"{place}.{name}", chance) for name, one in type_.fields.items()}
        return self.plain[type_.name](**values)

    def _wrong(self, place: str, chance: Random) -> Any:
        roll = chance.random()
        if roll < 0.4:
            return self._failure(place, chance)
        if roll < 0.5:
            return self.record(chance.choice(list(_objects(self.schema))), place, chance)
        found = chance.choice(WRONG)
        return type(found)(*found.args) if isinstance(found, Exception) else found  # one that is raised keeps its past

    def _failure(self, place: str, chance: Random) -> Exception:
        made = (
            Oops(f"at {place}"),
            Explained(f"at {place}"),
            NotFound(),
            UpstreamUnavailable(hint="Ask again.", at=place),
            GatewayError("said"),
            GraphQLError(f"at {place}", extensions={"own": True}),
        )
        return chance.choice(made)


def _objects(schema: GraphQLSchema) -> Iterator[Any]:
    return (t for union in schema.type_map.values() if isinstance(union, GraphQLUnionType) for t in union.types)
