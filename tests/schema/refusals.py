"""What the policy says of an answer: which of the fields that were reached ought to have been refused."""

from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from graphql import FieldNode, OperationDefinitionNode, SelectionSetNode, parse
from graphql.language.ast import EnumValueNode, ListValueNode, StringValueNode, ValueNode

from gateway.commands.published import sdl
from gateway.contract.permissions import permissions
from services.documents import Module
from services.policy import Viewer


class Refusal(NamedTuple):
    """A refused field node."""

    column: int
    coordinate: str
    required: str
    missing_from: tuple[str, ...]


MERGED = frozenset({"Query.documents", "Account.documents", "Contact.documents"})
"""Lists over all modules: one that the viewer may not see is named in an error, the rest is there."""

NODES = {"Query.node": "Query.node", "Query.nodes": "Query.node"}
"""Root fields that give any record, and the coordinate by which they refuse one."""
OTHER_NODES = {
    "account": "Query.account",
    "contact": "Query.contact",
    "migration": "Query.migration",
    "report": "Query.report",
    "dashboard": "Query.dashboard",
    "user": "Query.integrationUsers",
}
"""Records that are not documents, by the word in their ids."""


@cache
def required() -> Mapping[str, str]:
    return permissions(parse(sdl()))


def told(answer: Mapping[str, Any]) -> Counter[Refusal]:
    """The refusals in an answer's errors, all of which are refusals."""
    errors = answer.get("errors", ())
    assert {error["extensions"]["code"] for error in errors} <= {"FORBIDDEN"}, errors
    return Counter(
        Refusal(
            error["locations"][0]["column"],
            error["extensions"]["coordinate"],
            error["extensions"]["required"],
            tuple(error["extensions"]["missingFrom"]),
        )
        for error in errors
    )


@dataclass
class Walk:
    """Through an operation along the answer that it got; notes what was reached."""

    viewer: Viewer
    reached: set[str] = field(default_factory=set)
    """Coordinates that were asked of a record that was there, and granted."""

    def expected(self, operation: str, data: Mapping[str, Any]) -> Counter[Refusal]:
        """One refusal for each refused field node and type, however many rows it stands in."""
        (definition,) = parse(operation).definitions
        assert isinstance(definition, OperationDefinitionNode)
        return Counter(set(self._object(definition.selection_set, data, "Query")))

    def _object(self, selected: SelectionSetNode, value: Mapping[str, Any], type_: str) -> Iterator[Refusal]:
        for node in selected.selections:
            assert isinstance(node, FieldNode)
            if node.name.value != "__typename":
                yield from self._field(node, value[node.name.value], f"{type_}.{node.name.value}")

    def _field(self, node: FieldNode, value: Any, coordinate: str) -> Iterator[Refusal]:
        asked = required()[coordinate]
        if not self.viewer.may(asked):
            assert value is None, f"{coordinate} was not withheld"
            yield self._refusal(node, coordinate, asked)
            return
        self.reached.add(coordinate)
        refused = [one for one in self._parts(node, coordinate) if not self.viewer.may(one)]
        yield from (self._refusal(node, NODES.get(coordinate, coordinate), one) for one in refused)
        if node.selection_set:
            for one in _flat(value):
                yield from self._object(node.selection_set, one, one["__typename"])

    def _parts(self, node: FieldNode, coordinate: str) -> list[str]:
        """Permissions that depend on what is asked for."""
        if coordinate in MERGED:
            return [f"{module}.view" for module in Module]
        if coordinate == "Query.customViews":
            (module,) = (argument.value for argument in node.arguments or ())
            assert isinstance(module, EnumValueNode)
            return [f"{Module[module.value]}.view"]
        if coordinate in NODES:
            assert node.arguments
            return [_of_node(one) for one in _ids(node.arguments[0].value)]
        return []

    def _refusal(self, node: FieldNode, coordinate: str, asked: str) -> Refusal:
        assert node.loc
        missing = tuple(source.name for source in self.viewer.decide(asked).missing_from)
        return Refusal(node.loc.start_token.column, coordinate, asked, missing)


def _ids(value: ValueNode) -> Iterator[str]:
    for one in value.values if isinstance(value, ListValueNode) else (value,):
        assert isinstance(one, StringValueNode)
        yield one.value


def _of_node(global_id: str) -> str:
    """The permission of the root field that a record could be fetched by."""
    kind = urlsafe_b64decode(global_id + "=" * (-len(global_id) % 4)).decode().partition(":")[0]
    return required()[OTHER_NODES[kind]] if kind in OTHER_NODES else f"{kind}.view"


def _flat(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    elif value is not None:
        yield value
