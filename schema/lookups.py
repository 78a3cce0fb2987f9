"""Which fields take calls to the products, for the cost of an operation, told from how they are declared."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema
from strawberry.schema.schema_converter import GraphQLCoreConverter

from resolvers.relations import Via
from schema.errors import ErrorCode, Errors
from schema.permissions import Guarded
from services.policy import FINANCE, MODULES

ROOTS = frozenset({"Query", "Mutation"})
SEVERAL: Mapping[str, int] = {"documents": len(FINANCE)}
"""The fields that take one call for each module."""
EACH = frozenset({"Query.nodes"})
"""The fields that take one for each of their records."""


class Lookup(NamedTuple):
    """A field's calls. Fields of one record with the same `what` are served by the same call."""

    what: str
    calls: int = 1
    each: bool = False


def lookups(schema: GraphQLSchema) -> Mapping[str, Lookup]:
    """By coordinate; fields that take none are absent."""
    return dict(_found(schema))


def _found(schema: GraphQLSchema) -> Iterator[tuple[str, Lookup]]:
    types = (one for one in schema.type_map.values() if isinstance(one, GraphQLObjectType))
    for parent in types:
        for name, declared in parent.fields.items():
            coordinate, own = f"{parent.name}.{name}", _own(declared)
            if own is not None and (what := _what(parent.name, own)):
                yield coordinate, Lookup(what, SEVERAL.get(name, 1), coordinate in EACH)


def _own(declared: GraphQLField) -> Guarded | None:
    own: Any = (declared.extensions or {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return own if isinstance(own, Guarded) else None


def _what(parent: str, own: Guarded) -> str | None:
    """What a field of this type looks up; None where it reads what is there, or what the gateway keeps itself."""
    if parent in ROOTS:
        return own.python_name if _calls(own) else None
    if isinstance(own.source, Via):
        return repr(own.source.link.key)
    reads = hasattr(own.source, "template") or own.requires.partition(".")[0] not in MODULES
    return None if reads else own.python_name


def _calls(own: Guarded) -> bool:
    declared = (one.codes for one in own.directives if isinstance(one, Errors))
    return any(ErrorCode.UPSTREAM_REJECTED in codes for codes in declared)
