"""What a migration keeps of a member before it changes them, and putting it back."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services import seats
from services.storage.models import IntegrationGrant, Json, Member
from services.storage.rollout import MigrationItem


def kept(member: Member, granted: Sequence[IntegrationGrant]) -> Json:
    """A member's standing, as `MigrationItem.undo` holds it."""
    return {
        "migrated_at": member.migrated_at.isoformat() if member.migrated_at else None,
        "grants": [
            {
                "product": row.product,
                "capability_set": row.capability_set,
                "grants": row.grants,
                "created_at": row.created_at.isoformat(),
            }
            for row in granted
        ],
    }


async def restore(session: AsyncSession, items: Sequence[MigrationItem], *, seated_only: bool) -> None:
    """Put members back to what their items kept. `seated_only`: who has lost the seat meanwhile gets none again."""
    members = await _members(session, [item.member_id for item in items])
    seated = await seats.rows(session, list(members))
    back = [item for item in items if seated.get(item.member_id) or not seated_only]
    await session.exec(
        delete(IntegrationGrant).where(col(IntegrationGrant.member_id).in_([item.member_id for item in back]))
    )
    for item in back:
        member = members[item.member_id]
        member.migrated_at = _moment(item.undo.get("migrated_at"))
        session.add_all(_grant(member, row) for row in item.undo.get("grants", ()))


async def _members(session: AsyncSession, ids: Sequence[str]) -> Mapping[str, Member]:
    """Locked in one order, so that nobody waits for another in a circle."""
    query = select(Member).where(col(Member.id).in_(ids)).order_by(col(Member.id))
    locked = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return {member.id: member for member in await session.exec(locked)}


def _grant(member: Member, row: Json) -> IntegrationGrant:
    return IntegrationGrant(
        organization_id=member.organization_id,
        member_id=member.id,
        product=row["product"],
        capability_set=row["capability_set"],
        grants=row["grants"],
        created_at=datetime.fromisoformat(row["created_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
