"""The wider set of capabilities for those who are integration users on an earlier one."""

from collections.abc import Iterator, Mapping, Sequence
from time import monotonic

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services import grants, seats
from services.audit import Action, FieldChange
from services.candidates import Reason
from services.errand import Errand
from services.identity import accesses
from services.integration_values import Done
from services.letters import CapabilitiesUpgraded, Template
from services.mail import Outbox
from services.migration import ledger, undo
from services.migration.moves import CHECK_SECONDS, Job, enter, in_words, note, post, settle
from services.migration.plan import Differences, Planned, Standing
from services.migration.runs import Migrations
from services.migration.states import ItemState, State
from services.migration.values import Purpose, Run
from services.policy import CAPABILITIES, NOTHING, AccessKind, CapabilitySet, ModuleGrant, Product
from services.rollout import Feature, Rollout
from services.storage.engine import Database
from services.storage.models import IntegrationGrant, Member, Organization
from services.storage.rollout import MigrationItem

EARLIER, NEWEST = CapabilitySet.ESTIMATES_ONLY, CapabilitySet.ALL_FINANCE_MODULES
UPGRADE = Action(name="capabilities.upgrade", permission="capabilities.upgrade")


class Capabilities:
    """Upgrades an organization's set of capabilities, and with it its integration users."""

    def __init__(self, database: Database, rollout: Rollout, migrations: Migrations, outbox: Outbox) -> None:
        self._database = database
        self._rollout = rollout
        self._migrations = migrations
        self._outbox = outbox

    async def upgrade(self, errand: Errand, *, dry_run: bool) -> Done[Run]:
        """Move everybody on the earlier set to the newest; new integration users get it from now on.

        Raises `LimitReached` where the newest set is not available.
        """
        organization_id = errand.viewer.organization_id
        async with self._database.session() as session:
            organization = await session.get_one(Organization, organization_id)
        await self._rollout.require(organization)
        await self._rollout.require(organization, Feature.ALL_FINANCE_MODULES)
        async with self._database.session() as session:
            await seats.hold(session, organization_id)
            organization = await session.get_one(Organization, organization_id)
            plans = await self._planned(session, organization)
            changes = [FieldChange("capabilitySet", organization.capability_set, NEWEST)]
            if not dry_run:
                organization.capability_set = NEWEST
            migration = ledger.fresh(
                organization_id,
                Purpose.CAPABILITIES,
                NEWEST,
                state=State.PREVIEW if dry_run else State.QUEUED,
                requested_by=errand.viewer.id,
            )
            return await self._migrations.begun(session, errand, migration, plans, UPGRADE, changes)

    async def widen(self, session: AsyncSession, job: Job, item: MigrationItem) -> None:
        """Move one integration user, in the transaction that holds the item."""
        await enter(session, job, item)
        await seats.hold(session, job.organization_id)
        member = await session.get_one(Member, item.member_id, with_for_update={"key_share": True})
        seated = (await seats.rows(session, [member.id])).get(member.id, [])
        earlier = [row for row in seated if row.capability_set == EARLIER]
        if not earlier:
            why = "holds the newest capabilities already" if seated else "is no integration user any more"
            settle(item, ItemState.SKIPPED, Reason.ALREADY_MIGRATED if seated else None, f"The user {why}.")
            return
        item.undo = undo.kept(member, seated)
        for row in earlier:
            widen(row)
        message = f"The user works within {NEWEST} now, as far as nothing was narrowed by hand."
        settle(item, ItemState.MIGRATED, None, message)
        errand = Errand(job.actor, f"migration-{item.id}", monotonic() + CHECK_SECONDS)
        changes = [FieldChange("capabilitySet", EARLIER, NEWEST)]
        note(session, errand, "users.upgrade", "capabilities.upgrade", item, changes)
        values = CapabilitiesUpgraded(modules=in_words(_held(earlier)))
        await post(self._outbox, session, item, member, Template.CAPABILITIES_UPGRADED, values)

    async def _planned(self, session: AsyncSession, organization: Organization) -> list[Planned]:
        rows = await session.exec(
            select(Member)
            .join(IntegrationGrant, col(IntegrationGrant.member_id) == col(Member.id))
            .where(
                Member.organization_id == organization.id,
                IntegrationGrant.capability_set == EARLIER,
                IntegrationGrant.product == Product.BOOKS,
            )
            .distinct()
            .order_by(col(Member.email), col(Member.id))
        )
        members = rows.all()
        access = await accesses(session, members)
        differences = Differences(self._migrations.permissions)
        return [self._plan(Standing(organization, member, access[member.id]), differences) for member in members]

    def _plan(self, standing: Standing, differences: Differences) -> Planned:
        seat = standing.access.granted[Product.BOOKS]
        granted = None if seat.grants is None else widened(grants.read(seat.grants), EARLIER, NEWEST)
        gained, lost = differences.between(standing.viewer, standing.as_integration_user(NEWEST, granted))
        narrowed = ", ".join(kept_narrow(seat))
        return Planned(
            member_id=standing.member.id,
            from_access=AccessKind.INTEGRATION_USER,
            to_access=AccessKind.INTEGRATION_USER,
            state=ItemState.PENDING,
            reason=None,
            message=f"Narrowed by hand, and stays so: {narrowed}." if narrowed else None,
            permissions_gained=gained,
            permissions_lost=lost,
        )


def widen(row: IntegrationGrant) -> None:
    """Give a seat the newest set; what an administrator has narrowed stays as it is."""
    if row.grants is not None and row.product == Product.BOOKS:
        row.grants = grants.stored(widened(grants.read(row.grants), EARLIER, NEWEST))
    row.capability_set = NEWEST


def widened(granted: grants.Grants, before: CapabilitySet, after: CapabilitySet) -> grants.Grants:
    """Grants on a module that were all of the earlier set's become all of the later's; narrower ones stay."""
    modules = sorted({*granted, *CAPABILITIES[after]})
    wider = {module: _wider(module, granted.get(module, NOTHING), before, after) for module in modules}
    return {module: grant for module, grant in wider.items() if grant.actions}


def _wider(module: str, grant: ModuleGrant, before: CapabilitySet, after: CapabilitySet) -> ModuleGrant:
    whole = ModuleGrant(CAPABILITIES[before].get(module, frozenset()))
    return ModuleGrant(CAPABILITIES[after].get(module, frozenset())) if grant == whole else grant


def kept_narrow(row: IntegrationGrant) -> Iterator[str]:
    """The modules on which a seat grants less than its capability set holds."""
    granted = None if row.grants is None else grants.read(row.grants)
    for module, actions in CAPABILITIES[CapabilitySet(row.capability_set)].items():
        if granted is not None and granted.get(module, NOTHING) != ModuleGrant(actions):
            yield module


def _held(rows: Sequence[IntegrationGrant]) -> Mapping[str, ModuleGrant]:
    held: dict[str, ModuleGrant] = {}
    for row in rows:
        granted = None if row.grants is None else grants.read(row.grants)
        for module, grant in grants.narrowed(CapabilitySet(row.capability_set), granted, Product(row.product)).items():
            held[module] = held.get(module, NOTHING) | grant
    return held
