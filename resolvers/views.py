"""Predefined custom views, from the products' own status filters."""

from dataclasses import dataclass
from typing import Any

from resolvers.context import Context, forbidden
from services.documents import Module
from services.kinds import KINDS


@dataclass(frozen=True, slots=True)
class View:
    """A custom view of a module; `place` is its position in the kind's table."""

    module: Module
    place: int
    name: str


def views(_root: Any, context: Context, module: Module) -> list[View]:
    """The views of a module that the viewer may see."""
    decision = context.viewer.decide(f"{module}.view")
    if not decision.granted:
        raise forbidden(decision, "Query.customViews")
    return [View(module, place, name) for place, name in enumerate(KINDS[module].views)]


def view_id(view: View, context: Context) -> str:
    """Its global id."""
    return context.global_id("view", f"{view.module}_{view.place}")
