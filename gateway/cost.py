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
from typing import Any, NamedTuple, Protocol

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLInputType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    get_operation_ast,
    is_abstract_type,
    is_composite_type,
    parse,
    value_from_ast_untyped,
)

from services.errors import CostExceeded

MOST_STEPS = 50_000
"""Selections that are looked at for one document; merging can make far more of it than it has."""
MOST_POINTS = 10**12
"""Nobody counts further."""
ROWS = frozenset({"nodes", "edges"})
"""The fields of a page that are as long as its `first`."""

Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Run:
    """The variables of one request, and what has been counted for them."""

    variables: Variables
    known: dict[Any, int] = field(default_factory=dict)


Varying = Callable[[_Run], int]
Count = int | Varying
"""Points, if need be by the variables."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Points of an operation, and of each of its root fields by response key."""

    points: int
    fields: Mapping[str, int]


Estimate = Callable[[Variables], Cost]


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


class _Size(NamedTuple):
    """A number that the document says, or the number or list in a variable with its default."""

    default: int
    variable: str | None = None
    most: int = MOST_POINTS

    def of(self, variables: Variables) -> int:
        if self.variable is None:
            return self.default
        value = variables.get(self.variable)
        return min(len(value) if isinstance(value, list) else _number(value, self.default), self.most)

    def within(self, most: int) -> "_Size":
        return _Size(min(self.default, most), self.variable, most)


class _Condition(NamedTuple):
    """That a variable has this value."""

    variable: str
    value: bool


_Conditions = frozenset[_Condition]
_Selection = tuple[SelectionNode, _Conditions]
_Selected = tuple[FieldNode, _Conditions]
ALWAYS: _Conditions = frozenset()
_WANTED = {"skip": False, "include": True}


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
    counts = counting.fields(root, operation.selection_set.selections, _Size(sizes.page))
    defaults = {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }

    def counted(variables: Variables) -> Cost:
        run = _Run({**defaults, **variables})
        points = {key: min(_value(count, run), MOST_POINTS) for key, count in counts.items()}
        return Cost(min(sum(points.values()), MOST_POINTS), points)

    return counted


class Costs:
    """Estimates for one schema; each of the last `most` documents is worked out once."""

    def __init__(
        self, schema: GraphQLSchema, sizes: Sizes = Sizes(), *, most: int = 1000, tokens: int = 10_000
    ) -> None:
        self._schema, self._sizes, self._tokens = schema, sizes, tokens
        self._compiled = lru_cache(most)(self._compile)

    def estimate(self, query: str, operation_name: str | None, variables: Variables | None) -> Cost | None:
        """The cost of an operation in a text; None when it is not in it. Raises `GraphQLError`, `CostExceeded`."""
        known = self._compiled(query, operation_name)
        return known and known(variables or {})

    def _compile(self, query: str, operation_name: str | None) -> Estimate | None:
        document = parse(query, max_tokens=self._tokens)
        operation = get_operation_ast(document, operation_name)
        return compiled(self._schema, document, operation, self._sizes) if operation else None


