"""From a signed-in address to the viewer: who it is and everything that decides what they may do."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from services import grants
from services.errors import NotFound, Unauthenticated
from services.events import Events
from services.lookups import Lookups
from services.policy import EVERYTHING, NOTHING, AccessKind, CapabilitySet, Product, ProductAccess, Viewer
from services.storage.engine import Database
from services.storage.models import Connection, IntegrationGrant, Member, Organization, Profile, Role, fold

FINANCE_PRODUCTS = (Product.BOOKS, Product.BILLING)
DEFAULT_BILLING_ROLE = "staff"
"""Of a user who has connected Billing: it lists no users (facts §3), so an administrator says who is more."""
_ZOHO = {"ca": "zohocloud.ca"}
"""Domains of the products' own pages where they are not zoho.<data centre>."""
REASONS = {
    "UNKNOWN_USER": "Nobody with this e-mail address uses the CRM.",
    "INACTIVE": "Your CRM user is not active.",
    "UNCONFIRMED": "Your CRM user has not been confirmed yet.",
    "SEVERAL_ORGANIZATIONS": "You belong to several organizations.",
}
HINTS = {
    "UNKNOWN_USER": "Ask an administrator of the CRM to add you; it can take some minutes until that is known here.",
    "INACTIVE": "Ask an administrator of the CRM to activate you.",
    "UNCONFIRMED": "Accept the CRM's invitation, which was sent to you by e-mail.",
    "SEVERAL_ORGANIZATIONS": "Say for which organization you ask.",
}


def refused(reason: str) -> Unauthenticated:
    """The refusal for one of `REASONS`."""
    return Unauthenticated(REASONS[reason], hint=HINTS[reason], reason=reason)


@dataclass(frozen=True)
class Access:
    """The rows that decide about one member."""

    profile: Profile | None
    connections: Mapping[Product, Connection | None]
    """The products that the organization or the member has connected, with the member's own connection."""
    granted: Mapping[Product, IntegrationGrant]
    roles: Mapping[tuple[str, str], Role]

    @property
    def owns(self) -> bool:
        """Whether every connection that the organization works with is the member's."""
        return bool(self.connections) and all(own and own.is_owner for own in self.connections.values())


ACCESS = "access"
"""The topic of the notice, with the organization's id, that something has changed which decides about its members."""
REMEMBERED_SECONDS = 5.0
"""For which a viewer is taken as seen although no notice came, should it have been lost."""


class Identity:
    """Viewers, remembered until anything changes that decides about them."""

    def __init__(self, database: Database, events: Events | None = None) -> None:
        """`events` tell of changes by other processes; without them, each time is asked whether there are any."""
        self._database = database
        self._events = events
        self._viewers: dict[str, tuple[int, Viewer]] = {}
        self._seen: Lookups[tuple[str, str | None, str | None], Viewer] = Lookups(
            REMEMBERED_SECONDS, lambda *_: events is not None and events.connected
        )
        self._changes = 0

    @asynccontextmanager
    async def hearing(self) -> AsyncIterator[None]:
        """Hear of changes within the block."""
        task = asyncio.create_task(self._hear(), name="identity")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._seen.aclose()

    async def viewer(self, email: str, *, subject: str | None = None, organization_id: str | None = None) -> Viewer:
        """The CRM user of this address; raises `Unauthenticated` with one of `REASONS` as `reason`.

        `subject` is the user's ZUID when Zoho's Accounts signed them in; it wins over the address. No query for one
        who was seen in these seconds when nothing has changed, one query when nothing has changed since the last time.
        """
        key = (email, subject, organization_id)
        if self._events is None or not self._events.connected:
            return await self._looked_up(*key)
        return await self._seen.get(key, (self._database.writes, self._changes), lambda: self._looked_up(*key))

    async def member(self, organization_id: str, member_id: str) -> Viewer:
        """Another user of the organization, as seen when they sign in; raises `NotFound`."""
        query = _known().where(Member.id == member_id, Member.organization_id == organization_id)
        async with self._database.session() as session:
            found = (await session.exec(query)).one_or_none()
            if found is None:
                raise NotFound
            return await self._viewer(session, *found)

    async def _hear(self) -> None:
        if self._events is None:
            return
        async with self._events.subscribe(ACCESS) as notices:
            async for _ in notices:
                self._changes += 1
                self._seen.forget()

    async def _looked_up(self, email: str, subject: str | None, organization_id: str | None) -> Viewer:
        async with self._database.session() as session:
            member, version = await self._member(session, fold(email), subject, organization_id)
            return await self._viewer(session, member, version)

    async def _member(
        self, session: AsyncSession, email: str, subject: str | None, organization_id: str | None
    ) -> tuple[Member, int]:
        whose = col(Member.email) == email
        query = _known().where(or_(whose, col(Member.zuid) == subject) if subject else whose)
        if organization_id is not None:
            query = query.where(Member.organization_id == organization_id)
        return _chosen((await session.exec(query)).all(), subject)

    async def _viewer(self, session: AsyncSession, member: Member, version: int) -> Viewer:
        known = self._viewers.get(member.id)
        if known is None or known[0] != version:
            organization = await session.get_one(Organization, member.organization_id)
            access = (await accesses(session, [member]))[member.id]
            known = self._viewers[member.id] = (version, built(organization, member, access))
        return known[1]


