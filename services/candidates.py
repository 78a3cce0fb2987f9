"""Who could be migrated, to what, and what stands in the way."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from services import grants, seats
from services.credentials import NAMES
from services.directory_values import ACTIVE, GONE
from services.policy import FINANCE, NOTHING, AccessKind, Product
from services.storage.engine import Database
from services.storage.models import Member, Organization, ProductUser, Profile, fold, now
from services.usage import UNUSED, Usage, Utilization

RECENTLY = timedelta(days=90)
"""The time whose utilization counts where there is no window."""


class Kind(StrEnum):
    """What a person would become."""

    PRODUCT_USER = "PRODUCT_USER"
    INTEGRATION_USER = "INTEGRATION_USER"


class Reason(StrEnum):
    """Why somebody is not, or not yet, migrated: the contract's `MigrationReason`, and one more."""

    ALREADY_MIGRATED = "ALREADY_MIGRATED"
    ALREADY_IN_PRODUCT = "ALREADY_IN_PRODUCT"
    NOT_A_CRM_USER = "NOT_A_CRM_USER"
    INACTIVE = "INACTIVE"
    LIMIT_REACHED = "LIMIT_REACHED"
    NOT_UTILIZED = "NOT_UTILIZED"
    AWAITING_AUTHORIZATION = "AWAITING_AUTHORIZATION"
    UPSTREAM_ERROR = "UPSTREAM_ERROR"
    SEVERAL_MATCHES = "SEVERAL_MATCHES"
    """One address belongs to several users of the CRM or of the product: nobody can tell whose it is."""


Key = tuple[str, str]
"""Where a candidate stands in the list: (address, id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A person to migrate. `id` is the member's; without one (`NOT_A_CRM_USER`) `BOOKS:<id of the product's user>`.

    `to` is the planned access: NONE when `reason` forbids it. `products` are those the person is a user of,
    `connected` the ones among them that the person has connected.
    """

    kind: Kind
    id: str
    member_id: str | None
    name: str | None
    email: str
    products: tuple[Product, ...] = ()
    connected: tuple[Product, ...] = ()
    to: AccessKind
    reason: Reason | None = None
    message: str
    utilization: Utilization = UNUSED

    @property
    def eligible(self) -> bool:
        """Whether a migration takes the person; who awaits authorization is taken and asked for it."""
        return self.reason in {None, Reason.AWAITING_AUTHORIZATION}

    @property
    def key(self) -> Key:
        """The place in the list."""
        return self.email, self.id


@dataclass(frozen=True)
class Page:
    """Candidates by address, whether more follow, and how many there are in all."""

    candidates: list[Candidate] = field(default_factory=list)
    more: bool = False
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What decides beside the lists of users; by member's id, where not said otherwise."""

    own: Mapping[str, frozenset[Product]] = field(default_factory=dict)
    """The products to which a member has an own connection."""
    seats: Mapping[str, Collection[Product]] = field(default_factory=dict)
    """The products that a member is an integration user of."""
    profiles: Collection[str] = ()
    """Ids of the CRM profiles that grant something in the finance modules."""
    utilization: Mapping[str, Utilization] = field(default_factory=dict)


class Candidates:
    """The users common to the CRM and a product, and those who would become integration users."""

    def __init__(self, database: Database, usage: Usage) -> None:
        self._database = database
        self._usage = usage

    async def page(self, organization_id: str, first: int, after: Key | None = None, kind: Kind | None = None) -> Page:
        """Candidates by address, those after `after`; of one kind or of both."""
        found = [one for one in await self.all(organization_id) if kind in {None, one.kind}]
        rest = [one for one in found if after is None or one.key > after]
        return Page(rest[:first], len(rest) > first, len(found))

    async def all(self, organization_id: str, member_ids: Collection[str] | None = None) -> list[Candidate]:
        """All candidates by address; or these members, those included whom no migration would bring anything."""
        members, product_users, facts = await self._told(organization_id)
        found = match(members, product_users, facts)
        if member_ids is None:
            return [one for one in found if one.reason is not Reason.NOT_UTILIZED]
        return [one for one in found if one.member_id in set(member_ids)]

    async def _told(self, organization_id: str) -> tuple[list[Member], list[ProductUser], Facts]:
        async with self._database.session() as session:
            organization = await session.get_one(Organization, organization_id)
            members = list(await session.exec(select(Member).where(Member.organization_id == organization_id)))
            others = select(ProductUser).where(ProductUser.organization_id == organization_id)
            product_users = list(await session.exec(others))
            seated = await seats.rows(session, [member.id for member in members])
            facts = Facts(
                own=await seats.connected(session, organization_id),
                seats={key: tuple(Product(row.product) for row in rows) for key, rows in seated.items()},
                profiles=await _profiles(session, organization_id),
            )
        since = counted_since(organization)
        return members, product_users, replace(facts, utilization=await self._usage.operations(organization_id, since))


def counted_since(organization: Organization) -> datetime:
    """Since when utilization counts: the window's beginning, or some time back where there is none."""
    return organization.window_opens_at or now() - RECENTLY


