"""What was used lately, by key: bounded in number and in weight."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Lately(Generic[Value]):
    """A mapping that forgets what was not used for the longest time."""

    def __init__(self, most: int, heaviest: int) -> None:
        self._most = most
        self._heaviest = heaviest
        self._weight = 0
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Value]:
        """The values, those unused for longest first."""
        return (value for value, _ in self._kept.values())

    def get(self, key: Hashable) -> Value | None:
        """The value, which counts as a use."""
        known = self._kept.get(key)
        if known is None:
            return None
        self._kept.move_to_end(key)
        return known[0]

    def put(self, key: Hashable, value: Value, weight: int = 1) -> None:
        """Keep a value, unless it alone is too heavy."""
        if weight > self._heaviest:
            return
        self._weight += weight - self._kept.pop(key, (value, 0))[1]
        self._kept[key] = value, weight
        while len(self._kept) > self._most or self._weight > self._heaviest:
            self._weight -= self._kept.popitem(last=False)[1][1]
