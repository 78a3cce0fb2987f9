"""The published schema against `contract.graphql`, which holds what clients rely on."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import DocumentNode, Node, build_schema, parse, print_ast

from schema import schema

CONTRACT = Path(__file__).with_name("contract.graphql")
UNPUBLISHED: tuple[str, ...] = ()
"""What the contract names and the schema does not publish yet. It only ever shrinks."""


@cache
def published() -> DocumentNode:
    return parse(schema.as_str())


def coordinates(document: DocumentNode) -> dict[str, str]:
    """Every coordinate with its signature: types as they are written, kinds of types by their keyword."""
    return {coordinate: signature for node in document.definitions for coordinate, signature in _of(node)}


def _of(node: Node) -> Iterator[tuple[str, str]]:
    kind = node.kind.removesuffix("_definition")
    if kind == "schema":
        yield from ((f"schema.{root.operation.value}", print_ast(root.type)) for root in node.operation_types)
        return
    name = f"@{node.name.value}" if kind == "directive" else node.name.value
    yield name, kind
    yield from ((f"{name} implements {print_ast(one)}", "") for one in _each(node, "interfaces"))
    yield from ((f"{name} on {place.value}", "") for place in _each(node, "locations"))
    yield from ((f"{name}.{value.name.value}", "") for value in _each(node, "values"))
    yield from ((f"{name}({one.name.value}:)", print_ast(one.type)) for one in _each(node, "arguments"))
    for field in _each(node, "fields"):
        yield f"{name}.{field.name.value}", print_ast(field.type)
        for one in _each(field, "arguments"):
            yield f"{name}.{field.name.value}({one.name.value}:)", print_ast(one.type)


def _each(node: Node, what: str) -> Iterable[Any]:
    return getattr(node, what, None) or ()


def parents(coordinate: str) -> Iterator[str]:
    """The coordinates that have to be there before this one can."""
    yield coordinate.partition(" ")[0].partition(".")[0].partition("(")[0]
    yield coordinate.partition("(")[0]


def test_the_published_schema_is_valid_sdl() -> None:
    assert build_schema(schema.as_str()).query_type is not None


def test_what_the_contract_names_is_published_with_its_exact_signature() -> None:
    contract, ours = coordinates(parse(CONTRACT.read_text())), coordinates(published())
    different = {name: (wanted, ours[name]) for name, wanted in contract.items() if ours.get(name, wanted) != wanted}
    assert different == {}


def test_what_of_the_contract_is_not_published_yet_is_listed_here() -> None:
    contract, ours = coordinates(parse(CONTRACT.read_text())), coordinates(published())
    missing = {name for name in contract if name not in ours}
    assert {name for name in missing if not missing & (set(parents(name)) - {name})} == set(UNPUBLISHED)
