"""The audit trail."""

import json
from datetime import datetime
from typing import Any

from resolvers import pagination
from resolvers.conditions import given
from resolvers.context import Context
from resolvers.cursors import Cursors
from resolvers.directory import Person
from resolvers.nodes import node_of
from services.audit import Event, FieldChange, Filters, State, Subject
from services.drafts import Problem
from services.errors import NotFound
from services.listing import Cursor
from services.storage.clock import now


async def trail(
    _root: Any, context: Context, first: int | None = None, after: str | None = None, where: Any = None
) -> pagination.Page:
    """Events of the organization, newest first."""
    cursors = Cursors.of_list(context, "auditTrail", where and sorted(map(repr, given(where))))
    cursor = cursors.read(after, datetime.fromisoformat)
    filters = _filters(context, where)
    found = await context.services.audit.page(
        context.viewer.organization_id, pagination.size(first), (cursor.value, cursor.id) if cursor else None, filters
    )
    edges = [pagination.Edge(cursors.write(Cursor(event.at, 0, event.id)), event) for event in found.events]
    return pagination.Page(edges, found.more, after is not None, now())


def _filters(context: Context, where: Any) -> Filters:
    asked = dict(given(where)) if where else {}
    module, record_id = (
        context.any_id(asked["subject_id"], "where", "subjectId") if "subject_id" in asked else (None, None)
    )
    actor, outcomes = asked.get("actor_id"), {outcome.value for outcome in asked.get("outcomes", ())}
    return Filters(
        actor_id=context.record_id("user", actor, "where", "actorId") if actor is not None else None,
        actions=tuple(asked.get("actions", ())),
        outcomes=tuple(state for state in State if _told(state) in outcomes),
        product=asked.get("product"),
        subject=Subject(_MODULE.get(module or "", module), record_id),
        request_id=asked.get("request_id"),
        since=asked.get("since"),
        until=asked.get("until"),
    )


def event_id(event: Event, context: Context) -> str:
    """Its global id."""
    return context.global_id("audit", event.id)


def actor(event: Event, context: Context) -> Person:
    """Who did it; the gateway itself has no id."""
    user_id = context.global_id("user", event.actor_id) if event.actor_id else None
    return Person(user_id, event.actor_name, event.actor_email)


def credential(event: Event, _context: Context) -> Person | None:
    """Whose product access it ran under."""
    return Person(None, None, event.credential_email) if event.credential_email else None


_KIND = {"users": "user", "migrations": "migration"}
"""The kinds of global ids, where they are not the module's word."""
_MODULE = {kind: module for module, kind in _KIND.items()}


async def subject(event: Event, context: Context) -> Any:
    """The record it was about, when there is one that the viewer may see."""
    if not (event.subject.module and event.subject.id):
        return None
    try:
        return await node_of(context, _KIND.get(event.subject.module, event.subject.module), event.subject.id)
    except NotFound:
        return None


def outcome(event: Event, _context: Context) -> str:
    """What became of it; not certain while it is an intent."""
    return _told(event.outcome)


def _told(state: State) -> str:
    return (State.UNCERTAIN if state is State.INTENT else state).value


def problems(event: Event, _context: Context) -> list[Problem]:
    """The mistakes it was refused for."""
    return [Problem(tuple(e["field"]), e["message"], e["code"], e.get("hint")) for e in event.user_errors]


def subject_id(event: Event, context: Context) -> str | None:
    """The global id of the record it was about."""
    module, record_id = _KIND.get(event.subject.module or "", event.subject.module), event.subject.id
    return context.global_id(module, record_id) if module and record_id else None


def text(name: str) -> Any:
    """One side of a change as JSON text."""

    def read(change: FieldChange, _context: Context) -> str | None:
        value = getattr(change, name)
        return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return read
