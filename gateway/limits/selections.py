"""Which fields of an object a document selects, and under which conditions."""

from collections.abc import Iterable, Iterator
from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    SelectionNode,
    VariableNode,
    is_abstract_type,
)

from gateway.limits.counts import Condition, Conditions
from services.errors import CostExceeded

MOST_STEPS = 30_000
"""Selections that are looked at for one document; merging can make far more of it than it has."""
WANTED = {"skip": False, "include": True}

Selection = tuple[SelectionNode, Conditions]
Selected = tuple[FieldNode, Conditions]


class Selections:
    """Of one document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._steps = 0

    def selected(self, parent: GraphQLObjectType, selections: Iterable[Selection]) -> dict[str, list[Selected]]:
        """The fields of an object by response key; raises `CostExceeded` when there is too much to look at."""
        found: dict[str, list[Selected]] = {}
        for node, conditions in self._spread(parent, selections, set()):
            found.setdefault((node.alias or node.name).value, []).append((node, conditions))
        return found

    def _spread(self, parent: GraphQLObjectType, selections: Iterable[Selection], seen: set[Any]) -> Iterator[Selected]:
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
        self, selection: SelectionNode, conditions: Conditions, seen: set[Any]
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


def _conditions(directives: Iterable[DirectiveNode] | None) -> Conditions | None:
    """What variables must be for a selection to count; None for one that never does."""
    found = set()
    for directive in directives or ():
        if (wanted := WANTED.get(directive.name.value)) is None or not directive.arguments:
            continue
        given = directive.arguments[0].value
        if isinstance(given, VariableNode):
            found.add(Condition(given.name.value, wanted))
        elif isinstance(given, BooleanValueNode) and given.value is not wanted:
            return None
    return frozenset(found)
