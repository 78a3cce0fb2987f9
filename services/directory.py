"""The organizations and their people, kept as the CRM and the products tell them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from services import audit, grants, seats
from services.audit import Action, FieldChange, State, Subject
from services.credentials import Credentials
from services.directory_values import ACTIVE, GONE, CrmProfile, CrmUser, ProductUser
from services.errand import Errand
from services.errors import BadUserInput, NotFound, UpstreamRejected
from services.policy import AccessKind, CapabilitySet, Product
from services.storage import models
from services.storage.engine import Database, alone
from services.storage.models import Connection, Member, Organization, Profile, Role, fold, now
from services.upstream.auth import Connection as Access
from services.upstream.books import Books
from services.upstream.crm import Crm

MIGRATE = "users.migrate"
"""In the audit: somebody works under another access than before."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who did something; `id` is the member's, absent for those whom the CRM does not know."""

    id: str | None
    name: str | None
    email: str | None


@dataclass(frozen=True)
class Roster:
    """Everybody of an organization as the CRM and Books tell at one time."""

    users: Sequence[CrmUser]
    profiles: Sequence[CrmProfile]
    books: Sequence[ProductUser] | None
    """None when Books is not connected."""

    def in_books(self) -> Mapping[str, ProductUser]:
        """Users of Books by address, an active one before others of the same."""
        ranked = sorted(self.books or (), key=lambda user: user.status == "active")
        return {fold(user.email): user for user in ranked if user.email}


