"""Customers of Billing, as the Books contact that they are or mirror."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from services.sandbox.words import words


def of_contact(contact: Mapping[str, Any], customer_id: str) -> dict[str, Any]:
    copied = """first_name last_name email company_name phone mobile website currency_code currency_id currency_symbol
        payment_terms payment_terms_label status zcrm_account_id zcrm_contact_id billing_address shipping_address
        created_time custom_fields notes"""
    return {
        **{name: contact[name] for name in copied.split()},
        "customer_id": customer_id,
        "contact_id": customer_id,
        "display_name": contact["contact_name"],
        "customer_name": contact["contact_name"],
        **dict.fromkeys(words("salutation department designation"), ""),
        "tags": [],
        "unused_credits": Decimal("0.00"),
        "outstanding": contact["outstanding_receivable_amount"],
        "outstanding_receivable_amount": contact["outstanding_receivable_amount"],
        "is_gapps_customer": False,
        "is_linked_with_zohocrm": contact["is_linked_with_zohocrm"],
        "is_portal_enabled": False,
        "has_attachment": False,
        "updated_time": contact["last_modified_time"],
    }
