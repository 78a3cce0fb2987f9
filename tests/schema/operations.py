"""Operations made from the published schema: every field of what a root field leads to."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_composite_type,
    is_interface_type,
    is_object_type,
)

from gateway.commands.published import sdl

Composite = GraphQLObjectType | GraphQLInterfaceType
ARGUMENTS: Mapping[str, str] = {
    "Viewer.can": '(permissions: ["invoices.view", "estimates.view.total", "integration.manage"])',
}
"""What fields below the root are asked with."""
NAME = "__typename"


@cache
def published() -> GraphQLSchema:
    return build_schema(sdl())


@dataclass
class Selection:
    """A field with what is selected of it; nothing of a leaf."""

    name: str
    arguments: str = ""
    children: list["Selection"] = field(default_factory=list)

    def __str__(self) -> str:
        below = f" {{ {' '.join(map(str, self.children))} }}" if self.children else ""
        return f"{self.name}{self.arguments}{below}"


@dataclass(frozen=True)
class Root:
    """A root field and the arguments it is asked with."""

    name: str
    arguments: str = ""

    def __str__(self) -> str:
        """The whole operation: every field that this root is the way to; each type is spelled out once."""
        top = Selection(self.name, self.arguments)
        waiting, spelled = deque([(self._type, top)]), {self._type.name}
        while waiting:
            type_, selection = waiting.popleft()
            selection.children.append(Selection(NAME))
            for name, target in _fields(type_):
                arguments = ARGUMENTS.get(f"{type_.name}.{name}") or _paged(type_, name)
                selection.children.append(child := Selection(name, arguments))
                if target and target.name not in spelled and not self._is_elsewhere(target):
                    spelled.add(target.name)
                    waiting.append((target, child))
                elif target:
                    child.children = _stub(target)
        return f"{{ {top} }}"

    @cached_property
    def _type(self) -> Composite:
        found = get_named_type(published().type_map["Query"].fields[self.name].type)  # type: ignore[attr-defined]
        assert is_object_type(found) or is_interface_type(found)
        return found

    @cached_property
    def _own(self) -> set[str]:
        """This root's record, its connection and its edge."""
        below = {target.name for name, target in _fields(self._type) if name in ("nodes", "edges") and target}
        return {self._type.name} | below

    def _is_elsewhere(self, target: Composite) -> bool:
        """Whether another root is the way to it: records, and connections of them."""
        item = dict(_fields(target)).get("nodes", target)
        return target.name not in self._own and item is not None and _is_record(item)


def _fields(type_: Composite) -> Iterator[tuple[str, Composite | None]]:
    """Each field with the composite type that it leads to."""
    for name, made in type_.fields.items():
        target: GraphQLNamedType = get_named_type(made.type)
        yield name, target if is_object_type(target) or is_interface_type(target) else None


def _paged(type_: Composite, name: str) -> str:
    return "(first: 2)" if "first" in type_.fields[name].args else ""


def _stub(target: Composite) -> list[Selection]:
    """The least of a composite value, with its rows where it has any."""
    rows = [Selection("nodes", children=[Selection(NAME)])] if "nodes" in target.fields else []
    return [Selection(NAME), *rows]


def _is_record(type_: Composite) -> bool:
    return type_.name == "Node" or any(interface.name == "Node" for interface in type_.interfaces)


def reachable(start: str = "Query") -> set[str]:
    """The coordinates of every field of every object type that a query can lead to."""
    schema, found, waiting = published(), set[str](), [start]
    while waiting:
        type_ = schema.type_map[waiting.pop()]
        if type_.name in found or not is_composite_type(type_):
            continue
        found.add(type_.name)
        if is_interface_type(type_):
            waiting += [possible.name for possible in schema.get_possible_types(type_)]
        waiting += [target.name for _, target in _fields(type_) if target]  # type: ignore[arg-type]
    return set(_coordinates(schema.type_map[name] for name in found))


def _coordinates(types: Iterable[GraphQLNamedType]) -> Iterator[str]:
    for type_ in types:
        if is_object_type(type_):
            yield from (f"{type_.name}.{name}" for name in type_.fields)
