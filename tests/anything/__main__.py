"""`python -m tests.anything`: random operations of several people at a demo gateway on a port of its own."""

import argparse
import asyncio
import logging
import sys
from time import monotonic

import httpx
import structlog
from rich.console import Console
from rich.table import Table

from gateway.demo.sandbox import PEOPLE
from gateway.settings import Http
from tests.anything.asking import Crowd, Tally
from tests.ending import end_on_signals
from tests.fuzz.real import KNOWN, known
from tests.gateway.live_harness import serving
from tests.harness import Demo, demo_of_its_own, set_up
from tests.resolvers.copying import read_copy

PATIENCE = 60.0
SHOWN = 20


def main() -> int:
    """Print the table; 1 when something was not well-formed, not coded, not declared, or the gateway is not healthy."""
    end_on_signals()
    given = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with demo_of_its_own() as demo:
        began = monotonic()
        tally, healthy = asyncio.run(_asked(demo, range(given.seed, given.seed + given.cases)))
    _shown(tally, monotonic() - began, healthy=healthy)
    return 1 if tally.faults or not healthy else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.anything", description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="requests")
    parser.add_argument("--seed", type=int, default=0, help="of the first one; they follow each other")
    return parser.parse_args()


async def _asked(demo: Demo, seeds: range) -> tuple[Tally, bool]:
    await set_up(demo)
    async with (
        demo.gateway() as gateway,
        serving(gateway.app, Http()) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
    ):
        await read_copy(gateway)  # so that it answers as well as the products
        tokens = {person: gateway.token(f"{person}@demo.example") for person in PEOPLE}
        ids = known((await gateway.ask("owner", KNOWN))["data"])
        tally = await Crowd(client, tokens, ids).ask(seeds)
        healthy = [(await client.get(path)).status_code for path in ("/healthz", "/readyz")]
        answered = await gateway.ask("owner", "{ viewer { id } }")
    return tally, healthy == [200, 200] and "errors" not in answered


def _shown(tally: Tally, seconds: float, *, healthy: bool) -> None:
    table = Table("requests", f"{tally.cases}", show_header=True)
    table.add_row("HTTP statuses", ", ".join(f"{status}: {count}" for status, count in sorted(tally.statuses.items())))
    table.add_row("answers and errors", ", ".join(f"{code} {count}" for code, count in tally.codes.most_common()))
    table.add_row("fields answered", f"{tally.roots.total()} of {len(tally.roots)} names")
    table.add_row("healthy after", "yes" if healthy else "no")
    table.add_row("faults", f"{len(tally.faults)}")
    table.add_row("seconds", f"{seconds:.0f}")
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table)
    for fault in tally.faults[:SHOWN]:
        console.print(fault, markup=False)


if __name__ == "__main__":
    sys.exit(main())