def _known() -> Select[Member, int]:
    return select(Member, Organization.access_version).join(
        Organization, col(Organization.id) == col(Member.organization_id)
    )


def _chosen(found: Sequence[tuple[Member, int]], subject: str | None) -> tuple[Member, int]:
    """The one member among those of a person; raises `Unauthenticated`."""
    found = [row for row in found if subject and row[0].zuid == subject] or list(found)
    usable = [row for row in found if _obstacle(row[0]) is None]
    if len(usable) == 1:
        return usable[0]
    if usable:
        raise refused("SEVERAL_ORGANIZATIONS")
    raise refused(next((reason for member, _ in found if (reason := _obstacle(member))), "UNKNOWN_USER"))


def _obstacle(member: Member) -> str | None:
    if member.status == "deleted":
        return "UNKNOWN_USER"
    if member.status != "active":
        return "INACTIVE"
    return None if member.confirmed else "UNCONFIRMED"


async def accesses(session: AsyncSession, members: Sequence[Member]) -> dict[str, Access]:
    """What decides about members of one organization, by their ids; four queries, however many they are."""
    organization_id = members[0].organization_id if members else ""
    ids = [member.id for member in members]
    connections = await session.exec(
        select(Connection).where(
            Connection.organization_id == organization_id,
            or_(col(Connection.is_owner), col(Connection.member_id).in_(ids)),
        )
    )
    granted = await session.exec(select(IntegrationGrant).where(col(IntegrationGrant.member_id).in_(ids)))
    roles = await session.exec(select(Role).where(Role.organization_id == organization_id))
    named = {member.profile_id for member in members if member.profile_id}
    profiles = await session.exec(
        select(Profile).where(Profile.organization_id == organization_id, col(Profile.id).in_(named))
    )
    found = _Found(
        connections.all(),
        granted.all(),
        {(role.product, role.name): role for role in roles},
        {profile.id: profile for profile in profiles},
    )
    return {member.id: found.access(member) for member in members}


