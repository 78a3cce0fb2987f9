"""The four document kinds of Books as a table: names, states, moves between them, messages.

Names and messages follow Zoho's OpenAPI files; which states a move may start from is the sandbox's own rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Move:
    """A change of status at ``POST /{kind}/{id}/{path}``."""

    path: str
    permission: str
    sources: frozenset[str]
    target: str
    message: str


@dataclass(frozen=True)
class Kind:
    name: str
    singular: str
    prefix: str
    party: str
    due_key: str
    statuses: frozenset[str]
    filters: Mapping[str, str]
    sorts: frozenset[str]
    moves: tuple[Move, ...]
    messages: Mapping[str, str]
    locked: frozenset[str]

    @property
    def id_key(self) -> str:
        return f"{self.singular}_id"

    @property
    def number_key(self) -> str:
        return f"{self.singular}_number"

    @property
    def party_id_key(self) -> str:
        return f"{self.party}_id"

    @property
    def party_name_key(self) -> str:
        return f"{self.party}_name"

    @property
    def report_name(self) -> str:
        return {"salesorders": "Sales Orders", "purchaseorders": "Purchase Orders"}.get(self.name, self.name.title())


DRAFTS = frozenset({"draft", "rejected"})
READY = DRAFTS | {"approved"}
OPEN_INVOICE = frozenset({"sent", "overdue", "viewed", "unpaid"})
PENDING = frozenset({"pending_approval"})


def _submit(message: str) -> Move:
    return Move("submit", "edit", DRAFTS, "pending_approval", message)


def _approve(message: str) -> Move:
    return Move("approve", "approve", PENDING, "approved", message)


ESTIMATES = Kind(
    name="estimates",
    singular="estimate",
    prefix="EST-",
    party="customer",
    due_key="expiry_date",
    statuses=frozenset({"draft", "sent", "invoiced", "accepted", "declined", "expired"}),
    filters={
        f"Status.{name}": name.lower() for name in ("Sent", "Draft", "Invoiced", "Accepted", "Declined", "Expired")
    },
    sorts=frozenset({"customer_name", "estimate_number", "date", "total", "created_time", "last_modified_time"}),
    moves=(
        Move("status/sent", "edit", READY | {"sent"}, "sent", "Estimate status has been changed to Sent"),
        Move(
            "status/accepted",
            "edit",
            READY | {"sent", "declined", "expired"},
            "accepted",
            "Estimate status has been changed to Accepted.",
        ),
        Move(
            "status/declined",
            "edit",
            READY | {"sent", "accepted", "expired"},
            "declined",
            "Estimate status has been changed to Declined.",
        ),
        _submit("The estimate has been successfully submitted for approval"),
        _approve("You have approved the estimate."),
    ),
    messages={
        "create": "The estimate has been created",
        "update": "Estimate information has been updated.",
        "delete": "The estimate has been deleted.",
        "email": "Your estimate has been sent.",
        "comment": "Comments added",
        "missing": "Estimate does not exist.",
    },
    locked=frozenset({"invoiced", "pending_approval"}),
)

INVOICES = Kind(
    name="invoices",
    singular="invoice",
    prefix="INV-",
    party="customer",
    due_key="due_date",
    statuses=frozenset({"sent", "draft", "overdue", "paid", "void", "unpaid", "partially_paid", "viewed"}),
    filters={
        f"Status.{name}": status
        for name, status in {
            "Sent": "sent",
            "Draft": "draft",
            "OverDue": "overdue",
            "Paid": "paid",
            "Void": "void",
            "Unpaid": "unpaid",
            "PartiallyPaid": "partially_paid",
            "Viewed": "viewed",
        }.items()
    },
    sorts=frozenset(
        {
            "customer_name",
            "invoice_number",
            "date",
            "due_date",
            "total",
            "balance",
            "created_time",
            "last_modified_time",
        }
    ),
    moves=(
        Move("status/sent", "edit", READY | {"sent"}, "sent", "Invoice status has been changed to Sent."),
        Move("status/void", "edit", READY | OPEN_INVOICE, "void", "Invoice status has been changed to Void."),
        Move("status/draft", "edit", frozenset({"void"}), "draft", "Status of invoice changed from void to draft"),
        _submit("The invoice has been submitted for approval successfully."),
        _approve("You have approved the invoice."),
    ),
    messages={
        "create": "The invoice has been created.",
        "update": "Invoice information has been updated.",
        "delete": "The invoice has been deleted.",
        "email": "Your invoice has been sent.",
        "comment": "Comments added.",
        "missing": "Invoice does not exist.",
    },
    locked=frozenset({"void", "paid", "pending_approval"}),
)

SALES_ORDERS = Kind(
    name="salesorders",
    singular="salesorder",
    prefix="SO-",
    party="customer",
    due_key="shipment_date",
    statuses=frozenset({"draft", "open", "invoiced", "partially_invoiced", "void", "overdue"}),
    filters={
        "Status.Open": "open",
        "Status.Draft": "draft",
        "Status.OverDue": "overdue",
        "Status.PartiallyInvoiced": "partially_invoiced",
        "Status.Invoiced": "invoiced",
        "Status.Void": "void",
        "Status.Closed": "closed",
    },
    sorts=frozenset(
        {
            "customer_name",
            "salesorder_number",
            "shipment_date",
            "last_modified_time",
            "reference_number",
            "total",
            "date",
            "created_time",
        }
    ),
    moves=(
        Move("status/open", "edit", READY | {"open", "void"}, "open", "Sales order status has been changed to Open."),
        Move(
            "status/void",
            "edit",
            READY | {"open", "overdue"},
            "void",
            "Sales order status has been changed to Void.",
        ),
        _submit("The Sales Order has been successfully submitted for approval."),
        _approve("You have approved the Sales Order."),
    ),
    messages={
        "create": "Sales Order Created Successfully.",
        "update": "Sales Order Updated Successfully.",
        "delete": "Sales Order Deleted Successfully.",
        "email": "Your Sales Order has been sent.",
        "comment": "Comments added.",
        "missing": "Sales Order does not exist.",
    },
    locked=frozenset({"void", "invoiced", "pending_approval"}),
)

PURCHASE_ORDERS = Kind(
    name="purchaseorders",
    singular="purchaseorder",
    prefix="PO-",
    party="vendor",
    due_key="delivery_date",
    statuses=frozenset({"draft", "open", "billed", "cancelled"}),
    filters={f"Status.{name}": name.lower() for name in ("Draft", "Open", "Billed", "Cancelled")},
    sorts=frozenset(
        {
            "vendor_name",
            "purchaseorder_number",
            "date",
            "delivery_date",
            "total",
            "created_time",
            "last_modified_time",
        }
    ),
    moves=(
        Move(
            "status/open", "edit", READY | {"open", "cancelled"}, "open", "The purchase order has been marked as open."
        ),
        Move("status/billed", "edit", frozenset({"open"}), "billed", "The purchase order has been marked as billed."),
        Move("status/cancelled", "edit", READY | {"open"}, "cancelled", "The purchase order has been cancelled."),
        _submit("The purchase order has been successfully submitted for approval."),
        _approve("You have approved the Purchase Order."),
        Move("reject", "approve", PENDING, "rejected", "You have rejected the Purchase order successfully."),
    ),
    messages={
        "create": "Purchase Order has been added.",
        "update": "Purchase Order has been updated.",
        "delete": "The purchase order has been deleted.",
        "email": "Your purchase order has been sent.",
        "comment": "Comments added.",
        "missing": "Purchase Order does not exist.",
    },
    locked=frozenset({"billed", "cancelled", "pending_approval"}),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (ESTIMATES, INVOICES, SALES_ORDERS, PURCHASE_ORDERS)}
