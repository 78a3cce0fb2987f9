"""The finance documents as values, the way the products send them.

A value is decoded straight from a product's answer (msgspec): money is the exact `Decimal` of the digits in the
body, ids are strings, an absent or empty value is None. List rows lack what only a full record has; `complete` says
which of the two a value is. Times stay in the product's own text (`2013-11-18T02:17:40-0800`).
"""

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct, field


class Module(StrEnum):
    """A finance module; the value is its word in permissions."""

    ESTIMATES = "estimates"
    INVOICES = "invoices"
    SALES_ORDERS = "salesOrders"
    PURCHASE_ORDERS = "purchaseOrders"
    SUBSCRIPTIONS = "subscriptions"


class Money(Struct, frozen=True):
    """An amount in the currency of its record."""

    amount: Decimal
    currency: str


class CustomField(Struct, kw_only=True):
    """A custom field of a record; `value` in whatever JSON type the product sends."""

    id: str | int | None = field(name="customfield_id", default=None)
    api_name: str | None = None
    label: str | None = None
    value: Any = None


class LineItem(Struct, kw_only=True):
    """A line of a document: rate × quantity, less discount, plus tax, in the document's currency."""

    id: str | None = field(name="line_item_id", default=None)
    item_id: str | None = None
    name: str | None = None
    description: str | None = None
    unit: str | None = None
    rate: Decimal | None = None
    quantity: Decimal | None = None
    discount_amount: Decimal | None = None
    tax_name: str | None = None
    tax_percentage: Decimal | None = None
    item_total: Decimal | None = None


class Document(Struct, kw_only=True):
    """What all five kinds have in common. Subclasses name the product's keys."""

    id: str
    status: str
    number: str | None = None
    reference_number: str | None = None
    date: dt.date | None = None
    total: Decimal | None = None
    currency_code: str | None = None
    customer_id: str | None = None
    customer_name: str | None = None
    created_time: str | None = None
    last_modified_time: str | None = None
    # Only a full record has the rest.
    custom_fields: list[CustomField] = []
    created_by_id: str | None = None
    created_by_name: str | None = None
    last_modified_by_id: str | None = None
    salesperson_id: str | None = None
    salesperson_name: str | None = None
    complete: bool = field(name="gateway_complete", default=False)
    as_of: dt.datetime | None = field(name="gateway_as_of", default=None)
    """When the product told it; None of what a list of our own tells, which says so for all of its rows."""


class BooksDocument(Document, kw_only=True):
    """What the four Books kinds share beyond `Document`; all of it only in full records."""

    line_items: list[LineItem] = []
    sub_total: Decimal | None = None
    tax_total: Decimal | None = None
    discount_total: Decimal | None = None
    shipping_charge: Decimal | None = None
    adjustment: Decimal | None = None
    notes: str | None = None
    terms: str | None = None
    submitter_id: str | None = None
    submitted_by: str | None = None
    submitted_by_name: str | None = None
    submitted_by_email: str | None = None
    submitted_date: str | None = None
    approver_id: str | None = None


class Estimate(BooksDocument, kw_only=True):
    """A Books estimate (facts §1.7)."""

    id: str = field(name="estimate_id")
    number: str | None = field(name="estimate_number", default=None)
    expiry_date: dt.date | None = None


class Invoice(BooksDocument, kw_only=True):
    """A Books invoice (facts §1.7)."""

    id: str = field(name="invoice_id")
    number: str | None = field(name="invoice_number", default=None)
    due_date: dt.date | None = None
    balance: Decimal | None = None
    payment_made: Decimal | None = None
    estimate_id: str | None = None
    salesorder_id: str | None = None


class MadeInvoice(Struct):
    """An invoice made from a sales order, as the order names it."""

    id: str = field(name="invoice_id")


class SalesOrder(BooksDocument, kw_only=True):
    """A Books sales order (facts §1.7)."""

    id: str = field(name="salesorder_id")
    number: str | None = field(name="salesorder_number", default=None)
    shipment_date: dt.date | None = None
    estimate_id: str | None = None
    invoices: list[MadeInvoice] = []


class PurchaseOrder(BooksDocument, kw_only=True):
    """A Books purchase order (facts §1.7). Its party is a vendor; `customer_id` and `customer_name` hold it."""

    id: str = field(name="purchaseorder_id")
    number: str | None = field(name="purchaseorder_number", default=None)
    customer_id: str | None = field(name="vendor_id", default=None)
    customer_name: str | None = field(name="vendor_name", default=None)
    delivery_date: dt.date | None = None


class Plan(Struct, kw_only=True):
    """The plan of a subscription, as the subscription carries it."""

    code: str | None = field(name="plan_code", default=None)
    name: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    description: str | None = field(name="plan_description", default=None)


class Addon(Struct, kw_only=True):
    """An add-on of a subscription."""

    code: str | None = field(name="addon_code", default=None)
    name: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None


class Activity(Struct, kw_only=True):
    """An entry of a subscription's history."""

    id: str | None = field(name="activity_id", default=None)
    description: str | None = None
    at: str | None = field(name="activity_time", default=None)
    by: Any = field(name="commented_by", default=None)


class Subscription(Document, kw_only=True):
    """A Billing subscription (facts §3). Its date is the day of creation, its total the amount per interval."""

    id: str = field(name="subscription_id")
    number: str | None = field(name="subscription_number", default=None)
    reference_number: str | None = field(name="reference_id", default=None)
    date: dt.date | None = field(name="created_at", default=None)
    total: Decimal | None = field(name="amount", default=None)
    last_modified_time: str | None = field(name="updated_time", default=None)
    name: str | None = None
    plan_name: str | None = None
    interval: int | str | None = None
    interval_unit: str | None = None
    activated_at: dt.date | None = None
    current_term_starts_at: dt.date | None = None
    current_term_ends_at: dt.date | None = None
    next_billing_at: dt.date | None = None
    expires_at: dt.date | None = None
    auto_collect: bool | None = None
    # Only a full record has the rest.
    cancelled_at: dt.date | None = None
    plan: Plan | None = None
    addons: list[Addon] = []
