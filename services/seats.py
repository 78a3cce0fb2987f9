"""The seats of integration users: how many there are, who has one, and what it allows. Parts of a transaction."""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services import grants
from services.directory_values import GONE
from services.errors import LimitReached
from services.policy import CapabilitySet, Product, capable
from services.storage.engine import alone
from services.storage.models import Connection, IntegrationGrant, Member, Organization, now


async def hold(session: AsyncSession, organization_id: str) -> None:
    """Until the transaction ends nobody else gives seats of the organization."""
    await alone(session, f"seats of {organization_id}")


async def taken(session: AsyncSession, organization_id: str) -> int:
    """How many members are integration users, whatever the number of their products."""
    query = select(func.count(func.distinct(IntegrationGrant.member_id))).where(
        IntegrationGrant.organization_id == organization_id
    )
    return (await session.exec(query)).one()


async def require(session: AsyncSession, organization_id: str, member_ids: Collection[str]) -> None:
    """Hold the seats and raise `LimitReached` unless all these members have or find one.

    Its extensions are `limit`, `count` (seats taken) and `asked` (those that would be taken now).
    """
    await hold(session, organization_id)
    limit = (
        await session.exec(select(Organization.integration_user_limit).where(Organization.id == organization_id))
    ).one()
    seated = await session.exec(
        select(IntegrationGrant.member_id).where(col(IntegrationGrant.member_id).in_(member_ids)).distinct()
    )
    asked, count = len(set(member_ids) - set(seated)), await taken(session, organization_id)
    if asked and count + asked > limit:
        raise LimitReached(
            f"At most {limit} integration users are possible; there are {count}, and {asked} more are asked for.",
            hint="The owner of the integration can raise the limit, giving a reason (integrationUserLimitRaise).",
            limit=limit,
            count=count,
            asked=asked,
        )


async def give(
    session: AsyncSession,
    member: Member,
    product: Product,
    capability_set: CapabilitySet,
    granted: grants.Grants | None = None,
) -> None:
    """Make a member (a row of this session) an integration user of a product, or change what they may; None is all.

    From then on the member works in their own scope: migrated, and without the seat left with nothing.
    Call `require` first.
    """
    values = {"capability_set": capability_set, "grants": None if granted is None else grants.stored(granted)}
    key = {"organization_id": member.organization_id, "member_id": member.id, "product": product}
    statement = insert(IntegrationGrant).values(key | values | {"created_at": now()})
    await session.exec(statement.on_conflict_do_update(index_elements=["member_id", "product"], set_=values))
    if member.migrated_at is None:
        member.migrated_at = now()


async def take(session: AsyncSession, member_id: str, products: Iterable[Product]) -> None:
    """End a member's being an integration user of these products."""
    await session.exec(
        delete(IntegrationGrant).where(
            col(IntegrationGrant.member_id) == member_id, col(IntegrationGrant.product).in_(list(products))
        )
    )


async def rows(session: AsyncSession, member_ids: Collection[str]) -> dict[str, list[IntegrationGrant]]:
    """The seats of members, as the database has them now; who has none is absent."""
    query = (
        select(IntegrationGrant)
        .where(col(IntegrationGrant.member_id).in_(member_ids))
        .order_by(col(IntegrationGrant.member_id), col(IntegrationGrant.product).desc())
        .execution_options(populate_existing=True)
    )
    found: dict[str, list[IntegrationGrant]] = {}
    for row in await session.exec(query):
        found.setdefault(row.member_id, []).append(row)
    return found


async def connected(
    session: AsyncSession, organization_id: str, member_ids: Collection[str] | None = None
) -> Mapping[str, frozenset[Product]]:
    """The products to which each member, or each of these, has an own connection; who has none is absent."""
    query = select(Connection.member_id, Connection.product).where(
        Connection.organization_id == organization_id, col(Connection.member_id).is_not(None)
    )
    if member_ids is not None:
        query = query.where(col(Connection.member_id).in_(member_ids))
    found: dict[str, set[Product]] = {}
    for member_id, product in await session.exec(query):
        found.setdefault(member_id or "", set()).add(Product(product))
    return {member_id: frozenset(products) for member_id, products in found.items()}


def user_of(member: Member, own: Collection[Product]) -> tuple[Product, ...]:
    """The finance products that a member is a user of, active there or not; `own` are those with an own connection.

    Billing lists no users (facts §3): its are known by their connection, or by the role an administrator has told.
    """
    books = Product.BOOKS in own or member.books_status not in {None, GONE}
    billing = Product.BILLING in own or member.billing_role is not None
    return tuple(p for p, there in ((Product.BOOKS, books), (Product.BILLING, billing)) if there)


def excess(products: Iterable[Product], capability_set: CapabilitySet, granted: grants.Grants | None) -> list[str]:
    """What these grants hold beyond a capability set in these products, in words."""
    held = {module: actions for product in products for module, actions in capable(product, capability_set).items()}
    return [
        f"{module}.{action}"
        for module, grant in sorted((granted or {}).items())
        for action in sorted(grant.actions - held.get(module, frozenset()))
    ]
