"""Which fields a record has: the blank full record of each kind, and the fields of its list row.

From Zoho's OpenAPI files, completed with the fields that clients have seen live.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any

from services.sandbox.words import words

_ZERO = Decimal("0.00")


def _fields(texts: str = "", *, flags: str = "", **values: Any) -> dict[str, Any]:
    """Space separated names: `texts` start as "", `flags` as False."""
    return dict.fromkeys(texts.split(), "") | dict.fromkeys(flags.split(), False) | values


_ADDRESS = _fields("attention address street2 city state zip country fax phone")

_DOCUMENT = _fields(
    """
        reference_number date status gst_no gst_treatment tax_treatment place_of_supply vat_treatment
        currency_id currency_code currency_symbol location_id location_name adjustment_description template_id
        template_name template_type created_time created_date created_by_id created_by_name last_modified_time
        last_modified_by_id submitter_id submitted_date submitted_by submitted_by_name submitted_by_email
        approver_id attachment_name zcrm_potential_id zcrm_potential_name color_code current_sub_status
        current_sub_status_id company_name notes terms
    """,
    flags="is_pre_gst is_reverse_charge_applied is_inclusive_tax is_viewed_by_client has_attachment is_emailed",
    exchange_rate=Decimal(1),
    discount=_ZERO,
    discount_type="entity_level",
    is_discount_before_tax=True,
    line_items=[],
    shipping_charge=_ZERO,
    adjustment=_ZERO,
    sub_total=_ZERO,
    tax_total=_ZERO,
    discount_total=_ZERO,
    total=_ZERO,
    bcy_sub_total=_ZERO,
    bcy_tax_total=_ZERO,
    bcy_discount_total=_ZERO,
    bcy_total=_ZERO,
    price_precision=2,
    taxes=[],
    billing_address=_ADDRESS,
    contact_persons_associated=[],
    custom_fields=[],
    custom_field_hash={},
    can_send_in_mail=True,
    client_viewed_time="",
)

_SALE = _fields("customer_id customer_name salesperson_id salesperson_name", shipping_address=_ADDRESS)

BLANK: Mapping[str, Mapping[str, Any]] = {
    "estimates": _DOCUMENT
    | _SALE
    | _fields(
        "estimate_id estimate_number expiry_date accepted_date declined_date estimate_url",
        flags="""
            is_digitally_signed is_edited_after_sign is_signed_and_accepted is_signature_enabled_in_template
            is_transaction_created is_converted_to_open accept_retainer
        """,
        project={"project_id": "", "project_name": ""},
        invoice_ids=[],
        salesorder_ids=[],
    ),
    "invoices": _DOCUMENT
    | _SALE
    | _fields(
        """
            invoice_id invoice_number cfdi_usage vat_reg_no payment_terms_label due_date due_days
            payment_expected_date last_payment_date recurring_invoice_id last_reminder_sent_date schedule_time
            documents invoice_url created_by email project_name type salesorder_id salesorder_number
            estimate_id
        """,
        flags="ach_payment_initiated payment_reminder_enabled allow_partial_payments is_viewed_in_mail",
        payment_terms=0,
        payment_made=_ZERO,
        credits_applied=_ZERO,
        tax_amount_withheld=_ZERO,
        write_off_amount=_ZERO,
        balance=_ZERO,
        reminders_sent=0,
        payment_options={"payment_gateways": []},
        salesorders=[],
    ),
    "salesorders": _DOCUMENT
    | _SALE
    | _fields(
        """
            salesorder_id salesorder_number shipment_date delivery_date delivery_method delivery_method_id
            estimate_id billing_address_id shipping_address_id crm_owner_id crm_custom_reference_id
            merchant_id merchant_name pricebook_id tax_id tax_authority_id tax_authority_name tax_exemption_id
            tax_exemption_code avatax_exempt_no avatax_use_code notes_default terms_default order_status
            invoiced_status paid_status email source order_fulfillment_type
        """,
        flags="is_update_customer",
        shipment_days=0,
        due_by_days="",
        due_in_days="",
        quantity_invoiced=Decimal(0),
        total_invoiced_amount=_ZERO,
        sub_statuses=[],
        documents=[],
        contact_persons=[],
        invoices=[],
    ),
    "purchaseorders": _DOCUMENT
    | _fields(
        """
            purchaseorder_id purchaseorder_number vendor_id vendor_name delivery_date expected_delivery_date
            source_of_supply destination_of_supply pricebook_id pricebook_name discount_account_id
            crm_owner_id ship_via ship_via_id attention delivery_org_address_id delivery_customer_id
            page_width page_height orientation order_status billed_status delivery_days due_by_days
            due_in_days
        """,
        flags="can_mark_as_bill can_mark_as_unbill",
        documents=[],
        delivery_address=_fields("zip state address1 address2 city country address email phone"),
        acquisition_vat_summary=[],
        acquisition_vat_total=_ZERO,
        reverse_charge_vat_summary=[],
        reverse_charge_vat_total=_ZERO,
        quantity_yet_to_receive=Decimal(0),
        quantity_marked_as_received=Decimal(0),
        receives=[],
    ),
}

LINE: Mapping[str, Any] = _fields(
    """
        line_item_id item_id name description product_type sku unit tax_id tax_name tax_type
        tax_treatment_code tds_tax_id hsn_or_sac sat_item_key_code unitkey_code location_id location_name
        account_id account_name project_id project_name header_id header_name
    """,
    item_order=0,
    rate=_ZERO,
    bcy_rate=_ZERO,
    quantity=Decimal(1),
    discount=_ZERO,
    discount_amount=_ZERO,
    tax_percentage=0,
    item_total=_ZERO,
    tags=[],
    item_custom_fields=[],
)

_ROW = """
    status reference_number date currency_id currency_code total has_attachment created_time
    last_modified_time company_name color_code current_sub_status current_sub_status_id
