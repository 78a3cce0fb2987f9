"""How much each user has open."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.errors import LimitReached


class Tally:
    """Counts what is open for each, up to a limit."""

    def __init__(self, limit: int, what: str) -> None:
        """`what` is counted, in the plural."""
        self._limit = limit
        self._what = what
        self._open: Counter[str] = Counter()

    @contextmanager
    def one(self, whose: str) -> Iterator[None]:
        """One more within the block; raises `LimitReached`."""
        if self._open[whose] >= self._limit:
            raise LimitReached(f"You have too many {self._what} open.", hint=f"At most {self._limit} at once.")
        self._open[whose] += 1
        try:
            yield
        finally:
            self._open[whose] -= 1
            if not self._open[whose]:
                del self._open[whose]
