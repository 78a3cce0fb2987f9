"""`python -m tests.fuzz`: random operations on graphql-core and as compiled operations, and how the answers differ."""

import argparse
import asyncio
import logging
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from time import monotonic

import structlog

from gateway.plans import Plans
from services.storage.embedded import Embedded
from tests.bench.processes import ROOT
from tests.ending import end_on_signals
from tests.fuzz.answers import Execute
from tests.fuzz.real import real
from tests.fuzz.runs import Tally, fuzzed
from tests.fuzz.stage import Stage, Synthetic
from tests.harness import Demo, set_up

LAYERS = ("gateway", "schema", "resolvers", "services", "tests/fuzz")
CHUNK = 400
"""Cases that a process compares at a time."""


def main() -> int:
    """Print the table; 1 when there are differences."""
    end_on_signals()
    given = _arguments()
    begun, code = monotonic(), _newest()
    invented = _told(_in_processes(given.seed, given.cases, given.jobs), given.most)
    middle = monotonic()
    over_sandbox = _told([_over_the_sandbox(given.seed, given.real)] if given.real else [], given.most)
    print(f"\n{'':14}{'synthetic':>12}{'finance':>12}")  # noqa: T201 - this is what it is for
    for name, *counts in zip(COLUMNS, _row(invented), _row(over_sandbox), strict=True):
        print(f"{name:14}{counts[0]:12}{counts[1]:12}")  # noqa: T201
    print(f"{'seconds':14}{middle - begun:12.0f}{monotonic() - middle:12.0f}")  # noqa: T201
    if code != _newest():
        print("The code was changed meanwhile: a seed may not show the same again.")  # noqa: T201
    return 1 if invented.differences or over_sandbox.differences else 0


def _newest() -> float:
    """When the code was changed last."""
    return max(file.stat().st_mtime for layer in LAYERS for file in (ROOT / layer).rglob("*.py"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="how many are compared on the synthetic schema")
    parser.add_argument("--real", type=int, default=0, help="how many on the gateway's own, over the sandbox")
    parser.add_argument("--seed", type=int, default=0, help="of the first one; they follow each other")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--most", type=int, default=100, help="differences after which it stops")
    return parser.parse_args()


COLUMNS = ("cases", "clean", "failing", "refused", "straight", "again exactly", "graphql-core", "differences")


def _row(tally: Tally) -> list[int]:
    counts = {"cases": tally.answers.total(), "differences": len(tally.differences), **tally.answers, **tally.ways}
    return [counts.get(name, 0) for name in COLUMNS]


def _told(parts: Iterable[Tally], most: int) -> Tally:
    """The sum; the first difference of each kind is printed as it is found."""
    total, kinds = Tally(), set[str]()
    for part in parts:
        total += part
        print(f"\r{total.answers.total()} compared", end="", file=sys.stderr, flush=True)  # noqa: T201
        for difference in part.differences:
            if difference.sign not in kinds:
                print(f"\n{difference}", flush=True)  # noqa: T201
            kinds.add(difference.sign)
        if len(total.differences) >= most:
            break
    return total


def _in_processes(seed: int, cases: int, jobs: int) -> Iterator[Tally]:
    chunks = [range(first, min(first + CHUNK, seed + cases)) for first in range(seed, seed + cases, CHUNK)]
    pool = ProcessPoolExecutor(jobs)
    try:
        yield from pool.map(_part, chunks)
    finally:
        pool.shutdown(cancel_futures=True)


def _part(seeds: Sequence[int]) -> Tally:
    _quiet()
    return asyncio.run(_compared(Synthetic(), seeds))


def _over_the_sandbox(seed: int, cases: int) -> Tally:
    _quiet()
    home = ROOT / "var" / "fuzz"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    embedded = Embedded(home / "postgres", durable=False)
    with embedded.running():
        demo = Demo(embedded.url(), f"fuzz_{secrets.token_hex(4)}", home / "demo" / "sandbox.db")
        return asyncio.run(_finance(demo, range(seed, seed + cases)))


async def _finance(demo: Demo, seeds: Sequence[int]) -> Tally:
    await set_up(demo)
    async with demo.assembly() as (assembly, sandbox), real(assembly, sandbox) as stage:
        return await _compared(stage, seeds)


async def _compared(stage: Stage, seeds: Sequence[int]) -> Tally:
    made: list[Plans] = []

    def fresh() -> Execute:
        made.append(Plans(stage.schema, documents=len(seeds)))
        return made[-1].execute

    tally = await fuzzed(stage, seeds, fresh)
    tally.count(made[0].report())
    return tally


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


if __name__ == "__main__":
    sys.exit(main())
