"""`python -m tests.gateway.hostile`: what it takes to refuse what nobody with good intentions sends."""

import argparse
import asyncio
import gc
import sys
from collections import defaultdict
from statistics import median, quantiles

import psutil
from rich.console import Console
from rich.table import Table

from gateway.observing import logs
from gateway.serving import settle_down
from gateway.settings import Logs
from tests.bench.table import milliseconds
from tests.ending import end_on_signals
from tests.gateway.hostile.refusals import Refusal, everything, refusals
from tests.harness import Demo, demo_of_its_own, set_up

MOST_SECONDS = 0.050
"""Of processor time, for the 99th of a hundred refusals."""
MOST_BYTES = 50 * 1024 * 1024
"""That all of it may leave behind."""


def main() -> int:
    """Print the tables; 0 when the refusals are as prompt and leave as little as they have to."""
    end_on_signals()
    given = _arguments()
    logs.configure(Logs(level="error"))
    with demo_of_its_own() as demo:
        found, grown = asyncio.run(_measured(demo, given.rounds))
    _print_slowest(found, given.slowest)
    worst = _print_percentiles(found)
    print(f"memory: {grown / 2**20:+.1f} MB after the first round; at most {MOST_BYTES / 2**20:.0f} MB")  # noqa: T201
    return 0 if worst <= MOST_SECONDS and grown <= MOST_BYTES else 1


async def _measured(demo: Demo, rounds: int) -> tuple[list[Refusal], int]:
    """All refusals, and by how many bytes the process has grown from the end of the first round."""
    await set_up(demo)
    async with demo.gateway() as gateway:
        await refusals(gateway, everything())
        settle_down()
        process, found = psutil.Process(), list[Refusal]()
        before = process.memory_info().rss
        for number in range(1, rounds + 1):
            found += await refusals(gateway, (sent.again(number) for sent in everything()))
            gc.collect()  # as happens now and then; what is left then is kept
        return found, process.memory_info().rss - before


def _print_slowest(found: list[Refusal], count: int) -> None:
    cases: dict[tuple[str, str], list[Refusal]] = defaultdict(list)
    for one in found:
        cases[one.sent.kind, one.sent.name].append(one)
    slowest = sorted(cases.items(), key=lambda case: -median(one.seconds for one in case[1]))[:count]
    table = Table("case", "", "status", "code", "median", "worst")
    for (kind, name), same in slowest:
        times = [one.seconds for one in same]
        row = (kind, name, str(same[0].status), same[0].code, milliseconds(median(times)), milliseconds(max(times)))
        table.add_row(*row)
    Console(width=None if Console().is_terminal else 120).print(table)


def _print_percentiles(found: list[Refusal]) -> float:
    """The 99th percentile, in seconds."""
    hundredths = quantiles((one.seconds for one in found), n=100)
    told = ", ".join(f"p{place} {milliseconds(hundredths[place - 1])}" for place in (50, 90, 95, 99))
    longest = milliseconds(max(one.seconds for one in found))
    print(f"{len(found)} refusals, processor time: {told}, worst {longest}")  # noqa: T201
    return hundredths[98]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.hostile", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each case is sent")
    parser.add_argument("--slowest", type=int, default=10, help="how many cases are shown")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
