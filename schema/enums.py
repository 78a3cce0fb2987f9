"""The words of the contract."""

from enum import Enum

import strawberry

from services.acts import ActName
from services.documents import Module
from services.kinds import Order
from services.policy import AccessKind, CapabilitySet, Product, Source
from services.records.notices import Change

strawberry.enum(Module, description="A finance module.")
strawberry.enum(Product, description="A Zoho product behind the gateway.")
strawberry.enum(AccessKind, description="Under whose access a viewer's calls to a product run.")
strawberry.enum(CapabilitySet, description="The widest grants that an integration user may hold.")
strawberry.enum(Source, description="A rule that may withhold a permission.")
strawberry.enum(
    Change,
    name="DocumentChangeKind",
    description="What became of a document. SEVERAL: many of the module have changed, or some were missed; look again.",
)
strawberry.enum(Order, name="DocumentOrderField", description="What lists can be ordered by, where the product can.")


@strawberry.enum(description="The status of an estimate. A word that is not among these is only in `rawStatus`.")
class EstimateStatus(Enum):
    """`KINDS[...].statuses` of estimates."""

    ACCEPTED = "accepted"
    APPROVED = "approved"
    DECLINED = "declined"
    DRAFT = "draft"
    EXPIRED = "expired"
    INVOICED = "invoiced"
    PENDING_APPROVAL = "pending_approval"
    SENT = "sent"


@strawberry.enum(description="The status of an invoice. A word that is not among these is only in `rawStatus`.")
class InvoiceStatus(Enum):
    """`KINDS[...].statuses` of invoices."""

    APPROVED = "approved"
    DRAFT = "draft"
    OVERDUE = "overdue"
    PAID = "paid"
    PARTIALLY_PAID = "partially_paid"
    PENDING_APPROVAL = "pending_approval"
    SENT = "sent"
    UNPAID = "unpaid"
    VIEWED = "viewed"
    VOID = "void"


@strawberry.enum(description="The status of a sales order. A word that is not among these is only in `rawStatus`.")
class SalesOrderStatus(Enum):
    """`KINDS[...].statuses` of sales orders."""

    APPROVED = "approved"
    CLOSED = "closed"
    DRAFT = "draft"
    INVOICED = "invoiced"
    OPEN = "open"
    OVERDUE = "overdue"
    PARTIALLY_INVOICED = "partially_invoiced"
    PENDING_APPROVAL = "pending_approval"
    VOID = "void"


@strawberry.enum(description="The status of a purchase order. A word that is not among these is only in `rawStatus`.")
class PurchaseOrderStatus(Enum):
    """`KINDS[...].statuses` of purchase orders."""

    APPROVED = "approved"
    BILLED = "billed"
    CANCELLED = "cancelled"
    DRAFT = "draft"
    OPEN = "open"
    PENDING_APPROVAL = "pending_approval"
    REJECTED = "rejected"


@strawberry.enum(description="The status of a subscription. A word that is not among these is only in `rawStatus`.")
class SubscriptionStatus(Enum):
    """`KINDS[...].statuses` of subscriptions."""

    CANCELLED = "cancelled"
    CANCELLED_FROM_DUNNING = "cancelled_from_dunning"
    CREATION_FAILED = "creation_failed"
    DUNNING = "dunning"
    EXPIRED = "expired"
    FUTURE = "future"
    LIVE = "live"
    NON_RENEWING = "non_renewing"
    PAUSED = "paused"
    TRIAL = "trial"
    TRIAL_EXPIRED = "trial_expired"
    UNPAID = "unpaid"


@strawberry.enum(description="What became of a write.")
class Outcome(Enum):
    """As `services.outcomes` says it."""

    APPLIED = strawberry.enum_value("APPLIED", description="The product has made the change.")
    REJECTED = strawberry.enum_value("REJECTED", description="Nothing was changed.")
    UNCERTAIN = strawberry.enum_value(
        "UNCERTAIN", description="The product's answer was lost; ask `writeOutcome` before doing anything again."
    )


@strawberry.enum(description="The direction of an order.")
class OrderDirection(Enum):
    """Relay's usual words."""

    ASC = "asc"
    DESC = "desc"


@strawberry.enum(description="What can be done to a document.")
class DocumentActionName(Enum):
    """Actions on one record."""

    UPDATE = "update"
    MARK_SENT = ActName.MARK_SENT.value
    ACCEPT = ActName.ACCEPT.value
    DECLINE = ActName.DECLINE.value
    OPEN = ActName.OPEN.value
    VOID = ActName.VOID.value
    CANCEL = ActName.CANCEL.value
    SUBMIT = ActName.SUBMIT.value
    APPROVE = ActName.APPROVE.value
    REJECT = ActName.REJECT.value
    EMAIL = ActName.EMAIL.value
    CONVERT_TO_SALES_ORDER = ActName.CONVERT_TO_SALES_ORDER.value
    CONVERT_TO_INVOICE = ActName.CONVERT_TO_INVOICE.value
    REACTIVATE = ActName.REACTIVATE.value
    POSTPONE = ActName.POSTPONE.value


@strawberry.enum(description="What kind of mistake a user error is.")
class UserErrorCode(Enum):
    """Codes of `userErrors`."""

    BAD_USER_INPUT = strawberry.enum_value("BAD_USER_INPUT", description="A value is not valid; mend it.")
    FORBIDDEN = strawberry.enum_value("FORBIDDEN", description="The viewer may not set this field.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="A record that the input names does not exist.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="The record's present state does not allow it.")
    UPSTREAM_REJECTED = strawberry.enum_value("UPSTREAM_REJECTED", description="The product refused; its words follow.")
    UPSTREAM_UNAVAILABLE = strawberry.enum_value("UPSTREAM_UNAVAILABLE", description="The product was not reached.")
    UPSTREAM_RATE_LIMITED = strawberry.enum_value("UPSTREAM_RATE_LIMITED", description="The call budget is used up.")
