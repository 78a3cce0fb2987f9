"""Setting an organization up: its data centre, edition and owner, and how it begins."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import FieldChange
from services.credentials import NAMES
from services.directory_values import ACTIVE
from services.drafts import Problem
from services.integration_values import WINDOW_MONTHS, SetUp, months_later
from services.policy import CapabilitySet, Product
from services.storage.engine import alone
from services.storage.models import Connection, Member, Organization, Profile, now
from services.upstream.auth import DATA_CENTERS

LONGEST_EDITION = 50


@dataclass(frozen=True)
class Onboarding:
    """What is asked for, and the rows that decide about it, locked."""

    given: SetUp
    organization: Organization
    connections: Sequence[Connection]
    owner: Member | None
    """The one asked for."""
    owner_administers: bool

    @property
    def begun(self) -> bool:
        """Whether it has been decided how the organization begins."""
        return self.organization.window_opens_at is not None or not self.organization.delegation

    @property
    def products(self) -> Collection[Product]:
        """Those to be connected by the owner: the ones asked for, otherwise those that are."""
        return self.given.products or sorted({Product(row.product) for row in self.connections if row.is_owner})

    def problems(self) -> Iterator[Problem]:
        """Every mistake."""
        yield from self._of_place()
        yield from self._of_owner()
        yield from self._of_products()
        new = self.organization.window_opens_at is None
        if self.begun and self.given.new_sign_up != new:
            how = "with integration users from the start" if new else "in the old way, with a window for the migration"
            yield Problem(("input", "newSignUp"), f"The organization has begun {how} already.", "CONFLICT")

    async def apply(self, session: AsyncSession, widest: CapabilitySet) -> list[FieldChange]:
        """Make the changes; `widest` is the capability set that the rollout gives to who begins now."""
        before = self._settings()
        organization, at = self.organization, now()
        if not self.begun:
            organization.capability_set = widest
            organization.delegation = not self.given.new_sign_up
            if not self.given.new_sign_up:
                organization.window_opens_at, organization.window_closes_at = at, months_later(at, WINDOW_MONTHS)
        organization.data_center, organization.edition = self.given.data_center, self.given.edition.strip()
        await self._hand_over(session)
        after = self._settings()
        return [FieldChange(name, before[name], after[name]) for name in after if before[name] != after[name]]

    async def _hand_over(self, session: AsyncSession) -> None:
        """Of a product one connection at a time is the owner's, so the earlier one goes first."""
        if self.owner is None:
            return
        concerned = [row for row in self.connections if row.product in self.products]
        for row in concerned:
            row.is_owner = row.is_owner and row.member_id == self.owner.id
        await session.flush()
        for row in concerned:
            row.is_owner = row.member_id == self.owner.id

    def _of_place(self) -> Iterator[Problem]:
        center, edition = self.given.data_center, self.given.edition.strip()
        if center not in DATA_CENTERS:
            message = f"There is no data centre {center[:20]!r}."
            yield Problem(("input", "dataCenter"), message, hint=f"It is one of {', '.join(DATA_CENTERS)}.")
        elif elsewhere := sorted({row.data_center for row in self.connections if row.is_owner} - {center}):
            message = f"The products are connected in data centre {elsewhere[0]}; an organization is in one."
            yield Problem(("input", "dataCenter"), message)
        if not 1 <= len(edition) <= LONGEST_EDITION:
            message = f"An edition has 1 to {LONGEST_EDITION} characters."
            yield Problem(("input", "edition"), message, hint="Such as Professional or Enterprise.")

    def _of_owner(self) -> Iterator[Problem]:
        path = ("input", "ownerId")
        if self.given.owner_member_id is None:
            return
        if self.owner is None or self.owner.organization_id != self.organization.id:
            yield Problem(path, "The CRM has no such user.", "NOT_FOUND")
        elif self.owner.status != ACTIVE or not self.owner.confirmed or not self.owner_administers:
            message = "The owner has to be an active administrator of the CRM."
            yield Problem(path, message, hint="The owner's profile needs the permission to manage Zoho Finance.")

    def _of_products(self) -> Iterator[Problem]:
        held = {Product(row.product) for row in self.connections if self._is_owners(row)}
        for place, product in enumerate(self.products):
            if product not in held:
                path = ("products", str(place)) if self.given.products else ("ownerId",)
                message = f"{NAMES[product]} is not connected by the owner."
                yield Problem(("input", *path), message, "CONFLICT", "Let the owner connect it with their own account.")

    def _is_owners(self, row: Connection) -> bool:
        return row.is_owner if self.given.owner_member_id is None else row.member_id == self.given.owner_member_id

    def _settings(self) -> Mapping[str, Any]:
        organization = self.organization
        return {
            "dataCenter": organization.data_center,
            "edition": organization.edition,
            "owners": {row.product: row.email for row in self.connections if row.is_owner},
            "delegation": organization.delegation,
            "windowOpensAt": organization.window_opens_at,
            "windowClosesAt": organization.window_closes_at,
            "capabilitySet": organization.capability_set,
        }


async def onboarding(session: AsyncSession, organization_id: str, given: SetUp) -> Onboarding:
    """What decides about a set-up; nobody else changes the connections' owners or the organization meanwhile."""
    for product in sorted(Product):
        await alone(session, f"{product} of {organization_id}")
    organization = await session.get_one(
        Organization, organization_id, with_for_update={"key_share": True}, populate_existing=True
    )
    rows = select(Connection).where(Connection.organization_id == organization_id).order_by(col(Connection.id))
    owner = await session.get(Member, given.owner_member_id) if given.owner_member_id else None
    profile = await session.get(Profile, (organization_id, owner.profile_id)) if owner and owner.profile_id else None
    connections = (await session.exec(rows)).all()
    return Onboarding(given, organization, connections, owner, bool(profile and profile.administers))
