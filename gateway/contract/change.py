"""A difference between two versions of the schema, and what it means to clients."""

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What a change does to those who use the schema, the gravest first."""

    BREAKING = "breaking"
    """An operation that was valid no longer is, or its answer has another shape."""
    LOOSENING = "loosening"
    """Somebody may do what they might not."""
    TIGHTENING = "tightening"
    """Somebody may no longer do what they might."""
    DANGEROUS = "dangerous"
    """Operations stay valid and may be answered otherwise."""
    SAFE = "safe"
    """Nobody notices who does not ask for it."""


REFUSED = frozenset({Verdict.BREAKING, Verdict.LOOSENING})
"""What has to be allowed by name."""


class Change(NamedTuple):
    """One difference, at the coordinate it is about."""

    verdict: Verdict
    coordinate: str
    kind: str
    """Such as `FIELD_REMOVED`."""
    description: str
