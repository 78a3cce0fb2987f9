"""How operations have run, for whoever operates the gateway."""

from dataclasses import dataclass
from typing import Self

from gateway.plans.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Row:
    """One operation: how often it ran straight, was completed exactly, and ran on graphql-core from the start."""

    name: str | None
    digest: str
    runs: str
    why: str | None
    straight: int
    exact: int
    core: int
    compiling_ms: float

    @classmethod
    def of(cls, one: Prepared) -> Self:
        """As it stands."""
        counts, seconds = one.counts, one.program.seconds if one.program else 0.0
        return cls(
            one.title,
            one.digest,
            one.runs,
            one.why,
            counts.straight,
            counts.exact,
            counts.core,
            round(seconds * 1000, 3),
        )
