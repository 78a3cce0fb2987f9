"""A bounded memory of a process: what was used least lately goes first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """At most so many entries, and so many bytes as they are said to take."""

    def __init__(self, entries: int, size: int) -> None:
        self._entries, self._size = entries, size
        self._held: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._taken = 0
        self.hits = self.misses = 0
        """How often a key was known and not; what is known may still turn out to be out of date."""

    def __len__(self) -> int:
        return len(self._held)

    @property
    def taken(self) -> int:
        """Bytes, as they were said to be."""
        return self._taken

    def get(self, key: K) -> V | None:
        """What is known under the key."""
        found = self._held.get(key)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._held.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, size: int = 0) -> None:
        """Remember a value of so many bytes; one that would take it all is not kept."""
        self.drop(key)
        if size > self._size:
            return
        self._held[key] = (value, size)
        self._taken += size
        while len(self._held) > self._entries or self._taken > self._size:
            _, (_, freed) = self._held.popitem(last=False)
            self._taken -= freed

    def drop(self, key: K) -> None:
        """Forget one."""
        found = self._held.pop(key, None)
        if found is not None:
            self._taken -= found[1]

    def drop_where(self, goes: Callable[[K, V], bool]) -> None:
        """Forget all that go by their key and value."""
        for key in [key for key, (value, _) in self._held.items() if goes(key, value)]:
            self.drop(key)