class _Counting:
    """Works out the counts of one document: each merged set of fields once a type, however often it is reached."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, sizes: Sizes, weights: Weights) -> None:
        self._schema, self._sizes, self._weights = schema, sizes, weights
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._known: dict[Any, Count] = {}
        self._steps = 0

    def fields(self, parent: GraphQLObjectType, selections: Iterable[SelectionNode], rows: _Size) -> dict[str, Count]:
        """The count of each response key of an object; `rows` is how long the lists of a page are."""
        selected = self._selected(parent, [(selection, ALWAYS) for selection in selections])
        return {
            key: _sum(0, [self._field(parent, nodes, rows), *self._taken(parent, [nodes])])
            for key, nodes in selected.items()
        }

    def _field(self, parent: GraphQLObjectType, nodes: list[_Selected], rows: _Size) -> Count:
        node = nodes[0][0]
        definition = parent.fields.get(node.name.value)
        named = definition and get_named_type(definition.type)
        if definition is None or not is_composite_type(named):
            return 0
        page = _argument(definition, node, "first", self._sizes.page)
        page = page and page.within(self._sizes.largest_page)
        each = self._objects(named, nodes, page or _Size(self._sizes.page))
        times = self._length(definition, node, page, rows)
        lookup = self._weights.fields.get(f"{parent.name}.{node.name.value}")
        if lookup and lookup.each:
            each = _sum(lookup.calls, [each])
        return _when([conditions for _, conditions in nodes], _times(times, each))

    def _taken(self, parent: GraphQLObjectType, selected: Iterable[list[_Selected]]) -> Iterator[Count]:
        """What fields of one object take themselves."""
        taken: dict[tuple[str, int], list[_Conditions]] = {}
        for nodes in selected:
            lookup = self._weights.fields.get(f"{parent.name}.{nodes[0][0].name.value}")
            if lookup and not lookup.each:
                taken.setdefault((lookup.what, lookup.calls), []).extend(conditions for _, conditions in nodes)
        return (_when(alternatives, calls) for (_, calls), alternatives in taken.items())

    def _length(self, definition: GraphQLField, node: FieldNode, page: _Size | None, rows: _Size) -> _Size:
        """How many objects a field gives."""
        name = node.name.value
        if not _is_list(definition.type):
            return _Size(1)
        assumed = rows if name in ROWS else _Size(self._sizes.unpaged.get(name, self._sizes.otherwise))
        told = (key for key, argument in definition.args.items() if _is_list(argument.type) and _given(node, key))
        lists = (_argument(definition, node, key, assumed.default) for key in told)
        return page or next(filter(None, lists), None) or assumed

    def _objects(self, named: GraphQLCompositeType, nodes: list[_Selected], rows: _Size) -> Count:
        """One object of a type with what is selected of it."""
        key = named.name, rows, tuple((id(node), conditions) for node, conditions in nodes)
        if key not in self._known:
            self._known[key] = 0  # of a fragment within itself
            self._known[key] = _once(self._object(named, nodes, rows))
        return self._known[key]

    def _object(self, named: GraphQLCompositeType, nodes: list[_Selected], rows: _Size) -> Count:
        if not isinstance(named, GraphQLObjectType):
            return _dearest([self._objects(one, nodes, rows) for one in self._schema.get_possible_types(named)])
        below = (
            (selection, conditions)
            for node, conditions in nodes
            if node.selection_set
            for selection in node.selection_set.selections
        )
        selected = self._selected(named, below)
        below_it = [self._field(named, found, rows) for found in selected.values()]
        return _sum(self._weights.object, [*below_it, *self._taken(named, selected.values())])

    def _selected(self, parent: GraphQLObjectType, selections: Iterable[_Selection]) -> dict[str, list[_Selected]]:
        """The fields of an object by response key."""
        found: dict[str, list[_Selected]] = {}
        for node, conditions in self._spread(parent, selections, set()):
            found.setdefault((node.alias or node.name).value, []).append((node, conditions))
        return found

    def _spread(
        self, parent: GraphQLObjectType, selections: Iterable[_Selection], seen: set[Any]
    ) -> Iterator[_Selected]:
        """The fields themselves and those in fragments, each fragment once."""
        for selection, outer in selections:
            self._step()
            own = _conditions(selection.directives)
            if own is None:
                continue
            if isinstance(selection, FieldNode):
                yield selection, outer | own
                continue
            fragment = self._fragment(selection, outer | own, seen)
            if fragment is not None and self._applies(fragment.type_condition, parent):
                inner = ((one, outer | own) for one in fragment.selection_set.selections)
                yield from self._spread(parent, inner, seen)

    def _fragment(
        self, selection: SelectionNode, conditions: _Conditions, seen: set[Any]
    ) -> FragmentDefinitionNode | InlineFragmentNode | None:
        if isinstance(selection, InlineFragmentNode):
            return selection
        if not isinstance(selection, FragmentSpreadNode) or (selection.name.value, conditions) in seen:
            return None
        seen.add((selection.name.value, conditions))
        return self._fragments.get(selection.name.value)

    def _applies(self, condition: NamedTypeNode | None, parent: GraphQLObjectType) -> bool:
        if condition is None or condition.name.value == parent.name:
            return True
        named = self._schema.get_type(condition.name.value)
        return is_abstract_type(named) and self._schema.is_sub_type(named, parent)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise CostExceeded("The operation is too complicated to be counted.")


def _conditions(directives: Iterable[DirectiveNode] | None) -> _Conditions | None:
    """What variables must be for a selection to count; None for one that never does."""
    found = set()
    for directive in directives or ():
        if (wanted := _WANTED.get(directive.name.value)) is None or not directive.arguments:
            continue
        given = directive.arguments[0].value
        if isinstance(given, VariableNode):
            found.add(_Condition(given.name.value, wanted))
        elif isinstance(given, BooleanValueNode) and given.value is not wanted:
            return None
    return frozenset(found)


def _argument(definition: GraphQLField, node: FieldNode, name: str, otherwise: int) -> _Size | None:
    """The number, or the length of the list, that an argument gives; None for a field that takes no such argument."""
    if name not in definition.args:
        return None
    value = _given(node, name)
    if isinstance(value, VariableNode):
        return _Size(otherwise, value.name.value)
    if isinstance(value, ListValueNode):
        return _Size(len(value.values))
    return _Size(_number(value and value_from_ast_untyped(value), otherwise))


def _number(value: Any, otherwise: int) -> int:
    return max(0, value) if type(value) is int else otherwise


def _given(node: FieldNode, name: str) -> ValueNode | None:
    return next((one.value for one in node.arguments or () if one.name.value == name), None)


def _is_list(type_: GraphQLInputType | GraphQLOutputType) -> bool:
    return isinstance(get_nullable_type(type_), GraphQLList)


def _value(count: Count, run: _Run) -> int:
    return count if isinstance(count, int) else count(run)


def _once(count: Count) -> Count:
    """The same, counted once a run however often it stands in the operation."""
    if isinstance(count, int):
        return count

    def counted(run: _Run) -> int:
        if counted not in run.known:
            run.known[counted] = count(run)
        return run.known[counted]

    return counted


def _sum(constant: int, counts: Iterable[Count]) -> Count:
    varying: list[Varying] = []
    for count in counts:
        if isinstance(count, int):
            constant += count
        else:
            varying.append(count)
    return (lambda run: constant + sum(count(run) for count in varying)) if varying else constant


def _times(size: _Size, count: Count) -> Count:
    if size.variable is None and isinstance(count, int):
        return size.default * count
    return lambda run: size.of(run.variables) * _value(count, run)


def _dearest(counts: list[Count]) -> Count:
    if all(isinstance(count, int) for count in counts):
        return max((count for count in counts if isinstance(count, int)), default=0)
    return lambda run: max(_value(count, run) for count in counts)


def _when(alternatives: list[_Conditions], count: Count) -> Count:
    """The count where any of the alternatives holds."""
    if ALWAYS in alternatives:
        return count
    return lambda run: _value(count, run) if any(_hold(one, run.variables) for one in alternatives) else 0


def _hold(conditions: _Conditions, variables: Variables) -> bool:
    return all(variables.get(one.variable) is not (not one.value) for one in conditions)