def match(members: Sequence[Member], product_users: Sequence[ProductUser], facts: Facts) -> list[Candidate]:
    """Members and users of the products, put together by their case-folded addresses; ordered by `Candidate.key`.

    Who is no longer listed is left out. A member whose CRM profile grants nothing in the finance modules, and who is a
    user of no product, has the reason `NOT_UTILIZED`.
    """
    present = [member for member in members if member.status != GONE]
    users = [user for user in product_users if user.status != GONE]
    crowd = _Crowd(
        Counter(member.email for member in present if member.status == ACTIVE),
        Counter((user.product, _address(user)) for user in users if user.status == ACTIVE),
        facts,
    )
    addresses = {member.email for member in present}
    found = [crowd.candidate(member) for member in present]
    found += [_stranger(user) for user in users if _address(user) not in addresses]
    return sorted(found, key=lambda one: one.key)


@dataclass(frozen=True)
class _Crowd:
    """How many active users share an address in the CRM and in each product, and the facts."""

    in_crm: Mapping[str, int]
    in_product: Mapping[tuple[str, str], int]
    facts: Facts

    def candidate(self, member: Member) -> Candidate:
        own = self.facts.own.get(member.id, frozenset())
        there = seats.user_of(member, own)
        products = tuple(p for p in there if p is not Product.BOOKS or member.books_status in {None, ACTIVE})
        kind = Kind.PRODUCT_USER if there else Kind.INTEGRATION_USER
        otherwise = _as_product_user(products, own) if there else _as_integration_user()
        reason, message = next(self._obstacles(member, there, products), otherwise)
        return Candidate(
            kind=kind,
            id=member.id,
            member_id=member.id,
            name=member.name,
            email=member.email,
            products=products,
            connected=tuple(product for product in products if product in own),
            to=AccessKind(kind) if reason in {None, Reason.AWAITING_AUTHORIZATION} else AccessKind.NONE,
            reason=reason,
            message=message,
            utilization=self.facts.utilization.get(member.id, UNUSED),
        )

    def _obstacles(
        self, member: Member, there: Sequence[Product], products: Sequence[Product]
    ) -> Iterator[tuple[Reason, str]]:
        """What stands in a member's way, the most important first."""
        yield from self._already(member, there)
        if member.status != ACTIVE:
            yield Reason.INACTIVE, f"The CRM user is {member.status}; activate it in the CRM first."
        if not member.confirmed:
            yield Reason.INACTIVE, "The CRM user is not confirmed: the CRM's invitation has yet to be accepted."
        yield from self._several(member)
        if there and not products:
            message = f"The user in Zoho Books is {member.books_status}; activate it there, or delete it there first."
            yield Reason.INACTIVE, message
        if not there and member.profile_id not in self.facts.profiles:
            yield Reason.NOT_UTILIZED, "The CRM profile grants nothing in the finance modules."

    def _already(self, member: Member, there: Sequence[Product]) -> Iterator[tuple[Reason, str]]:
        seated = self.facts.seats.get(member.id, ())
        if seated and there:
            since = f"{_named(there)} has listed them as its own user since."
            yield Reason.ALREADY_MIGRATED, f"The user is an integration user already; {since}"
        if seated:
            yield Reason.ALREADY_MIGRATED, f"The user is an integration user of {_named(seated)} already."
        if member.migrated_at is not None:
            yield Reason.ALREADY_MIGRATED, f"The user works in their own scope since {member.migrated_at:%Y-%m-%d}."

    def _several(self, member: Member) -> Iterator[tuple[Reason, str]]:
        if (count := self.in_crm[member.email]) > 1:
            message = f"{count} active users of the CRM have this address: nobody can tell which is meant."
            yield Reason.SEVERAL_MATCHES, message
        for product in (Product.BOOKS, Product.BILLING):
            if (count := self.in_product[product, member.email]) > 1:
                message = f"{count} active users of {NAMES[product]} have this address: nobody can tell which is meant."
                yield Reason.SEVERAL_MATCHES, message


def _as_product_user(products: Sequence[Product], own: Collection[Product]) -> tuple[Reason | None, str]:
    if missing := [product for product in products if product not in own]:
        asked = "an e-mail asks them to; until then they work as before."
        return Reason.AWAITING_AUTHORIZATION, f"The user has not connected {_named(missing)} yet: {asked}"
    return None, f"The user will work under their own access to {_named(products)}."


def _as_integration_user() -> tuple[Reason | None, str]:
    return None, "The user will be an integration user, within the organization's capability set."


def _stranger(user: ProductUser) -> Candidate:
    product = Product(user.product)
    return Candidate(
        kind=Kind.PRODUCT_USER,
        id=f"{product}:{user.user_id}",
        member_id=None,
        name=user.name,
        email=_address(user),
        products=(product,),
        to=AccessKind.NONE,
        reason=Reason.NOT_A_CRM_USER,
        message=f"{NAMES[product]} knows this user, the CRM knows nobody with this address.",
    )


def _address(user: ProductUser) -> str:
    return fold(user.email or "")


def _named(products: Collection[Product]) -> str:
    return " and ".join(NAMES[product] for product in products)


async def _profiles(session: AsyncSession, organization_id: str) -> frozenset[str]:
    rows = await session.exec(select(Profile).where(Profile.organization_id == organization_id))
    return frozenset(row.id for row in rows if _uses(grants.read(row.grants)))


def _uses(granted: grants.Grants) -> bool:
    return any(granted.get(module, NOTHING).actions for module in FINANCE)
