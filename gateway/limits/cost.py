"""What an operation may cost, told from its document and variables before anything is executed.

As in the GraphQL Cost Specification an object counts one point, as often as there may be one: a page has as many
rows as `first` says, a list without pages as many as `Sizes` assumes. Scalars and enums count nothing. Of fields that
are merged one counts, and of the types that an interface or union may turn out to be the dearest. `Weights` count
something else in the same way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLInputType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    get_operation_ast,
    is_composite_type,
    parse,
    value_from_ast_untyped,
)

from gateway.limits.counts import (
    ALWAYS,
    MOST_POINTS,
    Conditions,
    Count,
    Run,
    Size,
    Variables,
    dearest,
    number,
    once,
    times,
    total,
    value,
    when,
)
from gateway.limits.selections import Selected, Selections
from services.errors import CostExceeded

MOST_UNKNOWN = 100
"""Fields that are not in the schema; nobody needs to be told of each."""
ROWS = frozenset({"nodes", "edges"})
"""The fields of a page that are as long as its `first`."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Points of an operation, and of each of its root fields by response key."""

    points: int
    fields: Mapping[str, int]


Estimate = Callable[[Variables], Cost]


class TooManyUnknown(CostExceeded):
    """The operation was not written for this schema."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many entries a list has: a page whose `first` is left out, a list without pages by its field's name."""

    page: int = 20
    largest_page: int = MOST_POINTS
    """Longer ones are refused, whatever is asked for."""
    unpaged: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    otherwise: int = 5


class Lookup(Protocol):
    """What a field takes; of the fields of one object with the same `what` one counts. `each`: for every object."""

    @property
    def what(self) -> str:
        """By which fields are told apart."""

    @property
    def calls(self) -> int:
        """How much it counts."""

    @property
    def each(self) -> bool:
        """As often as the field gives an object, not once."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much: an object, and fields by their coordinates."""

    object: int = 1
    fields: Mapping[str, Lookup] = field(default_factory=lambda: MappingProxyType({}))


POINTS = Weights()


def estimate(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Variables,
    sizes: Sizes = Sizes(),
) -> Cost:
    """The cost of an operation of a valid document; what is wrong in it counts nothing. Raises `CostExceeded`."""
    return compiled(schema, document, operation, sizes)(variables)


def compiled(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    sizes: Sizes = Sizes(),
    weights: Weights = POINTS,
) -> Estimate:
    """The same as a function of the variables; raises `CostExceeded` for a document that cannot be counted."""
    root = schema.get_root_type(operation.operation)
    if root is None:
        return lambda _: Cost(0, {})
    counting = _Counting(schema, document, sizes, weights)
    counts = counting.fields(root, operation.selection_set.selections, Size(sizes.page))
    defaults = {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }

    def counted(variables: Variables) -> Cost:
        run = Run({**defaults, **variables})
        points = {key: min(value(count, run), MOST_POINTS) for key, count in counts.items()}
        return Cost(min(sum(points.values()), MOST_POINTS), points)

    return counted


class Costs:
    """Estimates for one schema; each of the last `most` documents is worked out once."""

    def __init__(
        self,
        schema: GraphQLSchema,
        sizes: Sizes = Sizes(),
        weights: Weights = POINTS,
        *,
        most: int = 1000,
        tokens: int = 10_000,
    ) -> None:
        self._schema, self._sizes, self._weights, self._tokens = schema, sizes, weights, tokens
        self._compiled = lru_cache(most)(self._compile)

    def estimate(self, query: str, operation_name: str | None, variables: Variables | None) -> Cost | None:
        """The cost of an operation in a text; None when it is not in it. Raises `GraphQLError`, `CostExceeded`."""
        known = self._compiled(query, operation_name)
        return known and known(variables or {})

    def _compile(self, query: str, operation_name: str | None) -> Estimate | None:
        document = parse(query, max_tokens=self._tokens)
        operation = get_operation_ast(document, operation_name)
        return compiled(self._schema, document, operation, self._sizes, self._weights) if operation else None


