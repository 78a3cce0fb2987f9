from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

Ask = Callable[..., Awaitable[httpx.Response]]
LINES = [{"name": "Survey", "rate": 10.55, "quantity": 3}, {"name": "Report", "rate": "0.335", "quantity": 3}]


async def _customer(books: Ask, currency: str = "EUR") -> str:
    rows = (await books("GET", "/contacts", contact_type="customer")).json()["contacts"]
    return next(str(row["contact_id"]) for row in rows if row["currency_code"] == currency)


async def _tax(books: Ask) -> str:
    return str((await books("GET", "/settings/taxes")).json()["taxes"][0]["tax_id"])


async def _estimate(books: Ask, who: str = "staff", **fields: Any) -> dict[str, Any]:
    draft = {"customer_id": await _customer(books), "line_items": LINES} | fields
    answer = await books("POST", "/estimates", who, json=draft)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["estimate"]
    return made


async def _status(books: Ask, path: str) -> str:
    record = (await books("GET", path)).json()
    return str(next(value for value in record.values() if isinstance(value, dict))["status"])


async def test_a_new_estimate_bears_its_maker_and_the_next_number(books: Ask) -> None:
    made = await _estimate(books)
    me = (await books("GET", "/users/me", "staff")).json()["user"]
    assert made["estimate_number"] == "EST-000501"
    assert made["status"] == "draft"
    assert (made["created_by_id"], made["created_by_name"]) == (me["user_id"], me["name"])
    assert made["last_modified_by_id"] == me["user_id"]
    listed = (await books("GET", "/estimates", per_page=1)).json()["estimates"][0]
    assert listed["estimate_id"] == made["estimate_id"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"sub_total": 32.66, "discount_total": 0, "tax_total": 0, "total": 32.66}),
        ({"discount": "10%"}, {"sub_total": 32.66, "discount_total": 3.27, "total": 29.39}),
        ({"discount": 2.5}, {"discount_total": 2.5, "total": 30.16}),
        ({"shipping_charge": "4.99", "adjustment": -0.65}, {"total": 37}),
    ],
)
async def test_totals_are_exact(books: Ask, fields: dict[str, Any], expected: dict[str, float]) -> None:
    made = await _estimate(books, **fields)
    assert {name: made[name] for name in expected} == expected


async def test_tax_is_taken_after_or_before_the_discount_and_within_inclusive_prices(books: Ask) -> None:
    lines = [{"name": "Desk", "rate": 100, "quantity": 1, "tax_id": await _tax(books)}]
    before = await _estimate(books, line_items=lines, discount="10%")
    after = await _estimate(books, line_items=lines, discount="10%", is_discount_before_tax=False)
    inclusive = await _estimate(books, line_items=lines, is_inclusive_tax=True)
    assert [(each["tax_total"], each["total"]) for each in (before, after, inclusive)] == [
        (17.1, 107.1),
        (19, 109),
        (15.97, 100),
    ]


async def test_discounts_may_stand_on_the_lines(books: Ask) -> None:
    lines = [
        {"name": "Desk", "rate": 99.99, "quantity": 2, "discount": "12.5%"},
        {"name": "Lamp", "rate": 10, "discount": 1},
    ]
    made = await _estimate(books, line_items=lines, discount_type="item_level")
    assert [line["item_total"] for line in made["line_items"]] == [174.98, 9]
    assert made["total"] == 183.98


async def test_items_fill_in_their_lines(books: Ask) -> None:
    item = (await books("GET", "/items", per_page=1)).json()["items"][0]
    made = await _estimate(books, line_items=[{"item_id": item["item_id"], "quantity": 2}])
    line = made["line_items"][0]
    assert (line["name"], line["rate"], line["tax_id"]) == (item["name"], item["rate"], item["tax_id"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"customer_id": None}, 2),
        ({"customer_id": "999"}, 6),
        ({"line_items": []}, 4016),
        ({"line_items": "all"}, 2),
        ({"line_items": [{"name": "x", "rate": "NaN"}]}, 2),
        ({"line_items": [{"name": "x", "rate": "1e999999"}]}, 2),
        ({"line_items": [{"name": "x", "rate": 1, "quantity": 0}]}, 2),
        ({"line_items": [{"item_id": "999"}]}, 6),
        ({"date": "2026-02-30"}, 2),
        ({"date": "2026-03-01", "expiry_date": "2026-02-01"}, 2),
        ({"discount": "120%"}, 2),
        ({"custom_fields": [{"api_name": "cf_unknown", "value": "x"}]}, 2),
        ({"estimate_number": "MINE-1"}, 2),
    ],
)
async def test_a_bad_draft_is_refused_and_nothing_is_written(books: Ask, change: dict[str, Any], code: int) -> None:
    draft = {"customer_id": await _customer(books), "line_items": LINES} | change
    answer = await books("POST", "/estimates", json=draft)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert (await books("GET", "/estimates", per_page=1)).json()["estimates"][0]["estimate_number"] == "EST-000500"


