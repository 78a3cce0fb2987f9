"""What the gateway makes of an operation, for whoever wonders."""

from collections.abc import Iterable
from dataclasses import dataclass

from graphql import DocumentNode, OperationDefinitionNode

from gateway.plans import Plans
from gateway.plans.prepared import Prepared
from schema import schema
from schema.permissions import PERMISSIONS
from services.policy import Decision


@dataclass(frozen=True, slots=True)
class _Viewer:
    """Somebody who may do everything except these."""

    without: frozenset[str]

    def decide(self, permission: str) -> Decision:
        """As a real viewer's."""
        return Decision(permission, permission not in self.without)


@dataclass(frozen=True, slots=True)
class _Context:
    viewer: _Viewer


class Unplanned(ValueError):
    """Nothing can be shown: the document or what is asked about it is not valid."""


def shown(query: str, operation: str | None = None, without: Iterable[str] = ()) -> str:
    """The Python of an operation for those who lack these permissions, or why it runs on graphql-core."""
    lacking = frozenset(without)
    if unknown := lacking - PERMISSIONS:
        raise Unplanned(f"No field takes the permission {', '.join(sorted(unknown))}.")
    plans = Plans(schema)
    plan = plans.prepare(query, operation)
    if plan.kind == "invalid":
        raise Unplanned("\n".join(["The gateway refuses this.", *_mistakes(plan)]))
    if operation is None and len(named := _names(plan.document)) > 1:
        raise Unplanned(f"There are several operations; say which: --operation {', '.join(named)}.")
    text = plans.source(query, operation, _Context(_Viewer(lacking))).rstrip()
    return text if text.startswith("# ") else f"# Runs on graphql-core: {text}."


def _mistakes(plan: Prepared) -> list[str]:
    return [error.message for error in plan.errors] or [plan.why or ""]


def _names(document: DocumentNode | None) -> list[str]:
    definitions = document.definitions if document else ()
    operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
    return [one.name.value if one.name else "(without a name)" for one in operations]
