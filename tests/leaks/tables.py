"""People as rows of the gateway's tables."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlmodel import col, update
from sqlmodel.ext.asyncio.session import AsyncSession

from services import grants
from services.policy import Action, CapabilitySet, ModuleGrant
from services.storage.models import Connection, IntegrationGrant, Member, Profile, Role
from tests.leaks.world import BOOKS, Person, Shown

MIGRATED = datetime(2026, 1, 1, tzinfo=UTC)
VIEW = frozenset({Action.VIEW})


def address(key: str) -> str:
    """A person's e-mail address."""
    return f"{key}@leaks.example"


async def written(session: AsyncSession, organization_id: str, person: Person) -> None:
    """All rows that decide about a person, as they are."""
    for row in (_profile(person), *_roles(person), _member(person), *_seats(person)):
        row.organization_id = organization_id
        await session.merge(row)
        await session.flush()
    mine = col(Connection.email) == address(person.key)
    await session.exec(update(Connection).where(mine).values(member_id=None))
    connected = col(Connection.product).in_(person.connected)
    await session.exec(update(Connection).where(mine, connected).values(member_id=person.key))


def _profile(person: Person) -> Profile:
    return Profile(organization_id="", id=person.key, name=person.key, grants=_stored(person.profile))


def _roles(person: Person) -> Iterator[Role]:
    for product, shown in person.roles.items():
        yield Role(organization_id="", product=product, name=person.key, grants=_stored(shown))


def _member(person: Person) -> Member:
    return Member(
        id=person.key,
        organization_id="",
        crm_user_id=person.key,
        email=address(person.key),
        name=person.key,
        profile_id=person.key,
        status="active",
        confirmed=True,
        books_role=person.key,
        books_status="active",
        billing_role=person.key,
        assigned_only=person.assigned_only,
        migrated_at=MIGRATED if person.migrated else None,
    )


def _seats(person: Person) -> Iterator[IntegrationGrant]:
    if person.seat is not None:
        yield IntegrationGrant(
            organization_id="",
            member_id=person.key,
            product=BOOKS,
            capability_set=CapabilitySet.ALL_FINANCE_MODULES,
            grants=_stored(person.seat),
            created_at=MIGRATED,
        )


def _stored(shown: Shown) -> dict[str, Any]:
    return grants.stored({module: ModuleGrant(VIEW, hidden) for module, hidden in shown.items()})