async def test_a_body_that_is_no_json_object_is_refused_with_code_11(books: Ask) -> None:
    bodies: tuple[Any, ...] = (None, [], "text", 5)
    for body in bodies:
        answer = await books("POST", "/estimates", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, 11)


async def test_an_own_number_is_taken_once_only(books: Ask) -> None:
    draft = {"customer_id": await _customer(books), "line_items": LINES, "estimate_number": "MINE-1"}
    flag = {"ignore_auto_number_generation": "true"}
    assert (await books("POST", "/estimates", json=draft, **flag)).status_code == 201
    again = await books("POST", "/estimates", json=draft, **flag)
    assert (again.status_code, again.json()["code"]) == (400, 4)


@pytest.mark.parametrize("named", ["api_name", "label", "customfield_id"])
async def test_custom_fields_are_set_by_any_of_their_names(books: Ask, named: str) -> None:
    known = (await _estimate(books, custom_fields=[{"api_name": "cf_acting_user", "value": "first"}]))["custom_fields"][
        0
    ]
    made = await _estimate(books, custom_fields=[{named: known[named], "value": "sales@demo.example"}])
    assert made["custom_field_hash"]["cf_acting_user"] == "sales@demo.example"
    found = (await books("GET", "/estimates", custom_field="sales@demo.example")).json()["estimates"]
    assert [row["estimate_id"] for row in found] == [made["estimate_id"]]


async def test_custom_fields_have_a_path_of_their_own_that_takes_a_list(books: Ask) -> None:
    made = await _estimate(books)
    fields = [{"api_name": "cf_gateway_reference", "value": "key-1"}]
    answer = await books("PUT", f"/estimate/{made['estimate_id']}/customfields", "staff", json=fields)
    assert answer.json() == {"code": 0, "message": "Custom Fields Updated Successfully"}
    found = (await books("GET", "/estimates", custom_field="key-1")).json()["estimates"]
    assert [row["cf_gateway_reference"] for row in found] == ["key-1"]


async def test_an_invoice_is_overdue_from_its_due_date_on_and_no_longer_when_that_moves(books: Ask) -> None:
    draft = {"customer_id": await _customer(books), "line_items": LINES, "date": "2026-10-01", "due_date": "2026-10-31"}
    path = f"/invoices/{(await books('POST', '/invoices', json=draft)).json()['invoice']['invoice_id']}"
    await books("POST", f"{path}/status/sent")
    assert await _status(books, path) == "overdue"
    await books("PUT", path, json={"due_date": "2026-12-31"})
    assert await _status(books, path) == "sent"


async def test_an_address_is_changed_on_the_document_only(books: Ask) -> None:
    made = await _estimate(books)
    path = f"/estimates/{made['estimate_id']}"
    answer = await books("PUT", f"{path}/address/billing", "staff", json={"city": "Gent", "planet": "Mars"})
    assert answer.json()["billing_address"]["city"] == "Gent"
    assert (await books("GET", path)).json()["estimate"]["billing_address"] == answer.json()["billing_address"]


async def test_every_change_moves_the_time_of_modification_forward(books: Ask) -> None:
    made = await _estimate(books)
    path, times = f"/estimates/{made['estimate_id']}", [made["last_modified_time"]]
    for notes in ("one", "two"):
        changed = (await books("PUT", path, "approver", json={"notes": notes})).json()["estimate"]
        times.append(changed["last_modified_time"])
    assert times == sorted(set(times))
    assert changed["notes"] == "two"
    assert changed["created_by_id"] != changed["last_modified_by_id"]


