"""What is done to documents beside changing their fields: who may, when, and what is left of it."""

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from schema import schema
from schema.permissions import requirement
from services.acts import ACTS, ActName
from services.documents import Module
from services.sandbox import records
from tests.resolvers.office import (
    CASES,
    DEMO,
    ESTIMATE,
    INVOICE,
    PAYLOAD,
    PURCHASE_ORDER,
    SALES_ORDER,
    SUBSCRIPTION,
    Case,
    Office,
    custom,
    fresh,
)

BOOKS = (ESTIMATE, INVOICE, SALES_ORDER, PURCHASE_ORDER)
ACTIONS = "availableActions { name available requires reason grantedBy }"
APPROVAL = "approval { submittedBy { email } submittedOn approver { email } approvedAt }"


async def act(
    office: Office, person: str, case: Case, name: str, record: str, key: str | None = None, **given: Any
) -> Any:
    """The whole answer to `estimateAccept` and its like."""
    declared = "".join(f", ${one}: {kind}" for one, (kind, _) in given.items())
    passed = "".join(f", {one}: ${one}" for one in given)
    mutation = (
        f"mutation($id: ID!, $key: ID!{declared}) {{ {case.name}{name}(id: $id, idempotencyKey: $key{passed})"
        f" {{ {PAYLOAD} {case.name} {{ id rawStatus lastModifiedBy {{ email }} }} }} }}"
    )
    values = {one: value for one, (_, value) in given.items()}
    return await office.ask(person, mutation, id=record, key=key or fresh(), **values)


async def done(office: Office, person: str, case: Case, name: str, record: str, **more: Any) -> Any:
    """The payload of an act that GraphQL has no errors about."""
    answer = await act(office, person, case, name, record, **more)
    assert "errors" not in answer, answer
    return answer["data"][f"{case.name}{name}"]


async def convert(office: Office, person: str, case: Case, target: Case, record: str, key: str | None = None) -> Any:
    """The whole answer to a conversion."""
    name = f"{case.name}ConvertTo{target.type}"
    mutation = (
        f"mutation($id: ID!, $key: ID!) {{ {name}(id: $id, idempotencyKey: $key)"
        f" {{ {PAYLOAD} {target.name} {{ id rawStatus total {{ amount currency }} }} }} }}"
    )
    return await office.ask(person, mutation, id=record, key=key or fresh())


async def actions(office: Office, person: str, case: Case, record: str) -> dict[str, dict[str, Any]]:
    """What the person may do to the record, by name."""
    query = f"query($id: ID!) {{ {case.name}(id: $id) {{ {ACTIONS} }} }}"
    found = (await office.ask(person, query, id=record))["data"][case.name]["availableActions"]
    return {one["name"]: one for one in found}


def become(office: Office, case: Case, record: str, **changed: Any) -> None:
    """Change the record in the product behind everybody's back."""
    body = office.stored(case, record) | changed
    with office.gateway.sandbox.store.session() as session:
        records.put(session, DEMO, case.store, body)


def status(office: Office, case: Case, record: str) -> str:
    return str(office.stored(case, record)["status"])


def test_every_act_needs_the_permission_that_its_row_says() -> None:
    published = {field.python_name: requirement(field) for field in schema.mutation.__strawberry_definition__.fields}  # type: ignore[union-attr]
    names = {"salesOrders": "sales_order", "purchaseOrders": "purchase_order"}
    for module, acts in ACTS.items():
        for name, row in acts.items():
            field = f"{names.get(module, module[:-1])}_{''.join(f'_{c.lower()}' if c.isupper() else c for c in name)}"
            assert published[field] == row.requires


@pytest.mark.parametrize(
    ("case", "steps"),
    [
        (ESTIMATE, [("MarkSent", "sent"), ("Decline", "declined"), ("Accept", "accepted")]),
        (ESTIMATE, [("Submit", "pending_approval"), ("Approve", "approved"), ("MarkSent", "sent")]),
        (INVOICE, [("MarkSent", "sent"), ("Void", "void")]),
        (INVOICE, [("Submit", "pending_approval"), ("Approve", "approved"), ("Void", "void")]),
        (SALES_ORDER, [("Open", "open"), ("Void", "void"), ("Open", "open")]),
        (SALES_ORDER, [("Submit", "pending_approval"), ("Approve", "approved"), ("Open", "open")]),
        (PURCHASE_ORDER, [("Open", "open"), ("Cancel", "cancelled")]),
        (PURCHASE_ORDER, [("Submit", "pending_approval"), ("Reject", "rejected"), ("Submit", "pending_approval")]),
    ],
)
async def test_a_document_goes_through_its_life(office: Office, case: Case, steps: list[tuple[str, str]]) -> None:
    record = await office.made("owner", case)
    for name, expected in steps:
        before = status(office, case, record)
        payload = await done(office, "owner", case, name, record)
        assert (payload["outcome"], payload[case.name]["rawStatus"]) == ("APPLIED", expected)
        assert status(office, case, record) == expected
        event = await office.event(payload)
        assert event["changes"] == [{"field": "status", "before": before, "after": expected}]
        assert event["action"] == f"{case.module}.{name[0].lower()}{name[1:]}"
        assert [call["method"] for call in event["upstreamCalls"]] == ["GET", "POST", "GET"]


