"""A consent wakes whoever waits for it, whichever process heard of it."""

from datetime import timedelta

import pytest
from sqlmodel import col, update

from services.storage.clock import NEAR
from services.storage.models import Connection

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