async def test_an_update_keeps_named_lines_and_drops_the_rest(books: Ask) -> None:
    made = await _estimate(books)
    kept = made["line_items"][0]
    lines = [{"line_item_id": kept["line_item_id"], "quantity": 4}, {"name": "Extra", "rate": 1}]
    changed = (await books("PUT", f"/estimates/{made['estimate_id']}", json={"line_items": lines})).json()["estimate"]
    assert [(line["name"], line["item_total"]) for line in changed["line_items"]] == [("Survey", 42.2), ("Extra", 1)]
    assert changed["line_items"][0]["line_item_id"] == kept["line_item_id"]


async def test_what_waits_for_approval_can_be_neither_sent_nor_converted_nor_changed(books: Ask) -> None:
    made = await _estimate(books)
    path = f"/estimates/{made['estimate_id']}"
    assert (await books("POST", f"{path}/submit", "staff")).json()["code"] == 0
    assert (await books("POST", f"{path}/status/sent")).status_code == 400
    assert (await books("POST", f"{path}/email", json={})).status_code == 400
    assert (await books("PUT", path, json={"notes": "x"})).status_code == 400
    order = await books(
        "POST", "/salesorders", json={"customer_id": made["customer_id"], "estimate_id": made["estimate_id"]}
    )
    assert order.status_code == 400
    refused = await books("POST", f"{path}/approve", "staff")
    assert (refused.status_code, refused.json()["code"]) == (401, 57)
    approved = await books("POST", f"{path}/approve", "approver")
    assert approved.json() == {"code": 0, "message": "You have approved the estimate."}
    assert (await books("POST", f"{path}/status/sent", "staff")).json()["code"] == 0
    sent = (await books("GET", path)).json()["estimate"]
    assert (sent["status"], sent["is_emailed"]) == ("sent", False)
    assert sent["submitted_by_email"] == "staff@demo.example"
    assert sent["approver_id"]


async def test_only_purchase_orders_can_be_rejected(books: Ask) -> None:
    vendor = (await books("GET", "/contacts", contact_type="vendor", per_page=1)).json()["contacts"][0]["contact_id"]
    made = (await books("POST", "/purchaseorders", json={"vendor_id": vendor, "line_items": LINES})).json()[
        "purchaseorder"
    ]
    path = f"/purchaseorders/{made['purchaseorder_id']}"
    await books("POST", f"{path}/submit", "staff")
    assert (await books("POST", f"{path}/reject", "approver")).json()["code"] == 0
    assert await _status(books, path) == "rejected"
    missing = await books("POST", f"/estimates/{(await _estimate(books))['estimate_id']}/reject")
    assert (missing.status_code, missing.json()["code"]) == (404, 5)


async def test_an_estimate_becomes_an_order_and_the_order_an_invoice(books: Ask) -> None:
    made = await _estimate(books, discount="10%")
    draft = {"customer_id": made["customer_id"], "estimate_id": made["estimate_id"]}
    order = (await books("POST", "/salesorders", json=draft)).json()["salesorder"]
    assert (order["estimate_id"], order["total"]) == (made["estimate_id"], made["total"])
    path = f"/salesorders/{order['salesorder_id']}"
    assert (await books("POST", "/invoices/fromsalesorder", salesorder_id=order["salesorder_id"])).status_code == 400
    assert (await books("POST", f"{path}/status/open")).json()[
        "message"
    ] == "Sales order status has been changed to Open."
    answer = await books("POST", "/invoices/fromsalesorder", salesorder_id=order["salesorder_id"])
    invoice = answer.json()["invoice"]
    assert answer.status_code == 201
    assert (invoice["salesorder_id"], invoice["total"], invoice["balance"]) == (
        order["salesorder_id"],
        made["total"],
        made["total"],
    )
    assert await _status(books, path) == "invoiced"
    kept = await books("DELETE", path)
    assert (kept.status_code, kept.json()["code"]) == (400, 36)


