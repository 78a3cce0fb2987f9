"""Members who are to become integration users, and all that can be wrong with that."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services import grants, seats
from services.credentials import NAMES
from services.directory_values import ACTIVE, GONE
from services.drafts import Problem
from services.integration_values import NewUser
from services.policy import CapabilitySet, Product
from services.storage.models import Connection, Member, Organization

MOST = 200
"""Members in one mutation; a migration takes any number."""
Path = tuple[str, ...]


@dataclass(frozen=True)
class Enrolment:
    """Who is asked for, and the rows that decide about it."""

    users: Sequence[NewUser]
    members: Mapping[str, Member]
    capability_set: CapabilitySet
    offered: Collection[Product]
    """The products that the owner has connected."""
    own: Mapping[str, frozenset[Product]]
    """By member, the products with an own connection."""
    seated: Mapping[str, Collection[Product]]
    """By member, the products with a seat as an integration user."""

    def problems(self) -> Iterator[Problem]:
        """Every mistake, at `input.users.<place>`."""
        if not 1 <= len(self.users) <= MOST:
            yield Problem(("input", "users"), f"Between 1 and {MOST} users are possible at once.")
        before: set[tuple[str, Product]] = set()
        for place, user in enumerate(self.users[:MOST]):
            path = ("input", "users", str(place))
            if (user.member_id, user.product) in before:
                yield Problem((*path, "userId"), f"This user is given twice for {NAMES[user.product]}.")
            before.add((user.member_id, user.product))
            yield from self._of_product(path, user.product)
            yield from grant_problems((*path, "grants"), [user.product], self.capability_set, user.granted)
            yield from self._of_member((*path, "userId"), user)

    def _of_product(self, path: Path, product: Product) -> Iterator[Problem]:
        if product not in self.offered:
            yield Problem((*path, "product"), f"{NAMES[product]} has no integration users, or is not connected.")

    def _of_member(self, path: Path, user: NewUser) -> Iterator[Problem]:
        member = self.members.get(user.member_id)
        if member is None or member.status == GONE:
            yield Problem(path, "The CRM has no such user.", "NOT_FOUND")
            return
        if member.status != ACTIVE or not member.confirmed:
            word = "active" if member.status != ACTIVE else "confirmed"
            yield Problem(path, f"The CRM user is not {word} (INACTIVE).", "CONFLICT", "Mend that in the CRM first.")
        if user.product in seats.user_of(member, self.own.get(member.id, ())):
            message = f"This person is a user of {NAMES[user.product]} already (ALREADY_IN_PRODUCT)."
            yield Problem(path, message, "CONFLICT", "Migrate them: then they work under the access that they have.")
        if user.product in self.seated.get(member.id, ()):
            message = f"This person is an integration user of {NAMES[user.product]} already (ALREADY_MIGRATED)."
            yield Problem(path, message, "CONFLICT", "Change their grants with integrationUserUpdate.")


def grant_problems(
    path: Path, products: Collection[Product], capability_set: CapabilitySet, granted: grants.Grants | None
) -> Iterator[Problem]:
    """That these grants hold more than the products' seats may."""
    if more := seats.excess(products, capability_set, granted):
        named = " and ".join(NAMES[product] for product in products)
        message = f"{capability_set} does not hold {', '.join(more)} in {named}."
        yield Problem(path, message, hint="An integration user may have less than the capability set, never more.")


async def enrolment(session: AsyncSession, organization: Organization, users: Sequence[NewUser]) -> Enrolment:
    """What decides about these users; their members are locked. `seats.hold` first."""
    ids = sorted({user.member_id for user in users[:MOST]})
    members = await session.exec(
        select(Member)
        .where(Member.organization_id == organization.id, col(Member.id).in_(ids))
        .order_by(col(Member.id))
        .with_for_update(key_share=True)
    )
    offered = await session.exec(
        select(Connection.product).where(Connection.organization_id == organization.id, col(Connection.is_owner))
    )
    seated = await seats.rows(session, ids)
    return Enrolment(
        users,
        {member.id: member for member in members},
        CapabilitySet(organization.capability_set),
        {Product(product) for product in offered} - {Product.CRM},
        await seats.connected(session, organization.id, ids),
        {member_id: {Product(row.product) for row in rows} for member_id, rows in seated.items()},
    )
