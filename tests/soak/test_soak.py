"""Two rounds of `python -m tests.soak` in this process: people at two gateways, and twice something goes wrong."""

import argparse
import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, cast

import httpx
import pytest
import uvicorn

from gateway.settings import Http
from resolvers import ids
from tests.bench.ours import Stage
from tests.gateway.live_harness import serving
from tests.harness import Gateway, running, until
from tests.load.model import Records
from tests.load.people import Person
from tests.load.scene import Scene
from tests.load.verdict import Judge, Verdict
from tests.resolvers.copying import read_copy
from tests.resolvers.reading import kept
from tests.soak.__main__ import Gone, Run, _customer, _disturbed, _figures, _questions
from tests.soak.life import Failure, Life, Written
from tests.soak.troubles import TROUBLES, Post, Site
from tests.soak.watch import Taken

PEOPLE = [Person(role, role) for role in ("owner", "staff", "sales", "readonly")]
"""The demo's own."""
TWO = ["Books answers 503", "a backend of PostgreSQL is killed"]
ROUNDS = argparse.Namespace(minutes=1.6 / 60, every=0.8, lasting=0.2)
HASTE = 20.0
ANSWERS, WRITES = 20, 2
"""That there are at least before anything goes wrong: what a fault leaves open is settled by a worker only."""


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[int]:
    """An application on a port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no other sign
            await asyncio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def played(gateway: Gateway, room: Path) -> AsyncIterator[tuple[Site, Life]]:
    """People at this gateway and another one on its database; the products hear of faults on a port of their own."""
    await read_copy(gateway)
    url = gateway.settings.database_url
    assert url
    viewer = await gateway.app.state.endpoint.services.identity.viewer("owner@demo.example")
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(running(gateway.settings, gateway.sandbox))
        ports = [await stack.enter_async_context(serving(one.app, Http())) for one in (gateway, other)]
        origin = f"http://127.0.0.1:{await stack.enter_async_context(served(gateway.sandbox.app))}"
        stage = Stage(origin, room, {}, {one.name: gateway.token(one.email) for one in PEOPLE})
        nothing: Any = None
        records = Records(gateway.sandbox)
        made = Scene(stage, nothing, url.get_secret_value(), room, room, PEOPLE, records, viewer.organization_id)
        customer = ids.encode(made.organization_id, "customer", _customer(made))
        yield Site(made, [], [], Post()), Life(made, ports, _questions(made), customer, HASTE)


async def lived(site: Site, life: Life, troubles: Sequence[str]) -> Run:
    run = Run(life.diary)
    async with httpx.AsyncClient(timeout=10) as client, asyncio.TaskGroup() as group:
        group.create_task(life.go_on(client, [], Random(1)))
        await until(lambda: len(run.diary.kept.who) > ANSWERS and sum(map(is_known, run.diary.written)) >= WRITES, 20)
        await _disturbed(site, run, ROUNDS, {name: TROUBLES[name] for name in troubles})
        life.ended.set()
    return run


def is_known(one: Written) -> bool:
    return one.acknowledged is not None


def missed(run: Run, verdict: Verdict) -> set[str]:
    """The figures that do not hold."""
    return {one.name for one in _figures(run, verdict) if one.met is False}


async def test_two_troubles_are_survived_and_everything_is_as_the_model_says(own_gateway: Gateway, room: Path) -> None:
    async with played(own_gateway, room) as (site, life):
        run = await lived(site, life, TWO)
    run.stored = Counter(str(body["reference_number"]) for body in kept(own_gateway.sandbox, "estimates"))
    verdict = Judge(site.scene.records, [], PEOPLE, life.questions).judge(run.diary.kept)
    assert [gone.name for gone in run.gone] == TWO
    assert verdict.compared + len(verdict.failed) > ANSWERS
    assert all(run.diary.heard.values())
    assert missed(run, verdict) == set(), (run.diary, verdict.examples)


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        (lambda run: run.stored.clear(), "acknowledged and not there"),
        (lambda run: run.stored.update(["SOAK-0000"]), "there twice"),
        (lambda run: run.diary.uncoded.append("oops"), "errors without a code"),
        (lambda run: run.diary.unread.append("SOAK-0000"), "shown otherwise by the other gateway"),
        (lambda run: run.diary.heard.update({"SSE 1": []}), "not told to a listener within 10 s, in calm"),
        (lambda run: run.diary.failures.append(Failure(100, "INTERNAL", 0)), "failures before the first trouble"),
        (lambda run: run.diary.failures.append(Failure(220, "INTERNAL", 0)), "1. trouble: recovered after"),
        (lambda run: run.mails.update({"staff@demo.example": 2}), "mailed twice"),
        (lambda run: setattr(run.taken[1], "died", 1), "worker: ended by itself"),
        (lambda run: run.taken[1].memory.extend([2, 2]), "worker: memory, growth in the second half"),
        (lambda run: run.taken[1].descriptors.extend([50, 50]), "worker: descriptors, more than in the middle"),
    ],
)
def test_each_figure_of_a_run_can_be_missed(change: Any, figure: str) -> None:
    run = Run(Life(cast("Scene", None), [], [], "").diary, gone=[Gone("trouble", 200, 205)])
    run.diary.written.append(Written("SOAK-0000", 99, 1, 100, "1"))
    run.diary.heard["SSE 1"] = [(101, "1")]
    run.stored["SOAK-0000"] = 1
    nobody: Any = None
    run.taken = [Taken(name, nobody, [1] * 20, [10] * 20) for name in ("gateway", "worker")]
    assert missed(run, Verdict()) == set()
    change(run)
    assert missed(run, Verdict()) == {figure}
