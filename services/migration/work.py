"""Working on migrations: any number of lanes, in any number of processes, each with one member at a time.

A lane holds its item's row until the transaction ends that moves the member; whoever dies lets it go as it was.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import random
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import and_, exists, or_
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.candidates import Reason
from services.errors import Conflict, GatewayError, UpstreamRateLimited
from services.identity import Identity
from services.migration import ledger, moves
from services.migration.closing import shut
from services.migration.moves import Job, Superseded
from services.migration.states import ItemState, State, Step
from services.migration.values import Purpose
from services.observing import Attributes
from services.policy import Product, Viewer
from services.storage.clock import NEAR
from services.storage.engine import Database, first
from services.storage.failures import has_crossed, is_away
from services.storage.models import Connection
from services.storage.rollout import Migration, MigrationItem

log = structlog.get_logger(__name__)

APART = timedelta(seconds=2 * NEAR)
"""How far two processes' readings of the database's clock may be apart."""
Move = Callable[[AsyncSession, Job, MigrationItem], Awaitable[None]]
"""Settles one item in the transaction that holds it, or raises and leaves it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`turn`: seconds after which a lane lets others go first; `attempts`: how often a product is asked in all."""

    turn: float = 5.0
    attempts: int = 4


class Work:
    """Lanes on the migrations of all organizations; `moves` says what moving means for each purpose."""

    def __init__(
        self, database: Database, identity: Identity, moves: Mapping[Purpose, Move], pace: Pace = Pace()
    ) -> None:
        self._database = database
        self._identity = identity
        self._moves = moves
        self._pace = pace

    async def waiting(self) -> list[str]:
        """The ids of the migrations on which there is something to do."""
        live = select(Migration.id).where(col(Migration.state).in_([State.QUEUED, State.RUNNING]))
        late = (
            select(Migration.id)
            .join(MigrationItem, col(MigrationItem.migration_id) == col(Migration.id))
            .where(Migration.state == State.COMPLETED, _consented_since())
            .distinct()
        )
        async with self._database.session() as session:
            return [*await session.exec(live), *await session.exec(late)]

    async def lane(self, migration_id: str, number: int | None = None) -> bool:
        """Move one member after the other for a while; whether there may be more to do at once.

        Of those with the same number one goes on, the others end; it is free again as soon as that one is dead.
        """
        job, until = await self._begun(migration_id), monotonic() + self._pace.turn
        while job is not None and monotonic() < until:
            if not await self._one(job, number):
                await self._finish(job)
                return False
        return job is not None

    async def _begun(self, migration_id: str) -> Job | None:
        """The migration, begun if it waited; None when it is not to be worked on."""
        async with self._database.session() as session:
            migration = await session.get(Migration, migration_id)
            if migration is not None and migration.state == State.QUEUED:
                await ledger.hold(session, migration_id)
                await session.refresh(migration)
                if migration.state == State.QUEUED:
                    ledger.advance(migration, Step.BEGIN)
                    await ledger.tell(session, migration_id)
        if migration is None or migration.state not in {State.RUNNING, State.COMPLETED}:
            return None
        actor = await self._actor(migration.organization_id, migration.requested_by)
        return Job(migration.id, migration.organization_id, Purpose(migration.purpose), actor)

    async def _actor(self, organization_id: str, requested_by: str | None) -> Viewer:
        if requested_by is not None:
            return await self._identity.member(organization_id, requested_by)
        return moves.gateway(organization_id)

    async def _one(self, job: Job, number: int | None) -> bool:
        """Take an item and settle it, or put it off; False when there is none to take."""
        taken: str | None = None
        try:
            async with self._database.session() as session:
                item = await _take(session, job.id, number)
                if item is not None:
                    taken = item.id
                    await self._settle(session, job, item)
                    await ledger.tell(session, job.id)
        except Superseded:
            return True
        except Exception as error:
            if taken is None or _is_the_databases(error):
                raise
            log.exception("a member could not be moved", migration=job.id, item=taken)
            await self._put_off_alone(job, taken, error)
        return taken is not None

    async def _settle(self, session: AsyncSession, job: Job, item: MigrationItem) -> None:
        with self._watched(job, item):
            try:
                await self._moves[job.purpose](session, job, item)
            except (Conflict, Superseded):
                raise
            except GatewayError as error:
                await self._put_off(session, item, error)

    @contextmanager
    def _watched(self, job: Job, item: MigrationItem) -> Iterator[None]:
        """A span that ends with what has become of the item."""
        if (tracer := self._database.tracer) is None:
            yield
            return
        about: Attributes = {"gateway.migration.purpose": job.purpose, "gateway.migration.attempt": item.attempts + 1}
        with tracer.span("move member", about) as span:
            yield
            span.set_attribute("gateway.migration.outcome", item.state)

    async def _put_off(self, session: AsyncSession, item: MigrationItem, error: GatewayError) -> None:
        """Later once more, or never. A spent budget is nobody's failure, however often it is met."""
        item.attempts += not isinstance(error, UpstreamRateLimited)
        item.message = error.message
        if moves.passing(error) and item.attempts < self._pace.attempts:
            at = (await session.exec(select(func.clock_timestamp()))).one()
            item.due_at = at + moves.pause(error, item.attempts, random())
        else:
            hint = f" {error.hint}" if error.hint else ""
            moves.settle(item, ItemState.FAILED, Reason.UPSTREAM_ERROR, f"{error.message}{hint}")

    async def _put_off_alone(self, job: Job, item_id: str, error: Exception) -> None:
        """Note a failure of our own; a transaction anew, since the other is lost."""
        async with self._database.session() as session:
            await ledger.join(session, job.id)
            query = select(MigrationItem).where(MigrationItem.id == item_id).with_for_update(skip_locked=True)
            item = (await session.exec(query)).one_or_none()
            if item is not None and item.state in {ItemState.PENDING, ItemState.SKIPPED}:
                await self._put_off(session, item, _Stumbled(f"The gateway failed: {type(error).__name__}."))
                await ledger.tell(session, job.id)

    async def _finish(self, job: Job) -> None:
        """Complete the migration when nobody is left."""
        async with self._database.session() as session:
            if await _left(session, job.id):
                return
            await ledger.hold(session, job.id)
            migration = await ledger.row(session, job.organization_id, job.id)
            if migration.state != State.RUNNING or await _left(session, job.id):
                return
            ledger.advance(migration, Step.FINISH)
            if job.purpose is Purpose.WINDOW_CLOSED:
                await shut(session, job)
            await ledger.tell(session, job.id)