async def test_nothing_but_a_purchase_order_can_be_rejected() -> None:
    rejecting = {module for module, acts in ACTS.items() if ActName.REJECT in acts}
    assert rejecting == {Module.PURCHASE_ORDERS}
    assert "estimateReject" not in schema.as_str()


@pytest.mark.parametrize(
    ("case", "name", "present"),
    [
        (ESTIMATE, "Accept", "draft"),
        (ESTIMATE, "MarkSent", "invoiced"),
        (INVOICE, "Void", "paid"),
        (SALES_ORDER, "Open", "invoiced"),
        (PURCHASE_ORDER, "Approve", "draft"),
    ],
)
async def test_what_the_status_does_not_allow_is_a_conflict_that_tells_it(
    office: Office, case: Case, name: str, present: str
) -> None:
    record = await office.made("owner", case)
    become(office, case, record, status=present)
    office.gateway.sandbox.clear_calls()
    key = fresh()
    payload = await done(office, "owner", case, name, record, key=key)
    (error,) = payload["userErrors"]
    assert (payload["outcome"], error["code"], error["field"]) == ("REJECTED", "CONFLICT", ["id"])
    assert f" is {present}" in error["message"]
    assert payload[case.name]["rawStatus"] == present
    assert office.writes() == []
    assert await done(office, "owner", case, name, record, key=key) == payload


async def test_the_same_key_acts_once(office: Office) -> None:
    record, key = await office.made("staff", ESTIMATE), fresh()
    office.gateway.sandbox.clear_calls()
    first = await done(office, "staff", ESTIMATE, "MarkSent", record, key=key)
    again = await done(office, "staff", ESTIMATE, "MarkSent", record, key=key)
    assert (again["auditEventId"], again["outcome"]) == (first["auditEventId"], "APPLIED")
    assert len(office.writes()) == 1


@pytest.mark.parametrize("case", BOOKS, ids=lambda case: case.name)
async def test_approval_needs_its_right_and_tells_who_and_when(office: Office, case: Case) -> None:
    record = await office.made("staff", case)
    await done(office, "staff", case, "Submit", record)
    refused = await act(office, "staff", case, "Approve", record)
    assert refused["errors"][0]["extensions"]["missingFrom"] == ["BOOKS_ROLE"]
    assert refused["data"] is None
    assert (await done(office, "approver", case, "Approve", record))["outcome"] == "APPLIED"
    query = f"query($id: ID!) {{ {case.name}(id: $id) {{ {APPROVAL} }} }}"
    told = (await office.ask("staff", query, id=record))["data"][case.name]["approval"]
    assert told["submittedBy"] == {"email": "staff@demo.example"}
    assert told["approver"] == {"email": "approver@demo.example"}
    assert told["submittedOn"] == office.stored(case, record)["submitted_date"]
    assert dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(told["approvedAt"]) < dt.timedelta(minutes=1)


async def test_nobody_but_an_administrator_approves_what_he_submitted(office: Office) -> None:
    own, of_staff, of_owner = [await office.made(who, ESTIMATE) for who in ("approver", "staff", "owner")]
    for who, record in (("approver", own), ("staff", of_staff), ("owner", of_owner)):
        await done(office, who, ESTIMATE, "Submit", record)
    office.gateway.sandbox.clear_calls()
    answer = await act(office, "approver", ESTIMATE, "Approve", own)
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], office.writes()) == ("FORBIDDEN", [])
    assert "yourself" in error["message"]
    approve = (await actions(office, "approver", ESTIMATE, own))["APPROVE"]
    assert (approve["available"], approve["reason"]) == (False, error["message"])
    assert (await actions(office, "approver", ESTIMATE, of_staff))["APPROVE"]["available"]
    assert (await done(office, "owner", ESTIMATE, "Approve", of_owner))["outcome"] == "APPLIED"


@pytest.mark.parametrize(
    ("case", "names"),
    [
        (ESTIMATE, ["MarkSent", "ConvertToSalesOrder", "ConvertToInvoice"]),
        (INVOICE, ["MarkSent"]),
        (SALES_ORDER, ["Open", "ConvertToInvoice"]),
        (PURCHASE_ORDER, ["Open"]),
    ],
)
async def test_a_submitted_document_waits_for_its_approval(office: Office, case: Case, names: list[str]) -> None:
    record = await office.made("staff", case)
    await done(office, "staff", case, "Submit", record)
    office.gateway.sandbox.clear_calls()
    for name in names:
        target = next((other for other in CASES.values() if name == f"ConvertTo{other.type}"), None)
        sent = convert(office, "staff", case, target, record) if target else act(office, "staff", case, name, record)
        (payload,) = (await sent)["data"].values()
        (error,) = payload["userErrors"]
        assert (payload["outcome"], error["code"]) == ("REJECTED", "CONFLICT")
        assert "awaits approval" in error["message"]
    assert office.writes() == []
    available = await actions(office, "staff", case, record)
    shown = {"EMAIL", *("".join(f"_{c}" if c.isupper() else c.upper() for c in name)[1:] for name in names)}
    assert {available[name]["available"] for name in shown} == {False}
    assert all("awaits approval" in available[name]["reason"] for name in shown)


