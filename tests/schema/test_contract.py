"""The published schema against `contract.graphql`, which holds what clients rely on."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from graphql import (
    DirectiveDefinitionNode,
    DocumentNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    Node,
    ObjectTypeDefinitionNode,
    SchemaDefinitionNode,
    TypeDefinitionNode,
    build_schema,
    parse,
    print_ast,
)

import gateway
import resolvers
import schema as schema_package
import services
from schema import schema
from services.policy import ADMINISTRATION, PUBLIC, Permission

CONTRACT = Path(__file__).with_name("contract.graphql")
Definition = TypeDefinitionNode | DirectiveDefinitionNode
Described = Definition | FieldDefinitionNode | InputValueDefinitionNode
UNPUBLISHED: tuple[str, ...] = ()
"""What the contract names and the schema does not publish yet. It only ever shrinks."""

RECORDS = {
    "estimates": "Estimate",
    "invoices": "Invoice",
    "salesOrders": "SalesOrder",
    "purchaseOrders": "PurchaseOrder",
    "subscriptions": "Subscription",
    "customers": "Customer",
    "accounts": "Account",
    "contacts": "Contact",
}
"""The module of a permission and the type of its records."""


@cache
def published() -> DocumentNode:
    return parse(schema.as_str())


def coordinates(document: DocumentNode) -> dict[str, str]:
    """Every coordinate with its signature: types as they are written, kinds of types by their keyword."""
    return {coordinate: signature for node in document.definitions for coordinate, signature in _of(node)}


def _of(node: Node) -> Iterator[tuple[str, str]]:
    if isinstance(node, SchemaDefinitionNode):
        yield from ((f"schema.{root.operation.value}", print_ast(root.type)) for root in node.operation_types)
        return
    assert isinstance(node, Definition)
    name = f"@{node.name.value}" if isinstance(node, DirectiveDefinitionNode) else node.name.value
    yield name, node.kind.removesuffix("_definition")
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


def described(document: DocumentNode) -> Iterator[tuple[str, Described]]:
    """Everything that a client reads a description of: types, directives, fields, input fields and arguments."""
    for node in document.definitions:
        if isinstance(node, SchemaDefinitionNode):
            continue
        assert isinstance(node, Definition)
        yield node.name.value, node
        for field in _each(node, "fields"):
            yield f"{node.name.value}.{field.name.value}", field
            yield from (
                (f"{node.name.value}.{field.name.value}({a.name.value}:)", a) for a in _each(field, "arguments")
            )


def test_every_type_field_and_argument_has_a_description() -> None:
    assert [name for name, node in described(published()) if not (node.description and node.description.value)] == []


def permissions() -> Iterator[tuple[str, str, str]]:
    """(kind of type, coordinate, permission or "") of every field of an output or input type."""
    for node in published().definitions:
        if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode | InputObjectTypeDefinitionNode):
            for field in _each(node, "fields"):
                yield node.kind.removesuffix("_definition"), f"{node.name.value}.{field.name.value}", _requires(field)


def _requires(node: Node) -> str:
    said = [d for d in _each(node, "directives") if d.name.value == "permission"]
    return said[0].arguments[0].value.value if len(said) == 1 else ""


def test_every_field_and_input_field_says_the_permission_it_takes() -> None:
    assert [coordinate for _, coordinate, requires in permissions() if not requires] == []


def test_every_object_type_says_the_permission_it_takes() -> None:
    objects = [node for node in published().definitions if isinstance(node, ObjectTypeDefinitionNode)]
    assert [node.name.value for node in objects if not _requires(node)] == []


def test_every_permission_is_one_that_the_policy_decides() -> None:
    for kind, coordinate, requires in permissions():
        if requires in ADMINISTRATION | {PUBLIC}:
            continue
        open_module = requires.startswith("*.")
        spans = kind == "interface_type" or coordinate.startswith("DocumentFilter.")
        assert open_module <= spans, f"{coordinate}: only what spans several modules leaves the module open"
        Permission.parse(f"invoices{requires[1:]}" if open_module else requires)


def test_a_permission_on_a_field_names_a_field_of_that_module() -> None:
    """Otherwise hiding the field in the CRM or in a product would hide nothing."""
    fields = {name for name, _ in described(published())}
    asked = {requires for _, _, requires in permissions() if requires.count(".") == 2 and requires[0] != "*"}
    parsed = [(RECORDS[module], field) for module, _, field in (requires.split(".") for requires in asked)]
    assert {f"{record}.{field}" for record, field in parsed} <= fields


def test_a_field_of_a_record_is_never_public() -> None:
    records = {*RECORDS.values(), "AuditEvent"} - {"Customer"}
    public = [name for _, name, requires in permissions() if requires == PUBLIC and name.partition(".")[0] in records]
    assert public == []


@pytest.mark.parametrize("package", [schema_package, resolvers, services, gateway])
def test_our_packages_are_the_ones_that_their_names_mean(package: ModuleType) -> None:
    root = Path(__file__).parents[2]
    assert package.__file__ == str(root / package.__name__ / "__init__.py")
