from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from services.audit import Action, Audit, FieldChange, Filters, State, Subject
from services.errand import UpstreamCall
from services.policy import AccessKind, Product

VIEWED = Action(name="invoices.view", permission="invoices.view", product=Product.BOOKS)


@pytest.fixture
async def audit(company: Any) -> Audit:
    await company.member("staff")
    return Audit(company.database)


async def record(audit: Audit, company: Any, number: int = 1, state: State = State.APPLIED) -> str:
    action = Action(name="invoices.update", product=Product.BOOKS, subject=Subject("invoices", str(number)))
    return await audit.record(await company.errand("staff"), action, state)


async def test_an_event_names_actor_access_record_change_and_calls(audit: Audit, company: Any) -> None:
    errand = await company.errand("staff")
    calls = [UpstreamCall("BOOKS", "GET", "/invoices/1", 200, 8.0, "owner@demo.example")]
    errand.calls += calls
    changes = [FieldChange("discount", Decimal("0.10"), Decimal("12.50"))]
    event = await audit.get(company.id, await audit.record(errand, VIEWED, State.APPLIED, changes=changes))
    assert event is not None
    assert (event.actor_id, event.actor_email) == (errand.viewer.id, errand.viewer.email)
    assert (event.credential_email, event.access) == ("owner@demo.example", AccessKind.OWNER_DELEGATED)
    assert event.changes == (FieldChange("discount", "0.10", "12.50"),)
    assert (event.calls, event.request_id) == (tuple(calls), errand.request_id)


async def test_pages_go_from_the_newest_to_the_oldest_and_lose_nothing(audit: Audit, company: Any) -> None:
    ids = [await record(audit, company, number) for number in range(5)]
    seen: list[str] = []
    after, more = None, True
    while more:
        page = await audit.page(company.id, 2, after)
        seen += [event.id for event in page.events]
        after, more = (page.events[-1].at, page.events[-1].id), page.more
        await record(audit, company, 99)
    assert seen == ids[::-1]


async def test_events_can_be_filtered(audit: Audit, company: Any) -> None:
    for number, state in enumerate([State.APPLIED, State.REJECTED, State.UNCERTAIN]):
        await record(audit, company, number, state)
    newest = (await audit.page(company.id, 1)).events[0]

    async def count(**filters: Any) -> int:
        return len((await audit.page(company.id, 10, filters=Filters(**filters))).events)

    assert await count() == 3
    assert await count(outcomes=[State.REJECTED, State.UNCERTAIN]) == 2
    assert await count(subject=Subject("invoices", "1")) == 1
    assert await count(subject=Subject("estimates")) == 0
    assert await count(actor_id=newest.actor_id, product=Product.BOOKS, actions=["invoices.update"]) == 3
    assert await count(since=newest.at) == 1
    assert await count(until=newest.at) == 2
    assert await count(request_id=newest.request_id) == 1
    assert await count(until=newest.at - timedelta(days=1)) == 0


async def test_another_organizations_events_are_not_seen(audit: Audit, company: Any, found: Any) -> None:
    event_id, other = await record(audit, company), await found()
    assert await audit.get(other.id, event_id) is None
    assert (await audit.page(other.id, 10)).events == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit_events SET outcome = 'REJECTED' WHERE id = :id",
        "UPDATE audit_events SET changes = '[]' WHERE id = :id",
        "DELETE FROM audit_events WHERE id = :id",
        "TRUNCATE audit_events CASCADE",
    ],
)
async def test_a_settled_event_cannot_be_changed_or_removed(audit: Audit, company: Any, tampering: str) -> None:
    event_id = await record(audit, company)
    with pytest.raises(IntegrityError, match="kept as they are"):
        async with company.database.session() as session:
            await session.exec(text(tampering).bindparams(**({"id": event_id} if ":id" in tampering else {})))
    assert await audit.get(company.id, event_id) is not None


async def test_an_open_event_cannot_be_put_on_somebody_else(audit: Audit, company: Any) -> None:
    event_id = await record(audit, company, state=State.UNCERTAIN)
    with pytest.raises(IntegrityError, match="kept as they are"):
        async with company.database.session() as session:
            await session.exec(text("UPDATE audit_events SET actor_id = 'x' WHERE id = :id").bindparams(id=event_id))
