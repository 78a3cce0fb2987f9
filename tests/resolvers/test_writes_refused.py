"""Mistakes in what is to be written: all told at once, with their places, and nothing is written."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.resolvers.office import (
    CASES,
    ESTIMATE,
    INVOICE,
    LINE,
    PURCHASE_ORDER,
    SALES_ORDER,
    SUBSCRIPTION,
    Case,
    Office,
    instead,
)

BOOKS = (ESTIMATE, INVOICE, SALES_ORDER, PURCHASE_ORDER)


def named(case: object) -> str | None:
    return case.name if isinstance(case, Case) else None


@pytest.fixture(autouse=True)
def _nothing_is_written(office: Office) -> Iterator[None]:
    """No test here may change a record, nor ask a product to without saying so."""
    before = {case: office.count(case) for case in BOOKS}
    office.gateway.sandbox.clear_calls()
    yield
    assert {case: office.count(case) for case in BOOKS} == before
    assert not [call for call in office.writes() if call.status < 400]


def fields(payload: Any) -> list[str]:
    """The places of the mistakes, within the input."""
    assert payload["outcome"] == "REJECTED", payload
    assert all(error["message"] for error in payload["userErrors"])
    return [".".join(error["field"][1:]) for error in payload["userErrors"]]


async def test_all_mistakes_are_told_at_once(office: Office) -> None:
    payload = await office.create(
        "staff",
        INVOICE,
        date="2026-11-20",
        dueDate="2026-11-19",
        notes="n" * 5001,
        discount={},
        customFields=[{"name": "cf_region", "value": "1"}, {"name": "cf_region"}],
        lineItems=[{"rate": "1"}, {"name": "A", "quantity": "0"}, {"name": "B", "rate": "-0.01"}],
    )
    assert fields(payload) == [
        "notes",
        "lineItems.0.name",
        "lineItems.1.quantity",
        "lineItems.2.rate",
        "dueDate",
        "discount",
        "customFields.0.name",
        "customFields.1.name",
    ]
    assert {error["code"] for error in payload["userErrors"]} == {"BAD_USER_INPUT"}
    hints = {error["field"][-1]: error["hint"] for error in payload["userErrors"]}
    assert hints["rate"] == "Give a discount instead."
    assert payload["invoice"] is None
    assert office.writes() == []


MISTAKES: dict[str, tuple[Case, dict[str, Any], list[str]]] = {
    "a line without item or name": (ESTIMATE, {"lineItems": [LINE, {"rate": "5"}]}, ["lineItems.1.name"]),
    "201 lines": (ESTIMATE, {"lineItems": [LINE] * 201}, ["lineItems"]),
    "a negative quantity": (SALES_ORDER, {"lineItems": [{**LINE, "quantity": "-1"}]}, ["lineItems.0.quantity"]),
    "minus zero of something": (SALES_ORDER, {"lineItems": [{**LINE, "quantity": "-0"}]}, ["lineItems.0.quantity"]),
    "an estimate that expires before its date": (
        ESTIMATE,
        {"date": "2026-11-02", "expiryDate": "2026-11-01"},
        ["expiryDate"],
    ),
    "a shipment before its order": (
        SALES_ORDER,
        {"date": "2026-11-02", "shipmentDate": "2026-11-01"},
        ["shipmentDate"],
    ),
    "a delivery before its order": (
        PURCHASE_ORDER,
        {"date": "2026-11-02", "deliveryDate": "2026-11-01"},
        ["deliveryDate"],
    ),
    "both discounts": (INVOICE, {"discount": {"amount": "1", "percent": "1"}}, ["discount"]),
    "a negative discount": (INVOICE, {"discount": {"amount": "-0.01"}}, ["discount.amount"]),
    "more than all": (INVOICE, {"discount": {"percent": "100.01"}}, ["discount.percent"]),
    "a discount of nothing on a line": (
        INVOICE,
        {"lineItems": [{**LINE, "discount": {"amount": None}}]},
        ["lineItems.0.discount"],
    ),
    "discounts on the whole and on a line": (
        INVOICE,
        {"discount": {"percent": "5"}, "lineItems": [{**LINE, "discount": {"percent": "5"}}]},
        ["discount"],
    ),
    "a long reference": (PURCHASE_ORDER, {"referenceNumber": "x" * 101}, ["referenceNumber"]),
    "long terms": (INVOICE, {"terms": "x" * 10_001}, ["terms"]),
    "a long salesperson": (INVOICE, {"salespersonName": "x" * 201}, ["salespersonName"]),
    "a long name": (INVOICE, {"lineItems": [{"name": "x" * 201}]}, ["lineItems.0.name"]),
    "a long description": (INVOICE, {"lineItems": [{**LINE, "description": "x" * 2001}]}, ["lineItems.0.description"]),
    "a long value": (INVOICE, {"customFields": [{"name": "cf_region", "value": "x" * 1001}]}, ["customFields.0.value"]),
    "another acting user": (
        INVOICE,
        {"customFields": [{"name": "cf_acting_user", "value": "owner@demo.example"}]},
        ["customFields.0.name"],
    ),
    "another write's reference": (
        INVOICE,
        {"customFields": [{"name": "CF_Gateway_Reference", "value": "0" * 32}]},
        ["customFields.0.name"],
    ),
    "less than one of a plan": (SUBSCRIPTION, {"plan": {"code": "any", "quantity": 0}}, ["plan.quantity"]),
    "a plan that pays": (SUBSCRIPTION, {"plan": {"code": "any", "price": "-5"}}, ["plan.price"]),
    "an add-on that pays": (SUBSCRIPTION, {"addons": [{"code": "any", "price": "-5"}]}, ["addons.0.price"]),
    "a negative add-on": (SUBSCRIPTION, {"addons": [{"code": "any", "quantity": -1}]}, ["addons.0.quantity"]),
}


@pytest.mark.parametrize(("case", "mistake", "places"), MISTAKES.values(), ids=list(MISTAKES))
async def test_a_mistake_is_told_with_its_place(
    office: Office, case: Case, mistake: dict[str, Any], places: list[str]
) -> None:
    assert fields(await office.create("owner", case, **mistake)) == places
    assert office.writes() == []


@pytest.mark.parametrize("lines", [[], None])
@pytest.mark.parametrize("case", [ESTIMATE, INVOICE, PURCHASE_ORDER], ids=named)
async def test_lines_cannot_be_emptied(office: Office, case: Case, lines: Any) -> None:
    record = await draft_of(office, case)
    payload = await office.update("owner", case, record, lineItems=lines)
    assert fields(payload) == ["lineItems"]
    assert payload["userErrors"][0]["hint"] == "Give at least one line with an item or a name."
    assert office.stored(case, record)["line_items"]
    assert office.writes() == []


async def draft_of(office: Office, case: Case) -> str:
    """The global id of some draft."""
    query = f"{{ {case.module}(first: 1, where: {{ status: DRAFT }}) {{ nodes {{ id }} }} }}"
    return str((await office.ask("owner", query))["data"][case.module]["nodes"][0]["id"])


@pytest.mark.parametrize("case", BOOKS, ids=named)
async def test_a_new_document_has_lines_or_says_nothing_of_them(office: Office, case: Case) -> None:
    assert fields(await office.create("owner", case, lineItems=[])) == ["lineItems"]
    assert office.writes() == []


async def test_the_lines_of_a_sales_order_cannot_be_emptied_either(office: Office) -> None:
    record = await draft_of(office, SALES_ORDER)
    assert fields(await office.update("owner", SALES_ORDER, record, lineItems=[])) == ["lineItems"]


@pytest.mark.parametrize("case", CASES.values(), ids=named)
async def test_an_empty_change_is_a_mistake(office: Office, case: Case) -> None:
    record = (await office.ask("owner", f"{{ {case.module}(first: 1) {{ nodes {{ id }} }} }}"))["data"]
    payload = await office.update("owner", case, record[case.module]["nodes"][0]["id"])
    assert fields(payload) == [""]
    assert office.writes() == []


async def test_a_refused_draft_is_in_the_audit_with_its_mistakes_and_without_calls(office: Office) -> None:
    event = await office.event(await office.create("staff", INVOICE, lineItems=[]))
    assert (event["outcome"], event["action"], event["actor"]["email"]) == (
        "REJECTED",
        "invoices.create",
        "staff@demo.example",
    )
    assert event["userErrors"] == [
        {"field": ["input", "lineItems"], "code": "BAD_USER_INPUT", "message": "A new invoice needs this."}
    ]
    assert (event["upstreamCalls"], event["changes"], event["subjectId"]) == ([], [], None)


# What only the product knows.


async def told(office: Office, payload: Any, words: str) -> None:
    """The product's refusal is a mistake of the input in the product's words, and in the audit with its call."""
    (error,) = payload["userErrors"]
    assert payload["outcome"] == "REJECTED"
    assert (error["field"], words in error["message"]) == (["input"], True), error
    event = await office.event(payload)
    assert event["outcome"] == "REJECTED"
    assert 400 <= event["upstreamCalls"][-1]["status"] < 500
    assert [one["message"] for one in event["userErrors"]] == [error["message"]]


async def test_the_product_refuses_a_customer_for_a_vendor(office: Office) -> None:
    query = "{ purchaseOrders(first: 1) { nodes { vendor { id } } } }"
    vendor = (await office.ask("owner", query))["data"]["purchaseOrders"]["nodes"][0]["vendor"]["id"]
    await told(office, await office.create("staff", INVOICE, customerId=vendor), "The customer does not exist.")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"customFields": [{"name": "cf_unknown", "value": "1"}]}, "Invalid value passed for customfield_id"),
        ({"lineItems": [{"id": "999", "name": "A"}]}, "The line item does not belong to this document."),
    ],
)
async def test_the_product_refuses_what_it_does_not_know(office: Office, more: dict[str, Any], words: str) -> None:
    await told(office, await office.create("staff", INVOICE, **more), words)


async def test_the_product_refuses_an_unknown_plan(office: Office) -> None:
    payload = await office.create("billing", SUBSCRIPTION, plan={"code": "NO-SUCH-PLAN"})
    (error,) = payload["userErrors"]
    assert (payload["outcome"], error["code"], error["field"]) == ("REJECTED", "NOT_FOUND", ["input"])
    assert (await office.event(payload))["upstreamCalls"][-1]["status"] == 404


async def test_the_product_refuses_to_change_what_is_closed(office: Office) -> None:
    query = "{ invoices(first: 1, where: { status: VOID }) { nodes { id number } } }"
    record = (await office.ask("owner", query))["data"]["invoices"]["nodes"][0]["id"]
    await told(office, await office.update("staff", INVOICE, record, notes="new"), "void")
    assert office.stored(INVOICE, record)["notes"] != "new"


async def test_a_record_that_does_not_exist_is_not_found(office: Office) -> None:
    missing = instead(await draft_of(office, ESTIMATE), "4600000000999999")
    payload = await office.update("staff", ESTIMATE, missing, notes="new")
    assert (payload["outcome"], payload["userErrors"][0]["code"]) == ("REJECTED", "NOT_FOUND")
    assert office.writes() == []


async def test_the_product_refuses_an_unknown_customer(office: Office) -> None:
    stranger = instead(await office.party(), "4600000000999999")
    await told(office, await office.create("staff", INVOICE, customerId=stranger), "The customer does not exist.")