@dataclass(frozen=True)
class _Found:
    """The rows that decide about several members."""

    connections: Sequence[Connection]
    granted: Sequence[IntegrationGrant]
    roles: Mapping[tuple[str, str], Role]
    profiles: Mapping[str, Profile]

    def access(self, member: Member) -> Access:
        return Access(
            self.profiles.get(member.profile_id or ""),
            _own(self._connections.get(member.id, self._owners), member.id),
            {Product(grant.product): grant for grant in self._granted.get(member.id, ())},
            self.roles,
        )

    @cached_property
    def _owners(self) -> list[Connection]:
        return [connection for connection in self.connections if connection.is_owner]

    @cached_property
    def _connections(self) -> Mapping[str, list[Connection]]:
        """Each member's own, with the owner's."""
        found: dict[str, list[Connection]] = {}
        for connection in self.connections:
            if connection.member_id:
                found.setdefault(connection.member_id, list(self._owners)).append(connection)
        return found

    @cached_property
    def _granted(self) -> Mapping[str, list[IntegrationGrant]]:
        found: dict[str, list[IntegrationGrant]] = {}
        for grant in self.granted:
            found.setdefault(grant.member_id, []).append(grant)
        return found


def _own(connections: Iterable[Connection], member_id: str) -> dict[Product, Connection | None]:
    own: dict[Product, Connection | None] = {}
    for connection in connections:
        product = Product(connection.product)
        own[product] = connection if connection.member_id == member_id else own.get(product)
    return own


def built(organization: Organization, member: Member, access: Access) -> Viewer:
    """The viewer that a member is, by the rows that decide about them."""
    by_profile = grants.read(access.profile.grants) if access.profile else {}
    products = [product for product in FINANCE_PRODUCTS if product in access.connections]
    return Viewer(
        id=member.id,
        organization_id=organization.id,
        name=member.name,
        email=member.email,
        profile_name=access.profile.name if access.profile else "",
        profile=by_profile,
        access=tuple(_to_product(product, organization, member, access, by_profile) for product in products),
        administers=bool(access.profile and access.profile.administers),
        owns=access.owns,
        acting_user_field=organization.acting_user_field,
        reference_field=organization.reference_field,
        freshness_seconds=organization.freshness_seconds,
    )


def _to_product(
    product: Product, organization: Organization, member: Member, access: Access, by_profile: grants.Grants
) -> ProductAccess:
    """The access to a product that is connected; nobody falls back on the owner's once migrated."""
    migrated = member.migrated_at is not None or bool(access.granted)
    own = access.connections[product]
    if member.migrated_at is not None and own and _is_user(product, member):
        return _as_product_user(own, member, access)
    if granted := access.granted.get(product):
        return _as_integration_user(product, granted)
    uses = any(by_profile.get(module, NOTHING).actions for module in grants.modules(product))
    if organization.delegation and uses and not migrated:
        everything = dict.fromkeys((*grants.modules(product), "customers"), EVERYTHING)
        return ProductAccess(product, AccessKind.OWNER_DELEGATED, everything)
    return ProductAccess(product, AccessKind.NONE, migrated_at=member.migrated_at)


def _is_user(product: Product, member: Member) -> bool:
    return product is not Product.BOOKS or member.books_status in {None, "active"}


def _as_product_user(own: Connection, member: Member, access: Access) -> ProductAccess:
    product = Product(own.product)
    name = member.books_role if product is Product.BOOKS else member.billing_role or DEFAULT_BILLING_ROLE
    role = access.roles.get((product, fold(name or "")))
    allowed = grants.read(role.grants) if role else {}
    if product is Product.BOOKS and member.assigned_only:
        allowed = {module: replace(grant, assigned_only=True) for module, grant in allowed.items()}
    domain = _ZOHO.get(own.data_center, f"zoho.{own.data_center}")
    return ProductAccess(
        product,
        AccessKind.PRODUCT_USER,
        allowed,
        role=name,
        migrated_at=member.migrated_at,
        app_url=f"https://{product.lower()}.{domain}/app/{own.product_organization_id}",
    )


def _as_integration_user(product: Product, granted: IntegrationGrant) -> ProductAccess:
    capability_set = CapabilitySet(granted.capability_set)
    chosen = grants.read(granted.grants) if granted.grants is not None else None
    return ProductAccess(
        product,
        AccessKind.INTEGRATION_USER,
        grants.mailing(grants.narrowed(capability_set, chosen, product)),
        capability_set=capability_set,
        migrated_at=granted.created_at,
    )
