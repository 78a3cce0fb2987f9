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
from services.outcomes import GRACE, LAPSE, Begun, Outcome, Outcomes, Stage
from services.policy import AccessKind, Product
from services.storage import models

CREATE = Action(
    name="invoices.create", permission="invoices.create", product=Product.BOOKS, subject=Subject("invoices")
)


@pytest.fixture
async def outcomes(company: Any) -> Outcomes:
    await company.member("staff")
    return Outcomes(company.database)


@pytest.fixture
async def own_company(own_database: Any, found: Any) -> Any:
    """In a database where nobody else writes."""
    company = await found(own_database)
    await company.member("staff")
    return company


def call(actor: str = "staff@demo.example", status: int | None = 201) -> UpstreamCall:
    return UpstreamCall("BOOKS", "POST", "/invoices", status, 12.5, actor)


async def begin(outcomes: Outcomes, company: Any, key: str = "k", **values: Any) -> Begun:
    values = {"key": key, "digest": "d"} | values
    return await outcomes.begin(await company.errand("staff"), values.pop("action", CREATE), **values)


async def change(company: Any, outcome_id: str, **values: Any) -> None:
    async with company.database.session() as session:
        await session.exec(update(models.Outcome).where(col(models.Outcome.id) == outcome_id).values(**values))


def ago(**since: float) -> Any:
    return models.now() - timedelta(**since)


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
    begun, other = await begin(outcomes, company), await begin(outcomes, company, "other")
    assert await claimed(outcomes, company) == []
    await change(company, begun.outcome.id, started_at=ago(seconds=LAPSE.total_seconds() + 1))
    assert [one.id for one in await claimed(outcomes, company)] == [begun.outcome.id]
    for one, state in ((begun, State.UNCERTAIN), (other, State.INTENT)):
        event = await Audit(company.database).get(company.id, one.outcome.audit_event_id)
        assert event is not None
        assert event.outcome is state


async def test_what_waited_longest_is_looked_up_first_and_lapses_only_after_two_minutes(
    own_company: Any,
) -> None:
    outcomes = Outcomes(own_company.database)
    begun = [await begin(outcomes, own_company, str(place)) for place in range(4)]
    ids = [one.outcome.id for one in begun]
    for outcome_id, since in zip(ids, (130, 150, 110, 140), strict=True):
        await change(own_company, outcome_id, started_at=ago(seconds=since))
    assert [one.id for one in await outcomes.claim(1)] == [ids[1]]
    assert [one.id for one in await outcomes.claim(2)] == [ids[3], ids[0]]
    assert await outcomes.claim() == []
    left = await outcomes.get(own_company.id, begun[2].outcome.member_id, "2")
    assert left is not None
    assert left.state is State.INTENT


async def test_what_was_never_looked_up_comes_before_what_was_a_moment_ago(own_company: Any) -> None:
    outcomes = Outcomes(own_company.database)
    older, never = [(await begin(outcomes, own_company, key)).outcome.id for key in "ab"]
    for one in (older, never):
        await outcomes.settle(one, State.UNCERTAIN)
    await change(own_company, older, started_at=ago(seconds=200), looked_up_at=ago(seconds=70))
    await change(own_company, never, started_at=ago(seconds=100))
    assert [one.id for one in await outcomes.claim(1)] == [never]


@pytest.mark.parametrize(
    ("age", "rested", "due"),
    [
        (100, 59, False),
        (100, 61, True),
        (239, 59, False),
        (239, 61, True),
        (960, 230, False),
        (960, 250, True),
        (48_000, 11_970, False),
        (48_000, 12_010, True),
    ],
)
async def test_what_stays_uncertain_is_looked_up_ever_more_rarely(
    outcomes: Outcomes, company: Any, age: int, rested: int, due: bool
) -> None:
    """`age`: of the write, when it was looked up last; that was `rested` seconds ago."""
    begun = await begin(outcomes, company)
    await outcomes.settle(begun.outcome.id, State.UNCERTAIN)
    await change(company, begun.outcome.id, started_at=ago(seconds=rested + age), looked_up_at=ago(seconds=rested))
    assert [one.id for one in await claimed(outcomes, company)] == [begun.outcome.id] * due


