"""Migrations as administrators start, watch, steer and undo them. Permissions are checked before, by whoever calls."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, delete, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from services import audit, seats
from services.audit import Action, Audit, FieldChange, Subject
from services.audit import State as Outcome
from services.candidates import Candidate, Candidates
from services.drafts import Problem
from services.errand import Errand
from services.errors import Conflict, NotFound
from services.identity import accesses
from services.integration_values import Done
from services.migration import ledger, states, undo
from services.migration.plan import Differences, Planned, Standing, planned, within
from services.migration.states import ItemState, State, Step
from services.migration.values import Items, Purpose, Run, Runs
from services.policy import AccessKind, CapabilitySet
from services.rollout import Rollout
from services.storage.engine import Database
from services.storage.models import Member, Organization, now
from services.storage.rollout import Migration, MigrationItem
from services.usage import Touched, Usage

MATTERING = timedelta(days=30)
"""The time whose operations tell what a lost permission would have meant."""
PREVIEWS_KEPT = timedelta(days=7)
_PERMISSIONS = {
    Step.PAUSE: "migration.pause",
    Step.RESUME: "migration.resume",
    Step.CANCEL: "migration.cancel",
    Step.RETRY: "migration.retry",
    Step.ROLL_BACK: "migration.rollBack",
}
Effect = Callable[[AsyncSession, Migration], Awaitable[None]]


AT_A_TIME = 10
"""Members planned before others' requests get their turn."""


