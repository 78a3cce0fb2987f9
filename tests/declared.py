"""Whether the errors of an answer are among those that the schema declares."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from graphql import (
    DirectiveNode,
    EnumValueNode,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    ObjectTypeDefinitionNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

from gateway.published import sdl
from schema.errors import REQUEST

ANYWHERE = "INTERNAL"


@cache
def declared() -> Mapping[str, frozenset[str]]:
    """The codes that each root field declares, by its name; a name is a root's alone."""
    roots = {"Query", "Mutation", "Live"}
    types = [node for node in parse(sdl()).definitions if isinstance(node, ObjectTypeDefinitionNode)]
    fields = [field for node in types if node.name.value in roots for field in node.fields or ()]
    return {field.name.value: frozenset(_codes(field.directives or ())) for field in fields}


def _codes(directives: tuple[DirectiveNode, ...]) -> Iterator[str]:
    for directive in directives:
        listed = directive.arguments[0].value
        if directive.name.value == "errors" and isinstance(listed, ListValueNode):
            yield from (code.value for code in listed.values if isinstance(code, EnumValueNode))


def undeclared(query: str, answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(root field, code) of each error that no root field it may have come of declares."""
    errors = answer.get("errors", ())
    if "data" not in answer:
        codes = {error["extensions"]["code"] for error in errors}
        return [("a request", code) for code in sorted(codes - {code.name for code in REQUEST})]
    found = [(_roots(query, error), error["extensions"]["code"]) for error in errors]
    return [
        (" or ".join(sorted(roots)), code)
        for roots, code in found
        if code != ANYWHERE and not any(code in declared()[root] for root in roots)
    ]


def _roots(query: str, error: Mapping[str, Any]) -> set[str]:
    """The root fields that an error may have come of: by its path, else by where it stands; all where neither tells."""
    roots = list(_selected(query))
    if path := error.get("path"):
        return {node.name.value for node in roots if path[0] == (node.alias or node.name).value}
    places = {(place["line"], place["column"]) for place in error.get("locations", ())}
    inside = {node.name.value for node in roots if any(_holds(node, place) for place in places)}
    return inside or {node.name.value for node in roots}


def _holds(node: FieldNode, place: tuple[int, int]) -> bool:
    assert node.loc
    first, last = node.loc.start_token, node.loc.end_token
    return (first.line, first.column) <= place <= (last.line, last.column)


def _selected(query: str) -> Iterator[FieldNode]:
    definitions = parse(query).definitions
    fragments = {node.name.value: node for node in definitions if node.kind == "fragment_definition"}  # type: ignore[attr-defined]
    for node in definitions:
        if isinstance(node, OperationDefinitionNode):
            yield from _fields(node.selection_set, fragments)


def _fields(selected: SelectionSetNode, fragments: Mapping[str, Any]) -> Iterator[FieldNode]:
    for one in selected.selections:
        if isinstance(one, FieldNode):
            if not one.name.value.startswith("__"):
                yield one
        elif isinstance(one, InlineFragmentNode):
            yield from _fields(one.selection_set, fragments)
        elif isinstance(one, FragmentSpreadNode):
            yield from _fields(fragments[one.name.value].selection_set, fragments)
