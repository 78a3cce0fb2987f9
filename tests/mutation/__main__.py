"""How many planted faults the tests notice: `python -m tests.mutation [services/policy.py …] [--sample 0.2]`.

Works on a copy of the tree. Prints the faults that no test noticed, and a table by module; leaves with 1 when fewer
than nine of ten were noticed in any module.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutation.results import FATES, Result, by_module

COPIED = ("gateway", "schema", "resolvers", "services", "tests", "docs", "docker", "pyproject.toml", "README.md")
LEAST = 0.9


def main() -> int:
    """In a copy of the tree; there, the run itself."""
    given = _arguments()
    if given.here:
        return _here(given)
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as directory:
        for name in COPIED:
            _copy(Path(name), Path(directory) / name)
        command = [sys.executable, "-m", "tests.mutation", "--here", *sys.argv[1:]]
        return subprocess.run(command, cwd=directory, env=os.environ | {"PWD": directory}, check=False).returncode  # noqa: S603


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="the paths of modules; all of the table when left out")
    parser.add_argument("--only", default="", help="a part of the names of the mutants that are tried")
    parser.add_argument("--tests", nargs="+", default=[], help="the paths of tests, instead of those of the table")
    parser.add_argument("--without", default="", help="a part of the names of tests that are not run")
    parser.add_argument("--sample", type=float, default=1.0, help="the share of the mutants that are tried")
    parser.add_argument("--control", action="store_true", help="plant no faults: all have to survive")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    elif source.exists():
        shutil.copy2(source, target)


def _here(given: argparse.Namespace) -> int:
    from tests.mutation.equal import EQUAL  # noqa: PLC0415 - only in the copy
    from tests.mutation.session import Target, Trial, ran  # noqa: PLC0415
    from tests.mutation.targets import TARGETS  # noqa: PLC0415

    chosen = [
        Target(
            tuple(one for one in target.modules if one in given.modules or not given.modules),
            tuple(given.tests) or target.tests,
        )
        for target in TARGETS
    ]
    trial = Trial(
        [one for one in chosen if one.modules],
        Path.cwd() / "var",
        EQUAL,
        given.sample,
        given.only,
        given.without,
        given.control,
    )
    trial.home.mkdir()
    code = ran(trial)
    return _printed(trial.results) or code


def _printed(every: Sequence[Result]) -> int:
    table = Table("module", "mutants", *FATES, "noticed", "s each")
    least = 1.0
    for module, results in by_module(every):
        fates = Counter(result.fate for result in results)
        noticed = sum(result.noticed for result in results) / len(results)
        least = min(least, noticed)
        each = sum(result.seconds for result in results) / len(results)
        numbers = (len(results), *(fates[fate] for fate in FATES))
        table.add_row(module, *map(str, numbers), f"{noticed:.1%}", f"{each:.2f}")
    Console(width=None if Console().is_terminal else 160).print(table)
    return 0 if least >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
