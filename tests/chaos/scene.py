"""A migration of many users by worker processes that are killed: real PostgreSQL, the sandbox over HTTP, mail as files.

Only processes that were started here are killed.
"""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any

import uvicorn
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select, update

from gateway.settings import Mail as MailOptions
from gateway.settings import Settings, Upstream
from gateway.wiring.assembly import Assembly, assembled
from services.credentials import Consent
from services.errand import Errand
from services.migration.states import State
from services.migration.values import Run
from services.policy import Product
from services.sandbox import Limits, Sandbox
from services.sandbox.store import Organization as Company
from services.sandbox.store import Person
from services.storage.models import AuditEvent, IntegrationGrant, Member, Organization, now
from services.storage.rollout import Mail
from tests.bench.ours import environment_of, settings_on
from tests.bench.processes import ROOT
from tests.harness import PLENTY

WORKERS = 3
REAL = Limits()
"""What the products allow."""
ENDLESS = PLENTY
"""For measuring what is not the products' doing."""
PATIENCE = 600.0
"""Seconds after which a run is given up."""
SEEN_EVERY = 0.05


@dataclass(frozen=True)
class Crowd:
    """Who is migrated: `seats` become integration users, `users` work in Books under connections of their own."""

    seats: int
    users: int

    @property
    def total(self) -> int:
        return self.seats + self.users

    def addresses(self) -> Iterator[tuple[str, bool]]:
        """Each address, and whether its person is a user of Books; the two kinds take turns."""
        every = max(2, self.total // max(1, self.users))
        left = self.users
        for number in range(self.total):
            is_user = left > 0 and number % every == 0
            left -= is_user
            yield f"user{number:04}@demo.example", is_user


@dataclass(frozen=True)
class Plan:
    """What goes wrong: kills at random points of progress, and PostgreSQL stopped once for `outage` seconds."""

    kills: int = 0
    outage: float = 0.0
    seed: int = 1

    def points(self, total: int) -> list[int]:
        """After how many members each kill happens."""
        chance = random.Random(self.seed)
        return sorted(chance.sample(range(1, max(2, total)), self.kills)) if self.kills else []


@dataclass
class Seen:
    """What was observed from outside while it ran."""

    seconds: float = 0.0
    start: float = 0.0
    """Seconds until the workers were at work."""
    kills: int = 0
    outages: int = 0
    went_back: int = 0
    """How often the progress was less than a moment before."""
    longest_pause: float = 0.0
    """Seconds without any progress."""


@dataclass(frozen=True)
class Figures:
    """What is left in the end."""

    run: Run
    seen: Seen
    migrated: int
    seats: int
    events: Counter[str]
    mails: Counter[str]
    files: int
    writes: int
    """Calls to the products that change something."""
    refused: int
    """Answers of the products that a budget is spent."""

    @property
    def lost(self) -> int:
        return self.run.total - self.run.migrated

    @property
    def twice(self) -> int:
        """Members to whom anything was done twice, and writes to the products, of which there should be none."""
        again = {who for who, times in self.events.items() if times > 1}
        return len(again | {who for who, times in self.mails.items() if times > 1}) + self.writes


def surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of ours."""
    return os.environ | dict(environment)


@dataclass
class Worker:
    """A process of ours, a worker unless told otherwise; what it says is added to its log."""

    environment: dict[str, str]
    log: Path
    command: str = "worker"
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, "-m", "gateway", self.command],
                cwd=ROOT,
                env=surroundings(self.environment),
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """As the kernel does it: no farewell."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
            return
        self.kill()


@dataclass
class Scene:
    """One organization, its people, and everything around them."""

    assembly: Assembly
    sandbox: Sandbox
    organization_id: str
    environment: dict[str, str]
    issuer: str
    directory: Path
    stop_database: Callable[[float], None] | None = None

    async def migrate(self, plan: Plan) -> Figures:
        """Everybody, by three workers, under the plan."""
        migrations = self.assembly.services.migrations
        viewer = await self.assembly.services.identity.viewer(
            "owner@demo.example", organization_id=self.organization_id
        )
        everybody = [member.id for member in await self._everybody()]
        workers = [Worker(self.environment, self.directory / f"worker{number}.log") for number in range(WORKERS)]
        try:
            ready = await self._ready()
            done = await migrations.start(Errand(viewer, "chaos", monotonic() + 60), everybody, dry_run=False)
            assert done.value is not None
            seen = await self._watch(done.value, plan, workers)
            seen.start = ready
            await self._mailed(done.value.total)
            return await self._figures(done.value.id, seen)
        finally:
            for worker in workers:
                worker.end()

    async def _watch(self, run: Run, plan: Plan, workers: Sequence[Worker]) -> Seen:
        seen, points, began = Seen(), plan.points(run.total), monotonic()
        outage_at = run.total // 2 if plan.outage else None
        chance = random.Random(plan.seed)
        last, moved = 0, began
        while run.state is not State.COMPLETED:
            assert monotonic() - began < PATIENCE, f"{run.done} of {run.total} after {PATIENCE:.0f} s"
            found = await self._look(run.id)
            run = found or run
            seen.went_back += run.done < last
            if run.done > last:
                seen.longest_pause, moved = max(seen.longest_pause, monotonic() - moved), monotonic()
            last = max(last, run.done)
            while points and last >= points[0]:
                points.pop(0)
                seen.kills += 1
                worker = chance.choice(workers)
                await asyncio.to_thread(worker.kill)
                worker.start()
            if outage_at is not None and last >= outage_at and self.stop_database is not None:
                outage_at = None
                seen.outages += 1
                await asyncio.to_thread(self.stop_database, plan.outage)
            await asyncio.sleep(SEEN_EVERY)
        seen.seconds = monotonic() - began
        return seen

    async def _look(self, run_id: str) -> Run | None:
        """The progress; None while the database is away."""
        try:
            return await self.assembly.services.migrations.get(self.organization_id, run_id)
        except DBAPIError:
            return None

    async def _ready(self) -> float:
        """Wait until all workers are at work: the seconds that took."""
        began = monotonic()
        while await self._workers() < WORKERS:
            assert monotonic() - began < PATIENCE, f"the workers do not start; see {self.directory}"
            await asyncio.sleep(SEEN_EVERY)
        return monotonic() - began

    async def _workers(self) -> int:
        alive: Any = text("SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '10 s'")
        async with self.assembly.database.session() as session:
            return int((await session.exec(alive)).scalar_one())

    async def _mailed(self, total: int) -> None:
        """Wait until all messages have been sent."""
        began = monotonic()
        while sum((await self._mails(col(Mail.state) == "SENT")).values()) < total:
            assert monotonic() - began < PATIENCE, "messages are left"
            await asyncio.sleep(SEEN_EVERY * 5)

    async def _figures(self, run_id: str, seen: Seen) -> Figures:
        run = await self.assembly.services.migrations.get(self.organization_id, run_id)
        assert run is not None
        events = await self._rows(AuditEvent, col(AuditEvent.action) == "users.migrate")
        own = [row for row in await self._everybody() if row.migrated_at is not None]
        calls = self.sandbox.calls()
        return Figures(
            run=run,
            seen=seen,
            migrated=len(own),
            seats=len(await self._rows(IntegrationGrant)),
            events=Counter(event.subject_id for event in events),
            mails=await self._mails(),
            files=len(list((self.directory / "mail").glob("*.eml"))),
            writes=sum(call.method != "GET" and "/oauth/" not in call.path for call in calls),
            refused=sum(call.status == HTTPStatus.TOO_MANY_REQUESTS for call in calls),
        )

    async def _everybody(self) -> list[Member]:
        return await self._rows(Member, col(Member.email).startswith("user"))

    async def _mails(self, *conditions: Any) -> Counter[str]:
        return Counter(mail.member_id for mail in await self._rows(Mail, *conditions))

    async def _rows(self, table: type[Any], *conditions: Any) -> list[Any]:
        async with self.assembly.database.session() as session:
            return list(await session.exec(select(table).where(*conditions)))


@asynccontextmanager
async def scene(
    crowd: Crowd,
    url: str,
    directory: Path,
    stop_database: Callable[[float], None] | None = None,
    limits: Limits = REAL,
) -> AsyncIterator[Scene]:
    """A crowd in an empty database at `url`; what the workers leave is under `directory`."""
    await asyncio.to_thread(directory.mkdir, parents=True)
    async with AsyncExitStack() as stack:
        sandbox = Sandbox(limits=limits)
        stack.callback(sandbox.close)
        addresses = dict(crowd.addresses())
        _populate(sandbox, addresses)
        origin = await stack.enter_async_context(_served(sandbox))
        settings = _settings(url, origin, directory, limits)
        assembly = await stack.enter_async_context(assembled(settings, None))
        organization_id = await _set_up(assembly, sandbox, origin, [who for who, user in addresses.items() if user])
        issuer = f"{origin}/eu/accounts"
        yield Scene(assembly, sandbox, organization_id, _environment(settings), issuer, directory, stop_database)


def _populate(sandbox: Sandbox, addresses: Mapping[str, bool]) -> None:
    with sandbox.store.session() as session:
        company = session.exec(select(Company).where(Company.key == "demo")).one()
        for number, (email, is_user) in enumerate(addresses.items()):
            session.add(
                Person(
                    zuid=f"9{number:09}",
                    crm_id=company.crm_id,
                    email=email,
                    crm_email=email,
                    first_name="User",
                    last_name=email.partition("@")[0].removeprefix("user"),
                    crm_user_id=sandbox.store.next_id(company.crm_id),
                    books_user_id=sandbox.store.next_id(company.books_id) if is_user else None,
                    books_role="Staff" if is_user else None,
                )
            )


@asynccontextmanager
async def _served(sandbox: Sandbox) -> AsyncIterator[str]:
    """The sandbox on a port of its own: its origin."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(sandbox.app, lifespan="off", log_level="error", access_log=False))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


def _settings(url: str, origin: str, directory: Path, limits: Limits) -> Settings:
    upstream = Upstream(calls_per_minute=limits.minute, calls_at_once=limits.concurrent)
    mail = MailOptions(directory=directory / "mail")
    return settings_on(url, origin, directory).model_copy(update={"upstream": upstream, "mail": mail})


def _environment(settings: Settings) -> dict[str, str]:
    """For a process on the same settings."""
    return environment_of(settings) | {"GATEWAY_MAIL__DIRECTORY": str(settings.mail.directory)}


async def _set_up(assembly: Assembly, sandbox: Sandbox, origin: str, users: Sequence[str]) -> str:
    """The organization with its owner, everybody the CRM knows, and connections of those who use Books."""
    with sandbox.store.session() as session:
        company = session.exec(select(Company).where(Company.key == "demo")).one()
    services = assembly.services
    organization_id = await services.directory.provision(
        name=company.name, data_center=company.data_centre, edition=company.edition, crm_org_id=company.crm_id
    )
    wanted = [("owner@demo.example", product) for product in Product] + [(who, Product.BOOKS) for who in users]
    for email, product in wanted:
        await services.credentials.connect(
            Consent(
                organization_id=organization_id,
                email=email,
                product=product,
                product_organization_id=company.id_in(product.lower()),
                data_center=company.data_centre,
                accounts_url=f"{origin}/{company.data_centre}/accounts",
                api_domain=f"{origin}/{company.data_centre}/api",
                refresh_token=sandbox.refresh_token(email),
                is_owner=email.startswith("owner"),
            )
        )
    await services.directory.sync(organization_id)
    window = {"window_opens_at": now() - timedelta(days=1), "window_closes_at": now() + timedelta(days=90)}
    async with assembly.database.session() as session:
        await session.exec(update(Organization).where(col(Organization.id) == organization_id).values(**window))
    return organization_id
