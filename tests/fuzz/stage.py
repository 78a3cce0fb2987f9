"""Where a case is played: the synthetic schema with a world behind it."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol

import strawberry
from aiodataloader import DataLoader
from graphql import GraphQLInterfaceType, GraphQLList, GraphQLObjectType, GraphQLSchema, get_nullable_type
from strawberry.types import ExecutionResult
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.graphql import OperationType

from resolvers.context import Context
from services.errand import Errand
from tests.fuzz import synthetic
from tests.fuzz.answers import Answer, Call, Execute, Path, Told, answered
from tests.fuzz.operations import Grammar
from tests.fuzz.values import GARBAGE
from tests.fuzz.viewers import granted
from tests.fuzz.world import Record, World

ALLOWED = frozenset({OperationType.QUERY, OperationType.MUTATION})
NEVER = float("inf")
HIDEABLE = ("number", "total", "customer", "lineItems", "status", "terms", "notes", "account", "taxTotal")


@dataclass(frozen=True, slots=True)
class Request:
    """What is executed."""

    text: str
    name: str | None = None
    variables: dict[str, Any] | None = None


class Stage(Hashable, Protocol):
    """A schema and what its resolvers find behind it."""

    grammar: Grammar

    @property
    def schema(self) -> strawberry.Schema: ...

    @property
    def nullable(self) -> strawberry.Schema:
        """The schema with output types that are all nullable."""

    async def play(self, execute: Execute, request: Request, seed: int) -> Answer:
        """Execute a request in the circumstances of a seed."""


def nullable(schema: strawberry.Schema) -> strawberry.Schema:
    """The schema once more, with output types that are all nullable."""
    definitions = (known.definition for known in schema.schema_converter.type_map.values())
    types = [one.origin for one in definitions if isinstance(one, StrawberryObjectDefinition) and not one.is_input]
    twin = type(schema)(
        query=schema.query,
        mutation=schema.mutation,
        subscription=schema.subscription,
        types=[one for one in types if one not in (schema.query, schema.mutation, schema.subscription)],
        extensions=schema.extensions,
        config=schema.config,
    )
    for type_ in twin._schema.type_map.values():  # noqa: SLF001 - Strawberry's way to graphql-core's schema
        for field in type_.fields.values() if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) else ():
            field.type = _nullable(field.type)
    return twin


def _nullable(type_: Any) -> Any:
    inner = get_nullable_type(type_)
    return GraphQLList(_nullable(inner.of_type)) if isinstance(inner, GraphQLList) else inner


def core(schema: strawberry.Schema) -> Execute:
    """graphql-core's way to execute, with the arguments of the plans'."""

    async def execute(query: str, *, variables: Any, context: Any, root: Any, **named: Any) -> ExecutionResult:
        return await schema.execute(
            query,
            variable_values=variables,
            context_value=context,
            root_value=root,
            operation_name=named["operation_name"],
            allowed_operation_types=named["allowed"],
        )

    return execute


class Desk:
    """The loaders of a world: records by id, each batch noted as a call."""

    def __init__(self, world: World) -> None:
        self.world = world

    @cached_property
    def people(self) -> DataLoader[Any, Any]:
        return self._loader("Person")

    @cached_property
    def _full(self) -> dict[str, DataLoader[Any, Any]]:
        return {name: self._loader(name) for name in ("Ware", "Bundle")}

    def full(self, record: Record) -> DataLoader[Any, Any]:
        return self._full[record.kind]

    def _loader(self, kind: str) -> DataLoader[Any, Any]:
        async def batch(keys: list[Any]) -> list[Any]:
            return [self._loaded(kind, key) for key in keys]

        return DataLoader(batch, max_batch_size=None, get_cache_key=repr)

    def _loaded(self, kind: str, key: Any) -> Any:
        self.world.calls.append(Call("", f"{kind} {key!r}"))
        record = Record(kind, f"{kind}/{key!r}", self.world)
        return self.world.failing(record) or record


class Witness(Context):
    """A context that knows where errors without a path were noted."""

    @cached_property
    def places(self) -> defaultdict[Told, set[Path]]:
        return defaultdict(set)

    def report(self, error: Exception, info: Any, coordinate: str, module: str | None = None) -> None:
        super().report(error, info, coordinate, module)
        if info.path is not None:  # compiled operations tell no places
            alone = Context(self.services, self.viewer, self.errand)
            alone.report(error, info, coordinate, module)
            self.places[Told.of(*alone.errors.values())].add(tuple(info.path.as_list()))


class Scene(Witness):
    """The context of a case."""

    world: World

    @cached_property
    def loaders(self) -> Any:
        return Desk(self.world)


class Noted:
    """Takes the place of the services that an operation's end is told to."""

    def __init__(self) -> None:
        self.used: set[tuple[str, str]] = set()

    def note(self, _viewer: Any, used: Iterable[tuple[str, str]]) -> None:
        self.used.update(used)

    async def record(self, _errand: Any, action: Any, *_: Any, **__: Any) -> str:
        self.used.add(("refused", action.name))
        return "1"


def kinds(schema: GraphQLSchema) -> dict[str, dict[str, Any]]:
    """The types of every object type's fields; `Root` has those of queries and of mutations."""
    objects = [one for one in schema.type_map.values() if isinstance(one, GraphQLObjectType)]
    types = {one.name: {name: field.type for name, field in one.fields.items()} for one in objects}
    return types | {"Root": types["Query"] | types["Mutation"]}


class Synthetic:
    """The synthetic schema."""

    schema = synthetic.schema
    nullable = nullable(synthetic.schema)
    inner = synthetic.schema._schema  # noqa: SLF001 - Strawberry's way to graphql-core's schema

    def __init__(self) -> None:
        samples = {
            "Code": lambda chance: chance.choice((*"abcdefghi", "B", "ß", "", chance.choice(("x", "y", "refused")))),
            "Anything": lambda chance: chance.choice(GARBAGE),
        }
        self.grammar = Grammar(self.inner, samples, rare={"informed"})
        self.types = kinds(self.inner)

    async def play(self, execute: Execute, request: Request, seed: int) -> Answer:
        chance, noted = Random(seed), Noted()
        wrong = chance.choice((0.0, 0.0, 0.003, 0.02, 0.15))
        world = World(seed, self.inner, self.types, synthetic.OUTPUTS, synthetic.PLAIN, synthetic.HIDDEN, wrong)
        viewer = granted(chance, HIDEABLE)
        services: Any = SimpleNamespace(usage=noted, audit=noted)
        context = Scene(services, viewer, Errand(viewer, "1", NEVER))
        context.world = world
        execution = execute(
            request.text,
            variables=request.variables,
            operation_name=request.name,
            context=context,
            root=Record("Root", "", world),
            allowed=ALLOWED,
        )
        answer, calls = await answered(execution), tuple(world.calls)
        effects = tuple(call.place for call in calls if call.field in self.types["Mutation"])
        noted_use = frozenset(noted.used)
        return replace(answer, calls=calls, effects=effects, noted=noted_use, places=context.places)