class Directory:
    """Synchronizes organizations under their owners' access, and changes who works how."""

    def __init__(self, database: Database, credentials: Credentials, crm: Crm, books: Books) -> None:
        self._database = database
        self._credentials = credentials
        self._crm = crm
        self._books = books
        self._people: dict[str, tuple[datetime | None, Mapping[str, Person]]] = {}

    async def provision(
        self, *, name: str, data_center: str, edition: str, crm_org_id: str, delegation: bool = True
    ) -> str:
        """Make an organization known, its roles filled in with the products' defaults; its id.

        Repeated for the same CRM organization it changes name and edition, and leaves the roles alone.
        """
        row = Organization(
            name=name, data_center=data_center, edition=edition, crm_org_id=crm_org_id, delegation=delegation
        )
        statement = insert(Organization).values(row.model_dump())
        statement = statement.on_conflict_do_update(
            index_elements=["data_center", "crm_org_id"], set_={"name": name, "edition": edition}
        )
        async with self._database.session() as session:
            organization_id: str = (await session.exec(statement.returning(col(Organization.id)))).scalar_one()
            await session.exec(insert(Role).values(_default_roles(organization_id)).on_conflict_do_nothing())
        return organization_id

    async def organization(self, organization_id: str) -> Organization:
        """The organization's settings; raises `NotFound`."""
        async with self._database.session() as session:
            found = await session.get(Organization, organization_id)
        if found is None:
            raise NotFound("There is no such organization.")
        return found

    async def organization_in_crm(self, data_center: str, crm_org_id: str) -> str | None:
        """The id of the organization that belongs to one of the CRM, if it is known."""
        asked = select(Organization.id).where(
            Organization.data_center == data_center, Organization.crm_org_id == crm_org_id
        )
        async with self._database.session() as session:
            return (await session.exec(asked)).one_or_none()

    async def member(self, member_id: str) -> Member:
        """A member by id; raises `NotFound`."""
        async with self._database.session() as session:
            found = await session.get(Member, member_id)
        if found is None:
            raise NotFound
        return found

    async def members_at(self, email: str, organization_id: str | None = None) -> list[Member]:
        """The active members of this address, of one organization or of all."""
        asked = select(Member).where(Member.email == fold(email), Member.status == ACTIVE)
        if organization_id is not None:
            asked = asked.where(Member.organization_id == organization_id)
        async with self._database.session() as session:
            return list(await session.exec(asked))

    async def organizations(self) -> list[str]:
        """The ids of all organizations."""
        async with self._database.session() as session:
            return list(await session.exec(select(Organization.id).order_by(col(Organization.created_at))))

    async def sync(self, organization_id: str) -> None:
        """Take over what the CRM and Books tell of users, profiles and roles; all of it or, on an error, nothing."""
        crm = await self._credentials.owner(organization_id, Product.CRM)
        connected = {one.product for one in await self._credentials.owners(organization_id)}
        has_books = Product.BOOKS in connected
        books = await self._credentials.owner(organization_id, Product.BOOKS) if has_books else None
        await self.take(organization_id, await self.told(crm, books))

    async def told(self, crm: Access, books: Access | None) -> Roster:
        """What the CRM and Books tell under these accesses; raises `Forbidden` where one may not ask."""
        users, profiles = await self._crm.users(crm), await self._crm.profiles(crm)
        if not users or not profiles:
            raise UpstreamRejected("The CRM lists no users.", product=Product.CRM)
        return Roster(users, profiles, await self._books.users(books) if books else None)

    async def take(self, organization_id: str, people: Roster) -> None:
        """Replace what is known of users, profiles and roles."""
        async with self._database.session() as session:
            await alone(session, f"directory of {organization_id}")
            await _take_profiles(session, organization_id, people.profiles)
            await _take_members(session, organization_id, people)
            await session.flush()
            await _take_product_users(session, organization_id, people.books)
            await _link_connections(session, organization_id)
            organization = await session.get_one(Organization, organization_id)
            organization.synced_at = now()
        self._credentials.forget(organization_id)

    async def people(self, organization_id: str) -> Mapping[str, Person]:
        """Who is behind a Books user id, as of the last synchronization."""
        async with self._database.session() as session:
            asked = select(Organization.synced_at).where(Organization.id == organization_id)
            synced_at = (await session.exec(asked)).one_or_none()
            known = self._people.get(organization_id)
            if known is None or known[0] != synced_at:
                users = select(models.ProductUser).where(
                    models.ProductUser.organization_id == organization_id,
                    models.ProductUser.product == Product.BOOKS,
                )
                found = {user.user_id: _person(user) for user in await session.exec(users)}
                known = self._people[organization_id] = (synced_at, found)
        return known[1]

    async def migrate(self, organization_id: str, emails: Iterable[str], errand: Errand | None = None) -> None:
        """From now on these work under their own access; those who do already are left as they are.

        The audit tells that the errand's viewer did it; nothing, where there is none.
        """
        folded = [fold(email) for email in emails]
        async with self._database.session() as session:
            moved = await session.exec(
                update(Member)
                .where(
                    col(Member.organization_id) == organization_id,
                    col(Member.email).in_(folded),
                    col(Member.migrated_at).is_(None),
                )
                .values(migrated_at=now())
                .returning(col(Member.id))
            )
            if errand is not None:
                for (member_id,) in moved.all():
                    action = Action(name=MIGRATE, subject=Subject("users", member_id))
                    changes = [FieldChange("access", AccessKind.OWNER_DELEGATED, AccessKind.PRODUCT_USER)]
                    audit.append(session, errand, action, State.APPLIED, changes=changes)

    async def grant(
        self,
        organization_id: str,
        email: str,
        product: Product,
        capability_set: CapabilitySet,
        granted: grants.Grants | None = None,
    ) -> None:
        """Provision an integration user, as `Integration.add` does for an administrator; None is all of the set.

        Raises `NotFound` for an unknown member, `BadUserInput` for one who is a user of the product already, and
        `LimitReached`.
        """
        async with self._database.session() as session:
            await seats.hold(session, organization_id)
            member = await _member(session, organization_id, email)
            own = (await seats.connected(session, organization_id, [member.id])).get(member.id, ())
            if product in seats.user_of(member, own):
                raise BadUserInput(
                    "Who is a user of the product already cannot be added as an integration user.",
                    hint="Let the person work under the access that they have: migrate them.",
                )
            await seats.require(session, organization_id, [member.id])
            await seats.give(session, member, product, capability_set, granted)

    async def revoke(self, organization_id: str, email: str, product: Product) -> None:
        """End a member's being an integration user of a product, as `Integration.remove` does."""
        async with self._database.session() as session:
            await seats.take(session, (await _member(session, organization_id, email)).id, [product])

    async def set_role(self, organization_id: str, product: Product, name: str, allowed: grants.Grants) -> None:
        """Say what a role of a product allows; the products do not tell."""
        key = {"organization_id": organization_id, "product": product, "name": fold(name)}
        values = {"grants": grants.stored(allowed)}
        statement = insert(Role).values(key | values)
        async with self._database.session() as session:
            await session.exec(statement.on_conflict_do_update(index_elements=list(key), set_=values))

    async def set_billing_role(self, organization_id: str, email: str, role: str | None) -> None:
        """Say which role a member has in Billing, which lists no users (facts §3)."""
        async with self._database.session() as session:
            (await _member(session, organization_id, email)).billing_role = role


