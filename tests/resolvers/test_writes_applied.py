"""What arrives in the product, in whose name, and what the audit says of it."""

from decimal import Decimal
from typing import Any

import pytest

from tests.resolvers.office import CASES, ESTIMATE, INVOICE, PURCHASE_ORDER, SALES_ORDER, SUBSCRIPTION, Case, Office
from tests.resolvers.office import custom as custom_fields

BOOKS = (ESTIMATE, INVOICE, SALES_ORDER, PURCHASE_ORDER)
ALL = tuple(CASES.values())
PRODUCT, INTEGRATION, DELEGATED = "PRODUCT_USER", "INTEGRATION_USER", "OWNER_DELEGATED"
WHO = [
    *((person, case, person, PRODUCT) for person in ("staff", "approver") for case in BOOKS),
    *(("owner", case, "owner", PRODUCT) for case in ALL),
    ("billing", SUBSCRIPTION, "billing", PRODUCT),
    *(("sales", case, "owner", INTEGRATION) for case in BOOKS),
    *(("legacy", case, "owner", DELEGATED) for case in ALL),
]
"""Person, kind, whose access it runs under, and the kind of access."""
everybody = pytest.mark.parametrize(
    ("person", "case", "credential", "access"), WHO, ids=[f"{row[0]}-{row[1].name}" for row in WHO]
)


def address(person: str) -> str:
    return f"{person}@demo.example"


@everybody
async def test_a_new_record_is_its_makers_own(
    office: Office, person: str, case: Case, credential: str, access: str
) -> None:
    before = office.count(case)
    payload = await office.create(person, case)
    assert (payload["outcome"], payload["userErrors"]) == ("APPLIED", [])
    record = payload[case.name]
    body = office.stored(case, record["id"])
    assert office.count(case) == before + 1
    assert body["created_by_id"] == body["last_modified_by_id"] == office.user_id(credential, case)
    acts_for_him = address(person) if access == INTEGRATION else None
    assert custom_fields(body).get("cf_acting_user") == acts_for_him
    assert (record["actingUser"] and record["actingUser"]["email"]) == acts_for_him
    assert record["number"] == body[f"{case.store.removesuffix('s')}_number"]
    event = await office.event(payload)
    assert (event["actor"]["email"], event["credential"]["email"]) == (address(person), address(credential))
    assert (event["access"], event["product"], event["outcome"]) == (access, case.product, "APPLIED")
    assert event["action"] == event["permission"] == f"{case.module}.create"
    assert event["subjectId"] == record["id"]
    assert event["upstreamCalls"] == [
        {
            "product": case.product,
            "method": "POST",
            "path": case.path,
            "status": 201,
            "actor": address(credential),
        }
    ]


@everybody
async def test_a_change_is_its_makers_own(
    office: Office, person: str, case: Case, credential: str, access: str
) -> None:
    record = await office.made("owner", case, referenceNumber="before")
    payload = await office.update(person, case, record, referenceNumber="after")
    assert (payload["outcome"], payload["userErrors"]) == ("APPLIED", [])
    assert payload[case.name]["referenceNumber"] == "after"
    body = office.stored(case, record)
    assert body[case.reference_key] == "after"
    assert body["created_by_id"] == office.user_id("owner", case)
    assert body["last_modified_by_id"] == office.user_id(credential, case)
    assert custom_fields(body).get("cf_acting_user") == (address(person) if access == INTEGRATION else None)
    event = await office.event(payload)
    assert (event["actor"]["email"], event["credential"]["email"]) == (address(person), address(credential))
    assert (event["access"], event["outcome"], event["subjectId"]) == (access, "APPLIED", record)
    assert event["action"] == event["permission"] == f"{case.module}.edit"
    assert event["changes"] == [{"field": "referenceNumber", "before": "before", "after": "after"}]
    assert [(call["method"], call["status"]) for call in event["upstreamCalls"]] == [("GET", 200), ("PUT", 200)]


