from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlmodel import col, select

from services.storage.models import Connection, now
from tests.harness import Demo
from tests.services.migration.office import Office


@pytest.fixture
async def office(demo: Demo) -> AsyncIterator[Office]:
    """Nobody is at work yet. The owner's connections are found by their being the owner's."""
    async with demo.assembly() as (assembly, sandbox):
        async with assembly.database.session() as session:
            owners = select(Connection.organization_id).where(
                col(Connection.is_owner), Connection.email == "owner@demo.example"
            )
            organization_id = (await session.exec(owners.distinct())).one()
        office = Office(assembly, sandbox, organization_id)
        await office.organize(window_opens_at=now() - timedelta(days=10), window_closes_at=now() + timedelta(days=80))
        yield office
