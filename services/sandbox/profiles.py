"""CRM profiles: what their users may do in a module, and the fields hidden from them, as data.

Zoho publishes no API names for the finance suite's modules inside CRM: those here are an assumption.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FINANCE = (
    "Finance_Estimates",
    "Finance_Invoices",
    "Finance_Sales_Orders",
    "Finance_Purchase_Orders",
    "Finance_Subscriptions",
)
OWN = ("Accounts", "Contacts")
ACTIONS = ("View", "Create", "Edit", "Approve", "Email")
OWN_ACTIONS = ("View", "Create", "Edit")
_ALL_FINANCE = dict.fromkeys(FINANCE, frozenset(ACTIONS))
_ALL_OWN = dict.fromkeys(OWN, frozenset(OWN_ACTIONS))
_VIEW = frozenset({"View"})


@dataclass(frozen=True)
class Profile:
    """`unlisted` is the permission type of every finance field that is not hidden."""

    number: int
    name: str
    modules: Mapping[str, frozenset[str]]
    administers: bool = False
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unlisted: str = "read_write"

    def may(self, module: str, action: str) -> bool:
        return action in self.modules.get(module, ())

    def permission_type(self, module: str, api_name: str) -> str:
        if api_name in self.hidden.get(module, ()) or not self.may(module, "View"):
            return "hidden"
        return self.unlisted

    def id_in(self, crm_prefix: str) -> str:
        """Below the ids of records, which begin at 1001."""
        return f"{crm_prefix}{self.number:015d}"


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(11, "Administrator", {**_ALL_FINANCE, **_ALL_OWN}, administers=True),
        Profile(12, "Standard", {**_ALL_FINANCE, **_ALL_OWN}),
        Profile(
            13,
            "Read Only Finance",
            dict.fromkeys((*FINANCE, *OWN), _VIEW),
            hidden={"Finance_Invoices": frozenset({"balance"}), "Finance_Estimates": frozenset({"discount"})},
            unlisted="read_only",
        ),
        Profile(14, "No Finance", _ALL_OWN),
        Profile(15, "No Access", {}),
    )
}


def permissions(profile: Profile, crm_prefix: str) -> list[dict[str, Any]]:
    """As `permissions_details`."""
    return [
        {
            "id": f"{crm_prefix}{200 + number:015d}",
            "name": name,
            "display_label": name.removeprefix("Crm_Implied_").replace("_", " "),
            "module": module,
            "enabled": enabled,
            "customizable": not profile.administers,
            "parent_permissions": [],
        }
        for number, (name, module, enabled) in enumerate(_entries(profile))
    ]


def _entries(profile: Profile) -> Iterator[tuple[str, str | None, bool]]:
    for modules, actions in ((OWN, OWN_ACTIONS), (FINANCE, ACTIONS)):
        for module in modules:
            for action in actions:
                yield f"Crm_Implied_{action}_{module}", module, profile.may(module, action)
    yield "Crm_Implied_Manage_Zoho_Finance", None, profile.administers


_DOCUMENT_FIELDS = (
    "status",
    "date",
    "reference_number",
    "currency_code",
    "exchange_rate",
    "discount",
    "discount_type",
    "is_inclusive_tax",
    "line_items",
    "sub_total",
    "tax_total",
    "total",
    "shipping_charge",
    "adjustment",
    "notes",
    "terms",
    "salesperson_name",
    "billing_address",
    "shipping_address",
    "custom_fields",
    "created_by_id",
    "last_modified_by_id",
    "created_time",
    "last_modified_time",
)
_CUSTOMER = ("customer_id", "customer_name")
FIELDS: Mapping[str, tuple[str, ...]] = {
    "Finance_Estimates": ("estimate_number", *_CUSTOMER, "expiry_date", "accepted_date", *_DOCUMENT_FIELDS),
    "Finance_Invoices": ("invoice_number", *_CUSTOMER, "due_date", "balance", "payment_made", *_DOCUMENT_FIELDS),
    "Finance_Sales_Orders": ("salesorder_number", *_CUSTOMER, "shipment_date", "estimate_id", *_DOCUMENT_FIELDS),
    "Finance_Purchase_Orders": (
        "purchaseorder_number",
        "vendor_id",
        "vendor_name",
        "delivery_date",
        *_DOCUMENT_FIELDS,
    ),
    "Finance_Subscriptions": (
        "subscription_number",
        *_CUSTOMER,
        "name",
        "status",
        "amount",
        "currency_code",
        "plan_name",
        "plan",
        "addons",
        "interval",
        "interval_unit",
        "auto_collect",
        "activated_at",
        "current_term_starts_at",
        "current_term_ends_at",
        "next_billing_at",
        "last_billing_at",
        "expires_at",
        "reference_id",
        "salesperson_name",
        "custom_fields",
        "created_time",
        "updated_time",
    ),
    "Accounts": (
        "Account_Name",
        "Phone",
        "Website",
        "Billing_Street",
        "Billing_City",
        "Billing_Code",
        "Billing_Country",
        "Description",
        "Owner",
        "Created_By",
        "Modified_By",
        "Created_Time",
        "Modified_Time",
    ),
    "Contacts": (
        "First_Name",
        "Last_Name",
        "Full_Name",
        "Email",
        "Phone",
        "Mobile",
        "Title",
        "Account_Name",
        "Owner",
        "Created_By",
        "Modified_By",
        "Created_Time",
        "Modified_Time",
    ),
}
"""By module, in the names of Books and Billing; those of Accounts and Contacts in CRM's own."""
