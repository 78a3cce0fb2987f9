"""Whether the errors of an answer are among those that the schema declares."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import httpx
from graphql import (
    DefinitionNode,
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

from gateway.commands.published import sdl
from schema.errors import REQUEST

ANYWHERE = "INTERNAL"
Fields = Mapping[str, frozenset[str]]
"""The codes that each root field declares, by its name."""


@cache
def declared() -> Fields:
    """Those of the published schema, in which a name is a root's alone."""
    roots = {"Query", "Mutation", "Live"}
    types = [node for node in parse(sdl()).definitions if isinstance(node, ObjectTypeDefinitionNode)]
    fields = [field for node in types if node.name.value in roots for field in node.fields or ()]
    return {field.name.value: frozenset(_codes(field.directives or ())) for field in fields}


def _codes(directives: tuple[DirectiveNode, ...]) -> Iterator[str]:
    for directive in directives:
        listed = directive.arguments[0].value if directive.arguments else None
        if directive.name.value == "errors" and isinstance(listed, ListValueNode):
            yield from (code.value for code in listed.values if isinstance(code, EnumValueNode))


def undeclared(query: str | None, answer: Mapping[str, Any], fields: Fields | None = None) -> list[tuple[str, str]]:
    """(root field, code) of each error that no root field it may have come of declares.

    What did not get as far as a field is held against what any request may be refused with. Without the query, which
    the gateway may have kept for its id, nothing can be said of the rest. `fields` as `declared`, of another schema.
    """
    errors = [(error, error["extensions"]["code"]) for error in answer.get("errors", ())]
    early = {code for error, code in errors if "data" not in answer and "path" not in error}
    found = [("a request", code) for code in sorted(early - {code.name for code in REQUEST})]
    if query is None or len(early) == len(errors):
        return found
    declaring = declared() if fields is None else fields
    late = [(_roots(query, error), code) for error, code in errors if "data" in answer or "path" in error]
    return found + [
        (" or ".join(sorted(roots)), code)
        for roots, code in late
        if code != ANYWHERE and not any(code in declaring[root] for root in roots)
    ]


def undeclared_in(response: httpx.Response, fields: Fields | None = None) -> list[tuple[str, str]]:
    """The same of all that a response says whose body has been read: JSON, or events."""
    query = _asked(response.request)
    return [found for answer in _answers(response) for found in undeclared(query, answer, fields)]


def _asked(request: httpx.Request) -> str | None:
    try:
        body = json.loads(request.content) if request.content else request.url.params
    except (ValueError, RecursionError, httpx.RequestNotRead):  # whatever the test has sent
        return None
    query = body.get("query") if isinstance(body, Mapping) else None
    return query if isinstance(query, str) else None


def _answers(response: httpx.Response) -> Iterator[Mapping[str, Any]]:
    kind = response.headers.get("content-type", "")
    if "json" in kind and response.content:
        yield response.json()
    elif kind.startswith("text/event-stream"):
        data = (line.removeprefix("data:") for line in response.text.splitlines() if line.startswith("data:"))
        yield from (json.loads(text) for text in data if text.strip())


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


@lru_cache(maxsize=256)
def _definitions(query: str) -> Sequence[DefinitionNode]:
    return parse(query).definitions


def _selected(query: str) -> Iterator[FieldNode]:
    definitions = _definitions(query)
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
