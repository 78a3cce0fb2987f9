"""`python -m tests.load`: fifty people at one gateway whose products are slow and ration their calls, in figures."""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.observing import logs
from gateway.settings import Logs
from resolvers import ids
from tests.load.crowd import Crowd, Kept
from tests.load.figures import Figure, at_least, at_most, percentile, shown
from tests.load.people import Person, crowd
from tests.load.questions import Question, asked
from tests.load.scene import Scene, scene
from tests.load.verdict import BUDGET, Judge, Verdict, changes

SCOPED = Person("assigned", "assigned")
"""Always answered by the products under their own access: asks at the pace of a person."""
PACE = 8.0
REQUESTS_A_SECOND, SLOWEST_MS = 200, 300


def main() -> int:
    """Print the table; 0 when everything held."""
    given = _arguments()
    logs.configure(Logs(level="error"))
    people = [*crowd(given.users), SCOPED]
    products = ("--wait", given.wait, "--spread", given.spread, "--every", given.every)
    with scene(people, *products) as made:
        questions = asked(partial(ids.encode, made.organization_id), made.records, given.singles, given.accounts)
        run = _measured(made, questions, given)
        judge = Judge(made.records, changes(made.changes), people, questions)
    verdicts = [judge.judge(one) for one in run.parts]
    for verdict in verdicts:
        _explain(verdict)
    return 0 if shown(f"{given.users} users, one gateway", list(_figures(given, run, verdicts))) else 1


def _paths(calls: Sequence[dict[str, Any]]) -> str:
    """How many of each kind."""
    paths = Counter(
        f"{call['product']} {re.sub('[0-9]{6,}', '…', call['path'].rpartition('/v')[2][2:])}" for call in calls
    )
    return ", ".join(f"{count} × {path}" for path, count in paths.most_common()) or "none"


def _explain(verdict: Verdict) -> None:
    """What was wrong, by whom and what: the first answer of each kind beside what was expected."""
    for name, count in (verdict.wrong + verdict.stale).most_common(8):
        expected, found = verdict.examples.get(name, ("as it stood within the time allowed", "older"))
        print(f"{count:6} × {name}\n  expected {str(expected)[:300]}\n  found    {str(found)[:300]}")  # noqa: T201


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--users", type=int, default=50, help="who ask again as soon as they are answered")
    parser.add_argument("--seconds", type=float, default=60.0, help="that are measured")
    parser.add_argument("--warm", type=float, default=75.0, help="seconds before, of the same")
    parser.add_argument("--wait", type=float, default=0.15, help="seconds that a call to a product takes")
    parser.add_argument("--spread", type=float, default=0.1, help="by how much more or less")
    parser.add_argument("--every", type=float, default=4.0, help="seconds between changes in the product")
    parser.add_argument("--singles", type=int, default=6, help="records of each kind that are opened")
    parser.add_argument("--accounts", type=int, default=8, help="that are opened")
    parser.add_argument("--seed", type=int, default=1, help="of all that is left to chance")
    return parser.parse_args()


@dataclass(frozen=True)
class Measured:
    """What came of it: answers of each part, the products' calls and the gateway's seconds of CPU in the last one."""

    parts: Sequence[Kept]
    calls: Sequence[dict[str, Any]]
    cpu: float
    memory: int

    @property
    def kept(self) -> Kept:
        """The part that counts."""
        return self.parts[-1]


def _measured(made: Scene, questions: Sequence[Question], given: argparse.Namespace) -> Measured:
    made.stage.fill_copy()
    with made.worker(), made.stage.gateway() as gateway:
        headers = [made.stage.signed(one.name)["Authorization"] for one in made.people]
        pauses = [PACE if one is SCOPED else 0.0 for one in made.people]
        people = Crowd(gateway.port, made.people, headers, questions, pauses)
        parts = [people.ask_all(), people.ask(given.warm, seed=given.seed)]
        before, spent = len(made.calls()), gateway.cpu
        parts.append(people.ask(given.seconds, seed=given.seed + 1))
        return Measured(parts, made.calls()[before:], gateway.cpu - spent, gateway.memory)


def _figures(given: argparse.Namespace, run: Measured, verdicts: Sequence[Verdict]) -> Iterator[Figure]:
    seconds, last = run.kept.seconds, verdicts[-1]
    done = len(seconds) / given.seconds
    yield at_least("requests a second, warm", done, REQUESTS_A_SECOND)
    yield at_most("p99", percentile(seconds, 0.99) * 1000, SLOWEST_MS, " ms")
    yield Figure("median, p95, slowest", ", ".join(f"{percentile(seconds, p) * 1000:.0f} ms" for p in (0.5, 0.95, 1)))
    for name, verdict in zip(("everybody everything once", "while it warms up", "measured"), verdicts, strict=True):
        compared = f" of {verdict.compared:,}, {verdict.bodies:,} different"
        yield at_most(f"wrong, {name}", verdict.wrong.total(), 0, told=compared)
        yield at_most(f"older than allowed, {name}", verdict.stale.total(), 0)
        yield at_most(f"refused for budget, {name}", verdict.codes[BUDGET], 0)
        yield at_most(f"other errors, {name}", verdict.codes.total() - verdict.codes[BUDGET], 0)
    yield at_most("answers that were none", sum(len(one.broken) for one in run.parts), 0)
    yield at_most("calls that the products refused", sum(call["status"] == 429 for call in run.calls), 0)
    yield Figure("calls to products", _paths(run.calls))
    yield Figure(
        "CPU of the gateway", f"{run.cpu / len(seconds) * 1000:.2f} ms a request, {run.cpu / given.seconds:.0%}"
    )
    yield Figure("memory of the gateway", f"{run.memory / 2**20:.0f} MB")
    yield Figure("compared in all", f"{sum(one.compared for one in verdicts):,}; changes meanwhile {last.changes}")


if __name__ == "__main__":
    sys.exit(main())
