"""The services, built in the order in which they need each other and closed in reverse."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import httpx
import structlog

from gateway.settings import Settings, Upstream
from gateway.settling import settle_uncertain
from services import Services
from services.audit import Audit
from services.credentials import Credentials
from services.directory import Directory
from services.identity import Identity
from services.jobs import Duties, Jobs
from services.outcomes import Outcomes
from services.policy import Product
from services.storage.engine import Database
from services.storage.sealing import Seal
from services.upstream.auth import Authorization
from services.upstream.billing import Billing
from services.upstream.books import Books
from services.upstream.budget import ALLOWANCES, Allowance, Budget
from services.upstream.client import Client
from services.upstream.crm import Crm
from services.upstream.documents import Documents
from services.writes import Writes

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Assembly:
    """The services, and what only the gateway itself has to do with."""

    services: Services
    database: Database
    client: Client
    jobs: Jobs


@asynccontextmanager
async def assembled(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> AsyncIterator[Assembly]:
    """Everything on `settings.database_url`, its schema brought up to date; `transport` replaces the network."""
    zoho = settings.zoho
    if zoho is None:
        raise ValueError("the settings are not complete")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(database_of(settings))
        await database.upgrade()
        credentials = Credentials(database, Seal(settings.keys))
        authorization = Authorization(credentials, zoho.client_id, zoho.client_secret.get_secret_value())
        client = Client(authorization, transport, budget=Budget(_allowances(settings.upstream)))
        stack.push_async_callback(client.aclose)
        services = _services(database, credentials, client)
        yield Assembly(services, database, client, _jobs(database, services))


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[Database]:
    """The database at `settings.database_url`, within the block."""
    if settings.database_url is None:
        raise ValueError("the settings are not complete")
    database = Database(settings.database_url.get_secret_value())
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def working(jobs: Jobs) -> AsyncIterator[None]:
    """Work on jobs within the block, beside what else is done in it."""
    async with jobs.open():
        task = asyncio.create_task(jobs.work(), name="worker")
        task.add_done_callback(_tell_the_end)
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


def _tell_the_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("the worker has ended; jobs wait until the next start", exc_info=error)


def _services(database: Database, credentials: Credentials, client: Client) -> Services:
    documents = Documents(client, credentials)
    books, crm = Books(client, credentials), Crm(client, credentials)
    audit, outcomes = Audit(database), Outcomes(database)
    return Services(
        identity=Identity(database),
        credentials=credentials,
        directory=Directory(database, credentials, crm, books),
        documents=documents,
        books=books,
        billing=Billing(client, credentials),
        crm=crm,
        audit=audit,
        outcomes=outcomes,
        writes=Writes(documents, outcomes, audit),
    )


def _jobs(database: Database, services: Services) -> Jobs:
    directory = services.directory
    duties = Duties(
        organizations=directory.organizations, sync=directory.sync, settle=lambda: settle_uncertain(services)
    )
    return Jobs(database, duties)


def _allowances(upstream: Upstream) -> Mapping[Product, Allowance]:
    allowance = Allowance(upstream.calls_per_minute, upstream.calls_at_once)
    return {**ALLOWANCES, Product.BOOKS: allowance, Product.BILLING: allowance}
