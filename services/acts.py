"""What can be done to a record beside changing its fields, as a table: one row an act.

Paths are those of facts §1.6 and §3. In which statuses an act is possible follows the products' descriptions; where
those say nothing it is an assumption, and the product's own refusal is final.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class ActName(StrEnum):
    """An act as audited, after the module: `estimates.markSent`."""

    MARK_SENT = "markSent"
    ACCEPT = "accept"
    DECLINE = "decline"
    OPEN = "open"
    VOID = "void"
    CANCEL = "cancel"
    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    EMAIL = "email"
    CONVERT_TO_SALES_ORDER = "convertToSalesOrder"
    CONVERT_TO_INVOICE = "convertToInvoice"
    REACTIVATE = "reactivate"
    POSTPONE = "postpone"


class Act(Struct, frozen=True):
    """A row. `done` ends the sentence "It cannot be …"; `path`: below the record, absent where there is more to it."""

    name: ActName
    requires: str
    possible: frozenset[str]
    """Statuses in which it can be done; never one of `results`, so that the status tells whether it has been."""
    done: str
    path: str = ""
    results: frozenset[str] = frozenset()
    """The statuses that show that it has been done."""
    source: str = ""
    """The permission on the record itself, where `requires` is about what is made of it."""


PENDING = "pending_approval"
DECIDES = frozenset({ActName.APPROVE, ActName.REJECT})
"""Acts that are for somebody else than whoever submitted."""
AWAITS = frozenset(
    {
        *(ActName.MARK_SENT, ActName.ACCEPT, ActName.DECLINE, ActName.OPEN, ActName.EMAIL),
        *(ActName.CONVERT_TO_SALES_ORDER, ActName.CONVERT_TO_INVOICE),
    }
)
"""Acts that a submitted document has to be approved for."""
OWN_DECIDERS = frozenset({"admin"})
"""Roles of Books that may approve what they submitted themselves: general knowledge, not documented."""
SENT_INVOICE = "sent overdue viewed unpaid"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _act(
    name: ActName, requires: str, possible: str, done: str, path: str = "", results: str = "", source: str = ""
) -> Act:
    return Act(name, requires, _words(possible), done, path, _words(results), source)


def _submit(module: str, drafts: str = "draft") -> Act:
    return _act(ActName.SUBMIT, f"{module}.edit", drafts, "submitted", "submit", PENDING)


def _approve(module: str) -> Act:
    return _act(ActName.APPROVE, f"{module}.approve", PENDING, "approved", "approve", "approved")


def _email(module: str, statuses: str) -> Act:
    return _act(ActName.EMAIL, f"{module}.email", statuses, "mailed", "email")


_ACTS: Mapping[str, tuple[Act, ...]] = {
    "estimates": (
        _act(ActName.MARK_SENT, "estimates.edit", "draft approved", "marked as sent", "status/sent", "sent expired"),
        _act(ActName.ACCEPT, "estimates.edit", "sent declined expired", "accepted", "status/accepted", "accepted"),
        _act(ActName.DECLINE, "estimates.edit", "sent accepted expired", "declined", "status/declined", "declined"),
        _submit("estimates"),
        _approve("estimates"),
        _email("estimates", "draft approved sent accepted declined expired invoiced"),
        _act(
            ActName.CONVERT_TO_SALES_ORDER,
            "salesOrders.create",
            "draft approved sent accepted expired",
            "made a sales order",
            source="estimates.view",
        ),
        _act(
            ActName.CONVERT_TO_INVOICE,
            "invoices.create",
            "draft approved sent accepted expired",
            "made an invoice",
            source="estimates.view",
        ),
    ),
    "invoices": (
        _act(ActName.MARK_SENT, "invoices.edit", "draft approved", "marked as sent", "status/sent", SENT_INVOICE),
        _act(ActName.VOID, "invoices.edit", f"draft approved {SENT_INVOICE}", "made void", "status/void", "void"),
        _submit("invoices"),
        _approve("invoices"),
        _email("invoices", "draft approved sent overdue viewed unpaid partially_paid paid"),
    ),
    "salesOrders": (
        _act(ActName.OPEN, "salesOrders.edit", "draft approved void", "opened", "status/open", "open overdue"),
        _act(ActName.VOID, "salesOrders.edit", "draft approved open overdue", "made void", "status/void", "void"),
        _submit("salesOrders"),
        _approve("salesOrders"),
        _email("salesOrders", "draft approved open overdue partially_invoiced invoiced closed"),
        _act(
            ActName.CONVERT_TO_INVOICE,
            "invoices.create",
            "approved open overdue partially_invoiced",
            "made an invoice",
            source="salesOrders.view",
        ),
    ),
    "purchaseOrders": (
        _act(ActName.OPEN, "purchaseOrders.edit", "draft approved cancelled", "opened", "status/open", "open"),
        _act(
            ActName.CANCEL, "purchaseOrders.edit", "draft approved open", "cancelled", "status/cancelled", "cancelled"
        ),
        _submit("purchaseOrders", "draft rejected"),
        _approve("purchaseOrders"),
        _act(ActName.REJECT, "purchaseOrders.approve", PENDING, "rejected", "reject", "rejected"),
        _email("purchaseOrders", "draft approved open billed"),
    ),
    "subscriptions": (
        _act(
            ActName.CANCEL,
            "subscriptions.edit",
            "live trial dunning unpaid future non_renewing",
            "cancelled",
            "cancel",
            "cancelled",
        ),
        _act(ActName.REACTIVATE, "subscriptions.edit", "non_renewing", "reactivated", "reactivate", "live"),
        _act(ActName.POSTPONE, "subscriptions.edit", "live trial dunning unpaid future", "postponed", "postpone"),
    ),
}
ACTS: Mapping[str, Mapping[ActName, Act]] = {module: {act.name: act for act in rows} for module, rows in _ACTS.items()}
"""By module. Rejection is documented for purchase orders alone, so the others have none."""

CANCEL_AT_END = _act(
    ActName.CANCEL,
    "subscriptions.edit",
    "live trial dunning unpaid future",
    "cancelled at the end of its term",
    "cancel",
    "non_renewing",
)
"""A subscription that runs out: the same act as its cancellation, with another result."""