class Migrations:
    """The migrations of all organizations; `permissions` are all that the schema asks for."""

    def __init__(
        self,
        database: Database,
        audit: Audit,
        rollout: Rollout,
        candidates: Candidates,
        usage: Usage,
        permissions: Collection[str],
    ) -> None:
        self._database = database
        self._audit = audit
        self._rollout = rollout
        self._candidates = candidates
        self._usage = usage
        self.permissions = permissions

    async def start(self, errand: Errand, member_ids: Sequence[str] | None = None, *, dry_run: bool) -> Done[Run]:
        """Migrate these members, or all candidates; a dry run tells what would become of each and changes nothing.

        Raises `LimitReached` where integration users are not available.
        """
        organization_id = errand.viewer.organization_id
        async with self._database.session() as session:
            organization = await session.get_one(Organization, organization_id)
        await self._rollout.require(organization)
        candidates = await self._candidates.all(organization_id, member_ids)
        action = Action(name="migration.run", permission="migration.run")
        if unknown := list(_unknown(member_ids or (), candidates)):
            return await self._refused(errand, action, unknown)
        touched = await self._usage.touched_by([one.id for one in candidates], now() - MATTERING)
        migration = ledger.fresh(
            organization_id,
            Purpose.USERS,
            organization.capability_set,
            state=State.PREVIEW if dry_run else State.QUEUED,
            requested_by=errand.viewer.id,
        )
        async with self._database.session() as session:
            plans = await self.planned(session, organization, candidates, touched)
            return await self.begun(session, errand, migration, await seated(session, organization, plans), action)

    async def planned(
        self,
        session: AsyncSession,
        organization: Organization,
        candidates: Iterable[Candidate],
        touched: Mapping[str, Sequence[Touched]],
    ) -> list[Planned]:
        """What would become of candidates, in their order; those whom the CRM does not know are left out."""
        known = {one.member_id: one for one in candidates if one.member_id}
        rows = await session.exec(select(Member).where(col(Member.id).in_(known)))
        members = {member.id: member for member in rows}
        access = await accesses(session, list(members.values()))
        differences, capability_set = Differences(self.permissions), CapabilitySet(organization.capability_set)
        plans = []
        for place, (member_id, candidate) in enumerate(known.items()):
            standing = Standing(organization, members[member_id], access[member_id])
            used = touched.get(member_id, ())
            plans.append(planned(candidate, standing, differences, capability_set=capability_set, touched=used))
            if place % AT_A_TIME == 0:
                await asyncio.sleep(0)
        return plans

    async def begun(
        self,
        session: AsyncSession,
        errand: Errand,
        migration: Migration,
        plans: Iterable[Planned],
        action: Action,
        changes: Sequence[FieldChange] = (),
    ) -> Done[Run]:
        """Store a migration with its audit event, and call the workers; of a preview there is no event."""
        await ledger.write(session, migration, plans)
        event = ""
        if migration.state != State.PREVIEW:
            about = Action(name=action.name, permission=action.permission, subject=Subject("migrations", migration.id))
            told = [FieldChange("state", None, migration.state), *changes]
            event = audit.append(session, errand, about, Outcome.APPLIED, changes=told)
            await ledger.tell(session, migration.id, work=True)
        return Done(await ledger.run(session, migration.organization_id, migration.id), (), event)

    async def get(self, organization_id: str, migration_id: str) -> Run | None:
        """A migration as it is now."""
        async with self._database.session() as session:
            try:
                return await ledger.run(session, organization_id, migration_id)
            except NotFound:
                return None

    async def page(self, organization_id: str, first: int, after: tuple[datetime, str] | None = None) -> Runs:
        """Migrations, the newest first; `after` is the (created_at, id) of the last one seen."""
        async with self._database.session() as session:
            found = await ledger.runs(session, organization_id, first + 1, after)
        return Runs(found[:first], len(found) > first)

    async def items(
        self,
        organization_id: str,
        migration_id: str,
        first: int,
        after: int | None = None,
        state: ItemState | None = None,
    ) -> Items:
        """The members of a migration; `after` is the position of the last one seen. Raises `NotFound`."""
        async with self._database.session() as session:
            await ledger.row(session, organization_id, migration_id)
            return await ledger.items(session, migration_id, first, after, state)

    async def pause(self, errand: Errand, migration_id: str) -> Done[Run]:
        """Move nobody more until it is resumed. Raises `NotFound`, as all that follow do."""
        return await self._stepped(errand, migration_id, Step.PAUSE, _nothing)

    async def resume(self, errand: Errand, migration_id: str) -> Done[Run]:
        """Go on where it was paused."""
        return await self._stepped(errand, migration_id, Step.RESUME, _nothing)

    async def cancel(self, errand: Errand, migration_id: str) -> Done[Run]:
        """Move nobody more for good; who has been migrated stays so."""
        return await self._stepped(errand, migration_id, Step.CANCEL, _by_hand)

    async def retry_failed(self, errand: Errand, migration_id: str) -> Done[Run]:
        """Try again with those who failed."""
        return await self._stepped(errand, migration_id, Step.RETRY, _pending_again)

    async def roll_back(
        self, errand: Errand, migration_id: str, member_ids: Collection[str] | None = None
    ) -> Done[Run]:
        """Put these members, or all and so the whole migration, back to the way in which they worked before.

        While the window is open; a change of capabilities at any time.
        """

        async def effect(session: AsyncSession, migration: Migration) -> None:
            await _by_hand(session, migration)
            await _check_window(session, migration)
            items = await _migrated(session, migration.id, member_ids)
            await undo.restore(session, items, seated_only=migration.purpose == Purpose.CAPABILITIES)
            for item in items:
                _note_rolled_back(session, errand, item)

        step = Step.ROLL_BACK if member_ids is None else None
        return await self._stepped(errand, migration_id, step, effect)

    async def forget_previews(self) -> None:
        """Remove dry runs that nobody looks at any more."""
        old = select(Migration.id).where(
            Migration.state == State.PREVIEW, col(Migration.created_at) < now() - PREVIEWS_KEPT
        )
        async with self._database.session() as session:
            ids = (await session.exec(old)).all()
            await session.exec(delete(MigrationItem).where(col(MigrationItem.migration_id).in_(ids)))
            await session.exec(delete(Migration).where(col(Migration.id).in_(ids)))

    async def _stepped(self, errand: Errand, migration_id: str, step: Step | None, effect: Effect) -> Done[Run]:
        """Make a step and its effect; no step is a roll-back of some members, which leaves the state as it is."""
        organization_id = errand.viewer.organization_id
        permission = _PERMISSIONS[step or Step.ROLL_BACK]
        action = Action(name=permission, permission=permission, subject=Subject("migrations", migration_id))
        try:
            async with self._database.session() as session:
                await ledger.hold(session, migration_id)
                migration = await ledger.row(session, organization_id, migration_id)
                states.next(State(migration.state), step or Step.ROLL_BACK)
                await effect(session, migration)
                before = after = State(migration.state)
                if step is not None:
                    before, after = ledger.advance(migration, step)
                await session.flush()
                changes = [FieldChange("state", before, after)]
                event = audit.append(session, errand, action, Outcome.APPLIED, changes=changes)
                await ledger.tell(session, migration_id, work=after.live)
                return Done(await ledger.run(session, organization_id, migration_id), (), event)
        except Conflict as error:
            problem = Problem(("id",), error.message, error.code, error.hint)
            return await self._refused(errand, action, [problem])

    async def _refused(self, errand: Errand, action: Action, problems: Sequence[Problem]) -> Done[Run]:
        told = audit.as_json([_told(problem) for problem in problems])
        return Done(None, problems, await self._audit.record(errand, action, Outcome.REJECTED, user_errors=told))


