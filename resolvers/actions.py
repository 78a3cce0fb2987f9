"""What a viewer may do to a record now, and for what he may not, why."""

from dataclasses import dataclass

from resolvers.context import Context
from services.documents import Document
from services.kinds import Kind, kind_of


@dataclass(frozen=True, slots=True)
class Available:
    """An action on one record for one viewer."""

    name: str
    available: bool
    requires: str
    reason: str | None = None
    granted_by: str | None = None


def available_actions(record: Document, context: Context) -> list[Available]:
    """The actions on the record."""
    kind = kind_of(record)
    return [_action(context, kind, record, "update", f"{kind.module}.edit", kind.editable)]


def _action(
    context: Context, kind: Kind, record: Document, name: str, requires: str, statuses: frozenset[str]
) -> Available:
    decision = context.viewer.decide(requires)
    if not decision.granted:
        missing = " and ".join(source.name for source in decision.missing_from)
        return Available(name, False, requires, f"{missing} does not grant it.", decision.granted_by)
    if record.status not in statuses:
        return Available(name, False, requires, f"Not while the {kind.word} is {record.status.replace('_', ' ')}.")
    return Available(name, True, requires)


def product_url(record: Document, context: Context) -> str | None:
    """The record's page in the product, for those who have access to the product themselves."""
    kind = kind_of(record)
    app = context.viewer.access_to(kind.product).app_url
    return f"{app}#/{kind.path}/{record.id}" if app else None
