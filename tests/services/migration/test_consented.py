"""A consent wakes whoever waits for it, whichever process heard of it."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import col, select, update

from services.migration.states import ItemState
from services.migration.work import APART
from services.storage.clock import NEAR
from services.storage.models import Connection, Organization

from .office import Office


@pytest.mark.parametrize(("seconds", "wakes"), [(1.0, True), (-NEAR, True), (-60.0, False)])
async def test_clocks_that_are_as_near_as_they_are_kept_lose_no_consent(
    office: Office, seconds: float, *, wakes: bool
) -> None:
    run = await office.migrate("restricted")
    settled_at = (await office.items(run.id))["restricted"].settled_at
    assert settled_at is not None
    await office.connect("restricted")
    (member_id,) = await office.ids("restricted")
    told = update(Connection).where(col(Connection.member_id) == member_id)
    await office.change(told.values(connected_at=settled_at + timedelta(seconds=seconds)))
    assert await office.assembly.migrating.work.waiting() == ([run.id] if wakes else [])


async def test_a_consent_that_is_still_being_stored_when_its_member_is_asked_for_it_is_not_lost(office: Office) -> None:
    run = await office.start("restricted")
    async with office.assembly.database.session() as session:
        await session.exec(select(Organization.id).with_for_update(key_share=True))
        consent = asyncio.create_task(office.connect("restricted"))
        await office.waits(consent)
        await asyncio.sleep(2 * APART.total_seconds())
        work = asyncio.create_task(office.work())
        await asyncio.wait([work], timeout=0.5)
    await asyncio.gather(consent, work)
    await office.work()
    assert (await office.items(run.id))["restricted"].state is ItemState.MIGRATED
