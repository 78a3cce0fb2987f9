"""What a schema asks for, coordinate by coordinate, and which of two permissions is held by more people."""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import DirectiveNode, DocumentNode, Node, StringValueNode

from services.policy import ADMINISTRATION, LIMIT_RAISE, PUBLIC

GUARDED = ("object_type_definition", "interface_type_definition", "input_object_type_definition")
PERMISSION = "permission"


def permissions(document: DocumentNode) -> Mapping[str, str]:
    """The permission of every type, field and input field, by coordinate; `public` where none is said."""
    return {coordinate: required(node) for coordinate, node in guarded(document)}


def guarded(document: DocumentNode) -> Iterator[tuple[str, Node]]:
    """Every definition that a permission can stand on, with its coordinate."""
    definitions: tuple[Any, ...] = document.definitions
    for node in definitions:
        if node.kind in GUARDED:
            if node.kind == "object_type_definition":
                yield node.name.value, node
            yield from ((f"{node.name.value}.{field.name.value}", field) for field in node.fields or ())


def required(node: Node) -> str:
    """The permission that a definition states."""
    directives: tuple[DirectiveNode, ...] = getattr(node, "directives", None) or ()
    own = (directive for directive in directives if directive.name.value == PERMISSION)
    said = [argument.value for directive in own for argument in directive.arguments or ()]
    return next((value.value for value in said if isinstance(value, StringValueNode)), PUBLIC)


def implies(held: str, asked: str) -> bool:
    """Whether everybody who holds the one permission holds the other, whatever they were granted.

    Everybody holds `public`; who holds `module.action.field` holds `module.action`; administrators hold every
    permission of administration, and the owner of the integration is one of them.
    """
    if asked in (held, PUBLIC):
        return True
    if held in ADMINISTRATION:
        return asked in ADMINISTRATION - {LIMIT_RAISE}
    return held.startswith(f"{asked}.")
