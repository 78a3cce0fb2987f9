"""Everything that can be changed, a line a field."""

from typing import Any

import strawberry

from resolvers.mutations import create, update
from schema import inputs
from schema.payloads import (
    EstimatePayload,
    InvoicePayload,
    PurchaseOrderPayload,
    SalesOrderPayload,
    SubscriptionPayload,
)
from schema.permissions import Argument, field, guarded, required, requirement
from services.documents import Module

KEY = required(strawberry.ID, "A fresh text for every write; the same one to repeat it, which then does nothing twice.")


def creating(draft: Any) -> dict[str, Argument]:
    """The arguments of a create."""
    return {"input": required(draft, "What to make."), "idempotency_key": KEY}


def updating(draft: Any) -> dict[str, Argument]:
    """The arguments of an update."""
    return {
        "id": required(strawberry.ID, "The record."),
        "input": required(draft, "What to change."),
        "idempotency_key": KEY,
    }


@guarded("public", description="Everything that can be changed. It is done under the viewer's own access, in his name.")
class Mutation:
    """The root of mutations."""

    estimate_create: EstimatePayload = field(
        "estimates.create",
        create(Module.ESTIMATES, requirement),
        args=creating(inputs.EstimateCreateInput),
        description="Make an estimate.",
    )
    estimate_update: EstimatePayload = field(
        "estimates.edit",
        update(Module.ESTIMATES, requirement),
        args=updating(inputs.EstimateUpdateInput),
        description="Change an estimate.",
    )
    invoice_create: InvoicePayload = field(
        "invoices.create",
        create(Module.INVOICES, requirement),
        args=creating(inputs.InvoiceCreateInput),
        description="Make an invoice.",
    )
    invoice_update: InvoicePayload = field(
        "invoices.edit",
        update(Module.INVOICES, requirement),
        args=updating(inputs.InvoiceUpdateInput),
        description="Change an invoice.",
    )
    sales_order_create: SalesOrderPayload = field(
        "salesOrders.create",
        create(Module.SALES_ORDERS, requirement),
        args=creating(inputs.SalesOrderCreateInput),
        description="Make a sales order.",
    )
    sales_order_update: SalesOrderPayload = field(
        "salesOrders.edit",
        update(Module.SALES_ORDERS, requirement),
        args=updating(inputs.SalesOrderUpdateInput),
        description="Change a sales order.",
    )
    purchase_order_create: PurchaseOrderPayload = field(
        "purchaseOrders.create",
        create(Module.PURCHASE_ORDERS, requirement),
        args=creating(inputs.PurchaseOrderCreateInput),
        description="Make a purchase order.",
    )
    purchase_order_update: PurchaseOrderPayload = field(
        "purchaseOrders.edit",
        update(Module.PURCHASE_ORDERS, requirement),
        args=updating(inputs.PurchaseOrderUpdateInput),
        description="Change a purchase order.",
    )
    subscription_create: SubscriptionPayload = field(
        "subscriptions.create",
        create(Module.SUBSCRIPTIONS, requirement),
        args=creating(inputs.SubscriptionCreateInput),
        description="Make a subscription.",
    )
    subscription_update: SubscriptionPayload = field(
        "subscriptions.edit",
        update(Module.SUBSCRIPTIONS, requirement),
        args=updating(inputs.SubscriptionUpdateInput),
        description="Change a subscription.",
    )