FULL: dict[str, Any] = {
    "date": "2026-11-02",
    "referenceNumber": "PO-7/2026",
    "notes": 'First line\nSecond: ä, €, 漢, 😀 and "quotes"',
    "terms": "30 days",
    "salespersonName": "Desk one",
    "discount": {"percent": "5"},
    "customFields": [{"name": "cf_region", "value": "North"}],
    "lineItems": [
        {"name": "Consulting", "rate": "100.10", "quantity": "3", "unit": "hours", "description": "On site"},
        {"name": "Extra", "rate": "0.333333", "quantity": "1.5"},
    ],
}
DUE = {ESTIMATE: "expiryDate", INVOICE: "dueDate", SALES_ORDER: "shipmentDate", PURCHASE_ORDER: "deliveryDate"}
DUE_KEYS = {"expiryDate": "expiry_date", "dueDate": "due_date", "shipmentDate": "shipment_date"}


@pytest.mark.parametrize("case", BOOKS, ids=lambda case: case.name)
async def test_every_field_of_a_document_arrives_to_the_digit(office: Office, case: Case) -> None:
    payload = await office.create("staff", case, **FULL, **{DUE[case]: "2026-12-24"})
    body = office.stored(case, payload[case.name]["id"])
    assert {name: body[name] for name in ("date", "reference_number", "notes", "terms", "salesperson_name")} == {
        "date": FULL["date"],
        "reference_number": FULL["referenceNumber"],
        "notes": FULL["notes"],
        "terms": FULL["terms"],
        "salesperson_name": FULL["salespersonName"],
    }
    assert body[DUE_KEYS.get(DUE[case], "delivery_date")] == "2026-12-24"
    assert custom_fields(body)["cf_region"] == "North"
    lines = [(line["name"], str(line["rate"]), str(line["quantity"]), line["unit"]) for line in body["line_items"]]
    assert lines == [("Consulting", "100.10", "3", "hours"), ("Extra", "0.333333", "1.5", "")]
    assert body["line_items"][0]["description"] == "On site"
    assert (body["discount"], body["discount_type"], str(body["discount_total"])) == ("5%", "entity_level", "15.04")
    assert payload[case.name]["total"] == {"amount": "285.76", "currency": "EUR"}
    assert str(body["total"]) == "285.76"


async def test_every_field_of_a_subscription_arrives_to_the_digit(office: Office) -> None:
    await office.party(SUBSCRIPTION)
    plan = {"code": (await office.draft(SUBSCRIPTION))["plan"]["code"], "quantity": 3, "price": "19.999"}
    payload = await office.create(
        "billing",
        SUBSCRIPTION,
        plan=plan,
        startsAt="2027-01-31",
        autoCollect=True,
        referenceNumber="R-1",
        salespersonName="Desk two",
        customFields=[{"name": "cf_region", "value": "South"}],
    )
    body = office.stored(SUBSCRIPTION, payload["subscription"]["id"])
    assert (str(body["plan"]["price"]), body["plan"]["quantity"]) == ("19.999", 3)
    assert (body["status"], body["next_billing_at"], body["auto_collect"]) == ("future", "2027-01-31", True)
    assert (body["reference_id"], body["salesperson_name"]) == ("R-1", "Desk two")
    assert custom_fields(body)["cf_region"] == "South"
    assert payload["subscription"]["total"] == {"amount": "60.00", "currency": "EUR"}


@pytest.mark.parametrize("case", BOOKS, ids=lambda case: case.name)
async def test_a_discount_on_a_line_is_taken_off(office: Office, case: Case) -> None:
    lines = [
        {"name": "A", "rate": "100", "quantity": "1", "discount": {"percent": "12.5"}},
        {"name": "B", "rate": "10", "quantity": "2", "discount": {"amount": "0.01"}},
    ]
    payload = await office.create("staff", case, lineItems=lines)
    body = office.stored(case, payload[case.name]["id"])
    assert [str(line["discount_amount"]) for line in body["line_items"]] == ["12.50", "0.01"]
    assert payload[case.name]["total"]["amount"] == "107.49"


