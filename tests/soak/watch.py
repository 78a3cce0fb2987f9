"""What processes take, looked at again and again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import psutil

from tests.chaos.scene import Worker


@dataclass
class Taken:
    """One process: bytes of memory and open descriptors, in the order of time; how often it ended by itself."""

    name: str
    worker: Worker
    memory: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    died: int = 0

    def look(self) -> None:
        """Once more; one that has ended is started again."""
        if self.worker.process.poll() is not None:
            self.died += 1
            self.worker.start()
            return
        try:
            process = psutil.Process(self.worker.process.pid)
            self.memory.append(process.memory_info().rss)
            self.descriptors.append(process.num_fds())
        except psutil.Error:
            return

    @property
    def growth(self) -> float:
        """Of the memory in the second half, as a part."""
        middle, end = _stretches(self.memory)
        return max(0.0, median(end) / median(middle) - 1)

    @property
    def more_descriptors(self) -> float:
        """In the end than in the middle."""
        middle, end = _stretches(self.descriptors)
        return median(end) - median(middle)


def _stretches(values: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """A tenth of them from the middle on, and the last tenth."""
    tenth, half = max(1, len(values) // 10), len(values) // 2
    return values[half : half + tenth] or [1], values[-tenth:] or [1]
