"""Types, fields, arguments, values and descriptions: what graphql-core compares, with coordinates."""

import re
from collections.abc import Iterator, Mapping

from graphql import GraphQLSchema, is_enum_type, is_input_object_type, is_interface_type, is_object_type
from graphql.utilities import find_schema_changes
from graphql.utilities.find_schema_changes import (
    BreakingChange,
    DangerousChange,
    DangerousChangeType,
    SafeChange,
    SchemaChange,
)

from gateway.contract.change import Change, Verdict

VERDICTS: Mapping[type[SchemaChange], Verdict] = {
    BreakingChange: Verdict.BREAKING,
    DangerousChange: Verdict.DANGEROUS,
    SafeChange: Verdict.SAFE,
}
UNNOTICED = frozenset({DangerousChangeType.OPTIONAL_ARG_ADDED, DangerousChangeType.OPTIONAL_INPUT_FIELD_ADDED})
"""Safe here: what an operation does not give is not set, so none that was written before is answered otherwise."""
NEW_TEXT = ' has changed to "'
NAMED = re.compile(r"@?\w+(?:\.\w+)?(?:\(\w+:?\))?")


def shape_changes(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[Change]:
    """What graphql-core finds, and deprecations, which it does not look at."""
    known = _names(old) | _names(new)
    for change in find_schema_changes(old, new):
        verdict = Verdict.SAFE if change.type in UNNOTICED else VERDICTS[type(change)]
        yield Change(verdict, _coordinate(change.description, known), change.type.name, change.description)
    yield from _deprecations(old, new)


def _coordinate(description: str, known: set[str]) -> str:
    """What graphql-core's sentence is about: the most exact of the names in it, the last of equally exact ones."""
    said = description.partition(NEW_TEXT)[0]
    names = [re.sub(r"(\w)\)$", r"\1:)", name) for name in NAMED.findall(said)]
    found = [name for name in names if name in known] or [re.sub(r"\(.*", "", name) for name in names]
    return max(reversed(found), key=_exactness)


def _exactness(name: str) -> int:
    return name.count(".") + name.count("(")


def _names(schema: GraphQLSchema) -> set[str]:
    """Every coordinate, as `Type.field(argument:)`."""
    return {name for name, _ in _members(schema)} | {f"@{directive.name}" for directive in schema.directives}


def _members(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    """Every coordinate with the reason for which it is deprecated."""
    for name, type_ in schema.type_map.items():
        yield name, None
        if is_enum_type(type_):
            yield from ((f"{name}.{key}", value.deprecation_reason) for key, value in type_.values.items())
        elif is_object_type(type_) or is_interface_type(type_):
            for key, field in type_.fields.items():
                yield f"{name}.{key}", field.deprecation_reason
                yield from ((f"{name}.{key}({one}:)", arg.deprecation_reason) for one, arg in field.args.items())
        elif is_input_object_type(type_):
            yield from ((f"{name}.{key}", field.deprecation_reason) for key, field in type_.fields.items())


def _deprecations(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[Change]:
    before, after = dict(_members(old)), dict(_members(new))
    for name in before.keys() & after.keys():
        if before[name] != after[name]:
            told = f"is deprecated: {after[name]}" if after[name] is not None else "is no longer deprecated."
            yield Change(Verdict.SAFE, name, "DEPRECATION_CHANGED", f"{name} {told}")
