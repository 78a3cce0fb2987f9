"""One key, one effect: repeated, at once, after a restart; and what a repetition shows to whom."""

import asyncio
from typing import Any

import pytest

from services.policy import Product
from tests.harness import running
from tests.resolvers.office import CASES, INVOICE, Case, Office, fresh

HARMLESS = "The same write is under way."
each_kind = pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in answer.get("errors", [])]


@each_kind
async def test_a_create_repeated_under_its_key_is_answered_and_not_done_again(office: Office, case: Case) -> None:
    key, before = fresh(), office.count(case)
    first = await office.create("owner", case, key)
    again = await office.create("owner", case, key)
    assert first["outcome"] == "APPLIED"
    assert again == first
    assert office.count(case) == before + 1
    events = await office.events(subjectId=first[case.name]["id"])
    assert [event["id"] for event in events] == [first["auditEventId"]]
    assert [call["method"] for call in events[0]["upstreamCalls"]] == ["POST"]


@each_kind
async def test_a_change_repeated_under_its_key_is_answered_and_not_done_again(office: Office, case: Case) -> None:
    record, key = await office.made("owner", case), fresh()
    first = await office.update("owner", case, record, key, referenceNumber="first")
    await office.update("owner", case, record, referenceNumber="second")
    again = await office.update("owner", case, record, key, referenceNumber="first")
    assert (again["outcome"], again["auditEventId"]) == ("APPLIED", first["auditEventId"])
    assert office.stored(case, record)[case.reference_key] == "second"


async def test_a_key_with_another_input_is_a_conflict(office: Office) -> None:
    key = fresh()
    record = (await office.create("staff", INVOICE, key))["invoice"]["id"]
    before = office.count(INVOICE)
    others = [
        await office.send_create("staff", INVOICE, await office.draft(INVOICE, notes="other"), key),
        await office.send_update("staff", INVOICE, record, {"notes": "other"}, key),
        await office.send_create("staff", CASES["estimate"], await office.draft(INVOICE), key),
    ]
    assert [codes(answer) for answer in others] == [["CONFLICT"]] * 3
    assert office.count(INVOICE) == before
    assert office.stored(INVOICE, record)["notes"] == ""


async def test_a_key_for_a_change_is_bound_to_the_record(office: Office) -> None:
    one, two, key = await office.made("staff", INVOICE), await office.made("staff", INVOICE), fresh()
    await office.update("staff", INVOICE, one, key, notes="new")
    assert codes(await office.send_update("staff", INVOICE, two, {"notes": "new"}, key)) == ["CONFLICT"]
    assert office.stored(INVOICE, two)["notes"] == ""


@each_kind
async def test_twenty_equal_requests_at_once_have_one_effect(office: Office, case: Case) -> None:
    key, before, draft = fresh(), office.count(case), await office.draft(case)
    office.gateway.sandbox.clear_calls()
    answers = await asyncio.gather(*(office.send_create("owner", case, draft, key) for _ in range(20)))
    assert office.count(case) == before + 1
    assert len(office.writes()) == 1
    payloads = [answer["data"][f"{case.name}Create"] for answer in answers if "errors" not in answer]
    assert {payload["outcome"] for payload in payloads} == {"APPLIED"}
    assert len({payload[case.name]["id"] for payload in payloads}) == 1
    assert len({payload["auditEventId"] for payload in payloads}) == 1
    refused = [answer for answer in answers if "errors" in answer]
    assert {tuple(codes(answer)) for answer in refused} <= {("CONFLICT",)}
    assert {answer["errors"][0]["message"] for answer in refused} <= {HARMLESS}
    assert await office.create("owner", case, key) == payloads[0]


async def test_twenty_equal_changes_at_once_have_one_effect(office: Office) -> None:
    record, key = await office.made("staff", INVOICE), fresh()
    office.gateway.sandbox.clear_calls()
    await asyncio.gather(*(office.send_update("staff", INVOICE, record, {"notes": "n"}, key) for _ in range(20)))
    assert [call.method for call in office.writes()] == ["PUT"]


