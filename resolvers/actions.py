"""What a viewer may do to a record now, and why not the rest."""

import asyncio
from dataclasses import dataclass

from resolvers.context import Context
from services.acts import Act
from services.documents import Document
from services.kinds import Kind, kind_of
from services.life_cycle import OWN_SUBMISSION, impartial, impossible, own_submission
from services.policy import Decision


@dataclass(frozen=True, slots=True)
class Available:
    """An action on one record for one viewer."""

    name: str
    available: bool
    requires: str
    reason: str | None = None
    granted_by: str | None = None


async def available_actions(record: Document, context: Context) -> list[Available]:
    """The actions on the record."""
    kind = kind_of(record)
    acts = await asyncio.gather(*(_act(context, kind, record, act) for act in kind.acts.values()))
    return [_update(context, kind, record), *acts]


def _update(context: Context, kind: Kind, record: Document) -> Available:
    requires = f"{kind.module}.edit"
    if refused := _refused(context, "update", requires, requires):
        return refused
    if record.status not in kind.editable:
        reason = f"Not while the {kind.word} is {record.status.replace('_', ' ')}."
        return Available("update", False, requires, _told(context, kind, reason))
    return Available("update", True, requires)


async def _act(context: Context, kind: Kind, record: Document, act: Act) -> Available:
    for permission in filter(None, (act.requires, act.source)):
        if refused := _refused(context, act.name, act.requires, permission):
            return refused
    if reason := impossible(kind, record.status, act):
        return Available(act.name, False, act.requires, _told(context, kind, reason))
    reason = await _submitted_himself(context, record, act)
    return Available(act.name, reason is None, act.requires, reason)


def _told(context: Context, kind: Kind, reason: str) -> str:
    """A reason that names the status, for those who may see it."""
    return reason if context.viewer.may(f"{kind.module}.view.status") else "Not in its present status."


async def _submitted_himself(context: Context, record: Document, act: Act) -> str | None:
    """Only a full record tells who submitted it."""
    if not impartial(act, context.viewer):
        return None
    full = record if record.complete else await context.loaders.full(record).load(record.id)
    return OWN_SUBMISSION if own_submission(full, act, context.viewer) else None


def _refused(context: Context, name: str, requires: str, permission: str) -> Available | None:
    decision: Decision = context.viewer.decide(permission)
    if decision.granted:
        return None
    missing = " and ".join(source.name for source in decision.missing_from)
    return Available(name, False, requires, f"{missing} does not grant {permission}.", decision.granted_by)


def product_url(record: Document, context: Context) -> str | None:
    """The record's page in the product, for those who have access to the product themselves."""
    kind = kind_of(record)
    app = context.viewer.access_to(kind.product).app_url
    return f"{app}#/{kind.path}/{record.id}" if app else None
