"""Answers of Books carry the fields that Zoho's documents name; the lists below are copied from there by hand."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

Ask = Callable[..., Awaitable[httpx.Response]]

DOCUMENT_ROW = "status reference_number date currency_id currency_code has_attachment created_time last_modified_time"
ROWS = {
    "estimates": f"""
        {DOCUMENT_ROW} estimate_id customer_name customer_id estimate_number total location_id location_name
        accepted_date declined_date expiry_date is_viewed_by_client client_viewed_time zcrm_potential_id
        company_name color_code current_sub_status is_emailed template_id salesperson_id salesperson_name
        is_digitally_signed
    """,
    "invoices": f"""
        {DOCUMENT_ROW} invoice_id ach_payment_initiated customer_name customer_id invoice_number due_date
        due_days schedule_time is_viewed_by_client client_viewed_time total balance is_emailed reminders_sent
        last_reminder_sent_date payment_expected_date last_payment_date custom_fields documents location_id
        location_name salesperson_id salesperson_name shipping_charge adjustment write_off_amount exchange_rate
        created_by email
    """,
    "salesorders": f"""
        {DOCUMENT_ROW} salesorder_id zcrm_potential_id zcrm_potential_name customer_name customer_id
        salesorder_number shipment_date shipment_days total sub_total bcy_total is_emailed custom_fields
        order_status invoiced_status paid_status delivery_method total_invoiced_amount salesperson_name
    """,
    "purchaseorders": f"""
        {DOCUMENT_ROW} purchaseorder_id vendor_id vendor_name purchaseorder_number delivery_date price_precision
        total custom_fields order_status billed_status delivery_days receives
    """,
    "contacts": """
        contact_id contact_name company_name contact_type status payment_terms payment_terms_label currency_id
        currency_code outstanding_receivable_amount unused_credits_receivable_amount first_name last_name email
        phone mobile created_time last_modified_time customer_name vendor_name is_linked_with_zohocrm
        portal_status
    """,
}
FULL_DOCUMENT = """
    date reference_number status currency_id currency_code exchange_rate discount is_discount_before_tax
    is_inclusive_tax is_pre_gst place_of_supply gst_no gst_treatment tax_treatment is_reverse_charge_applied
    line_items location_id location_name shipping_charge adjustment adjustment_description sub_total total
    tax_total price_precision taxes billing_address custom_fields template_id template_name created_time
    last_modified_time created_by_id last_modified_by_id submitter_id approver_id submitted_date
    submitted_by_name submitted_by_email custom_field_hash
"""
FULL = {
    "estimates": """
        estimate_id estimate_number customer_id customer_name contact_persons_associated expiry_date
        discount_type shipping_address salesperson_id salesperson_name project is_viewed_by_client
        client_viewed_time
    """,
    "invoices": """
        invoice_id invoice_number customer_id customer_name payment_terms payment_terms_label due_date
        payment_expected_date last_payment_date balance payment_made credits_applied write_off_amount notes
        terms allow_partial_payments payment_options is_emailed reminders_sent shipping_address attachment_name
        can_send_in_mail invoice_url created_by_name salesorder_id estimate_id recurring_invoice_id
    """,
    "salesorders": """
        salesorder_id salesorder_number customer_id customer_name shipment_date estimate_id delivery_method
        notes terms discount_type sub_statuses crm_owner_id shipping_address order_status bcy_total
    """,
    "purchaseorders": """
        purchaseorder_id purchaseorder_number vendor_id vendor_name delivery_date expected_delivery_date
        delivery_address ship_via attention notes terms can_mark_as_bill can_mark_as_unbill
        reverse_charge_vat_total acquisition_vat_total documents
    """,
}
LINE = """
    item_id line_item_id name description item_order product_type bcy_rate rate quantity unit discount_amount
    discount tax_id tax_name tax_type tax_percentage tax_treatment_code item_total location_id location_name
"""
CONTACT = """
    contact_id contact_name company_name has_transaction contact_type customer_sub_type credit_limit is_taxable
    place_of_contact is_linked_with_zohocrm website owner_id primary_contact_id payment_terms currency_id
    currency_code currency_symbol opening_balances outstanding_receivable_amount status custom_fields
    billing_address shipping_address contact_persons default_templates notes created_time last_modified_time
    zcrm_account_id