async def test_who_acts_on_the_same_at_once_is_told_of_the_others(outcomes: Outcomes, company: Any, found: Any) -> None:
    first = await begin(outcomes, company, "1", details={"on": "invoices:1"})
    assert first.outcome.details == {"on": "invoices:1", "rivals": []}
    second = await begin(outcomes, company, "2", details={"on": "invoices:1"})
    assert second.outcome.details["rivals"] == [first.outcome.id]
    assert (await begin(outcomes, company, "3", details={"on": "invoices:2"})).outcome.details["rivals"] == []
    elsewhere = await found()
    await elsewhere.member("staff")
    assert (await begin(outcomes, elsewhere, "1", details={"on": "invoices:1"})).outcome.details["rivals"] == []
    await outcomes.settle(first.outcome.id, State.APPLIED)
    await change(company, second.outcome.id, started_at=ago(seconds=121))
    assert (await begin(outcomes, company, "4", details={"on": "invoices:1"})).outcome.details["rivals"] == []


@pytest.mark.parametrize(
    ("shows", "age", "counts"),
    [
        (None, GRACE - timedelta(seconds=5), True),
        (None, GRACE + timedelta(seconds=5), False),
        ({"status": "void"}, timedelta(0), False),
    ],
)
async def test_an_uncertain_act_counts_while_an_effect_that_the_record_does_not_show_may_come(
    outcomes: Outcomes, company: Any, shows: dict[str, str] | None, age: timedelta, counts: bool
) -> None:
    assert timedelta(minutes=5) == GRACE, "as docs/life-cycle.md says"
    details = {"on": "invoices:1"} | ({"shows": shows} if shows else {})
    lost = (await begin(outcomes, company, "lost", details=details)).outcome.id
    await outcomes.settle(lost, State.UNCERTAIN)
    await change(company, lost, started_at=models.now() - age)
    begun = await begin(outcomes, company, "new", details={"on": "invoices:1"})
    assert begun.outcome.details["rivals"] == ([lost] if counts else [])


async def test_what_was_looked_at_for_a_write_is_told_of_that_write_alone(outcomes: Outcomes, company: Any) -> None:
    one, other = [(await begin(outcomes, company, key)).outcome.id for key in "ab"]
    await outcomes.note(one, {"others": ["7", "8"]})
    assert (await outcomes.others(one), await outcomes.others(other)) == ({"7", "8"}, set())


async def test_of_two_who_begin_at_once_one_is_told_of_the_other(outcomes: Outcomes, company: Any) -> None:
    for place in range(4):
        begun = await asyncio.gather(
            *(begin(outcomes, company, f"{place} {key}", details={"on": f"invoices:{place}"}) for key in "abc")
        )
        assert sorted(len(one.outcome.details["rivals"]) for one in begun) == [0, 1, 2]


async def test_what_several_note_at_once_is_all_kept(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company)
    await asyncio.gather(*(outcomes.note(begun.outcome.id, {str(place): place}) for place in range(12)))
    kept = await outcomes.get(company.id, begun.outcome.member_id, "k")
    assert kept is not None
    assert kept.details == {str(place): place for place in range(12)}


async def test_at_most_twenty_are_looked_up_at_a_time(own_company: Any) -> None:
    outcomes = Outcomes(own_company.database)
    for place in range(22):
        begun = await begin(outcomes, own_company, str(place))
        await outcomes.settle(begun.outcome.id, State.UNCERTAIN)
    assert len(await outcomes.claim()) == 20
    assert len(await outcomes.claim()) == 2


async def test_a_write_that_somebody_is_settling_is_passed_over(outcomes: Outcomes, company: Any) -> None:
    held, free = [(await begin(outcomes, company, key)).outcome.id for key in "ab"]
    for one in (held, free):
        await outcomes.settle(one, State.UNCERTAIN)
    async with company.database.session() as session, asyncio.timeout(5):
        await session.get_one(models.Outcome, held, with_for_update=True)
        assert [one.id for one in await claimed(outcomes, company)] == [free]


async def test_what_is_noted_is_added_to_what_is_known(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company, details={"a": 1, "b": 1})
    await outcomes.note(begun.outcome.id, {"b": 2, "c": 3})
    kept = await outcomes.get(company.id, begun.outcome.member_id, "k")
    assert kept is not None
    assert kept.details == {"a": 1, "b": 2, "c": 3}


async def test_states_are_those_of_the_writes_asked_for(outcomes: Outcomes, company: Any) -> None:
    ids = [(await begin(outcomes, company, key)).outcome.id for key in "abc"]
    await outcomes.settle(ids[0], State.APPLIED)
    await outcomes.settle(ids[1], State.REJECTED)
    assert await outcomes.states(ids[:2]) == {State.APPLIED, State.REJECTED}
    assert await outcomes.states(ids[2:]) == {State.INTENT}
    assert await outcomes.states([]) == set()


