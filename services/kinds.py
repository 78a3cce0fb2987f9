"""The five kinds of finance document as a table; adapters, permissions, resolvers and tests iterate it."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from services.acts import ACTS, Act, ActName
from services.documents import Document, Estimate, Invoice, Module, PurchaseOrder, SalesOrder, Subscription
from services.policy import Product


class Order(StrEnum):
    """What a list can be ordered by, where the product can."""

    CREATED_AT = "created_time"
    LAST_MODIFIED_AT = "last_modified_time"
    DATE = "date"
    NUMBER = "number"
    TOTAL = "total"
    PARTY_NAME = "customer_name"
    DUE_DATE = "due_date"
    BALANCE = "balance"
    SHIPMENT_DATE = "shipment_date"
    DELIVERY_DATE = "delivery_date"


TEXT = {"equals": "", "starts_with": "_startswith", "contains": "_contains"}
AMOUNT = {
    "equals": "",
    "less_than": "_less_than",
    "at_most": "_less_equals",
    "greater_than": "_greater_than",
    "at_least": "_greater_equals",
}
DATES = {"on": "", "since": "_start", "until": "_end", "before": "_before", "after": "_after"}
DAY = {"on": ""}
EXACT = {"": ""}
CONTAINS = {"contains": "_contains"}


class Criterion(Struct, frozen=True):
    """A filter that a product applies: its key there and the suffix of each operator (facts §1.4)."""

    key: str
    operators: Mapping[str, str]


def _shared(number: str, party: str) -> dict[str, Criterion]:
    return {
        "number": Criterion(number, TEXT),
        "reference_number": Criterion("reference_number", TEXT),
        f"{party}_id": Criterion(f"{party}_id", EXACT),
        f"{party}_name": Criterion(f"{party}_name", TEXT),
        "total": Criterion("total", AMOUNT),
        "item_id": Criterion("item_id", EXACT),
        "search": Criterion("search_text", EXACT),
    }


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of document is a row: where it lives in its product, and what the product can do with its lists."""

    module: Module
    type: type[Document]
    path: str
    singular: str
    plural: str
    statuses: frozenset[str]
    party: str = "customer"
    required: tuple[str, ...] = ("customer_id", "line_items")
    editable: frozenset[str]
    """Statuses in which the product lets a record be edited."""
    filters: Mapping[str, Criterion]
    sort: Mapping[Order, str]
    views: Mapping[str, str]
    """Predefined custom views: title → `filter_by`."""
    by_status: Mapping[str, tuple[str, str]]
    """The list parameter that narrows to a status; not every status can be searched for (facts §1.4, §8)."""
    multi_get: str | None = None
    """The list parameter that takes ids and answers with full records, where there is one (facts §1.5)."""

    @property
    def product(self) -> Product:
        """The product that holds the kind."""
        return Product.BILLING if self.module is Module.SUBSCRIPTIONS else Product.BOOKS

    @property
    def acts(self) -> Mapping[ActName, Act]:
        """What can be done to a record of the kind."""
        return ACTS[self.module]

    @property
    def word(self) -> str:
        """The kind in a sentence: "sales order"."""
        return self.type.__name__[0].lower() + "".join(
            f" {c.lower()}" if c.isupper() else c for c in self.type.__name__[1:]
        )


def _documented(*statuses: str) -> dict[str, tuple[str, str]]:
    return {status: ("status", status) for status in statuses}


def _status_views(*names: str) -> dict[str, str]:
    titles = {"OverDue": "Overdue", "PartiallyPaid": "Partially Paid", "PartiallyInvoiced": "Partially Invoiced"}
    return {titles.get(name, name): f"Status.{name}" for name in names}


APPROVAL = frozenset({"pending_approval", "approved"})
"""Statuses of a document under approval; general knowledge, not in the products' specifications (facts §8)."""

_SORT = {Order.CREATED_AT: "created_time", Order.DATE: "date", Order.TOTAL: "total", Order.PARTY_NAME: "customer_name"}