"""
ME = "user_id name email_ids status user_role user_type role_id cost_rate photo_url"
NOT_ON_ROWS = ("line_items", "billing_address", "approver_id", "submitter_id", "created_by_id", "last_modified_by_id")


@pytest.mark.parametrize("kind", ROWS)
async def test_a_list_row_has_the_documented_fields_and_no_detail(books: Ask, kind: str) -> None:
    answer = (await books("GET", f"/{kind}", per_page=3)).json()
    assert answer["code"] == 0
    assert answer["message"] == "success"
    for row in answer[kind]:
        assert set(ROWS[kind].split()) <= row.keys()
        assert not row.keys() & set(NOT_ON_ROWS)


@pytest.mark.parametrize("kind", FULL)
async def test_a_full_record_has_the_documented_fields_on_itself_and_its_lines(books: Ask, kind: str) -> None:
    key = f"{kind[:-1]}_id"
    listed = (await books("GET", f"/{kind}", per_page=1)).json()[kind][0]
    answer = (await books("GET", f"/{kind}/{listed[key]}")).json()
    record = answer[kind[:-1]]
    assert set(FULL_DOCUMENT.split()) | set(FULL[kind].split()) <= record.keys()
    assert set(LINE.split()) <= record["line_items"][0].keys()
    assert {name: record[name] for name in ("total", "status", key)} == {
        name: listed[name] for name in ("total", "status", key)
    }


async def test_a_contact_and_a_user_have_the_documented_fields(books: Ask) -> None:
    listed = (await books("GET", "/contacts", per_page=1)).json()["contacts"][0]
    contact = (await books("GET", f"/contacts/{listed['contact_id']}")).json()["contact"]
    assert set(CONTACT.split()) <= contact.keys()
    me = (await books("GET", "/users/me", "staff")).json()["user"]
    assert set(ME.split()) <= me.keys()
    assert me["email_ids"] == [{"email": "staff@demo.example", "is_selected": True}]
    rows = (await books("GET", "/users")).json()["users"]
    fields = "user_id role_id name email user_role status is_current_user photo_url is_customer_segmented user_type"
    assert all(set(fields.split()) <= row.keys() for row in rows)
    assert [row["email"] for row in rows if row["is_customer_segmented"]] == ["assigned@demo.example"]


async def test_page_context_is_an_object_without_a_total(books: Ask) -> None:
    context = (await books("GET", "/estimates", per_page=2)).json()["page_context"]
    assert context == {
        "page": 1,
        "per_page": 2,
        "has_more_page": True,
        "report_name": "Estimates",
        "applied_filter": "Status.All",
        "sort_column": "created_time",
        "sort_order": "D",
    }


@pytest.mark.parametrize("path", ["/organizations", "/settings/currencies"])
async def test_short_lists_have_no_page_context(books: Ask, path: str) -> None:
    answer = (await books("GET", path)).json()
    assert answer["code"] == 0
    assert "page_context" not in answer


async def test_custom_fields_stand_on_rows_as_each_list_has_them(books: Ask) -> None:
    estimates = (await books("GET", "/estimates", custom_field="North")).json()["estimates"]
    assert {row["cf_region"] for row in estimates} == {"North"}
    invoices = (await books("GET", "/invoices", custom_field="North")).json()["invoices"]
    shown = [field for row in invoices for field in row["custom_fields"]]
    assert {field["value"] for field in shown} == {"North"}
    assert not any("api_name" in field for field in shown)


async def test_money_is_a_json_number_with_its_digits(books: Ask) -> None:
    answer = await books("GET", "/invoices", per_page=50, sort_column="total", sort_order="A")
    kept: Any = json.loads(answer.text, parse_float=str)
    assert all(len(row["total"].split(".")[1]) == 2 for row in kept["invoices"] if row["currency_code"] == "EUR")


async def test_ids_are_strings_of_digits(books: Ask) -> None:
    for row in (await books("GET", "/salesorders", per_page=5)).json()["salesorders"]:
        assert row["salesorder_id"].isdigit()
        assert len(row["salesorder_id"]) == 18