class _Counting:
    """Works out the counts of one document: each merged set of fields once a type, however often it is reached."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, sizes: Sizes, weights: Weights) -> None:
        self._schema, self._sizes, self._weights = schema, sizes, weights
        self._selections = Selections(schema, document)
        self._known: dict[Any, Count] = {}
        self._unknown: set[int] = set()

    def fields(self, parent: GraphQLObjectType, selections: Iterable[SelectionNode], rows: Size) -> dict[str, Count]:
        """The count of each response key of an object; `rows` is how long the lists of a page are."""
        selected = self._selections.selected(parent, [(selection, ALWAYS) for selection in selections])
        return {
            key: total(0, [self._field(parent, nodes, rows), *self._taken(parent, [nodes])])
            for key, nodes in selected.items()
        }

    def _field(self, parent: GraphQLObjectType, nodes: list[Selected], rows: Size) -> Count:
        node = nodes[0][0]
        definition = parent.fields.get(node.name.value)
        named = definition and get_named_type(definition.type)
        if definition is None:
            self._note_unknown(node)
        if definition is None or not is_composite_type(named):
            return 0
        page = _argument(definition, node, "first", self._sizes.page)
        page = page and page.within(self._sizes.largest_page)
        each = self._objects(named, nodes, page or Size(self._sizes.page))
        length = self._length(definition, node, page, rows)
        lookup = self._weights.fields.get(f"{parent.name}.{node.name.value}")
        if lookup and lookup.each:
            each = total(lookup.calls, [each])
        return when([conditions for _, conditions in nodes], times(length, each))

    def _note_unknown(self, node: FieldNode) -> None:
        if not node.name.value.startswith("__"):
            self._unknown.add(id(node))
        if len(self._unknown) > MOST_UNKNOWN:
            raise TooManyUnknown

    def _taken(self, parent: GraphQLObjectType, selected: Iterable[list[Selected]]) -> Iterator[Count]:
        """What fields of one object take themselves."""
        taken: dict[tuple[str, int], list[Conditions]] = {}
        for nodes in selected:
            lookup = self._weights.fields.get(f"{parent.name}.{nodes[0][0].name.value}")
            if lookup and not lookup.each:
                taken.setdefault((lookup.what, lookup.calls), []).extend(conditions for _, conditions in nodes)
        return (when(alternatives, calls) for (_, calls), alternatives in taken.items())

    def _length(self, definition: GraphQLField, node: FieldNode, page: Size | None, rows: Size) -> Size:
        """How many objects a field gives."""
        name = node.name.value
        if not _is_list(definition.type):
            return Size(1)
        assumed = rows if name in ROWS else Size(self._sizes.unpaged.get(name, self._sizes.otherwise))
        told = (key for key, argument in definition.args.items() if _is_list(argument.type) and _given(node, key))
        lists = (_argument(definition, node, key, assumed.default) for key in told)
        return page or next(filter(None, lists), None) or assumed

    def _objects(self, named: GraphQLCompositeType, nodes: list[Selected], rows: Size) -> Count:
        """One object of a type with what is selected of it."""
        key = named.name, rows, tuple((id(node), conditions) for node, conditions in nodes)
        if key not in self._known:
            self._known[key] = 0  # of a fragment within itself
            self._known[key] = once(self._object(named, nodes, rows))
        return self._known[key]

    def _object(self, named: GraphQLCompositeType, nodes: list[Selected], rows: Size) -> Count:
        if not isinstance(named, GraphQLObjectType):
            return dearest([self._objects(one, nodes, rows) for one in self._schema.get_possible_types(named)])
        below = (
            (selection, conditions)
            for node, conditions in nodes
            if node.selection_set
            for selection in node.selection_set.selections
        )
        selected = self._selections.selected(named, below)
        below_it = [self._field(named, found, rows) for found in selected.values()]
        return total(self._weights.object, [*below_it, *self._taken(named, selected.values())])


def _argument(definition: GraphQLField, node: FieldNode, name: str, otherwise: int) -> Size | None:
    """The number, or the length of the list, that an argument gives; None for a field that takes no such argument."""
    if name not in definition.args:
        return None
    given, listed = _given(node, name), _is_list(definition.args[name].type)
    if isinstance(given, VariableNode):
        return Size(otherwise, given.name.value, listed=listed)
    if isinstance(given, ListValueNode):
        return Size(len(given.values))
    if listed and given and not isinstance(given, NullValueNode):
        return Size(1)
    return Size(number(given and value_from_ast_untyped(given), otherwise))


def _given(node: FieldNode, name: str) -> ValueNode | None:
    return next((one.value for one in node.arguments or () if one.name.value == name), None)


def _is_list(type_: GraphQLInputType | GraphQLOutputType) -> bool:
    return isinstance(get_nullable_type(type_), GraphQLList)