async def test_an_estimate_that_is_invoiced_is_not_invoiced_again(books: Ask) -> None:
    made = await _estimate(books)
    draft = {"customer_id": made["customer_id"], "invoiced_estimate_id": made["estimate_id"]}
    invoice = (await books("POST", "/invoices", json=draft)).json()["invoice"]
    assert invoice["estimate_id"] == made["estimate_id"]
    assert await _status(books, f"/estimates/{made['estimate_id']}") == "invoiced"
    assert (await books("POST", "/invoices", json=draft)).status_code == 400


async def test_a_void_invoice_owes_nothing_and_can_be_a_draft_again(books: Ask) -> None:
    draft = {"customer_id": await _customer(books), "line_items": LINES}
    invoice = (await books("POST", "/invoices", json=draft)).json()["invoice"]
    path = f"/invoices/{invoice['invoice_id']}"
    await books("POST", f"{path}/status/void")
    assert (await books("GET", path)).json()["invoice"]["balance"] == 0
    assert (await books("POST", f"{path}/status/draft")).json()["message"].endswith("from void to draft")
    assert (await books("DELETE", path)).json()["message"] == "The invoice has been deleted."
    gone = await books("GET", path)
    assert (gone.status_code, gone.json()["code"]) == (404, 1002)


async def test_mail_counts_as_sent_and_takes_ten_estimates_at_most(books: Ask) -> None:
    made = await _estimate(books)
    path = f"/estimates/{made['estimate_id']}"
    content = (await books("GET", f"{path}/email")).json()["data"]
    assert content["to_contacts"][0]["email"].endswith(".example")
    assert (await books("POST", f"{path}/email", "staff", json={"to_mail_ids": ["nobody"]})).json()["code"] == 2
    assert (await books("POST", f"{path}/email", "staff")).json()["message"] == "Your estimate has been sent."
    assert await _status(books, path) == "sent"
    many = ",".join([made["estimate_id"]] * 11)
    assert (await books("POST", "/estimates/email", estimate_ids=many)).status_code == 400


async def test_comments_are_added_and_taken_back(books: Ask) -> None:
    path = f"/estimates/{(await _estimate(books))['estimate_id']}/comments"
    added = (await books("POST", path, "staff", json={"description": "Looks fine"})).json()["comment"]
    listed = (await books("GET", path)).json()["comments"]
    assert [entry["comment_type"] for entry in listed] == ["estimate", "system"]
    assert (await books("DELETE", f"{path}/{added['comment_id']}")).json()["code"] == 0
    assert len((await books("GET", path)).json()["comments"]) == 1


async def test_a_contact_is_made_changed_and_kept_apart_from_its_namesakes(books: Ask) -> None:
    made = await books("POST", "/contacts", "staff", json={"contact_name": "Quarry Tools", "payment_terms": 15})
    contact = made.json()["contact"]
    assert (made.status_code, contact["contact_type"], contact["currency_code"]) == (201, "customer", "EUR")
    changed = await books("PUT", f"/contacts/{contact['contact_id']}", json={"phone": "+00 555 1"})
    assert changed.json()["contact"]["phone"] == "+00 555 1"
    again = await books("POST", "/contacts", json={"contact_name": "Quarry Tools"})
    assert (again.status_code, again.json()["code"]) == (400, 4)


async def test_importing_a_crm_account_makes_its_customer_once(
    books: Ask, http: httpx.AsyncClient, bearing: Callable[..., dict[str, str]]
) -> None:
    listed = await http.get(
        "https://www.zohoapis.eu/crm/v8/Accounts",
        params={"fields": "Account_Name", "per_page": 200},
        headers=bearing("owner@demo.example"),
    )
    for account in sorted(listed.json()["data"], key=lambda row: str(row["id"])):
        if not (await books("GET", "/contacts", zcrm_account_id=account["id"])).json()["contacts"]:
            break
    first = (await books("POST", f"/crm/account/{account['id']}/import")).json()["data"]["contact_id"]
    second = (await books("POST", f"/crm/account/{account['id']}/import")).json()["data"]["contact_id"]
    assert first == second
    linked = (await books("GET", "/contacts", zcrm_account_id=account["id"])).json()["contacts"]
    assert [(row["contact_id"], row["contact_name"]) for row in linked] == [(first, account["Account_Name"])]
    assert (await books("POST", "/crm/account/1/import")).status_code == 404
