"""Everything that answers the same query: ours, and what it is compared with."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.bench.company import CUSTOMERS, DAYS, day_of
from tests.bench.load import Body, Contestant, Wrong
from tests.bench.ours import Stage
from tests.bench.processes import ROOT, Process, free_port, python, running
from tests.bench.upstream import counted

INVOICES = """
query Page($until: Date!)%s {
  invoices(first: 50, where: {date: {until: $until}}) {
    nodes {
      id number status date dueDate lastModifiedAt
      total { amount currency }
      balance { amount currency }
      customer { id name companyName email phone account { name } }
    }
    pageInfo { hasNextPage }
  }
}
"""
NARROW = """
query Narrow($until: Date!) @fresh(within: 0) {
  invoices(first: 50, where: {date: {until: $until}}) {
    nodes { id number status dueDate total { amount currency } %s }
  }
}
"""
DOCUMENTS = 1000
"""Different ones of the cheap query."""
LIVE = "@fresh(within: 0)"
COPIED = "@fresh(within: 86400)"
CALLS = {"invoices": 1, "contacts/id": CUSTOMERS}
"""What the query takes where nothing is known."""
PEERS = ROOT / "tests" / "bench" / "peers"
SPARE = 10
"""Days at the beginning that have too few before them for a page."""
A_PEER = {"apollo": "Apollo Server 5 + dataloader", "mercurius": "Mercurius + JIT"}


def invoices(directive: str = "", days: int = DAYS - SPARE) -> Body:
    """The query, for another of so many days each time."""
    return _of_a_day(INVOICES % directive, days)


def _of_a_day(query: str, days: int) -> Body:
    def body(number: int) -> dict[str, Any]:
        return {"query": query, "variables": {"until": day_of(SPARE + number % days).isoformat()}}

    return body


@contextmanager
def plain(stage: Stage) -> Iterator[Contestant]:
    """Plain Strawberry."""
    with _running(lambda port: python("tests.bench.plain", port, stage.origin)) as process:
        yield Contestant("plain Strawberry", [process], invoices())


@contextmanager
def floor(stage: Stage) -> Iterator[Contestant]:
    """Without GraphQL."""
    with _running(lambda port: python("tests.bench.floor", port, stage.origin)) as process:
        yield Contestant("the floor", [process], invoices())


@contextmanager
def peer(stage: Stage, name: str) -> Iterator[Contestant]:
    """One of `A_PEER`, on Node."""
    node = shutil.which("node") or "node"
    path = "/graphql?query=%7B__typename%7D"
    with _running(lambda port: [node, str(PEERS / f"{name}.mjs"), str(port), stage.origin], path) as process:
        yield Contestant(A_PEER[name], [process], invoices())


def missing() -> str | None:
    """Why no peer can be run here; None where they can."""
    if not shutil.which("node"):
        return "no Node here"
    return None if (PEERS / "node_modules").exists() else "npm ci in tests/bench/peers"


def ours(
    stage: Stage, *processes: Process, name: str = "ours", directive: str = LIVE, days: int = DAYS - SPARE
) -> Contestant:
    """Our own, signed in as the owner."""
    return Contestant(name, processes, invoices(directive, days), stage.signed("owner"))


def narrowed(stage: Stage, process: Process, selected: str) -> Contestant:
    """Our own, without customers, signed in as somebody from whom balances are hidden."""
    body = _of_a_day(NARROW % selected, DAYS - SPARE)
    return Contestant(f"narrow {selected}", [process], body, stage.signed("readonly"))


def cheap(stage: Stage, process: Process, name: str = "cheap") -> Contestant:
    """Our own, asked something that takes no call, in another document each time until they begin again."""

    def body(number: int) -> dict[str, Any]:
        return {"query": f"{{ viewer {{ name{number % DOCUMENTS}: name email }} }}"}

    return Contestant(name, [process], body, stage.signed("owner"))


def agreed(stage: Stage, one: Contestant, calls: Mapping[str, int] = CALLS) -> None:
    """Have it answer once; raises `Wrong` unless the answer is whole and took just these calls to the products."""
    counted(stage.origin)
    answer = one.answer()
    told = counted(stage.origin)
    nodes = ((answer.get("data") or {}).get("invoices") or {}).get("nodes") or []
    if answer.get("errors") or len(nodes) != 50 or not all(node["customer"]["phone"] for node in nodes):
        raise Wrong(f"{one.name}: {str(answer)[:500]}")
    if told != dict(calls):
        raise Wrong(f"{one.name} took {told} instead of {dict(calls)}")


@contextmanager
def _running(command: Callable[[int], list[str]], path: str = "/healthz") -> Iterator[Process]:
    port = free_port()
    with running(command(port), port, path=path) as process:
        yield process