"""

ROWS: Mapping[str, tuple[str, ...]] = {
    "estimates": (
        *words("estimate_id customer_name customer_id estimate_number"),
        *_ROW.split(),
        *words("""
            location_id location_name accepted_date declined_date expiry_date is_viewed_by_client
            client_viewed_time zcrm_potential_id zcrm_potential_name is_emailed template_id template_type
            salesperson_id salesperson_name is_digitally_signed is_edited_after_sign is_signed_and_accepted
            is_signature_enabled_in_template
        """),
    ),
    "invoices": (
        *words("invoice_id ach_payment_initiated customer_name customer_id invoice_number"),
        *_ROW.split(),
        *words("""
            due_date due_days schedule_time is_viewed_by_client client_viewed_time balance is_emailed
            reminders_sent last_reminder_sent_date payment_expected_date last_payment_date documents
            location_id location_name salesperson_id salesperson_name shipping_charge adjustment
            write_off_amount exchange_rate zcrm_potential_id zcrm_potential_name email currency_symbol
            template_type template_id invoice_url project_name created_by type is_viewed_in_mail
        """),
    ),
    "salesorders": (
        *words("salesorder_id zcrm_potential_id zcrm_potential_name customer_name customer_id salesorder_number"),
        *_ROW.split(),
        *words("""
            shipment_date shipment_days sub_total bcy_total is_emailed order_status invoiced_status
            paid_status delivery_date delivery_method delivery_method_id due_by_days due_in_days email
            quantity_invoiced total_invoiced_amount salesperson_name source order_fulfillment_type
        """),
    ),
    "purchaseorders": (
        *words("purchaseorder_id vendor_id vendor_name purchaseorder_number"),
        *_ROW.split(),
        *words("""
            delivery_date price_precision order_status billed_status delivery_days due_by_days due_in_days
            is_viewed_by_client client_viewed_time quantity_yet_to_receive quantity_marked_as_received
            receives
        """),
    ),
    "contacts": tuple(
        words("""
            contact_id contact_name company_name contact_type status payment_terms payment_terms_label
            currency_id currency_code outstanding_receivable_amount unused_credits_receivable_amount
            first_name last_name email phone mobile created_time last_modified_time customer_name vendor_name
            contact_type_formatted customer_sub_type language_code website source portal_status
            is_linked_with_zohocrm has_attachment outstanding_payable_amount unused_credits_payable_amount
        """)
    ),
    "items": tuple(
        words("""
            item_id name item_name status source is_linked_with_zohocrm zcrm_product_id description rate unit
            tax_id tax_name tax_percentage product_type item_type sku created_time last_modified_time
        """)
    ),
    "subscriptions": tuple(
        words("""
            customer_id customer_name email plan_name subscription_id name status amount created_at
            activated_at current_term_ends_at current_term_starts_at last_billing_at next_billing_at
            expires_at interval interval_unit auto_collect created_time updated_time reference_id
            salesperson_id salesperson_name currency_code currency_symbol
        """)
    ),
    "customers": tuple(
        words("""
            customer_id display_name salutation first_name last_name email company_name phone mobile website
            department designation currency_code unused_credits outstanding is_gapps_customer updated_time
            created_time tags has_attachment
        """)
    ),
}

CONTACT: Mapping[str, Any] = _fields(
    """
        contact_id contact_name company_name customer_name vendor_name contact_type contact_type_formatted
        customer_sub_type pricebook_id contact_number tax_id tax_name tax_authority_id tax_exemption_id
        tax_authority_name tax_exemption_code place_of_contact gst_no tax_treatment tax_regime legal_name
        vat_treatment gst_treatment website owner_id primary_contact_id payment_terms_label currency_id
        currency_code currency_symbol facebook twitter notes first_name last_name email phone mobile source
        portal_status language_code created_time last_modified_time created_by_name zcrm_account_id
        zcrm_contact_id zcrm_vendor_id
    """,
    flags="has_transaction is_taxable is_tds_registered is_linked_with_zohocrm payment_reminder_enabled has_attachment",
    credit_limit=_ZERO,
    tax_percentage=0,
    payment_terms=30,
    status="active",
    opening_balances=[],
    outstanding_receivable_amount=_ZERO,
    outstanding_receivable_amount_bcy=_ZERO,
    unused_credits_receivable_amount=_ZERO,
    unused_credits_receivable_amount_bcy=_ZERO,
    outstanding_payable_amount=_ZERO,
    unused_credits_payable_amount=_ZERO,
    custom_fields=[],
    custom_field_hash={},
    billing_address=_ADDRESS,
    shipping_address=_ADDRESS,
    contact_persons=[],
    default_templates={},
    ignore_auto_number_generation=False,
)


def blank(kind: str) -> dict[str, Any]:
    return deepcopy(dict(BLANK[kind]))


def row(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The list row of a full record; custom fields stand where each kind's list has them."""
    shown = {name: body.get(name, "") for name in ROWS[kind]}
    if kind == "estimates":
        return shown | {field["api_name"]: field["value"] for field in body["custom_fields"]}
    if kind in BLANK:
        return shown | {"custom_fields": short_custom_fields(body["custom_fields"])}
    return shown


def short_custom_fields(fields: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: field[key] for key in ("customfield_id", "index", "label", "value")} for field in fields]


def without(value: Any, hidden: frozenset[str]) -> Any:
    """The same value with the hidden keys left out, on lines too."""
    if isinstance(value, dict):
        return {key: without(inner, hidden) for key, inner in value.items() if key not in hidden}
    if isinstance(value, list):
        return [without(inner, hidden) for inner in value]
    return value
