"""A client's filter as the parameters that the product applies; what it cannot apply is refused, never ignored."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from typing import Any

from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from resolvers import ids
from resolvers.context import forbidden
from services.errors import BadUserInput, UnsupportedByProduct
from services.kinds import Criterion, Kind
from services.policy import Viewer

Requirement = Callable[[Any], str | None]
"""The permission that a field of an input states; `*` stands for the kind's module."""

_SEARCHED = ("number", "referenceNumber")
"""With the other side's name, what the products' search looks through."""
MOST_TEXT = 100
"""Characters the products search for at most (facts §1.4)."""


def params(kind: Kind, where: Any, viewer: Viewer, requirement: Requirement) -> dict[str, str]:
    """The list parameters of a filter input.

    Raises `UnsupportedByProduct` for a condition that the kind's product does not know, `Forbidden` for one on a field
    that is hidden from the viewer, `BadUserInput` for a bad value.
    """
    if where is None:
        return {}
    _permit(kind, where, viewer, requirement)
    return dict(_conditions(kind, where, viewer.organization_id))


def _permit(kind: Kind, where: Any, viewer: Viewer, requirement: Requirement) -> None:
    """What a condition finds tells the value of its field, and a search those of all that it looks through."""
    definition = where.__strawberry_definition__
    asked = {name for name, _ in given(where)}
    for field in definition.fields:
        permission = requirement(field)
        if field.python_name in asked and permission:
            named = permission.replace("*", kind.module, 1)
            through = (*_SEARCHED, kind.party) if field.python_name == "search" else ()
            permit(viewer, f"{definition.name}.{to_camel_case(field.python_name)}", named, *through)


def permit(viewer: Viewer, coordinate: str, permission: str, *fields: str) -> None:
    """Raise `Forbidden` unless the viewer holds the permission, for each of these fields as well."""
    for one in (permission, *(f"{permission}.{field}" for field in fields)):
        decision = viewer.decide(one)
        if not decision.granted:
            raise forbidden(decision, coordinate)


def _conditions(kind: Kind, where: Any, organization_id: str) -> Iterator[tuple[str, str]]:
    for name, condition in given(where):
        if name == "status":
            yield _status(kind, str(condition.value))
            continue
        criterion = kind.filters.get(name)
        if criterion is None:
            raise _unsupported(kind, (name,))
        operators = given(condition) if hasattr(condition, "__dataclass_fields__") else [("", condition)]
        for operator, value in operators:
            yield _parameter(kind, criterion, (name, operator), value, organization_id)


def _status(kind: Kind, status: str) -> tuple[str, str]:
    if status not in kind.by_status:
        raise UnsupportedByProduct(
            f"Zoho {kind.product.title()} cannot search for {kind.word}s in the status {status.upper()}.",
            hint=f"It can search for: {', '.join(sorted(kind.by_status)).upper()}.",
            field=["where", "status"],
        )
    return kind.by_status[status]


def given(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields of an input that the client set to something."""
    for field in fields(value):
        item = getattr(value, field.name)
        if item is not None and item is not UNSET:
            yield field.name, item


def _parameter(
    kind: Kind, criterion: Criterion, path: tuple[str, str], value: Any, organization_id: str
) -> tuple[str, str]:
    suffix = criterion.operators.get(path[1])
    if suffix is None:
        raise _unsupported(kind, path)
    return criterion.key + suffix, _text(path, value, organization_id)


def _unsupported(kind: Kind, path: tuple[str, ...]) -> UnsupportedByProduct:
    dotted = ".".join(to_camel_case(part) for part in ("where", *path) if part)
    known = ", ".join(sorted(to_camel_case(name) for name in kind.filters))
    return UnsupportedByProduct(
        f"Zoho {kind.product.title()} cannot filter {kind.word}s by `{dotted}`.",
        hint=f"It can filter them by: {known}.",
        field=dotted.split("."),
    )


def _text(path: tuple[str, str], value: Any, organization_id: str) -> str:
    field = ("where", *(to_camel_case(part) for part in path if part))
    if path[0].endswith("_id"):
        return ids.decode_as(organization_id, _NODE.get(path[0], "customer"), str(value), field=field)
    for kind, write in _WRITE.items():
        if isinstance(value, kind):
            return write(value)
    if not 1 <= len(str(value)) <= MOST_TEXT:
        raise BadUserInput(
            f"Search for 1 to {MOST_TEXT} characters.", field=field, hint="Leave a condition out that is not meant."
        )
    return str(value)


_NODE = {"item_id": "item", "salesperson_id": "salesperson", "vendor_id": "customer", "customer_id": "customer"}
_WRITE: Mapping[type, Callable[[Any], str]] = {
    Enum: lambda value: str(value.value),
    dt.datetime: lambda value: f"{value.year:04}{value:-%m-%dT%H:%M:%S%z}",
    dt.date: lambda value: str(value.isoformat()),
    Decimal: lambda value: format(value, "f"),
}
