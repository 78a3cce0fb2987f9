"""`make chaos`: what becomes of a migration whose workers are killed and whose database goes away, in figures."""

import argparse
import asyncio
import shutil
import sys
from pathlib import Path
from time import sleep

from gateway.observing import logs
from gateway.settings import Logs
from services.storage.embedded import Embedded
from tests.bench.processes import ROOT
from tests.chaos.queries import Waits, measured
from tests.chaos.scene import ENDLESS, WORKERS, Crowd, Figures, Plan, scene
from tests.ending import end_on_signals

SLOWER = 2.0
"""How much longer the slowest hundredth of queries may take during a migration."""


def main() -> int:
    """Print the table; 0 when everything held."""
    end_on_signals()
    given = _arguments()
    logs.configure(Logs(level="error"))
    home = Path(given.home)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    crowd = Crowd(given.users - given.licensed, given.licensed)
    embedded = Embedded(home / "postgres")
    with embedded.running():
        calm = _run("undisturbed", crowd, Plan(), embedded, home)
        killed = _run("killed", crowd, Plan(kills=given.kills, seed=given.seed), embedded, home)
        plan = Plan(kills=given.kills, outage=given.outage, seed=given.seed + 1)
        cut_off = _run("cut-off", crowd, plan, embedded, home)
        usual, meanwhile = _queries(crowd, embedded, home)
    slower = meanwhile.percentile(0.99) / usual.percentile(0.99)
    print(  # noqa: T201 - this is what it is for
        f"\nqueries of users, the products' limits lifted: p99 {usual.percentile(0.99) * 1000:.0f} ms before,"
        f" {meanwhile.percentile(0.99) * 1000:.0f} ms while {crowd.total} are migrated: {slower:.1f} x"
        f" (median {meanwhile.percentile(0.5) / usual.percentile(0.5):.1f} x);"
        f" {usual.failed + meanwhile.failed} of {len(usual.seconds) + len(meanwhile.seconds)} without data",
        flush=True,
    )
    return (
        0
        if slower <= SLOWER and all([_held(crowd, calm, calm), _held(crowd, killed, calm), _held(crowd, cut_off, calm)])
        else 1
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--users", type=int, default=1000, help="how many are migrated")
    parser.add_argument("--licensed", type=int, default=60, help="how many of them are users of Books")
    parser.add_argument("--kills", type=int, default=20, help="kill -9 at so many random moments")
    parser.add_argument("--outage", type=float, default=5.0, help="seconds for which PostgreSQL is stopped")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--home", default=str(ROOT / "var" / "chaos"), help="where everything is kept meanwhile")
    return parser.parse_args()


def _run(name: str, crowd: Crowd, plan: Plan, embedded: Embedded, home: Path) -> Figures:
    def stop_database(seconds: float) -> None:
        embedded.stop()
        sleep(seconds)
        embedded.start()

    async def migrate() -> Figures:
        url = embedded.ensure_database(name.replace("-", "_"))
        async with scene(crowd, url, home / name, stop_database) as one:
            return await one.migrate(plan)

    figures = asyncio.run(migrate())
    _print(name, figures)
    return figures


def _queries(crowd: Crowd, embedded: Embedded, home: Path) -> tuple[Waits, Waits]:
    async def ask() -> tuple[Waits, Waits]:
        async with scene(crowd, embedded.ensure_database("queries"), home / "queries", limits=ENDLESS) as one:
            return await measured(one)

    return asyncio.run(ask())


def _print(name: str, figures: Figures) -> None:
    run, seen = figures.run, figures.seen
    print(  # noqa: T201 - this is what it is for
        f"\n{name}: {WORKERS} workers, {seen.kills} kills, {seen.outages} outages\n"
        f"  done            {run.migrated} of {run.total}\n"
        f"  lost            {figures.lost}\n"
        f"  twice           {figures.twice} (audit events {figures.events.total()}, seats {figures.seats},"
        f" writes to the products {figures.writes})\n"
        f"  messages        {figures.mails.total()} kept, {figures.files} sent\n"
        f"  went back       {seen.went_back} times\n"
        f"  time            {seen.seconds:.1f} s, longest pause {seen.longest_pause:.1f} s,"
        f" a start takes {seen.start:.1f} s\n"
        f"  budget refusals {figures.refused}",
        flush=True,
    )


def _held(crowd: Crowd, figures: Figures, calm: Figures) -> bool:
    """Whether everything is as it must be; says what is not."""
    seen, total = figures.seen, crowd.total
    outage = 5.0 * seen.outages
    allowed = 1.5 * calm.seen.seconds + seen.kills * calm.seen.start / WORKERS + 2 * outage
    checks = {
        "all are done": figures.run.migrated == figures.migrated == figures.events.total() == total,
        "nobody is lost": figures.lost == 0,
        "nothing happened twice": figures.twice == 0,
        "one message each": figures.mails.total() == figures.files == total,
        "one seat each": figures.seats == crowd.seats,
        "progress never went back": seen.went_back == 0,
        f"{seen.seconds:.1f} s are at most {allowed:.1f} s": seen.seconds <= allowed,
    }
    for what, held in checks.items():
        print(f"  {'held' if held else 'BROKEN'}: {what}")  # noqa: T201
    return all(checks.values())


if __name__ == "__main__":
    sys.exit(main())