async def test_equal_keys_of_two_people_are_two_keys(office: Office) -> None:
    key, before = fresh(), office.count(INVOICE)
    one = await office.create("staff", INVOICE, key)
    two = await office.create("approver", INVOICE, key)
    assert one["invoice"]["id"] != two["invoice"]["id"]
    assert office.count(INVOICE) == before + 2
    assert (await office.outcome("staff", key))["document"]["id"] == one["invoice"]["id"]
    assert await office.outcome("owner", key) is None


async def test_keys_are_texts_and_nothing_else(office: Office) -> None:
    key = fresh()
    await office.create("staff", INVOICE, key)
    assert await office.outcome("staff", f"{key} ") is None
    assert await office.outcome("staff", key.upper()) is None or key.upper() == key


async def test_a_draft_with_mistakes_does_not_use_its_key_up(office: Office) -> None:
    key = fresh()
    assert (await office.create("staff", INVOICE, key, lineItems=[]))["outcome"] == "REJECTED"
    assert (await office.create("staff", INVOICE, key))["outcome"] == "APPLIED"


async def test_a_products_refusal_is_repeated_without_asking_again(office: Office) -> None:
    key, unknown = fresh(), [{"name": "cf_unknown", "value": "1"}]
    first = await office.create("staff", INVOICE, key, customFields=unknown)
    office.gateway.sandbox.clear_calls()
    again = await office.create("staff", INVOICE, key, customFields=unknown)
    assert first["outcome"] == "REJECTED"
    assert again == first
    assert office.gateway.sandbox.calls() == []
    assert (await office.outcome("staff", key))["userErrors"] == first["userErrors"]


async def test_a_write_under_way_says_so(own_office: Office) -> None:
    office, key = own_office, fresh()
    draft = await office.draft(INVOICE)
    office.fault("delay", INVOICE, "POST", seconds=0.2)
    first = asyncio.create_task(office.send_create("staff", INVOICE, draft, key))
    await office.struck()
    again, meanwhile = await office.send_create("staff", INVOICE, draft, key), await office.outcome("staff", key)
    assert (codes(again), again["errors"][0]["message"]) == (["CONFLICT"], HARMLESS)
    assert (meanwhile["outcome"], meanwhile["document"]) == ("UNCERTAIN", None)
    payload = (await first)["data"]["invoiceCreate"]
    assert (await office.outcome("staff", key))["document"]["id"] == payload["invoice"]["id"]
    assert len(office.writes()) == 1


async def test_a_key_is_remembered_by_another_gateway_on_the_same_database(own_office: Office) -> None:
    key, gateway = fresh(), own_office.gateway
    first = await own_office.create("staff", INVOICE, key)
    before = own_office.count(INVOICE)
    async with running(gateway.settings, gateway.sandbox) as restarted:
        office = Office(restarted)
        assert await office.create("staff", INVOICE, key) == first
        assert (await office.outcome("staff", key))["document"]["id"] == first["invoice"]["id"]
        assert codes(await office.send_create("staff", INVOICE, await office.draft(INVOICE, notes="x"), key)) == [
            "CONFLICT"
        ]
    assert own_office.count(INVOICE) == before


# What a repetition shows.


async def test_who_lost_his_permission_is_not_shown_what_he_wrote(own_office: Office) -> None:
    office, key = own_office, fresh()
    await office.create("sales", INVOICE, key)
    member = await office.member("sales")
    await office.services.directory.revoke(member.organization_id, member.email, Product.BOOKS)
    await office.services.directory.migrate(member.organization_id, [member.email])
    assert codes(await office.send_create("sales", INVOICE, await office.draft(INVOICE), key)) == ["FORBIDDEN"]
    told = await office.outcome("sales", key)
    assert (told["outcome"], told["document"]) == ("APPLIED", None)


async def test_who_may_no_longer_see_the_customer_is_not_shown_what_he_wrote(own_office: Office) -> None:
    office, key = own_office, fresh()
    await office.create("staff", INVOICE, key)
    office.gateway.sandbox.change("staff@demo.example", books_role="Staff (Assigned Customers Only)")
    told = await office.outcome("staff", key)
    assert (told["outcome"], told["document"]) == ("APPLIED", None)
    again = await office.create("staff", INVOICE, key)
    assert (again["outcome"], again["invoice"]) == ("APPLIED", None)