async def seated(session: AsyncSession, organization: Organization, plans: Iterable[Planned]) -> list[Planned]:
    """The plans as far as there are seats for integration users."""
    limit = organization.integration_user_limit
    return list(within(plans, limit - await seats.taken(session, organization.id), limit))


def _unknown(member_ids: Sequence[str], candidates: Iterable[Candidate]) -> Iterable[Problem]:
    known = {candidate.member_id for candidate in candidates}
    for place, member_id in enumerate(member_ids):
        if member_id not in known:
            yield Problem(("input", "userIds", str(place)), "There is no such user in the CRM.", "NOT_FOUND")


def _told(problem: Problem) -> dict[str, Any]:
    return {
        "field": list(problem.field),
        "message": problem.message,
        "code": problem.code,
        "hint": problem.hint,
    }


async def _nothing(_session: AsyncSession, _migration: Migration) -> None:
    """The step itself is all."""


async def _by_hand(_session: AsyncSession, migration: Migration) -> None:
    """What the end of the window began is not an administrator's to undo."""
    if migration.purpose == Purpose.WINDOW_CLOSED:
        raise Conflict(
            "The window has closed: nobody works in the old way any more.",
            hint="Change or remove integration users one by one.",
            state=migration.state,
        )


async def _pending_again(session: AsyncSession, migration: Migration) -> None:
    again = await session.exec(
        update(MigrationItem)
        .where(col(MigrationItem.migration_id) == migration.id, col(MigrationItem.state) == ItemState.FAILED)
        .values(
            state=states.becomes(ItemState.FAILED, ItemState.PENDING),
            reason=None,
            message=None,
            attempts=0,
            due_at=func.now(),
            settled_at=None,
        )
    )
    if not again.rowcount:
        raise Conflict("Nobody has failed in this migration.", state=migration.state)


async def _check_window(session: AsyncSession, migration: Migration) -> None:
    """Raise `Conflict` when there is no old way to go back to."""
    organization = await session.get_one(Organization, migration.organization_id)
    closes_at = organization.window_closes_at
    if migration.purpose == Purpose.CAPABILITIES:
        return
    if not organization.delegation or closes_at is None or closes_at <= now():
        since = f" since {closes_at:%Y-%m-%d}" if closes_at else ""
        raise Conflict(
            f"The window is not open{since}: there is no old way to go back to.",
            hint="Remove integration users instead, or change their grants.",
            state=migration.state,
        )


async def _migrated(
    session: AsyncSession, migration_id: str, member_ids: Collection[str] | None
) -> Sequence[MigrationItem]:
    """The items to roll back; raises `Conflict` when one of these members was not migrated here."""
    query = select(MigrationItem).where(
        MigrationItem.migration_id == migration_id, MigrationItem.state == ItemState.MIGRATED
    )
    if member_ids is not None:
        query = query.where(col(MigrationItem.member_id).in_(member_ids))
    items = (await session.exec(query.order_by(col(MigrationItem.member_id)).with_for_update())).all()
    if member_ids is not None and len(items) < len(set(member_ids)):
        raise Conflict("Only users whom this migration has migrated can be rolled back.")
    return items


def _note_rolled_back(session: AsyncSession, errand: Errand, item: MigrationItem) -> None:
    item.state = states.becomes(ItemState(item.state), ItemState.ROLLED_BACK)
    item.settled_at = now()
    action = Action(name="users.rollBack", permission="migration.rollBack", subject=Subject("users", item.member_id))
    changes = [FieldChange("access", item.to_access, item.from_access)]
    audit.append(session, errand, action, Outcome.APPLIED, changes=changes)
    item.message = f"The user works as {AccessKind(item.from_access)} again."