def _default_roles(organization_id: str) -> list[dict[str, object]]:
    return [
        {"organization_id": organization_id, "product": product, "name": name, "grants": grants.stored(allowed)}
        for product, roles in grants.DEFAULT_ROLES.items()
        for name, allowed in roles.items()
    ]


async def _take_profiles(session: AsyncSession, organization_id: str, told: Iterable[CrmProfile]) -> None:
    rows = await session.exec(select(Profile).where(Profile.organization_id == organization_id))
    stored = {row.id: row for row in rows}
    for profile in told:
        row = stored.pop(profile.id, None) or Profile(organization_id=organization_id, id=profile.id, name="")
        row.name, row.administers = profile.name, profile.administers
        row.grants = grants.stored(profile.grants)
        session.add(row)
    for row in stored.values():
        await session.delete(row)


async def _take_members(session: AsyncSession, organization_id: str, people: Roster) -> None:
    rows = await session.exec(select(Member).where(Member.organization_id == organization_id))
    stored = {row.crm_user_id: row for row in rows}
    in_books = people.in_books()
    for user in people.users:
        row = stored.pop(user.id, None) or Member(
            organization_id=organization_id, crm_user_id=user.id, email="", name="", status="", confirmed=False
        )
        _describe(row, user)
        if people.books is not None:
            _describe_in_books(row, in_books.get(row.email))
        session.add(row)
    for row in stored.values():
        row.status = GONE


def _describe(row: Member, user: CrmUser) -> None:
    row.email = fold(user.email)
    row.name = user.name or row.email
    row.zuid = user.zuid
    row.profile_id = user.profile.id if user.profile else None
    row.status, row.confirmed = user.status, user.confirm


def _describe_in_books(row: Member, user: ProductUser | None) -> None:
    """What Books tells of a member; one who was there and is no longer is marked so."""
    if user is None:
        row.books_status = GONE if row.books_user_id else None
        return
    row.books_user_id, row.books_role, row.books_status = user.id, user.role, user.status
    row.assigned_only = user.is_customer_segmented


async def _take_product_users(session: AsyncSession, organization_id: str, told: Sequence[ProductUser] | None) -> None:
    if told is None:
        return
    rows = await session.exec(
        select(models.ProductUser).where(
            models.ProductUser.organization_id == organization_id, models.ProductUser.product == Product.BOOKS
        )
    )
    stored = {row.user_id: row for row in rows}
    members = await session.exec(select(Member).where(Member.organization_id == organization_id))
    member_ids = {member.books_user_id: member.id for member in members if member.status != GONE}
    for user in told:
        row = stored.pop(user.id, None) or models.ProductUser(
            organization_id=organization_id, product=Product.BOOKS, user_id=user.id
        )
        row.member_id = member_ids.get(user.id)
        row.name, row.email = user.name, user.email and fold(user.email)
        row.role, row.status, row.assigned_only = user.role, user.status, user.is_customer_segmented
        session.add(row)
    for row in stored.values():
        row.status = GONE


async def _link_connections(session: AsyncSession, organization_id: str) -> None:
    """Give connections whose member was unknown to the member of their address."""
    await session.exec(
        update(Connection)
        .where(col(Connection.organization_id) == organization_id, col(Connection.member_id).is_(None))
        .where(col(Connection.email) == col(Member.email), col(Member.organization_id) == organization_id)
        .where(col(Member.status) != GONE)
        .values(member_id=Member.id)
    )


async def _member(session: AsyncSession, organization_id: str, email: str) -> Member:
    query = select(Member).where(
        Member.organization_id == organization_id, Member.email == fold(email), Member.status != GONE
    )
    found = (await session.exec(query)).first()
    if found is None:
        raise NotFound("Nobody with this e-mail address uses the CRM.")
    return found


def _person(user: models.ProductUser) -> Person:
    return Person(user.member_id, user.name, user.email)
