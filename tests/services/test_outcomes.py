import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select, update

from services.audit import Action, Audit, FieldChange, State, Subject
from services.errand import UpstreamCall
from services.errors import Conflict
from services.outcomes import LAPSE, Begun, Outcome, Outcomes, Stage
from services.policy import AccessKind, Product
from services.storage import models

CREATE = Action(
    name="invoices.create", permission="invoices.create", product=Product.BOOKS, subject=Subject("invoices")
)


@pytest.fixture
async def outcomes(company: Any) -> Outcomes:
    await company.member("staff")
    return Outcomes(company.database)


def call(actor: str = "staff@demo.example", status: int | None = 201) -> UpstreamCall:
    return UpstreamCall("BOOKS", "POST", "/invoices", status, 12.5, actor)


async def begin(outcomes: Outcomes, company: Any, key: str = "k", **values: Any) -> Begun:
    values = {"key": key, "digest": "d"} | values
    return await outcomes.begin(await company.errand("staff"), values.pop("action", CREATE), **values)


async def test_of_many_equal_keys_at_once_exactly_one_begins(outcomes: Outcomes, company: Any) -> None:
    begun = await asyncio.gather(*(begin(outcomes, company) for _ in range(12)))
    assert sorted(one.stage.name for one in begun) == ["IN_PROGRESS"] * 11 + ["NEW"]
    assert len({one.outcome.id for one in begun}) == 1
    assert len((await Audit(company.database).page(company.id, 100)).events) == 1


async def test_an_intent_and_its_audit_event_are_stored_before_the_call(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company, details={"reference": "r"})
    assert begun.stage is Stage.NEW
    event = await Audit(company.database).get(company.id, begun.outcome.audit_event_id)
    assert event is not None
    assert (event.outcome, event.action, event.access) == (
        State.INTENT,
        "invoices.create",
        AccessKind.OWNER_DELEGATED,
    )
    assert (await outcomes.get(company.id, begun.outcome.member_id, "k")) == begun.outcome
    assert begun.outcome.details == {"reference": "r"}


async def test_a_repeated_key_is_answered_from_what_is_stored(outcomes: Outcomes, company: Any) -> None:
    first = await begin(outcomes, company)
    errors = [{"message": "Too late", "code": "STATUS"}]
    await outcomes.settle(first.outcome.id, State.REJECTED, user_errors=errors)
    again = await begin(outcomes, company)
    assert (again.stage, again.outcome.state) == (Stage.REPLAY, State.REJECTED)
    assert again.outcome.user_errors == tuple(errors)


@pytest.mark.parametrize("other", [{"digest": "other"}, {"action": Action(name="invoices.update")}])
async def test_a_key_that_was_used_for_something_else_is_refused(
    outcomes: Outcomes, company: Any, other: dict[str, Any]
) -> None:
    await begin(outcomes, company)
    with pytest.raises(Conflict):
        await begin(outcomes, company, **other)


async def test_a_key_is_its_users_own(outcomes: Outcomes, company: Any) -> None:
    await begin(outcomes, company)
    await company.member("sales")
    begun = await outcomes.begin(await company.errand("sales"), CREATE, key="k", digest="other")
    assert begun.stage is Stage.NEW


async def test_an_intent_that_cannot_be_stored_leaves_no_audit_event(outcomes: Outcomes, company: Any) -> None:
    errand = await company.errand("staff")
    errand.viewer = replace(errand.viewer, id="nobody")
    with pytest.raises(IntegrityError):
        await outcomes.begin(errand, CREATE, key="k", digest="d")
    assert (await Audit(company.database).page(company.id, 10)).events == []


async def test_outcome_and_audit_event_are_settled_together(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company)
    settled = await outcomes.settle(
        begun.outcome.id,
        State.APPLIED,
        record_id="460001",
        number="INV-000001",
        calls=[call()],
        changes=[FieldChange("notes", None, "Thanks")],
    )
    assert (settled.state, settled.record_module, settled.record_id) == (State.APPLIED, "invoices", "460001")
    assert settled.settled_at is not None
    event = await Audit(company.database).get(company.id, settled.audit_event_id)
    assert event is not None
    assert event.subject == Subject("invoices", "460001", "INV-000001")
    assert (event.outcome, event.calls, event.credential_email) == (State.APPLIED, (call(),), "staff@demo.example")
    assert event.changes == (FieldChange("notes", None, "Thanks"),)


async def test_a_settled_outcome_stays(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company)
    await outcomes.settle(begun.outcome.id, State.APPLIED, record_id="1")
    late = await outcomes.settle(begun.outcome.id, State.REJECTED, record_id="2")
    assert (late.state, late.record_id) == (State.APPLIED, "1")


async def test_two_that_settle_at_once_agree(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company)
    states = [State.APPLIED, State.REJECTED] * 3
    told = await asyncio.gather(*(outcomes.settle(begun.outcome.id, state) for state in states))
    assert len({outcome.state for outcome in told}) == 1


async def test_a_lost_answer_stays_uncertain_until_it_is_looked_up(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company)
    await outcomes.settle(begun.outcome.id, State.UNCERTAIN, calls=[call(status=None)])
    again = await begin(outcomes, company)
    assert (again.stage, again.outcome.state) == (Stage.IN_PROGRESS, State.UNCERTAIN)
    await outcomes.settle(begun.outcome.id, State.APPLIED, record_id="1", calls=[call(status=200)])
    event = await Audit(company.database).get(company.id, begun.outcome.audit_event_id)
    assert event is not None
    assert [one.status for one in event.calls] == [None, 200]
    assert (await begin(outcomes, company)).stage is Stage.REPLAY


async def claimed(outcomes: Outcomes, company: Any) -> list[Outcome]:
    """Other tests have companies of their own in the same database."""
    return [one for one in await outcomes.claim(1000) if one.organization_id == company.id]


async def test_an_uncertain_outcome_is_looked_up_by_one_at_a_time(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company)
    await begin(outcomes, company, "another")
    await outcomes.settle(begun.outcome.id, State.UNCERTAIN)
    taken = await asyncio.gather(*(claimed(outcomes, company) for _ in range(4)))
    assert [one.id for some in taken for one in some] == [begun.outcome.id]
    assert begun.outcome.id in {one.id for one in await outcomes.claim(1000, lease=timedelta(0))}


async def test_an_intent_whose_gateway_died_becomes_uncertain(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company)
    assert await claimed(outcomes, company) == []
    async with company.database.session() as session:
        await session.exec(
            update(models.Outcome)
            .where(col(models.Outcome.id) == begun.outcome.id)
            .values(started_at=models.now() - LAPSE - timedelta(seconds=1))
        )
    assert [one.id for one in await claimed(outcomes, company)] == [begun.outcome.id]
    event = await Audit(company.database).get(company.id, begun.outcome.audit_event_id)
    assert event is not None
    assert event.outcome is State.UNCERTAIN


async def test_a_key_that_was_never_used_has_no_outcome(outcomes: Outcomes, company: Any) -> None:
    async with company.database.session() as session:
        member = (await session.exec(select(models.Member).where(models.Member.organization_id == company.id))).one()
    assert await outcomes.get(company.id, member.id, "unused") is None
