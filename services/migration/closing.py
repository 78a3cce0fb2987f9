"""The end of the window: whoever used the finance modules is made an integration user, once an organization."""

from collections.abc import Iterable, Iterator, Mapping
from time import monotonic

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services import audit
from services.audit import Action, FieldChange, Subject
from services.audit import State as Outcome
from services.candidates import Candidate, Candidates, Reason
from services.errand import Errand
from services.migration import ledger
from services.migration.moves import Job, gateway
from services.migration.plan import Planned, left_out
from services.migration.runs import MATTERING, Migrations, seated
from services.migration.states import ItemState
from services.migration.values import Purpose
from services.policy import AccessKind
from services.storage.engine import Database, alone
from services.storage.models import Organization, now
from services.storage.rollout import Migration
from services.usage import Usage

_SECONDS = 60.0
CLOSING = Action(name="migration.windowClosed")


class Closing:
    """Begins the migration that ends a window; workers go on with it as with any other.

    `least_operations`: how many operations on finance modules in the window make somebody an integration user.
    """

    def __init__(
        self,
        database: Database,
        migrations: Migrations,
        candidates: Candidates,
        usage: Usage,
        *,
        least_operations: int = 1,
    ) -> None:
        self._database = database
        self._migrations = migrations
        self._candidates = candidates
        self._usage = usage
        self._least = least_operations

    async def close_due(self) -> None:
        """Begin it for every organization whose window has closed since; others may do so at once."""
        for organization_id in await self._due():
            await self._close(organization_id)

    async def _due(self) -> list[str]:
        begun = select(Migration.organization_id).where(Migration.purpose == Purpose.WINDOW_CLOSED)
        query = select(Organization.id).where(
            col(Organization.window_closes_at) <= now(),
            col(Organization.auto_migrated_at).is_(None),
            col(Organization.id).not_in(begun),
        )
        async with self._database.session() as session:
            return list(await session.exec(query))

    async def _close(self, organization_id: str) -> None:
        remaining = [one for one in await self._candidates.all(organization_id) if _remains(one)]
        remaining.sort(key=lambda one: (-one.utilization.operations, one.key))
        touched = await self._usage.touched_by([one.id for one in remaining], now() - MATTERING)
        errand = Errand(gateway(organization_id), f"window-{organization_id}", monotonic() + _SECONDS)
        async with self._database.session() as session:
            await alone(session, f"closing of {organization_id}")
            organization = await session.get_one(Organization, organization_id)
            if await _is_begun(session, organization_id):
                return
            plans = await self._migrations.planned(session, organization, remaining, touched)
            used = {one.id: one.utilization.operations for one in remaining}
            chosen = await seated(session, organization, self._utilized(plans, used))
            migration = ledger.fresh(organization_id, Purpose.WINDOW_CLOSED, organization.capability_set)
            await self._migrations.begun(session, errand, migration, chosen, CLOSING)

    def _utilized(self, plans: Iterable[Planned], used: Mapping[str, int]) -> Iterator[Planned]:
        for plan in plans:
            becomes_one = plan.to_access is AccessKind.INTEGRATION_USER and plan.state is ItemState.PENDING
            if becomes_one and used[plan.member_id] < self._least:
                message = (
                    f"{used[plan.member_id]} operations on the finance modules in the window, {self._least} needed."
                )
                yield left_out(plan, Reason.NOT_UTILIZED, message)
            else:
                yield plan


async def shut(session: AsyncSession, job: Job) -> None:
    """Nobody works in the old way any more."""
    organization = await session.get_one(Organization, job.organization_id, with_for_update={"key_share": True})
    changes = [FieldChange("delegation", organization.delegation, after=False)]
    organization.delegation = False
    organization.auto_migrated_at = organization.auto_migrated_at or now()
    action = Action(name=CLOSING.name, subject=Subject("migrations", job.id))
    errand = Errand(job.actor, f"window-{job.organization_id}", monotonic() + _SECONDS)
    audit.append(session, errand, action, Outcome.APPLIED, changes=changes)


def _remains(candidate: Candidate) -> bool:
    return candidate.member_id is not None and candidate.reason is not Reason.ALREADY_MIGRATED


async def _is_begun(session: AsyncSession, organization_id: str) -> bool:
    query = select(Migration.id).where(
        Migration.organization_id == organization_id, Migration.purpose == Purpose.WINDOW_CLOSED
    )
    return (await session.exec(query)).first() is not None
