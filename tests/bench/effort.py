"""How long is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """Rounds of about so many CPU seconds for each that takes part.

    `requests`: over which memory is watched; `operations`: of the tests that are replayed.
    """

    rounds: int
    seconds: float
    requests: int
    operations: int


USUAL = Effort(rounds=5, seconds=1.0, requests=100_000, operations=200)
QUICK = Effort(rounds=3, seconds=0.5, requests=10_000, operations=60)
