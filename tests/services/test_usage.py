import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.policy import Viewer
from services.storage.engine import Database
from services.storage.rollout import Usage as Row
from services.usage import Touched, Usage, Utilization

TODAY = datetime.now(UTC)
INVOICES = frozenset({"Query.invoices": "invoices.view", "Invoice.balance": "invoices.view.balance"}.items())


async def viewer(company: Any, local: str) -> Viewer:
    await company.member(local)
    found: Viewer = await company.viewer(local)
    return found


async def test_an_operation_counts_once_in_all_and_once_for_each_coordinate(company: Any) -> None:
    usage, staff = Usage(company.database), await viewer(company, "staff")
    usage.note(staff, INVOICES)
    usage.note(staff, frozenset({"Query.invoices": "invoices.view"}.items()))
    await usage.flush()
    assert await usage.operations(company.id, TODAY) == {staff.id: Utilization(2, datetime.now(UTC).date())}
    assert await usage.touched(staff.id, TODAY) == [
        Touched("Query.invoices", "invoices.view", 2),
        Touched("Invoice.balance", "invoices.view.balance", 1),
    ]


async def test_only_operations_on_finance_modules_are_utilization(company: Any) -> None:
    usage, staff = Usage(company.database), await viewer(company, "staff")
    usage.note(
        staff,
        frozenset(
            {"Query.accounts": "accounts.view", "Query.viewer": "public", "Query.integration": "audit.view"}.items()
        ),
    )
    await usage.flush()
    assert await usage.operations(company.id, TODAY) == {}
    assert [one.coordinate for one in await usage.touched(staff.id, TODAY)] == ["Query.accounts"]


async def test_what_several_replicas_count_adds_up(company: Any) -> None:
    replicas = [Usage(company.database) for _ in range(4)]
    people = [await viewer(company, f"staff{number}") for number in range(3)]
    for replica in replicas:
        for person in people:
            replica.note(person, INVOICES)
    await asyncio.gather(*(replica.flush() for replica in replicas))
    found = await replicas[0].operations(company.id, TODAY)
    assert {member: one.operations for member, one in found.items()} == {person.id: 4 for person in people}


async def test_days_before_are_left_out(company: Any) -> None:
    usage, staff = Usage(company.database), await viewer(company, "staff")
    for days in (10, 40):
        day = (TODAY - timedelta(days=days)).date()
        for coordinate in ("", "Query.invoices"):
            await company.add(
                Row(
                    organization_id=company.id,
                    member_id=staff.id,
                    day=day,
                    coordinate=coordinate,
                    permission="invoices.view",
                    operations=7,
                )
            )
    month = TODAY - timedelta(days=30)
    assert (await usage.operations(company.id, month))[staff.id].operations == 7
    assert (await usage.touched_by([staff.id, "nobody"], month))[staff.id][0].operations == 7
    assert (await usage.operations(company.id, TODAY - timedelta(days=40)))[staff.id].operations == 14


async def test_what_was_counted_is_written_at_the_end(company: Any) -> None:
    staff = await viewer(company, "staff")
    async with Usage(company.database, every=60).running() as usage:
        usage.note(staff, INVOICES)
    assert (await usage.operations(company.id, TODAY))[staff.id].operations == 1


async def test_what_was_counted_is_written_every_few_moments(company: Any) -> None:
    staff = await viewer(company, "staff")
    async with Usage(company.database, every=0.02).running() as usage:
        usage.note(staff, INVOICES)
        for _ in range(200):
            if await usage.operations(company.id, TODAY):
                return
            await asyncio.sleep(0.02)
    pytest.fail("nothing was written")


async def test_counts_are_kept_while_the_database_does_not_take_them(company: Any) -> None:
    staff = await viewer(company, "staff")
    impatient = Database(company.database.url, statement_timeout=0.1)
    usage = Usage(impatient)
    usage.note(staff, INVOICES)
    async with company.database.session() as session:
        await session.exec(text("LOCK TABLE usage"))
        for _ in range(2):
            with pytest.raises(DBAPIError):
                await usage.flush()
        usage.note(staff, INVOICES)
    await usage.flush()
    assert (await usage.operations(company.id, TODAY))[staff.id].operations == 2
    await impatient.close()
