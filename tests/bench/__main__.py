"""`make bench`: what the gateway costs beside others, ratios first; `python -m tests.bench NAME` measures one thing."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from gateway.observing import logs
from gateway.settings import Logs
from tests.bench import executing, operations, whole
from tests.bench.effort import QUICK, USUAL, Effort
from tests.bench.ours import staged
from tests.bench.profile import profile
from tests.bench.table import Row, shown
from tests.ending import end_on_signals

ALONE = {"executing": executing.rows, "operations": operations.rows}
"""Comparisons without a server."""


def main() -> int:
    """Print the table; 0 when every target that could be measured is met."""
    end_on_signals()
    given = _arguments()
    logs.configure(Logs(level="error"))
    effort = QUICK if given.quick else USUAL
    if given.names == ["operations"]:
        effort = replace(effort, operations=sys.maxsize)
    if given.names == ["profile"]:
        with staged() as stage:
            profile(stage)
        return 0
    rows = _measured(given.names or [*ALONE, *whole.ROWS], effort)
    shown(rows)
    return int(any(row.met is False for row in rows))


def _measured(names: Sequence[str], effort: Effort) -> list[Row]:
    rows = [row for name in names if name in ALONE for row in ALONE[name](effort)]
    if servers := [whole.ROWS[name] for name in names if name in whole.ROWS]:
        with staged() as stage:
            rows += [row for measure in servers for row in measure(stage, effort)]
    return rows


def _arguments() -> argparse.Namespace:
    names = [*ALONE, *whole.ROWS, "profile"]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *names], help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="fewer rounds and requests")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