@pytest.mark.parametrize(
    ("first", "second"),
    [("Accept", "Decline"), ("Accept", "Accept"), ("Decline", "Accept")],
)
async def test_of_two_who_act_at_once_one_wins(office: Office, first: str, second: str) -> None:
    record = await office.made("owner", ESTIMATE)
    await done(office, "owner", ESTIMATE, "MarkSent", record)
    office.gateway.sandbox.clear_calls()
    payloads = await asyncio.gather(
        done(office, "staff", ESTIMATE, first, record), done(office, "owner", ESTIMATE, second, record)
    )
    won, lost = sorted(payloads, key=lambda payload: str(payload["outcome"]))
    assert (won["outcome"], lost["outcome"]) == ("APPLIED", "REJECTED")
    (error,) = lost["userErrors"]
    present = status(office, ESTIMATE, record)
    assert (error["code"], lost["estimate"]["rawStatus"]) == ("CONFLICT", present)
    assert present in error["message"]
    assert len(office.writes()) == 1


async def test_of_many_who_act_at_once_one_wins(office: Office) -> None:
    record = await office.made("owner", SALES_ORDER)
    people = ("owner", "staff", "approver", "sales", "legacy")
    payloads = await asyncio.gather(*(done(office, who, SALES_ORDER, "Open", record) for who in people))
    assert sorted(payload["outcome"] for payload in payloads) == ["APPLIED", *["REJECTED"] * 4]


async def test_who_loses_against_somebody_in_the_product_learns_the_present_state(own_office: Office) -> None:
    office = own_office
    record = await office.made("staff", ESTIMATE)
    office.fault("delay", ESTIMATE, "POST", seconds=0.15)
    waiting = asyncio.create_task(done(office, "staff", ESTIMATE, "MarkSent", record))
    await office.struck()
    become(office, ESTIMATE, record, status="declined")
    payload = await waiting
    (error,) = payload["userErrors"]
    assert (payload["outcome"], error["code"], payload["estimate"]["rawStatus"]) == ("REJECTED", "CONFLICT", "declined")
    assert "declined now" in error["message"]


async def test_an_integration_user_acts_under_the_owners_access_and_is_named_in_the_record(office: Office) -> None:
    record = await office.made("staff", ESTIMATE)
    payload = await done(office, "sales", ESTIMATE, "MarkSent", record)
    event = await office.event(payload)
    assert (event["actor"]["email"], event["credential"]["email"]) == ("sales@demo.example", "owner@demo.example")
    assert custom(office.stored(ESTIMATE, record))["cf_acting_user"] == "sales@demo.example"


@pytest.mark.parametrize(
    ("person", "case", "name", "missing"),
    [
        ("readonly", ESTIMATE, "Accept", ["CRM_PROFILE"]),
        ("outsider", INVOICE, "Void", ["CRM_PROFILE", "BOOKS_ROLE"]),
        ("estimator", INVOICE, "MarkSent", ["INTEGRATION_GRANT"]),
        ("sales", ESTIMATE, "Approve", ["INTEGRATION_GRANT"]),
        ("staff", SUBSCRIPTION, "Reactivate", ["BILLING_ROLE"]),
    ],
)
async def test_who_may_not_leaves_only_an_audit_event(
    office: Office, person: str, case: Case, name: str, missing: list[str]
) -> None:
    record = await office.made("owner", case)
    office.gateway.sandbox.clear_calls()
    answer = await act(office, person, case, name, record)
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["missingFrom"]) == ("FORBIDDEN", missing)
    assert office.writes() == []
    assert (await office.event(error["extensions"]))["outcome"] == "REJECTED"


async def test_available_actions_say_why_not(office: Office) -> None:
    record = await office.made("staff", ESTIMATE)
    found: Mapping[str, Any] = await actions(office, "staff", ESTIMATE, record)
    assert found.keys() == {"UPDATE", *(name.name for name in ACTS["estimates"])}
    available = {name for name, one in found.items() if one["available"]}
    assert available == {"UPDATE", "MARK_SENT", "SUBMIT", "EMAIL", "CONVERT_TO_SALES_ORDER", "CONVERT_TO_INVOICE"}
    assert found["ACCEPT"]["reason"] == "The estimate is draft: it cannot be accepted."
    assert found["APPROVE"]["reason"] == "BOOKS_ROLE does not grant estimates.approve."
    assert "Zoho Books administrator" in found["APPROVE"]["grantedBy"]
    assert not any(one["available"] for one in (await actions(office, "readonly", ESTIMATE, record)).values())
