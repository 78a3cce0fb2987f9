"""Migrations: what they are made of, and that workers keep at them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway.settings import Migration
from services import Services
from services.consent import Consents
from services.events import Events, Notices
from services.jobs import Jobs
from services.mail import Outbox
from services.migration.closing import Closing
from services.migration.ledger import WORK
from services.migration.moves import Moves
from services.migration.runs import Migrations
from services.migration.values import Purpose
from services.migration.work import Work
from services.policy import Product
from services.storage.engine import Database
from services.storage.failures import words
from services.storage.models import Member

LOOK_EVERY = 2.0
"""Seconds until a migration that nobody works on any more is noticed."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Migrating:
    """What workers do for migrations."""

    work: Work
    moves: Moves
    closing: Closing
    migrations: Migrations

    async def tidy(self) -> None:
        """End the windows that are over, and forget old previews."""
        await self.closing.close_due()
        await self.migrations.forget_previews()


def migrating(
    database: Database, services: Services, outbox: Outbox, consents: Consents, options: Migration
) -> Migrating:
    """The parts on this database."""

    async def invite(member: Member, products: Sequence[Product], lifetime: timedelta) -> str:
        return await consents.begin_user(
            member.email, organization_id=member.organization_id, products=products, lifetime=lifetime
        )

    moves = Moves(services.credentials, services.books, services.billing, outbox, invite)
    by_purpose = {
        Purpose.USERS: moves.move,
        Purpose.WINDOW_CLOSED: moves.move,
        Purpose.CAPABILITIES: services.capabilities.widen,
    }
    closing = Closing(
        database,
        services.migrations,
        services.candidates,
        services.usage,
        least_operations=options.least_operations,
    )
    return Migrating(Work(database, services.identity, by_purpose), moves, closing, services.migrations)


@asynccontextmanager
async def kept_going(events: Events, jobs: Jobs, work: Work) -> AsyncIterator[None]:
    """Within the block, order lanes for every migration that waits for them, at once and again and again."""
    task = asyncio.create_task(_keep_going(events, jobs, work), name="migrations")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep_going(events: Events, jobs: Jobs, work: Work) -> None:
    async with events.subscribe(WORK) as notices:
        while await _awaited(notices):
            try:
                for migration_id in await work.waiting():
                    await jobs.migrate_soon(migration_id)
                await jobs.retry_stalled()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may succeed
                log.warning("migrations wait for the next look", error=words(error))


async def _awaited(notices: Notices) -> bool:
    """Until there is news, or it is time to look anyway; False when there will be no more news."""
    try:
        async with asyncio.timeout(LOOK_EVERY):
            await anext(notices)
    except TimeoutError:
        return True
    except StopAsyncIteration:
        return False
    return True