KINDS: Mapping[Module, Kind] = {
    kind.module: kind
    for kind in (
        Kind(
            module=Module.ESTIMATES,
            type=Estimate,
            path="estimates",
            singular="estimate",
            plural="estimates",
            statuses=frozenset({"draft", "sent", "invoiced", "accepted", "declined", "expired"}) | APPROVAL,
            editable=frozenset({"draft", "sent", "accepted", "declined", "expired", "approved"}),
            filters=_shared("estimate_number", "customer")
            | {
                "date": Criterion("date", DATES),
                "expiry_date": Criterion("expiry_date", DAY),
                "item_name": Criterion("item_name", TEXT),
                "custom_field": Criterion("custom_field", TEXT),
                "last_modified_since": Criterion("last_modified_time", EXACT),
            },
            sort=_SORT | {Order.NUMBER: "estimate_number"},
            by_status=_documented("draft", "sent", "invoiced", "accepted", "declined", "expired"),
            views=_status_views("All", "Draft", "Sent", "Accepted", "Declined", "Invoiced", "Expired"),
        ),
        Kind(
            module=Module.INVOICES,
            type=Invoice,
            path="invoices",
            singular="invoice",
            plural="invoices",
            statuses=frozenset({"draft", "sent", "overdue", "paid", "void", "unpaid", "partially_paid", "viewed"})
            | APPROVAL,
            editable=frozenset({"draft", "sent", "overdue", "unpaid", "partially_paid", "viewed", "approved"}),
            filters=_shared("invoice_number", "customer")
            | {
                "reference_number": Criterion("reference_number", {"equals": ""}),
                "customer_name": Criterion("customer_name", {"equals": ""}),
                "balance": Criterion("balance", AMOUNT),
                "date": Criterion("date", DATES),
                "due_date": Criterion("due_date", DATES),
                "item_name": Criterion("item_name", TEXT),
                "custom_field": Criterion("custom_field", TEXT),
                "last_modified_since": Criterion("last_modified_time", EXACT),
            },
            sort=_SORT | {Order.NUMBER: "invoice_number", Order.DUE_DATE: "due_date", Order.BALANCE: "balance"},
            by_status=_documented("sent", "draft", "overdue", "paid", "void", "unpaid", "partially_paid", "viewed"),
            views=_status_views("All", "Draft", "Sent", "OverDue", "Paid", "PartiallyPaid", "Unpaid", "Viewed", "Void"),
        ),
        Kind(
            module=Module.SALES_ORDERS,
            type=SalesOrder,
            path="salesorders",
            singular="salesorder",
            plural="salesorders",
            statuses=frozenset({"draft", "open", "invoiced", "partially_invoiced", "void", "overdue", "closed"})
            | APPROVAL,
            required=("customer_id",),
            editable=frozenset({"draft", "open", "partially_invoiced", "overdue", "approved"}),
            filters=_shared("salesorder_number", "customer")
            | {
                "date": Criterion("date", DATES),
                "shipment_date": Criterion("shipment_date", DATES),
                "item_name": Criterion("item_name", TEXT),
                "salesperson_id": Criterion("salesperson_id", EXACT),
                "last_modified_since": Criterion("last_modified_time", EXACT),
            },
            sort=_SORT
            | {
                Order.NUMBER: "salesorder_number",
                Order.SHIPMENT_DATE: "shipment_date",
                Order.LAST_MODIFIED_AT: "last_modified_time",
            },
            by_status=_documented("draft", "open", "invoiced", "partially_invoiced", "void", "overdue"),
            views=_status_views("All", "Draft", "Open", "OverDue", "PartiallyInvoiced", "Invoiced", "Void", "Closed"),
            multi_get="salesorder_ids",
        ),
        Kind(
            module=Module.PURCHASE_ORDERS,
            type=PurchaseOrder,
            path="purchaseorders",
            singular="purchaseorder",
            plural="purchaseorders",
            party="vendor",
            statuses=frozenset({"draft", "open", "billed", "cancelled", "rejected"}) | APPROVAL,
            required=("customer_id", "line_items"),
            editable=frozenset({"draft", "open", "rejected", "approved"}),
            filters=_shared("purchaseorder_number", "vendor")
            | {
                "date": Criterion("date", DAY),
                "custom_field": Criterion("custom_field", TEXT),
                "last_modified_since": Criterion("last_modified_time", EXACT),
            },
            sort=_SORT
            | {
                Order.PARTY_NAME: "vendor_name",
                Order.NUMBER: "purchaseorder_number",
                Order.DELIVERY_DATE: "delivery_date",
            },
            by_status=_documented("draft", "open", "billed", "cancelled"),
            views=_status_views("All", "Draft", "Open", "Billed", "Cancelled"),
        ),
        Kind(
            module=Module.SUBSCRIPTIONS,
            type=Subscription,
            path="subscriptions",
            singular="subscription",
            plural="subscriptions",
            statuses=frozenset(
                {"live", "trial", "dunning", "unpaid", "non_renewing", "cancelled", "creation_failed", "future"}
                | {"cancelled_from_dunning", "expired", "trial_expired", "paused"}
            ),
            required=("customer_id", "plan"),
            editable=frozenset({"live", "trial", "dunning", "unpaid", "non_renewing", "future"}),
            filters={
                "customer_id": Criterion("customer_id", EXACT),
                "reference_number": Criterion("reference", CONTAINS),
            },
            sort={},
            by_status={
                status: ("filter_by", f"SubscriptionStatus.{status.upper()}")
                for status in (
                    *("live", "trial", "unpaid", "non_renewing", "future"),
                    *("cancelled", "cancelled_from_dunning", "expired", "trial_expired"),
                )
            },
            views={
                title: f"SubscriptionStatus.{name}"
                for title, name in {
                    "All": "All",
                    "Active": "ACTIVE",
                    "Live": "LIVE",
                    "Future": "FUTURE",
                    "Trial": "TRIAL",
                    "Past Due": "PAST_DUE",
                    "Unpaid": "UNPAID",
                    "Non-Renewing": "NON_RENEWING",
                    "Cancelled from Dunning": "CANCELLED_FROM_DUNNING",
                    "Cancelled": "CANCELLED",
                    "Expired": "EXPIRED",
                    "Trial Expired": "TRIAL_EXPIRED",
                    "Cancelled Last Month": "CANCELLED_LAST_MONTH",
                    "Cancelled This Month": "CANCELLED_THIS_MONTH",
                }.items()
            },
        ),
    )
}

MODULE_OF: Mapping[type[Document], Module] = {kind.type: kind.module for kind in KINDS.values()}


PRODUCT_OF: Mapping[type[Document], Product] = {kind.type: kind.product for kind in KINDS.values()}
"""The product that holds records of a type."""


def kind_of(record: Document) -> Kind:
    """The kind that a record is of."""
    return KINDS[MODULE_OF[type(record)]]
