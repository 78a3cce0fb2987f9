"""`python -m tests.faults`: gateways as processes under faults, clients at work meanwhile, and what is left of it."""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gateway.observing import logs
from gateway.settings import Logs
from tests.bench.processes import ROOT
from tests.ending import end_on_signals
from tests.faults import storms
from tests.faults.stage import Row, Stage, staged
from tests.faults.storms import Impossible, Storm
from tests.faults.troubles import BOOKS, TROUBLES


def main() -> int:
    """Print the table; 0 when everything was survived."""
    end_on_signals()
    given = _arguments()
    logs.configure(Logs(level="error"))
    home = Path(given.home)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    rows = asyncio.run(_run(home, given.seconds, given.only))
    _show(rows)
    return 0 if all(row.survived for row in rows) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="for which a product is in trouble")
    parser.add_argument("--only", nargs="+", default=[""], help="faults whose names contain one of these")
    parser.add_argument("--home", default=str(ROOT / "var" / "faults"), help="where everything is kept meanwhile")
    return parser.parse_args()


def _storms(home: Path, seconds: float) -> Iterator[tuple[str, Storm]]:
    """Each fault by a short name."""
    for trouble in TROUBLES:
        if trouble.where is BOOKS:
            yield f"product {trouble.name}", partial(storms.product, trouble, seconds)
    for name, disturb in (
        ("PostgreSQL stopped 5 s", partial(storms.stop, 5.0)),
        ("PostgreSQL stopped 25 s", partial(storms.stop, 25.0)),
        ("PostgreSQL killed", storms.kill_server),
        ("PostgreSQL frozen 5 s", partial(storms.freeze, 5.0)),
        ("all backends ended", storms.end_backends),
    ):
        yield name, partial(storms.database, name, disturb)
    for lasting in (5.0, 25.0):
        for end, forgetting in (("", False), (", forgetting", True)):
            name = f"PostgreSQL black-holed {lasting:g} s{end}"
            yield name, partial(storms.black_hole, lasting, forgetting=forgetting)
    yield "disk full", partial(storms.disk_full, home)
    for name, strike in (
        ("kill -9 in a read", partial(storms.in_call, "GET")),
        ("kill -9 in a write", partial(storms.in_call, "POST")),
        ("kill -9 in the audit", storms.in_audit),
    ):
        yield name, partial(storms.killed, name=name, strike=strike)
    yield "SIGTERM", storms.told_to_end
    yield "worker frozen", partial(storms.frozen_worker, home)
    yield "descriptors", storms.few_descriptors
    yield "slow clients", storms.slow_clients
    yield "upgrades", storms.upgrades
    yield "clock +1h", partial(storms.step, "+1h")
    yield "clock -1h", partial(storms.step, "-1h")
    yield "clock of a replica", storms.hasty_replica
    yield "clock of a worker", storms.hasty_worker


async def _run(home: Path, seconds: float, only: Sequence[str]) -> list[Row]:
    async with staged(home / "stage") as stage:
        chosen = [one for one in _storms(home, seconds) if any(part in one[0] for part in only)]
        return [await _weathered(name, storm, stage) for name, storm in chosen]


async def _weathered(name: str, storm: Storm, stage: Stage) -> Row:
    """The row of one fault; one that cannot be made or is not survived has no figures."""
    print(f"{name} …", file=sys.stderr, flush=True)  # noqa: T201
    try:
        row = await storm(stage)
    except Impossible as error:
        row = Row(name, float("inf"), note=f"not tested: {error}")
    except Exception as error:  # noqa: BLE001 - the other faults are to be seen as well
        row = Row(name, float("inf"), note=f"{type(error).__name__}: {error}"[:200])
    finally:
        stage.scene.sandbox.clear_faults()
    print(f"  {row}", file=sys.stderr, flush=True)  # noqa: T201
    return row


def _show(rows: Sequence[Row]) -> None:
    table = Table("fault", "recovered after", "lost", "twice", "uncoded", "told meanwhile", "")
    for row in rows:
        after = f"{row.recovered:.1f} s"
        figures = (str(row.lost), str(row.twice), str(row.uncoded))
        table.add_row(row.fault, after, *figures, row.told, row.note, style="" if row.survived else "red")
    Console(width=None if Console().is_terminal else 170).print(table)


if __name__ == "__main__":
    sys.exit(main())
