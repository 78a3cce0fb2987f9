"""Migrations as rows: what is read of them, and how a step changes one. Parts of a transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Select, and_, func
from sqlmodel import col, select, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession

from services import events
from services.candidates import Reason
from services.directory import Person
from services.errors import NotFound
from services.migration import states
from services.migration.plan import Planned
from services.migration.states import ItemState, State, Step
from services.migration.values import Item, Items, Purpose, Run
from services.policy import AccessKind, CapabilitySet
from services.storage.engine import alone, beside
from services.storage.models import Member, new_id, now
from services.storage.rollout import Migration, MigrationItem
from services.usage import Touched

WORK = "migrations"
"""The topic of notices that there is work on migrations."""


def topic(migration_id: str) -> str:
    """Of notices that a migration has got on, or is in another state."""
    return f"migration:{migration_id}"


async def tell(session: AsyncSession, migration_id: str, *, work: bool = False) -> None:
    """Tell those who watch a migration, and with `work` the workers, when the transaction commits."""
    await events.notify(session, topic(migration_id))
    if work:
        await events.notify(session, WORK, migration_id)


async def hold(session: AsyncSession, migration_id: str) -> None:
    """Until the transaction ends nobody moves a member in this migration."""
    await alone(session, f"migration {migration_id}")


async def join(session: AsyncSession, migration_id: str) -> State:
    """Move a member beside others who do; the state that the migration keeps until the transaction ends."""
    await beside(session, f"migration {migration_id}")
    return State((await session.exec(select(Migration.state).where(Migration.id == migration_id))).one())


async def row(session: AsyncSession, organization_id: str, migration_id: str) -> Migration:
    """The migration of an organization, read anew; raises `NotFound`."""
    found = await session.get(Migration, migration_id, populate_existing=True)
    if found is None or found.organization_id != organization_id:
        raise NotFound
    return found


def advance(migration: Migration, step: Step, at: datetime | None = None) -> tuple[State, State]:
    """Make a step, clocks included: the states (before, after); raises `Conflict`."""
    at = at or now()
    before = State(migration.state)
    after = states.next(before, step)
    if before is State.RUNNING and after is not State.RUNNING:
        migration.worked_seconds += _since(migration.resumed_at, at)
        migration.resumed_at = None
    if after is State.RUNNING and before is not State.RUNNING:
        migration.started_at, migration.resumed_at = migration.started_at or at, at
    if not (after.live or after is State.PAUSED):
        migration.finished_at = at
    elif before is not after:
        migration.finished_at = None
    migration.state = after
    return before, after


async def run(session: AsyncSession, organization_id: str, migration_id: str) -> Run:
    """The migration with its progress; raises `NotFound`."""
    query = _counted().where(col(Migration.organization_id) == organization_id, col(Migration.id) == migration_id)
    found = (await session.exec(query.execution_options(populate_existing=True))).one_or_none()  # type: ignore[call-overload]
    if found is None:
        raise NotFound
    return _run(found)


async def runs(
    session: AsyncSession, organization_id: str, first: int, after: tuple[datetime, str] | None
) -> list[Run]:
    """Up to `first` migrations, the newest first, older than `after`."""
    query = _counted().where(col(Migration.organization_id) == organization_id)
    if after is not None:
        query = query.where(tuple_(col(Migration.created_at), col(Migration.id)) < tuple_(*after))
    newest = query.order_by(col(Migration.created_at).desc(), col(Migration.id).desc()).limit(first)
    return [_run(found) for found in await session.exec(newest)]  # type: ignore[call-overload]


async def items(
    session: AsyncSession, migration_id: str, first: int, after: int | None, state: ItemState | None
) -> Items:
    """Items of a migration by position, those after `after`."""
    query = select(MigrationItem, Member).join(Member, col(Member.id) == col(MigrationItem.member_id))
    query = query.where(MigrationItem.migration_id == migration_id)
    if after is not None:
        query = query.where(MigrationItem.position > after)
    if state is not None:
        query = query.where(MigrationItem.state == state)
    found = await session.exec(query.order_by(col(MigrationItem.position)).limit(first + 1))
    shown = [_item(one, member) for one, member in found]
    return Items(shown[:first], len(shown) > first)


async def write(session: AsyncSession, migration: Migration, plans: Iterable[Planned]) -> None:
    """Add a migration with its items. Who awaits authorization is still to be asked for it, unless in a preview."""
    session.add(migration)
    await session.flush()
    preview = migration.state == State.PREVIEW
    due_at = (await session.exec(select(func.now()))).one()
    session.add_all(
        MigrationItem(
            migration_id=migration.id,
            member_id=plan.member_id,
            position=position,
            from_access=plan.from_access,
            to_access=plan.to_access,
            state=plan.state if preview else _to_do(plan),
            reason=plan.reason,
            message=plan.message,
            permissions_gained=list(plan.permissions_gained),
            permissions_lost=list(plan.permissions_lost),
            mattered=msgspec.to_builtins(list(plan.mattered)),
            due_at=due_at,
            settled_at=None if _to_do(plan) is ItemState.PENDING else migration.created_at,
        )
        for position, plan in enumerate(plans, 1)
    )
    await session.flush()


def fresh(organization_id: str, purpose: Purpose, capability_set: str, **values: Any) -> Migration:
    """A migration that waits for workers, or with another `state`."""
    given: dict[str, Any] = {"id": new_id(), "state": State.QUEUED, "created_at": now()} | values
    if given["state"] == State.PREVIEW:
        given["finished_at"] = given["created_at"]
    return Migration(organization_id=organization_id, purpose=purpose, capability_set=capability_set, **given)


def _to_do(plan: Planned) -> ItemState:
    return ItemState.PENDING if plan.reason is Reason.AWAITING_AUTHORIZATION else plan.state


def _counted() -> Select[Any]:
    """Each migration with who asked for it and the number of its items: all, by state, and settled since its start."""
    item = MigrationItem
    numbers = [func.count(col(item.id)), *(_number(col(item.state) == state) for state in _SETTLED)]
    since = _number(and_(col(item.state) != ItemState.PENDING, col(item.settled_at) >= col(Migration.started_at)))
    query: Select[Any] = (
        select(Migration, Member, *numbers, since)  # type: ignore[call-overload]
        .outerjoin(item, col(item.migration_id) == col(Migration.id))
        .outerjoin(Member, col(Member.id) == col(Migration.requested_by))
        .group_by(col(Migration.id), col(Member.id))
    )
    return query


_SETTLED = (ItemState.MIGRATED, ItemState.SKIPPED, ItemState.FAILED, ItemState.ROLLED_BACK)


def _number(condition: Any) -> Any:
    return func.count(col(MigrationItem.id)).filter(condition)


def _run(found: Sequence[Any]) -> Run:
    migration, member, total, migrated, skipped, failed, rolled_back, settled = found
    pending = total - migrated - skipped - failed - rolled_back
    return Run(
        id=migration.id,
        organization_id=migration.organization_id,
        purpose=Purpose(migration.purpose),
        state=State(migration.state),
        requested_by=Person(member.id, member.name, member.email) if member else None,
        capability_set=CapabilitySet(migration.capability_set),
        created_at=migration.created_at,
        started_at=migration.started_at,
        finished_at=migration.finished_at,
        total=total,
        migrated=migrated,
        skipped=skipped,
        failed=failed,
        rolled_back=rolled_back,
        estimated_completion_at=_estimated(migration, settled, pending),
    )


def _estimated(migration: Migration, settled: int, pending: int) -> datetime | None:
    """When the pending ones will be done at the pace so far."""
    if migration.state != State.RUNNING or not settled:
        return None
    at = now()
    worked = migration.worked_seconds + _since(migration.resumed_at, at)
    return at + timedelta(seconds=worked / settled * pending)


def _since(moment: datetime | None, at: datetime) -> float:
    return max(0.0, (at - moment).total_seconds()) if moment else 0.0


def _item(found: MigrationItem, member: Member) -> Item:
    return Item(
        id=found.id,
        migration_id=found.migration_id,
        position=found.position,
        user=Person(member.id, member.name, member.email),
        from_access=AccessKind(found.from_access),
        to_access=AccessKind(found.to_access),
        state=ItemState(found.state),
        reason=Reason(found.reason) if found.reason else None,
        message=found.message,
        attempts=found.attempts,
        permissions_gained=tuple(found.permissions_gained),
        permissions_lost=tuple(found.permissions_lost),
        mattered=tuple(Touched(**one) for one in found.mattered),
        settled_at=found.settled_at,
        emailed_at=found.emailed_at,
    )
