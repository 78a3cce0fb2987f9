"""How much each user has open."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.errors import LimitReached


class Tally:
    """Counts what is open for each, up to a limit."""

    def __init__(self, limit: int, what: str, error: type[LimitReached] = LimitReached) -> None:
        """`what` is counted, in the plural; one too many is an `error`."""
        self._error = error
        self._limit = limit
        self._what = what
        self._open: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """What is open in all."""
        return self._open.total()

    @contextmanager
    def one(self, whose: str) -> Iterator[None]:
        """One more within the block; raises `LimitReached`, or whatever the error is."""
        if self._open[whose] >= self._limit:
            message, hint = f"Too many {self._what} are open.", f"At most {self._limit} at once."
            raise self._error(message, hint=hint, limit=self._what, value=self._limit + 1, allowed=self._limit)
        self._open[whose] += 1
        try:
            yield
        finally:
            self._open[whose] -= 1
            if not self._open[whose]:
                del self._open[whose]
