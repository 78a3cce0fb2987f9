"""The answers of mutations."""

from typing import Any

import strawberry

from resolvers.mutations import Payload
from resolvers.relations import Derived
from schema.documents import FinanceDocument
from schema.enums import Outcome
from schema.errors import UserError
from schema.instances import InstanceOf
from schema.kinds import Estimate, Invoice, PurchaseOrder, SalesOrder, Subscription
from schema.permissions import field, guarded, interface
from services.documents import Document
from services.kinds import MODULE_OF


def _audit_event(payload: Payload, context: Any) -> str | None:
    event = payload.audit_event_id
    return context.global_id("audit", event) if event else None


def _visible(payload: Payload, context: Any) -> Document | None:
    record = payload.value
    return record if record is not None and context.viewer.may(f"{MODULE_OF[type(record)]}.view") else None


@interface("What every answer of a mutation tells.")
class WritePayload:
    """`mutations.Payload`."""

    outcome: Outcome = field("public", description="What became of the write.")
    user_errors: list[UserError] = field(
        "public", description="Everything that is wrong with the input; then nothing was written."
    )
    audit_event_id: strawberry.ID | None = field(
        "public", Derived(_audit_event), description="The event in the audit trail."
    )

    is_type_of = InstanceOf(Payload)
    """Every payload is made from the same value; the mutation's field says which it is."""


@guarded("public", description="The answer of a mutation on an estimate.")
class EstimatePayload(WritePayload):
    """`mutations.Payload`."""

    estimate: Estimate | None = field("estimates.view", "value", description="The estimate after the write.")
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")


@guarded("public", description="The answer of a mutation on an invoice.")
class InvoicePayload(WritePayload):
    """`mutations.Payload`."""

    invoice: Invoice | None = field("invoices.view", "value", description="The invoice after the write.")
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")


@guarded("public", description="The answer of a mutation on a sales order.")
class SalesOrderPayload(WritePayload):
    """`mutations.Payload`."""

    sales_order: SalesOrder | None = field("salesOrders.view", "value", description="The sales order after the write.")
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")


@guarded("public", description="The answer of a mutation on a purchase order.")
class PurchaseOrderPayload(WritePayload):
    """`mutations.Payload`."""

    purchase_order: PurchaseOrder | None = field(
        "purchaseOrders.view", "value", description="The purchase order after the write."
    )
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")


@guarded("public", description="The answer of a mutation on a subscription.")
class SubscriptionPayload(WritePayload):
    """`mutations.Payload`."""

    subscription: Subscription | None = field(
        "subscriptions.view", "value", description="The subscription after the write."
    )
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")


@guarded("public", description="What became of a write.")
class WriteOutcome(WritePayload):
    """`mutations.Payload`."""

    document: FinanceDocument | None = field(
        "public", Derived(_visible), description="The record that was written, when the viewer may see it."
    )
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")
