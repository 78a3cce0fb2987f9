"""An operation that can be compiled, and its variants."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from strawberry import Schema

from gateway.plans.inputs import Inputs
from gateway.plans.lately import Lately
from gateway.plans.shape import Operation, Shape, Uncompiled
from gateway.plans.variables import Variables
from gateway.plans.variant import Variant
from gateway.plans.ways import Gated, way
from gateway.plans.writing import Writer

Flags = tuple[Any, ...]
FIELD = 64
"""Characters of Python that take as much memory as a field of a shape."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What an operation selects under some values of its flags, and one field for each permission that this takes."""

    shape: Shape
    gates: Mapping[str, Gated]


class Program:
    """`flags` are the variables that decide what is selected, with the values under which everything is."""

    def __init__(self, schema: Schema, operation: Operation, flags: Mapping[str, bool], variants: int) -> None:
        """Raises `Uncompiled` where some field is one that only graphql-core can do."""
        self.operation = operation
        self.variables = Variables(operation)
        self.flags = flags
        self.seconds = 0.0
        """Spent on compiling."""
        self.characters = 0
        """Of the Python of all variants that are kept, and what their shapes come to beside it."""
        self._schema = schema
        self._inputs = Inputs(schema)
        self._needs: Lately[Needs] = Lately(variants, variants)
        self._variants: Lately[Variant | str] = Lately(variants, variants)
        shape = self._needed(tuple(flags.values())).shape
        for asked in shape.fields:
            if asked.definition is not None:
                way(asked, schema, at_root=asked in shape.root.fields)
        self.characters = self._weight()

    @property
    def kept(self) -> int:
        """Variants that are kept."""
        return len(self._variants)

    def variant(self, variables: Mapping[str, Any], context: Any) -> Variant | str:
        """The compiled operation for these variables and this viewer; where there is none, why."""
        flags = tuple([variables.get(name) for name in self.flags])
        if flags and not all(flag.__class__ is bool for flag in flags):
            return "a condition is neither true nor false"
        try:
            gates = self._needed(flags).gates
        except Uncompiled as error:
            return str(error)
        grants = tuple([gate.granted(context) for gate in gates.values()])
        variant = self._variants.get((flags, grants))
        if variant is None:
            variant = self._written(flags, dict(zip(gates, grants, strict=True)))
            self._variants.put((flags, grants), variant)
            self.characters = self._weight()
        return variant

    def _weight(self) -> int:
        sources = sum(len(one.source) for one in self._variants if isinstance(one, Variant))
        return sources + FIELD * sum(len(one.shape.fields) for one in self._needs)

    def _needed(self, flags: Flags) -> Needs:
        known = self._needs.get(flags)
        if known is None:
            shape = Shape(self.operation, dict(zip(self.flags, flags, strict=True)))
            known = Needs(shape, {own.requires: own for own in shape.owners if isinstance(own, Gated)})
            self._needs.put(flags, known)
        return known

    def _written(self, flags: Flags, granted: Mapping[str, bool]) -> Variant | str:
        began = perf_counter()
        try:
            shape = self._needed(flags).shape
            title = self._title(flags, granted)
            return Writer(self._schema, self._inputs, self.operation, shape, granted, title).variant()
        except (Uncompiled, RecursionError) as error:
            return str(error)
        finally:
            self.seconds += perf_counter() - began

    def _title(self, flags: Flags, granted: Mapping[str, bool]) -> str:
        name = self.operation.definition.name
        conditions = [f"${flag} is {value}" for flag, value in zip(self.flags, flags, strict=True)]
        refused = [f"{requires} is refused" for requires, may in granted.items() if not may]
        return ", ".join([name.value if name else "An operation without a name", *conditions, *refused])
