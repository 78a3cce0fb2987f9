"""Whole servers, in CPU a request by each process's own account."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from statistics import median

from tests.bench.contestants import (
    A_PEER,
    COPIED,
    DOCUMENTS,
    agreed,
    cheap,
    floor,
    missing,
    narrowed,
    ours,
    peer,
    plain,
)
from tests.bench.effort import Effort
from tests.bench.load import Contestant, interleaved, times
from tests.bench.ours import Stage
from tests.bench.table import Row, Target, at_least, at_most, milliseconds

WORK = "50 invoices, 10 customers"
AHEAD = at_least(1.0)
FEW_DAYS = 50
"""So many different queries, one after the other, where something is to be known from before."""


def _faster(work: str, spent: dict[str, list[float]], targets: dict[str, Target | None]) -> list[Row]:
    """A row for each other contestant, beside the first one."""
    first, *others = spent
    return [
        Row(
            work=work,
            against=other,
            ours=milliseconds(median(spent[first])),
            theirs=milliseconds(median(spent[other])),
            ratio=times(spent[first], spent[other]),
            target=targets[other],
        )
        for other in others
    ]


def live(stage: Stage, effort: Effort) -> list[Row]:
    """Nothing known, eleven calls, against everybody."""
    with ExitStack() as stack:
        one = ours(stage, stack.enter_context(stage.gateway()))
        targets: dict[str, Target | None] = {"plain Strawberry": at_least(10), "the floor": None}
        contestants = [one, stack.enter_context(plain(stage)), stack.enter_context(floor(stage))]
        reason = missing()
        for name, title in A_PEER.items() if not reason else ():
            contestants.append(stack.enter_context(peer(stage, name)))
            targets[title] = AHEAD
        for contestant in contestants:
            agreed(stage, contestant)
        work = f"{WORK}: nothing known, 11 calls"
        rows = _faster(work, interleaved(contestants, rounds=effort.rounds, seconds=effort.seconds), targets)
    return rows + [Row(work, title, target=AHEAD, note=reason) for title in A_PEER.values() if reason]


def _against_plain(stage: Stage, effort: Effort, work: str, one: Contestant) -> list[Row]:
    with plain(stage) as other:
        spent = interleaved([one, other], rounds=effort.rounds, seconds=effort.seconds)
    return _faster(f"{WORK}: {work}", spent, {other.name: at_least(30)})


def _dearer(work: str, against: str, one: Contestant, other: Contestant, effort: Effort, target: Target) -> Row:
    """What the one costs in terms of the other, in more and shorter rounds: the difference is small."""
    spent = interleaved([one, other], rounds=4 * effort.rounds, seconds=effort.seconds / 2)
    mine, others = spent[one.name], spent[other.name]
    shown = milliseconds(median(mine)), milliseconds(median(others))
    return Row(work, against, *shown, ratio=times(others, mine), target=target)


def known(stage: Stage, effort: Effort) -> list[Row]:
    """The list is asked for; the customers are known from before."""
    with stage.gateway() as process:
        one = ours(stage, process, days=FEW_DAYS)
        one.run(2 * FEW_DAYS)
        agreed(stage, one, {"invoices": 1})
        return _against_plain(stage, effort, "records known", one)


def copied(stage: Stage, effort: Effort) -> list[Row]:
    """Nothing is asked for: the copy answers."""
    stage.fill_copy()
    with stage.gateway() as process:
        one = ours(stage, process, directive=COPIED, days=FEW_DAYS)
        one.run(2 * FEW_DAYS)
        agreed(stage, one, {})
        return _against_plain(stage, effort, "answered from the copy", one)


def refused(stage: Stage, effort: Effort) -> list[Row]:
    """A field that the viewer may not see, in the selection and not."""
    with stage.gateway() as process:
        whole, narrow = narrowed(stage, process, "balance { amount }"), narrowed(stage, process, "")
        return [
            _dearer("50 invoices: a refused field in the selection", "without it", whole, narrow, effort, at_most(1.05))
        ]


def metrics(stage: Stage, effort: Effort) -> list[Row]:
    """With what Prometheus asks for, and without, where a request costs least."""
    with stage.gateway(metrics=True) as counting, stage.gateway() as silent:
        one, other = cheap(stage, counting, "counting"), cheap(stage, silent)
        return [_dearer("viewer alone, counted for Prometheus", "not counted", one, other, effort, at_most(1.1))]


def workers(stage: Stage, effort: Effort) -> list[Row]:
    """Two processes on one database against one."""
    with stage.gateway() as first, stage.gateway() as second:
        one, two = ours(stage, first, name="one"), ours(stage, first, second, name="two")
        return [_dearer(f"{WORK}: 2 workers", "1 worker", two, one, effort, at_most(1.1))]


def memory(stage: Stage, effort: Effort) -> list[Row]:
    """The resident set after many requests with many documents, and after a tenth of them."""
    with stage.gateway() as process:
        one = cheap(stage, process)
        one.run(effort.requests // 10)
        before = process.memory
        one.run(effort.requests - effort.requests // 10)
        after = process.memory
    return [
        Row(
            work=f"memory after {effort.requests:,} requests, {DOCUMENTS:,} documents",
            against=f"after {effort.requests // 10:,}",
            ours=f"{after / 2**20:.1f} MB",
            theirs=f"{before / 2**20:.1f} MB",
            ratio=after / before,
            target=at_most(1.05),
        )
    ]


ROWS: Mapping[str, Callable[[Stage, Effort], list[Row]]] = {
    "live": live,
    "known": known,
    "copy": copied,
    "refused": refused,
    "metrics": metrics,
    "workers": workers,
    "memory": memory,
}
