"""Many cases, counted; and each difference made small."""

import gc
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from gateway.plans import Row
from tests.fuzz.answers import Answer, Execute
from tests.fuzz.cases import EACH, Case, case, compared
from tests.fuzz.shrink import shrunk
from tests.fuzz.stage import Request, Stage

Fresh = Callable[[], Execute]
"""Makes an executor that has kept nothing yet."""


SIGN = 60
"""Characters by which a difference is taken for one of a kind; the first of each kind is made small."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A case in which the two differ, and the smallest request that shows it."""

    seed: int
    found: list[str]
    request: Request
    first: int
    """The seed to begin with, so that the same is seen again."""

    @property
    def sign(self) -> str:
        """What differences of a kind have in common."""
        return re.sub(r"\d+", "", self.found[0])[:SIGN]

    def __str__(self) -> str:
        told = "\n".join(f"  {one[:2000]}" for one in self.found)
        again = f"--seed {self.first} --cases {self.seed - self.first + 1}"
        return f"seed {self.seed} ({again}), variables {self.request.variables!r}\n{self.request.text}\n{told}"


@dataclass(slots=True)
class Tally:
    """What became of cases, by graphql-core's answer; which ways compiled operations went; and the differences."""

    answers: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def __add__(self, other: "Tally") -> "Tally":
        found = self.differences + other.differences
        return Tally(self.answers + other.answers, self.ways + other.ways, found)

    def count(self, rows: Iterable[Row]) -> None:
        """Which ways the operations of a report went."""
        for row in rows:
            self.ways.update({"straight": row.straight, "again exactly": row.exact, "graphql-core": row.core})


@contextmanager
def leaving_off() -> Iterator[None]:
    """Say nothing of coroutines that nobody awaits: beside a failure, graphql-core leaves off what it has begun.

    They are collected here and by `gc.collect()` only. Whoever allocates can be the one for whom Python collects, and
    where that is the constructor of a named tuple, which sees no built-ins, the warning cannot even be made: what is
    raised instead (`KeyError: '__import__'`) no filter keeps back.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            yield
            gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()


async def fuzzed(stage: Stage, seeds: Iterable[int], fresh: Fresh) -> Tally:
    """Compare the cases of these seeds; whole documents are best, so that what is kept of them is used."""
    with leaving_off():
        return await _fuzzed(stage, seeds, fresh)


async def _fuzzed(stage: Stage, seeds: Iterable[int], fresh: Fresh) -> Tally:
    tally, execute, seeds = Tally(), fresh(), list(seeds)
    for seed in seeds:
        one = case(stage, seed)
        expected, found = await compared(stage, one, execute)
        tally.answers[_kind(expected)] += 1
        if found:
            known = {difference.sign for difference in tally.differences}
            difference = Difference(seed, found, one.request, seeds[0])
            fresh_kind = difference.sign not in known
            tally.differences.append(await _explained(stage, difference, fresh) if fresh_kind else difference)
        gc.collect()
    return tally


def _kind(answer: Answer) -> str:
    if answer.raised or (answer.data is None and any(error.path is None for error in answer.errors)):
        return "refused"
    return "failing" if answer.errors else "clean"


async def _explained(stage: Stage, seen: Difference, fresh: Fresh) -> Difference:
    one = Case(seen.seed, seen.request)
    for first in (one.seed, one.seed - one.seed % EACH):
        earlier = range(first, one.seed)

        async def again(request: Request, earlier: range = earlier) -> list[str]:
            return await _again(stage, replace(one, request=request), earlier, fresh)

        if await again(one.request):
            small = await shrunk(one.request, again)
            return replace(seen, found=await again(small), request=small, first=first)
    return replace(seen, found=[*seen.found, "only after cases of other documents"])


async def _again(stage: Stage, one: Case, earlier: Iterable[int], fresh: Fresh) -> list[str]:
    """Compare with an executor that has met only these earlier cases of the document."""
    execute = fresh()
    for seed in earlier:
        await stage.play(execute, replace(one.request, variables=case(stage, seed).request.variables), seed)
    _, found = await compared(stage, one, execute)
    gc.collect()
    return found
