"""Where the CPU of our server goes under load: functions by their own time."""

import cProfile
import pstats
import sys
from contextlib import redirect_stdout
from io import StringIO

from tests.bench.contestants import ours
from tests.bench.ours import Stage

REQUESTS = 1500
LINES = 25


def profile(stage: Stage) -> None:
    """Print a table of the live query's functions."""
    kept = stage.directory / "profile"
    with stage.gateway(profiled=kept) as process:
        ours(stage, process).run(REQUESTS)
    told = StringIO()
    with redirect_stdout(told):
        pstats.Stats(str(kept)).sort_stats("tottime").print_stats(LINES)
    sys.stdout.write(told.getvalue())


def serve(kept: str) -> None:
    """A gateway that leaves its profile in a file when it ends."""
    from gateway.__main__ import serve as run  # noqa: PLC0415 - its imports are not to be profiled

    measured = cProfile.Profile()
    try:
        measured.runcall(run)
    finally:
        measured.dump_stats(kept)


if __name__ == "__main__":
    serve(sys.argv[1])
