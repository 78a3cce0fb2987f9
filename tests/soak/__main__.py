"""`python -m tests.soak`: two gateways and two workers for some minutes, and every minute something goes wrong."""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from random import Random
from time import monotonic, time
from typing import Any

import httpx

from gateway.observing import logs
from gateway.settings import Logs
from resolvers import ids
from services.sandbox import Sandbox
from tests.bench.processes import answering, free_port
from tests.chaos.scene import Worker
from tests.load.figures import Figure, at_most, shown
from tests.load.people import ROLES, Person, crowd
from tests.load.questions import Question, account, counted, customers, page, single
from tests.load.scene import Scene, scene
from tests.load.verdict import Judge, Verdict, changes
from tests.resolvers.reading import KINDS, kept
from tests.soak.life import Diary, Life
from tests.soak.troubles import TROUBLES, Post, Site, Trouble
from tests.soak.watch import Taken

LOOK_SECONDS = 2.0
FLIGHT_SECONDS = 1.0
"""What was sent so shortly before a trouble may have met it."""
CALM_SECONDS = 10.0
"""At most so long after a trouble's end everything must be as before."""
READ = ("invoices", "salesOrders", "purchaseOrders", "subscriptions")
"""What nobody here writes; estimates are written."""
_USERS = """{ migrationCandidates(first: 100) { nodes { user { id email } } } }"""


@dataclass
class Gone:
    """A trouble that is over: its name, when it began and ended, in epoch seconds."""

    name: str
    began: float
    ended: float


@dataclass
class Run:
    """What a run leaves behind."""

    diary: Diary
    gone: list[Gone] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    stored: Counter[str] = field(default_factory=Counter)
    """How often the product has each reference."""
    mails: Counter[str] = field(default_factory=Counter)


def main() -> int:
    """Print the table; 0 when everything held."""
    given = _arguments()
    logs.configure(Logs(level="error"))
    movers = [Person(f"mover-{number:02}", "legacy") for number in range(given.movers)]
    people = [*crowd(given.readers), *movers]
    post = Post()
    post.office.port = free_port()
    mail = {"HOST": "127.0.0.1", "PORT": str(post.office.port), "TLS": "none", "SENDER": "finance@demo.example"}
    told = {f"GATEWAY_MAIL__{name}": value for name, value in mail.items()}
    with scene(people, "--wait", 0.05, "--spread", 0.03, "--every", 10, **told) as made:
        made.stage.fill_copy()
        run, questions = asyncio.run(_lived(made, post, given)), _questions(made)
        judge = Judge(made.records, changes(made.changes), people, questions)
        verdict = judge.judge(run.diary.kept)
    _explain(run, verdict)
    return 0 if shown("2 gateways, 2 workers, a fault a minute", list(_figures(run, verdict))) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds from one trouble to the next")
    parser.add_argument("--lasting", type=float, default=10.0, help="seconds of each that can last")
    parser.add_argument("--readers", type=int, default=12)
    parser.add_argument("--movers", type=int, default=20, help="who are migrated meanwhile, and get a mail")
    parser.add_argument("--seed", type=int, default=1, help="of all that is left to chance")
    return parser.parse_args()


def _questions(made: Scene) -> Sequence[Question]:
    """Those that the model can answer whatever is written here."""
    records, owner = made.records, ROLES["owner"]
    known = partial(ids.encode, made.organization_id)
    written = records.parties[_customer(made)]["zcrm_account_id"]
    singles = [(module, body[KINDS[module].id_key]) for module in READ[:3] for body in records.of(module, owner)[:4]]
    return [
        *(page(module) for module in READ),
        counted("invoices", "PAID"),
        counted("salesOrders", "OPEN"),
        customers(),
        *(single(module, record, known(module, record)) for module, record in singles),
        *(account(one, known("account", one)) for one in list(records.accounts)[:6] if one != written),
    ]


def _customer(made: Scene) -> str:
    """For whom all estimates are written: the last of the customers whose documents are in euros."""
    bodies = made.records.parties.values()
    found = [one for one in bodies if one["contact_type"] == "customer" and one["currency_code"] == "EUR"]
    return str(found[-1]["contact_id"])


async def _lived(made: Scene, post: Post, given: argparse.Namespace) -> Run:
    ports = [free_port(), free_port()]
    site = Site(
        made,
        [_process(made, "serve", *one) for one in enumerate(ports)],
        [_process(made, "worker", number) for number in range(2)],
        post,
    )
    await post.open()
    customer = ids.encode(made.organization_id, "customer", _customer(made))
    life = Life(made, ports, _questions(made), customer)
    run = Run(
        life.diary,
        taken=[
            Taken(f"{what} {number}", process)
            for what, processes in (("gateway", site.gateways), ("worker", site.workers))
            for number, process in enumerate(processes, 1)
        ],
    )
    try:
        async with httpx.AsyncClient(timeout=45, limits=httpx.Limits(max_connections=200)) as client:
            for port, gateway in zip(ports, site.gateways, strict=True):
                await answering(gateway.process, f"http://127.0.0.1:{port}")
            movers = await _movers(life, client)
            async with asyncio.TaskGroup() as group:
                group.create_task(life.go_on(client, movers, Random(given.seed)))
                watching = group.create_task(_watching(run.taken))
                await _disturbed(site, run, given)
                life.ended.set()
                watching.cancel()
        await asyncio.sleep(CALM_SECONDS)
        run.stored, run.mails = await asyncio.to_thread(_stored, made), post.office.recipients
    finally:
        for process in (*site.gateways, *site.workers):
            await asyncio.to_thread(process.end)
        await post.close()
    return run


