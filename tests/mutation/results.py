"""What has become of mutants."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from tests.mutation.mutants import Mutant

Fate = Literal["killed", "crashed", "hanging", "survived", "unreached"]
FATES: tuple[Fate, ...] = get_args(Fate)


@dataclass(frozen=True)
class Result:
    """What became of a mutant; `by` is the test that noticed it."""

    mutant: Mutant
    fate: Fate
    by: str | None = None
    seconds: float = 0.0

    @property
    def noticed(self) -> bool:
        """Whether a test fails."""
        return self.fate in {"killed", "crashed", "hanging"}


def by_module(results: Iterable[Result]) -> Iterator[tuple[str, list[Result]]]:
    """In the order in which they were tried."""
    grouped: dict[str, list[Result]] = {}
    for result in results:
        grouped.setdefault(result.mutant.module, []).append(result)
    yield from grouped.items()
