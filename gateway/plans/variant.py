"""A compiled operation under given permissions and conditions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.plans.arguments import Arguments
from gateway.plans.lately import Lately
from gateway.plans.shape import Field, Level, Operation, Shape
from gateway.plans.ways import Gated

MOST_NOTED = 32
"""Combinations of levels: there are as many as a client cares to make."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A field that is null because its permission is not granted, said once if a record of its level was reached."""

    level: Level
    field: Field


@dataclass(eq=False, slots=True, weakref_slot=True)
class Variant:
    """The functions of the generated source, and what a run needs beside them."""

    operation: Operation
    shape: Shape
    arguments: dict[int, Arguments] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    source: str = ""
    functions: Mapping[str, Any] = field(default_factory=dict)
    waits: Sequence[Callable[[Any, Sequence[Any]], Awaitable[None]]] = ()
    noted: Lately[Sequence[Any]] = field(default_factory=lambda: Lately(MOST_NOTED, MOST_NOTED))
    """What extensions made of the touched fields, by the levels that were reached: one for each way to answer."""

    def touched(self, reached: Sequence[bool]) -> list[Gated]:
        """The gated fields whose values were asked for when these levels were reached."""
        refused = {refusal.field.index for refusal in self.refusals}
        levels = [level for level in self.shape.levels if reached[level.index]]
        fields = [field for level in levels for field in level.fields if field.index not in refused]
        owners = [field.own for field in fields if field.definition is not None]
        return [own for own in owners if isinstance(own, Gated)]
