"""Random documents over a schema, with what hypothesis-graphql 0.13 leaves out.

That is variables, fragments, directives, merged fields and several operations in a document; and each of them must
come back from a seed in a millisecond. So they are written from `random.Random` alone.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLUnionType,
    OperationType,
    Undefined,
    get_named_type,
    is_composite_type,
    is_leaf_type,
    type_from_ast,
)
from graphql.language import parse_type
from graphql.utilities import do_types_overlap

from tests.fuzz.values import GARBAGE, Reference, Sample, Values, literal, plain

DEEPEST = 5
FIELDS = 40
"""Field nodes in an operation, fragments counted once."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable: its type, for which `field.argument`, and, when it has one, its default as a literal."""

    type: GraphQLInputType
    place: str
    default: str | None = None

    @property
    def declaration(self) -> str:
        return str(self.type) if self.default is None else f"{self.type} = {self.default}"


@dataclass(slots=True)
class Operation:
    """An operation of a document and the variables that it declares."""

    kind: OperationType
    name: str
    variables: dict[str, Variable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """What a client sends, less the values of variables."""

    text: str
    operations: list[Operation]

    def variables(self, chance: Random, samples: Mapping[str, Sample]) -> dict[str, Any] | None:
        """Values for the variables of all its operations: some left out, now and then a wrong one."""
        values, given = Values(chance, samples), {}
        for operation in chance.sample(self.operations, len(self.operations)):  # they may mean others by the same name
            for name, variable in operation.variables.items():
                optional = variable.default is not None or not isinstance(variable.type, GraphQLNonNull)
                if not optional or chance.random() < 0.7:
                    given[name] = plain(values.of(variable.type, variable.place))
        if given and chance.random() < 0.05:
            given[chance.choice(list(given))] = chance.choice(GARBAGE)
        if given and chance.random() < 0.02:
            del given[chance.choice(list(given))]
        return given or (None if chance.random() < 0.5 else {})

    def chosen(self, chance: Random) -> str | None:
        """The operation's name that a client sends; seldom one that there is not."""
        names: list[str | None] = [operation.name for operation in self.operations if operation.name]
        if len(self.operations) == 1:
            names.append(None)
        return "Unknown" if not names or chance.random() < 0.01 else chance.choice(names)


class Inputs(Values):
    """Values that may hold variables, which are declared as they are used."""

    declared: dict[str, Variable]
    taken: set[str]

    def __init__(self, chance: Random, samples: Mapping[str, Sample], taken: set[str]) -> None:
        super().__init__(chance, samples)
        object.__setattr__(self, "declared", {})
        object.__setattr__(self, "taken", taken)

    def part(self, type_: GraphQLInputType, name: str, depth: int, *, default: bool = False) -> Any:
        if self.chance.random() < 0.25:
            return self.variable(type_, name, default=default)
        return self.of(type_, name, depth)

    def variable(self, type_: GraphQLInputType, name: str, *, default: bool = False) -> Reference:
        """One of a type that may stand here; `default` says that the place has a default of its own."""
        wanted = self._wanted(type_, name, default=default)
        known = [known for known, one in self.declared.items() if one == wanted]
        if known and self.chance.random() < 0.5:
            return Reference(self.chance.choice(known))
        fresh = self._fresh(name)
        self.taken.add(fresh)
        self.declared[fresh] = wanted
        return Reference(fresh)

    def _fresh(self, name: str) -> str:
        """A name that this operation has not declared; another may have, of any type."""
        others = sorted(self.taken - set(self.declared))
        if others and self.chance.random() < 0.4:
            return self.chance.choice(others)
        return f"{name.rpartition('.')[2]}{len(self.taken)}"

    def _wanted(self, type_: GraphQLInputType, name: str, *, default: bool) -> Variable:
        roll, solid = self.chance.random(), isinstance(type_, GraphQLNonNull)
        loose = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        fallback = literal(
            Values(self.chance, self.samples, null=0.0 if solid else 0.1).of(GraphQLNonNull(loose), name)
        )
        if roll < 0.25:
            return Variable(loose, name, fallback)
        if roll < 0.4 and not solid:
            return Variable(GraphQLNonNull(loose), name, None if roll < 0.33 else fallback)
        return Variable(loose if default and roll < 0.7 else type_, name)


class Grammar:
    """What a schema allows, looked up once; fields that are `left_out` are never asked for, `rare` ones seldom.

    Arguments may be rare likewise.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        samples: Mapping[str, Sample],
        *,
        left_out: Container[str] = (),
        rare: Container[str] = (),
        mutations: bool = True,
    ) -> None:
        self.mutations = mutations
        self.rare = rare
        roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
        composite: list[Any] = [t for t in schema.type_map.values() if is_composite_type(t) and t.name[:2] != "__"]
        self.schema = schema
        self.samples = samples
        self.condition: Any = type_from_ast(schema, parse_type("Boolean!"))
        self.fields = {one.name: _fields(one, left_out) for one in composite}
        self.overlapping = {
            one.name: [t for t in composite if t not in roots and do_types_overlap(schema, one, t)] or [one]
            for one in composite
        }


def _fields(type_: Any, left_out: Container[str]) -> dict[str, GraphQLField]:
    return {name: one for name, one in getattr(type_, "fields", {}).items() if name not in left_out}


class Author:
    """Writes one document. Response names tell field, arguments and type, so that nearly all documents are valid."""

    def __init__(self, grammar: Grammar, chance: Random) -> None:
        self.grammar = grammar
        self.chance = chance
        self.taken: set[str] = set()
        self.keys: dict[str, list[tuple[str, str]]] = {}
        self.fragments: list[str] = []

    def document(self) -> Document:
        """One operation, seldom two or three."""
        count = self.chance.choices((1, 2, 3), (85, 10, 5))[0]
        written = [self._operation(place + 1 if count > 1 else self.chance.randrange(2)) for place in range(count)]
        text = "\n".join(self.chance.sample(parts := [text for _, text in written] + self.fragments, len(parts)))
        text = _spoiled(text, self.chance) if self.chance.random() < 0.03 else text
        return Document(text, [operation for operation, _ in written])

    def _operation(self, place: int) -> tuple[Operation, str]:
        schema = self.grammar.schema
        mutation = self.grammar.mutations and self.chance.random() < 0.2
        kind = OperationType.MUTATION if mutation else OperationType.QUERY
        self.inputs = Inputs(self.chance, self.grammar.samples, self.taken)
        self.known: list[tuple[str, Any]] = []
        self.left = self.chance.choice((3, 8, 15, 25, FIELDS))
        body = self._selections(schema.get_root_type(kind), self.chance.randint(1, DEEPEST))
        if self.chance.random() < 0.01:
            body = body.replace("{", "{ __schema { queryType { name } }", 1)
        operation = Operation(kind, f"Op{place}" if place else "", self.inputs.declared)
        declared = ", ".join(f"${name}: {one.declaration}" for name, one in self.inputs.declared.items())
        head = f"{kind.value} {operation.name}{f'({declared})' if declared else ''}"
        return operation, body if head == "query " and self.chance.random() < 0.5 else f"{head} {body}"

    def _selections(self, type_: Any, depth: int) -> str:
        count = self.chance.choices((1, 2, 3, 4, 6), (15, 25, 30, 20, 10))[0]
        return "{ " + " ".join(self._selection(type_, depth) for _ in range(count)) + " }"

    def _selection(self, type_: Any, depth: int) -> str:
        roll = self.chance.random()
        if depth > 0 and roll < 0.2:
            return self._inline(type_, depth) if roll < 0.1 else self._spread(type_, depth)
        if isinstance(type_, GraphQLUnionType):
            return self._inline(type_, depth) if depth > 0 and roll < 0.85 else self._typename()
        return self._typename() if roll < 0.25 else self._field(type_, depth)

    def _typename(self) -> str:
        return self.chance.choice(("__typename", "__typename", "which: __typename")) + self._directives()

    def _inline(self, type_: Any, depth: int) -> str:
        on = type_ if self.chance.random() < 0.3 else self.chance.choice(self.grammar.overlapping[type_.name])
        condition = "" if on is type_ and self.chance.random() < 0.5 else f" on {on.name}"
        return f"...{condition}{self._directives()} {self._selections(on, depth - 1)}"

    def _spread(self, type_: Any, depth: int) -> str:
        fitting = [name for name, on in self.known if on in self.grammar.overlapping[type_.name]]
        name = self.chance.choice(fitting) if fitting and self.chance.random() < 0.6 else self._fragment(type_, depth)
        return f"...{name}{self._directives()}"

    def _fragment(self, type_: Any, depth: int) -> str:
        on = self.chance.choice(self.grammar.overlapping[type_.name])
        body = self._selections(on, depth - 1)
        name = f"part{len(self.fragments)}"
        self.fragments.append(f"fragment {name} on {on.name} {body}")
        self.known.append((name, on))
        return name

    def _field(self, type_: Any, depth: int) -> str:
        self.left -= 1
        fields, rare = self.grammar.fields[type_.name], self.grammar.rare
        fields = {name: one for name, one in fields.items() if name not in rare or self.chance.random() < 0.05}
        if depth <= 0 or self.left <= 0:
            fields = {name: one for name, one in fields.items() if is_leaf_type(get_named_type(one.type))}
        if not fields:
            return "__typename"
        name = self.chance.choice(list(fields))
        arguments = self._arguments(name, fields[name])
        inner = get_named_type(fields[name].type)
        body = f" {self._selections(inner, depth - 1)}" if is_composite_type(inner) else ""
        return f"{self._key(name, arguments, fields[name])}{name}{arguments}{self._directives()}{body}"

    def _arguments(self, field: str, of: GraphQLField) -> str:
        given = []
        for name, one in of.args.items():
            default = one.default_value is not Undefined or getattr(one, "default", None) is not None
            share = 0.05 if name in self.grammar.rare else 0.5
            if (isinstance(one.type, GraphQLNonNull) and not default) or self.chance.random() < share:
                value = self.inputs.part(one.type, f"{field}.{name}", 0, default=default)
                given.append(f"{name}: {literal(value)}")
        return f"({', '.join(given)})" if given else ""

    def _key(self, name: str, arguments: str, of: GraphQLField) -> str:
        if self.chance.random() < 0.01:
            return "clash: "
        known = self.keys.setdefault(name, [])
        if (made := (arguments, str(of.type))) not in known or self.chance.random() < 0.1:
            known.append(made)
        place = self.chance.choice([place for place, one in enumerate(known) if one == made])
        return f"{name}_{place}: " if place else ""

    def _directives(self) -> str:
        if self.chance.random() > 0.08:
            return ""
        names = self.chance.choice((["skip"], ["include"], ["include", "skip"]))
        return "".join(f" @{name}(if: {self._condition()})" for name in names)

    def _condition(self) -> str:
        if self.chance.random() < 0.4:
            return self.chance.choice(("true", "false"))
        return literal(self.inputs.variable(self.grammar.condition, "if"))


_SPOILS = (
    (r"\b(\w+) \{", r"\1x {"),
    (r"\}", ""),
    (r"\(", "(unknown: 1, "),
    (r"\.\.\.part", "...missing"),
    (r"\$(\w+)", r"$\1x"),
    (r": \w+!", ": Int"),
    (r"on \w+", "on Nothing"),
    (r"@skip", "@skipped"),
    (r" __typename", " __typename { x }"),
)
"""Ways to make a document invalid: what is replaced once, and by what."""


def _spoiled(text: str, chance: Random) -> str:
    pattern, by = chance.choice(_SPOILS)
    places = list(re.finditer(pattern, text))
    if not places:
        return text
    place = chance.choice(places)
    return text[: place.start()] + place.expand(by) + text[place.end() :]
