"""Writes: the input's global ids and permissions checked, the rest is `services.writes`."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from resolvers.context import Context
from services.documents import Module
from services.drafts import Problem
from services.errors import Forbidden, GatewayError
from services.kinds import KINDS
from services.policy import Source
from services.writes import Written

Requirement = Callable[[Any], str | None]
"""The permission that a field of the input states."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A mutation's answer: the value afterwards where there is one, what became of it, all mistakes at once."""

    value: Any
    outcome: str
    user_errors: Sequence[Problem]
    audit_event_id: str | None


def payload(written: Written) -> Payload:
    """The answer of a write."""
    return Payload(written.document, written.outcome, written.user_errors, written.audit_event_id)


def create(module: Module, requirement: Requirement) -> Callable[..., Any]:
    """Make a record of a kind."""
    kind = KINDS[module]

    async def resolve(_root: Any, context: Context, input: Any, idempotency_key: str) -> Payload:  # noqa: A002
        draft, refused = _draft(context, input, requirement)
        writes = context.services.writes
        return await told(context, writes.create(context.errand, kind, draft, idempotency_key, refused))

    return resolve


def update(module: Module, requirement: Requirement) -> Callable[..., Any]:
    """Change a record of a kind."""
    kind = KINDS[module]

    async def resolve(_root: Any, context: Context, id: str, input: Any, idempotency_key: str) -> Payload:  # noqa: A002
        record_id = context.record_id(module, id)
        draft, refused = _draft(context, input, requirement)
        writes = context.services.writes
        return await told(context, writes.update(context.errand, kind, record_id, draft, idempotency_key, refused))

    return resolve


async def write_outcome(_root: Any, context: Context, idempotency_key: str) -> Payload | None:
    """What became of the viewer's write under a key."""
    found = await context.services.writes.outcome(context.errand, idempotency_key)
    return payload(found) if found else None


async def told(context: Context, write: Awaitable[Written]) -> Payload:
    """The write's payload; an error names its audit event by global id."""
    try:
        written = await write
    except GatewayError as error:
        if isinstance(error, Forbidden) and any(grant.assigned_only for grant in context.viewer.own_grants()):
            named = error.details.get("missingFrom", ())
            error.details["missingFrom"] = [*dict.fromkeys((Source.RECORD_SCOPE.name, *named))]
            error.hint = f"The customer may not be assigned to you: ask {Source.RECORD_SCOPE.value}."
        if event := error.details.get("auditEventId"):
            error.details["auditEventId"] = context.global_id("audit", event)
        raise
    if written.document is not None:
        context.loaders.wrote(written.document)
    return payload(written)


def _draft(context: Context, input: Any, requirement: Requirement) -> tuple[dict[str, Any], list[Problem]]:  # noqa: A002
    draft = dict(_values(context, input, ("input",)))
    return draft, list(_refusals(context, input, requirement))


def _refusals(context: Context, input: Any, requirement: Requirement) -> Iterator[Problem]:  # noqa: A002
    """A problem for each field that the viewer may not set."""
    for field in input.__strawberry_definition__.fields:
        permission = requirement(field)
        if permission is None or not _is_set(input, field.python_name):
            continue
        decision = context.viewer.decide(permission)
        if not decision.granted:
            missing = " and ".join(source.name for source in decision.missing_from)
            yield Problem(
                ("input", to_camel_case(field.python_name)),
                f"You may not set this: {missing} does not grant {permission}.",
                "FORBIDDEN",
                f"Ask {decision.granted_by}.",
            )


def _is_set(input: Any, name: str) -> bool:  # noqa: A002
    """Whether a field is given. Who gives a discount on a line sets `discount` too, as the products see it."""
    if getattr(input, name) is not UNSET:
        return True
    lines = (getattr(input, "line_items", None) or ()) if name == "discount" else ()
    return any(line.discount is not UNSET for line in lines)


def _values(context: Context, value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, item in _set(value):
        yield _NAMES.get(name, name), _value(context, name, item, (*path, to_camel_case(name)))


def _set(value: Any) -> Iterator[tuple[str, Any]]:
    for field in value.__strawberry_definition__.fields:
        item = getattr(value, field.python_name)
        if item is not UNSET:
            yield field.python_name, item


def _value(context: Context, name: str, item: Any, path: tuple[str, ...]) -> Any:
    if isinstance(item, list):
        return [_value(context, name, one, (*path, str(place))) for place, one in enumerate(item)]
    if hasattr(item, "__strawberry_definition__"):
        return dict(_values(context, item, path))
    if name in _IDS and item is not None:
        return context.record_id(_IDS[name], item, *path)
    return item


_NAMES: Mapping[str, str] = {"vendor_id": "customer_id"}
_IDS: Mapping[str, str] = {"customer_id": "customer", "vendor_id": "customer", "item_id": "item"}