async def test_lines_given_with_their_ids_keep_what_is_left_out_and_null_clears_their_discount(office: Office) -> None:
    lines = [{"name": "A", "rate": "100", "unit": "box", "discount": {"amount": "30"}}, {"name": "B", "rate": "1"}]
    record = await office.made("staff", INVOICE, lineItems=lines)
    first = office.stored(INVOICE, record)["line_items"][0]["line_item_id"]
    payload = await office.update(
        "staff", INVOICE, record, lineItems=[{"id": first, "quantity": "2", "discount": None}]
    )
    (line,) = office.stored(INVOICE, record)["line_items"]
    assert (line["name"], line["unit"], line["rate"], line["quantity"]) == ("A", "box", Decimal(100), Decimal(2))
    assert payload["invoice"]["total"]["amount"] == "200.00"


async def test_to_clear_the_discount_on_the_whole_leaves_those_on_the_lines(office: Office) -> None:
    lines = [{"name": "A", "rate": "100", "discount": {"amount": "30"}}]
    record = await office.made("staff", INVOICE, lineItems=lines)
    payload = await office.update("staff", INVOICE, record, discount=None)
    assert payload["invoice"]["total"]["amount"] == "70.00"


async def test_null_clears_and_what_is_left_out_stays(office: Office) -> None:
    record = await office.made("staff", ESTIMATE, **FULL, expiryDate="2026-12-24")
    payload = await office.update("staff", ESTIMATE, record, notes=None, discount=None, expiryDate=None)
    body = office.stored(ESTIMATE, record)
    assert (body["notes"], body["expiry_date"], body["terms"]) == ("", "", "30 days")
    assert payload["estimate"]["total"]["amount"] == "300.80"
    event = await office.event(payload)
    changes = {change["field"]: (change["before"], change["after"]) for change in event["changes"]}
    assert changes == {
        "notes": (FULL["notes"], None),
        "discount": ("15.04", None),
        "expiryDate": ("2026-12-24", None),
    }


async def test_a_draft_with_a_catalogue_item_takes_its_name_and_rate(office: Office) -> None:
    query = "{ invoices(first: 20) { nodes { lineItems { itemId name } } } }"
    nodes = (await office.ask("staff", query))["data"]["invoices"]["nodes"]
    line = next(line for node in nodes for line in node["lineItems"] if line["itemId"])
    payload = await office.create("staff", INVOICE, lineItems=[{"itemId": line["itemId"]}])
    (stored,) = office.stored(INVOICE, payload["invoice"]["id"])["line_items"]
    assert stored["name"] == line["name"]
    assert stored["rate"] > 0


async def test_a_sales_order_needs_no_lines(office: Office) -> None:
    draft = {"customerId": await office.party(SALES_ORDER)}
    answer = await office.send_create("staff", SALES_ORDER, draft)
    assert answer["data"]["salesOrderCreate"]["outcome"] == "APPLIED"


async def test_several_writes_in_one_request_are_audited_each_with_its_own_calls(office: Office) -> None:
    query = """mutation($good: InvoiceCreateInput!, $bad: InvoiceCreateInput!) {
      one: invoiceCreate(input: $good, idempotencyKey: "%s") { outcome auditEventId }
      two: invoiceCreate(input: $bad, idempotencyKey: "%s") { outcome auditEventId }
      three: invoiceCreate(input: $good, idempotencyKey: "%s") { outcome auditEventId }
    }"""
    good = await office.draft(INVOICE)
    keys = tuple(f"several-{number}" for number in range(3))
    data = (await office.ask("staff", query % keys, good=good, bad={**good, "lineItems": []}))["data"]
    assert [data[name]["outcome"] for name in ("one", "two", "three")] == ["APPLIED", "REJECTED", "APPLIED"]
    events = [await office.event(data[name]) for name in ("one", "two", "three")]
    assert [len(event["upstreamCalls"]) for event in events] == [1, 0, 1]
    assert len({event["requestId"] for event in events}) == 1
    assert events[1]["credential"] is None
