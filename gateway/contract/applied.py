"""Directives as they are applied to the schema's definitions."""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import DirectiveNode, DocumentNode, Node, print_ast

from gateway.contract.change import Change, Verdict
from gateway.contract.permissions import PERMISSION

ELSEWHERE = frozenset({PERMISSION, "deprecated"})
"""Directives whose changes have rules of their own."""
ERRORS = "errors"
WEIGHTS = frozenset({"cost", "listSize", "specifiedBy"})
"""Directives by which an operation that was accepted may be refused, or a value be written otherwise."""
ONE_OF = "oneOf"


def applied_changes(old: DocumentNode, new: DocumentNode) -> Iterator[Change]:
    """Directives that were put on, taken off or changed where a definition has stayed."""
    before, after = dict(_definitions(old)), dict(_definitions(new))
    for coordinate in before.keys() & after.keys():
        was, now = _applied(before[coordinate]), _applied(after[coordinate])
        for name in was.keys() | now.keys():
            if _shown(was.get(name)) != _shown(now.get(name)):  # nodes are equal only where they stand in one place
                yield _change(coordinate, name, was.get(name), now.get(name))


def _change(coordinate: str, name: str, was: DirectiveNode | None, now: DirectiveNode | None) -> Change:
    kind = "DIRECTIVE_CHANGED_ON" if was and now else "DIRECTIVE_ADDED_TO" if now else "DIRECTIVE_TAKEN_FROM"
    told = f"@{name} was {_shown(was)} and is {_shown(now)}."
    return Change(_verdict(name, was, now), coordinate, kind, told)


def _verdict(name: str, was: DirectiveNode | None, now: DirectiveNode | None) -> Verdict:
    if name == ERRORS:
        return Verdict.DANGEROUS if was and _codes(now) - _codes(was) else Verdict.SAFE
    if name == ONE_OF and now:
        return Verdict.BREAKING
    return Verdict.DANGEROUS if name in WEIGHTS else Verdict.SAFE


def _codes(directive: DirectiveNode | None) -> set[str]:
    listed: Any = directive.arguments[0].value if directive and directive.arguments else None
    return {code.value for code in getattr(listed, "values", ())}


def _shown(directive: DirectiveNode | None) -> str:
    return " ".join(print_ast(directive).split()) if directive else "none"


def _applied(node: Node) -> Mapping[str, DirectiveNode]:
    directives: tuple[DirectiveNode, ...] = getattr(node, "directives", None) or ()
    return {one.name.value: one for one in directives if one.name.value not in ELSEWHERE}


def _definitions(document: DocumentNode) -> Iterator[tuple[str, Node]]:
    """Every definition that a directive can stand on, with its coordinate."""
    for node in document.definitions:
        name = getattr(node, "name", None)
        if name is None or node.kind == "directive_definition":
            continue
        yield name.value, node
        for member in _members(node):
            coordinate = f"{name.value}.{member.name.value}"
            yield coordinate, member
            yield from ((f"{coordinate}({one.name.value}:)", one) for one in getattr(member, "arguments", None) or ())


def _members(node: Node) -> tuple[Any, ...]:
    return getattr(node, "fields", None) or getattr(node, "values", None) or ()
