"""The services, built in the order in which they need each other and closed in reverse."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import structlog

from gateway.settings import Records, Settings, Upstream
from gateway.wiring.answering import Answering, answering
from gateway.wiring.consenting import consents_on
from gateway.wiring.mailing import Post, at_once, outbox, way_out
from gateway.wiring.migrating import Migrating, kept_going, migrating
from gateway.wiring.recording import Recording, copy_of
from gateway.wiring.settling import settle_uncertain
from gateway.wiring.upgrading import upgraded
from schema.permissions import PERMISSIONS
from services import Services
from services.audit import Audit
from services.candidates import Candidates
from services.correspondence import Way
from services.credentials import Credentials
from services.directory import Directory
from services.documents import Document
from services.events import Events
from services.identity import Identity
from services.integration import Integration
from services.jobs import Duties, Jobs
from services.mail import Outbox
from services.migration.capabilities import Capabilities
from services.migration.runs import Migrations
from services.observing import NOBODY, Observing, Tracer
from services.outcomes import Outcomes
from services.policy import Product, Viewer
from services.records.copy import Copy
from services.records.memory import Memory
from services.records.readers import Readers
from services.reports.desk import Reports
from services.rollout import Rollout
from services.storage.engine import Database, Pool
from services.storage.sealing import Opaque, Seal
from services.upstream.auth import Authorization
from services.upstream.billing import Billing
from services.upstream.books import Books
from services.upstream.budget import ALLOWANCES, Allowance
from services.upstream.client import Client
from services.upstream.crm import Crm
from services.upstream.documents import Documents
from services.upstream.leases import SharedBudget
from services.upstream.ledger import Ledger
from services.usage import Usage
from services.writes import Writes, Wrote

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Assembly:
    """The services, and what only the gateway itself has to do with."""

    services: Services
    database: Database
    client: Client
    jobs: Jobs
    events: Events
    outbox: Outbox
    migrating: Migrating
    memories: Mapping[str, Memory[Any, Any]]
    pools: Mapping[str, Callable[[], Pool]]


@asynccontextmanager
async def assembled(
    settings: Settings, transport: httpx.AsyncBaseTransport | None, observing: Observing = NOBODY
) -> AsyncIterator[Assembly]:
    """Everything on `settings.database_url`, its schema brought up to date; `transport` replaces the network."""
    zoho = settings.zoho
    if zoho is None:
        raise ValueError("the settings are not complete")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(database_of(settings, tracer=observing.tracer))
        await upgraded(database)
        credentials = Credentials(database, Seal(settings.keys))
        stack.push_async_callback(credentials.aclose)
        authorization = Authorization(credentials, zoho.client_id, zoho.client_secret.get_secret_value())
        budget = await stack.enter_async_context(_budget(settings))
        client = Client(authorization, transport, budget=budget, observing=observing)
        stack.push_async_callback(client.aclose)
        events = Events(database)
        stack.push_async_callback(events.aclose)
        messages = outbox(database, settings.mail)
        way = way_out(settings.mail)
        copy = copy_of(settings, database, client, credentials)
        stack.push_async_callback(copy.aclose)
        answered = await stack.enter_async_context(
            answering(database, copy, events, client, credentials, settings.records)
        )
        opaque = Opaque(settings.keys)
        services = _services(database, credentials, client, events, messages, way, copy, answered, opaque=opaque)
        await stack.enter_async_context(services.usage.running())
        await stack.enter_async_context(services.identity.hearing())
        post = Post(messages, way)
        consents = consents_on(settings, database, client, credentials, services.directory)
        moving = migrating(database, services, messages, consents, settings.migration)
        recording = _recording(copy, settings.records)
        jobs = _jobs(database, services, post, moving, recording)
        pools = {"sessions": database.pool, "statements": answered.statements.pool}
        yield Assembly(services, database, client, jobs, events, messages, moving, answered.memories, pools)


@asynccontextmanager
async def database_of(
    settings: Settings, *, pool_size: int = 10, tracer: Tracer | None = None
) -> AsyncIterator[Database]:
    """The database at `settings.database_url`, within the block."""
    if settings.database_url is None:
        raise ValueError("the settings are not complete")
    database = Database(settings.database_url.get_secret_value(), pool_size=pool_size, tracer=tracer)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def working(assembly: Assembly) -> AsyncIterator[None]:
    """Work on jobs within the block, beside what else is done in it."""
    async with at_work(assembly) as jobs:
        task = asyncio.create_task(jobs.work(), name="worker")
        task.add_done_callback(_tell_the_end)
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


@asynccontextmanager
async def at_work(assembly: Assembly) -> AsyncIterator[Jobs]:
    """The jobs, ready to be worked on; what asks for one at once is heard within the block."""
    events = assembly.events
    async with (
        assembly.jobs.open() as jobs,
        at_once(events, jobs),
        kept_going(events, jobs, assembly.migrating.work),
    ):
        yield jobs


def _tell_the_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("the worker has ended; jobs wait until the next start", exc_info=error)


def _services(
    database: Database,
    credentials: Credentials,
    client: Client,
    events: Events,
    messages: Outbox,
    way: Way | None,
    copy: Copy,
    answered: Answering,
    *,
    opaque: Opaque,
) -> Services:
    documents = Documents(client, credentials)
    books, crm = Books(client, credentials), Crm(client, credentials)
    audit, outcomes = Audit(database), Outcomes(database)
    rollout, usage = Rollout(database), Usage(database)
    candidates = Candidates(database, usage)
    migrations = Migrations(database, audit, rollout, candidates, usage, PERMISSIONS)
    return Services(
        identity=Identity(database, events),
        credentials=credentials,
        directory=Directory(database, credentials, crm, books),
        documents=documents,
        books=books,
        billing=Billing(client, credentials),
        crm=crm,
        audit=audit,
        outcomes=outcomes,
        writes=Writes(documents, outcomes, audit, way, _taken_over(copy, answered)),
        integration=Integration(database, rollout, credentials),
        candidates=candidates,
        usage=usage,
        migrations=migrations,
        capabilities=Capabilities(database, rollout, migrations, messages),
        events=events,
        reports=Reports(database),
        copy=copy,
        readers=Readers(database),
        budget=client.budget,
        opaque=opaque,
        answers=answered.answers,
        full_records=answered.full_records,
        parties=answered.parties,
    )


def _taken_over(copy: Copy, answered: Answering) -> Wrote:
    """What happens with every record that a write of ours has left."""
    recording = Recording(copy)

    async def wrote(viewer: Viewer, document: Document) -> None:
        await recording.wrote(viewer, document)
        await answered.wrote(viewer.organization_id, document)

    return wrote


def _recording(copy: Copy, options: Records) -> Recording:
    return Recording(copy, options.interval_factor, timedelta(hours=options.check_hours))


def _jobs(database: Database, services: Services, post: Post, moving: Migrating, recording: Recording) -> Jobs:
    directory = services.directory

    async def due() -> list[tuple[str, str]]:
        return await recording.due(await directory.organizations())

    duties = Duties(
        organizations=directory.organizations,
        sync=directory.sync,
        settle=lambda: settle_uncertain(services),
        mail=post.send,
        move=moving.work.lane,
        tidy=moving.tidy,
        due=due,
        pull=recording.pull,
        refresh=recording.refresh,
    )
    return Jobs(database, duties)


@asynccontextmanager
async def _budget(settings: Settings) -> AsyncIterator[SharedBudget]:
    """The budget that all processes share, on connections of its own; what it holds is returned in the end."""
    allowances = _allowances(settings.upstream)
    async with database_of(settings, pool_size=2) as database:
        budget = SharedBudget(Ledger(database, allowances), allowances)
        try:
            yield budget
        finally:
            await budget.aclose()


def _allowances(upstream: Upstream) -> Mapping[Product, Allowance]:
    allowance = Allowance(upstream.calls_per_minute, upstream.calls_at_once)
    return {**ALLOWANCES, Product.BOOKS: allowance, Product.BILLING: allowance}
