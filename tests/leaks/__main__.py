"""`python -m tests.leaks`: what a run of any length finds, as a table."""

import argparse
import asyncio
import secrets
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from random import Random
from time import monotonic, process_time
from typing import Any

from services.storage.embedded import Embedded
from tests.ending import end_on_signals
from tests.leaks.planted import PLANTED
from tests.leaks.run import Findings, Run
from tests.leaks.stage import furnish, stage

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Print the table; 0 when nothing was found, or with `--planted` when everything was."""
    end_on_signals()
    given = _arguments()
    embedded = Embedded(ROOT / "var" / "leaks" / "postgres", durable=False)
    with embedded.running():

        def searched(planted: Callable[[], AbstractContextManager[Any]]) -> Findings:
            url = embedded.ensure_database(f"leaks_{secrets.token_hex(4)}")
            asyncio.run(furnish(url))
            with planted():
                return asyncio.run(_searched(url, given))

        if given.planted:
            seen = [_told(bug, searched(planted)) for bug, planted in PLANTED.items()]
            return 0 if all(seen) else 1
        found = searched(nullcontext)
        return 1 if found.leaks or found.otherwise or found.unexpected else 0


async def _searched(url: str, given: argparse.Namespace) -> Findings:
    chance = Random(given.seed)
    async with stage(url, chance, plans=not given.interpreted) as made:
        began, spent = monotonic(), process_time()
        found = await Run(made, chance).go(given.cases, until_found=given.planted)
        if not given.planted:
            _print(found, given.seed, monotonic() - began, process_time() - spent, made.products.calls)
    return found


def _told(bug: str, found: Findings) -> bool:
    """A line about a planted bug; whether it was found."""
    leak = found.leaks[0] if found.leaks else None
    told = f"{leak.person} saw {'.'.join(leak.canary)}" if leak else "NOT FOUND"
    print(f"{bug:38} {found.cases:6} cases  {told}", flush=True)  # noqa: T201 - this is what it is for
    return leak is not None


def _print(found: Findings, seed: int, seconds: float, cpu: float, calls: int) -> None:
    rows = {
        "cases": f"{found.cases}",
        "seed": f"{seed}",
        "time": f"{seconds:.1f} s, {cpu:.1f} s of CPU: {cpu / found.cases * 1000:.2f} ms a case",
        "calls to products": f"{calls}",
        "changes of grants": f"{found.changes}",
        "live events": f"{found.events}",
        "canaries seen": f"{found.canaries}, of them {found.foreign} told to another access",
        "errors": ", ".join(f"{code} {count}" for code, count in found.errors.most_common()),
        "full rights": f"{found.modelled} compared with the model, {len(found.otherwise)} otherwise",
        "leaks": f"{len(found.leaks)}",
    }
    for name, value in rows.items():
        print(f"{name:18} {value}")  # noqa: T201
    for what, count in found.unexpected.most_common(10):
        print(f"  {count:5} × {what}")  # noqa: T201
    for one in found.otherwise[:5]:
        print(f"  {one}")  # noqa: T201
    kinds = Counter((one.person, one.canary._replace(record="*")) for one in found.leaks)
    for (person, canary), count in kinds.most_common(20):
        print(f"  {count:5} × {person} saw {'.'.join(canary)}")  # noqa: T201


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.leaks", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="operations of viewers")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of all that is left to chance")
    parser.add_argument("--interpreted", action="store_true", help="without compiled plans")
    parser.add_argument("--planted", action="store_true", help="in how many cases each planted bug is found")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