def _process(made: Scene, command: str, number: int, port: int = 0) -> Worker:
    environment = dict(made.stage.environment) | {"GATEWAY_PORT": str(port)}
    return Worker(environment, made.stage.directory / f"{command}-{number + 1}.log", command)


async def _movers(life: Life, client: httpx.AsyncClient) -> list[str]:
    """The global ids of those who can be migrated."""
    answer = await life.ask(client, "owner", 0, _USERS)
    nodes = answer["data"]["migrationCandidates"]["nodes"]
    return [one["user"]["id"] for one in nodes if one["user"]["email"].startswith("mover")]


async def _watching(taken: Sequence[Taken]) -> None:
    while True:
        for one in taken:
            one.look()
        await asyncio.sleep(LOOK_SECONDS)


async def _disturbed(
    site: Site, run: Run, given: argparse.Namespace, troubles: Mapping[str, Trouble] = TROUBLES
) -> None:
    """One trouble after another; the first after half of the time between two."""
    began, count = monotonic(), max(1, int(given.minutes * 60 / given.every))
    for number, (name, trouble) in enumerate(islice(cycle(troubles.items()), count)):
        await asyncio.sleep(max(0.0, began + given.every * (number + 0.5) - monotonic()))
        started = time()
        async with trouble(site, given.lasting):
            pass
        run.gone.append(Gone(name, started, time()))
    await asyncio.sleep(max(0.0, began + given.minutes * 60 - monotonic()))


def _stored(made: Scene) -> Counter[str]:
    sandbox = Sandbox(made.store)
    try:
        return Counter(str(body["reference_number"]) for body in kept(sandbox, "estimates"))
    finally:
        sandbox.close()


def _recoveries(run: Run, failed: Sequence[tuple[float, str]]) -> Iterator[Figure]:
    """For each trouble, seconds from its end to the last request that failed, and what failed from its beginning on."""
    for number, gone in enumerate(run.gone):
        until = run.gone[number + 1].began if number + 1 < len(run.gone) else float("inf")
        mine = [(at, code) for at, code in failed if gone.began <= at + FLIGHT_SECONDS < until]
        at, code = max(mine, default=(gone.ended, ""))
        codes = Counter(code for _, code in mine).most_common(4)
        told = "".join(f", {count} × {name}" for name, count in codes) + (f", last {code}" if at > gone.ended else "")
        name = f"{number + 1}. {gone.name}: recovered after"
        yield at_most(name, max(0.0, at - gone.ended), CALM_SECONDS, " s", 1, told)


def _unheard(run: Run) -> list[str]:
    """Writes in calm times that a listener was not told of within ten seconds; it may be told before the writer is."""
    missed = []
    for one in run.diary.written:
        at = one.acknowledged
        if at is None or one.id is None or not (_is_calm(run, one.sent) and _is_calm(run, at)):
            continue
        for name, heard in run.diary.heard.items():
            near = [record for moment, record in heard if one.sent - 1 <= moment <= at + CALM_SECONDS]
            if one.id not in near and None not in near:
                missed.append(f"{one.reference} by {name}")
    return missed


def _is_calm(run: Run, at: float) -> bool:
    """Whether nothing goes wrong soon before or after."""
    return all(at < gone.began - CALM_SECONDS or at > gone.ended + CALM_SECONDS for gone in run.gone)


def _figures(run: Run, verdict: Verdict) -> Iterator[Figure]:
    diary = run.diary
    failed = [(one.sent, one.code) for one in diary.failures] + [(at, code) for at, _, code in verdict.failed]
    before = [code for at, code in failed if run.gone and at < run.gone[0].began - FLIGHT_SECONDS]
    yield at_most("answers that the model does not know", verdict.wrong.total(), 0, told=f" of {verdict.compared:,}")
    yield at_most("answers older than allowed", verdict.stale.total(), 0)
    yield at_most("errors without a code", len(diary.uncoded), 0)
    yield at_most("failures before the first trouble", len(before), 0)
    yield from _recoveries(run, failed)
    yield from _written(run)
    for one in run.taken:
        yield at_most(f"{one.name}: ended by itself", one.died, 0)
    for one in run.taken[1::2]:
        memory = f", to {one.memory[-1] / 2**20:.0f} MB" if one.memory else ""
        yield at_most(f"{one.name}: memory, growth in the second half", one.growth * 100, 5, " %", 1, memory)
        yield at_most(f"{one.name}: descriptors, more than in the middle", one.more_descriptors, 10)


def _written(run: Run) -> Iterator[Figure]:
    written = run.diary.written
    known = [one for one in written if one.acknowledged is not None]
    again = sum(one.times > 1 for one in written)
    yield Figure("writes", f"{len(written)}, acknowledged {len(known)}, sent again {again}")
    yield at_most("acknowledged and not there", sum(run.stored[one.reference] == 0 for one in known), 0)
    yield at_most("there twice", sum(run.stored[one.reference] > 1 for one in written), 0)
    yield at_most("shown otherwise by the other gateway", len(run.diary.unread), 0)
    yield at_most("not told to a listener within 10 s, in calm", len(_unheard(run)), 0)
    yield Figure("told to listeners", ", ".join(f"{name} {len(one)}" for name, one in run.diary.heard.items()))
    yield at_most("mailed twice", sum(times > 1 for times in run.mails.values()), 0, told=f" of {len(run.mails)}")


def _explain(run: Run, verdict: Verdict) -> None:
    """What was wrong, the first of each kind."""
    told: list[Any] = [*verdict.examples.items()][:5]
    for one in (
        *told,
        *verdict.stale.most_common(5),
        *run.diary.uncoded[:5],
        *run.diary.unread[:5],
        *_unheard(run)[:5],
    ):
        print(str(one)[:900])  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
