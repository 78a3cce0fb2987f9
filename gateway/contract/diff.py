"""How one version of the schema differs from an earlier one: graphql-core's rules, and ours on what it leaves out."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from graphql import DocumentNode, GraphQLSchema, build_ast_schema, parse

from gateway.contract.applied import applied_changes
from gateway.contract.change import Change, Verdict
from gateway.contract.permissions import implies, permissions
from gateway.contract.shape import shape_changes

Rule = Callable[[DocumentNode, DocumentNode], Iterator[Change]]
ORDER = list(Verdict)


def changes(old: str, new: str) -> list[Change]:
    """Every change between two schemas in SDL, the gravest first, then by coordinate.

    Raises `GraphQLError` for a text that is not a schema.
    """
    before, after = parse(old), parse(new)
    found = {change for rule in RULES for change in rule(before, after)}
    return sorted(found, key=lambda change: (ORDER.index(change.verdict), change.coordinate, change.kind))


def permission_changes(old: DocumentNode, new: DocumentNode) -> Iterator[Change]:
    """Permissions that more or fewer people hold now; one that was exchanged for another is both."""
    before, after = permissions(old), permissions(new)
    for coordinate in before.keys() & after.keys():
        yield from _moved(coordinate, before[coordinate], after[coordinate])


def _moved(coordinate: str, before: str, after: str) -> Iterator[Change]:
    told = f"{coordinate} asked for {before} and asks for {after}"
    gained, lost = not implies(after, before), not implies(before, after)
    if gained:
        yield Change(
            Verdict.LOOSENING, coordinate, "PERMISSION_LOOSENED", f"{told}: some hold that who lacked {before}."
        )
    if lost:
        yield Change(
            Verdict.TIGHTENING, coordinate, "PERMISSION_TIGHTENED", f"{told}: not all with {before} hold that."
        )
    if before != after and not (gained or lost):
        yield Change(Verdict.SAFE, coordinate, "PERMISSION_RENAMED", f"{told}: the same people hold both.")


def _shape(old: DocumentNode, new: DocumentNode) -> Iterator[Change]:
    return shape_changes(_built(old), _built(new))


def _built(document: DocumentNode) -> GraphQLSchema:
    return build_ast_schema(document)


RULES: tuple[Rule, ...] = (_shape, applied_changes, permission_changes)


def grouped(found: Sequence[Change]) -> Mapping[Verdict, list[Change]]:
    """The changes of each verdict that has any, the gravest first."""
    return {verdict: own for verdict in Verdict if (own := [one for one in found if one.verdict is verdict])}