def _is_the_databases(error: Exception) -> bool:
    """Whether the trouble is not the member's."""
    return is_away(error) or has_crossed(error)


class _Stumbled(GatewayError):
    """Something unexpected, which may pass."""

    code = "UPSTREAM_UNAVAILABLE"


async def _take(session: AsyncSession, migration_id: str, number: int | None) -> MigrationItem | None:
    """An item that is due, locked until the transaction ends, and of which nobody else has hold."""
    if number is not None and not await first(session, f"lane {number} of {migration_id}"):
        return None
    pending = and_(col(Migration.state) == State.RUNNING, col(MigrationItem.state) == ItemState.PENDING)
    going_on = col(Migration.state).in_([State.RUNNING, State.COMPLETED])
    query = (
        select(MigrationItem)
        .join(Migration, col(Migration.id) == col(MigrationItem.migration_id))
        .where(
            MigrationItem.migration_id == migration_id,
            MigrationItem.due_at <= func.now(),
            or_(pending, and_(going_on, _consented_since())),
        )
        .order_by(col(MigrationItem.position))
        .limit(1)
        .with_for_update(skip_locked=True, of=MigrationItem)
    )
    return (await session.exec(query)).one_or_none()


async def _left(session: AsyncSession, migration_id: str) -> bool:
    """Whether somebody has no result yet."""
    pending = exists().where(
        col(MigrationItem.migration_id) == migration_id, col(MigrationItem.state) == ItemState.PENDING
    )
    return bool((await session.exec(select(pending))).one())


def _consented_since() -> Any:
    """Whether an item waited for a consent, and one has come."""
    return and_(
        col(MigrationItem.state) == ItemState.SKIPPED,
        col(MigrationItem.reason) == Reason.AWAITING_AUTHORIZATION,
        exists().where(
            col(Connection.member_id) == col(MigrationItem.member_id),
            col(Connection.product).in_([Product.BOOKS, Product.BILLING]),
            col(Connection.connected_at) > col(MigrationItem.settled_at) - APART,
        ),
    )