@pytest.mark.parametrize("making", ["invoices.create", "estimates.convertToInvoice", "estimates.convertToSalesOrder"])
async def test_a_reference_on_a_record_is_obscure_unless_a_write_of_ours_made_the_record(
    outcomes: Outcomes, company: Any, found: Any, making: str
) -> None:
    update_ = Action(name="invoices.update", product=Product.BOOKS, subject=Subject("invoices", "9"))
    asked = (await begin(outcomes, company, "u", action=update_)).outcome.id
    made = (await begin(outcomes, company, "c", action=Action(name=making, product=Product.BOOKS))).outcome.id
    assert await outcomes.obscures(asked, "9")
    assert not await outcomes.obscures(made, "9")
    assert not await outcomes.obscures("nothing", "9")
    await outcomes.settle(made, State.UNCERTAIN, record_id="9")
    assert await outcomes.obscures(asked, "9")
    await outcomes.settle(made, State.APPLIED, record_id="9")
    assert not await outcomes.obscures(asked, "9")
    assert await outcomes.obscures(asked, "8")
    stranger = await found()
    await stranger.member("staff")
    assert await outcomes.obscures((await begin(outcomes, stranger, "u", action=update_)).outcome.id, "9")


async def test_what_another_change_left_makes_a_reference_no_clearer(outcomes: Outcomes, company: Any) -> None:
    update_ = Action(name="invoices.update", product=Product.BOOKS, subject=Subject("invoices", "9"))
    one, other = [(await begin(outcomes, company, key, action=update_)).outcome.id for key in "ab"]
    await outcomes.settle(one, State.APPLIED, record_id="9")
    assert await outcomes.obscures(other, "9")


async def test_an_uncertain_write_is_not_settled_and_keeps_what_is_known_of_it(
    outcomes: Outcomes, company: Any
) -> None:
    begun = await begin(outcomes, company)
    changes, errors = [FieldChange("notes", None, "Thanks")], [{"message": "No"}]
    unsure = await outcomes.settle(
        begun.outcome.id, State.UNCERTAIN, record_id="7", number="INV-7", calls=[call()], changes=changes
    )
    assert (unsure.settled_at, unsure.record_id) == (None, "7")
    event = await Audit(company.database).get(company.id, begun.outcome.audit_event_id)
    assert event is not None
    assert (event.settled_at, event.changes) == (None, tuple(changes))
    done = await outcomes.settle(begun.outcome.id, State.APPLIED, user_errors=errors)
    assert (done.record_id, done.settled_at is None, done.user_errors) == ("7", False, tuple(errors))
    event = await Audit(company.database).get(company.id, begun.outcome.audit_event_id)
    assert event is not None
    assert event.subject == Subject("invoices", "7", "INV-7")
    assert (event.changes, event.credential_email, event.calls) == (tuple(changes), "staff@demo.example", (call(),))
    assert (event.settled_at, list(event.user_errors)) == (done.settled_at, errors)


async def test_what_is_rejected_has_changed_nothing(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company)
    await outcomes.settle(begun.outcome.id, State.UNCERTAIN, changes=[FieldChange("notes", None, "Thanks")])
    await outcomes.settle(begun.outcome.id, State.REJECTED, changes=[FieldChange("notes", None, "Thanks")])
    event = await Audit(company.database).get(company.id, begun.outcome.audit_event_id)
    assert event is not None
    assert event.changes == ()


async def test_a_write_that_is_about_no_product_has_none(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company, action=Action(name="reports.create"))
    assert (begun.outcome.product, begun.outcome.record_module) == (None, None)
    assert (await outcomes.settle(begun.outcome.id, State.APPLIED, calls=[call()])).product is None
    assert (await begin(outcomes, company, "other")).outcome.product is Product.BOOKS


async def test_how_old_a_write_is_is_told_by_the_database(outcomes: Outcomes, company: Any) -> None:
    begun = await begin(outcomes, company)
    assert abs(begun.outcome.started_at - models.now()) < timedelta(seconds=30)
    assert not await outcomes.is_older(begun.outcome.id, timedelta(minutes=5))
    await change(company, begun.outcome.id, started_at=ago(minutes=6))
    assert await outcomes.is_older(begun.outcome.id, timedelta(minutes=5))
    assert not await outcomes.is_older("nothing", timedelta(minutes=5))


async def test_a_key_that_was_never_used_has_no_outcome(outcomes: Outcomes, company: Any) -> None:
    async with company.database.session() as session:
        member = (await session.exec(select(models.Member).where(models.Member.organization_id == company.id))).one()
    assert await outcomes.get(company.id, member.id, "unused") is None
