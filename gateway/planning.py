"""What the gateway makes of an operation, for whoever wonders."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.plans import Plans
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


class UnknownPermission(ValueError):
    """No field asks for that permission."""


def shown(query: str, operation: str | None = None, without: Iterable[str] = ()) -> str:
    """The Python of an operation for those who lack these permissions, or why it runs on graphql-core."""
    lacking = frozenset(without)
    if unknown := lacking - PERMISSIONS:
        raise UnknownPermission(f"No field takes the permission {', '.join(sorted(unknown))}.")
    plans = Plans(schema)
    plan = plans.prepare(query, operation)
    text = plans.source(query, operation, _Context(_Viewer(lacking))).rstrip()
    said = text if text.startswith("# ") else f"# Runs on graphql-core: {text}."
    return "\n".join([said, *(f"# {error.message}" for error in plan.errors)])
