"""What can be written. Each field states the permission that setting it takes."""

import datetime as dt
from decimal import Decimal

import strawberry

from schema.permissions import given


@strawberry.input(description="A discount: either an amount in the document's currency or a percentage.")
class DiscountInput:
    """Exactly one of the two."""

    amount: Decimal | None = given("public", description="This much.")
    percent: Decimal | None = given("public", description="This part, 0 to 100.")


@strawberry.input(description="A custom field to set.")
class CustomFieldInput:
    """By API name."""

    name: str = given("public", description="The field's API name, such as `cf_region`.", optional=False)
    value: str | None = given("public", description="Its value as text; null clears it.")


@strawberry.input(description="A line. On update the lines given replace all lines; give `id` to keep one.")
class LineItemInput:
    """`documents.LineItem` as written."""

    id: strawberry.ID | None = given("public", description="The id of an existing line.")
    item_id: strawberry.ID | None = given("public", description="A catalogue item; its name and rate are the default.")
    name: str | None = given("public", description="What is sold or bought.")
    description: str | None = given("public", description="A longer text.")
    quantity: Decimal | None = given("public", description="How many; 1 when left out.")
    rate: Decimal | None = given("public", description="The price of a unit in the document's currency.")
    unit: str | None = given("public", description="What the quantity counts.")
    discount: DiscountInput | None = given("public", description="What is taken off the line.")


@strawberry.input(description="The plan of a subscription.")
class SubscriptionPlanInput:
    """`documents.Plan` as written."""

    code: str = given("public", description="The plan's code.", optional=False)
    quantity: int | None = given("public", description="How many; 1 when left out.")
    price: Decimal | None = given("public", description="Another price per interval than the plan's.")


@strawberry.input(description="An add-on of a subscription.")
class SubscriptionAddonInput:
    """`documents.Addon` as written."""

    code: str = given("public", description="The add-on's code.", optional=False)
    quantity: int | None = given("public", description="How many; 1 when left out.")
    price: Decimal | None = given("public", description="Another price per interval than the add-on's.")


@strawberry.input(description="A mail from the viewer's own address; what is left out is as `emailPreview` tells.")
class EmailInput:
    """As `services.correspondence` takes it."""

    to: list[str] | None = given("public", description="The addresses it goes to.")
    cc: list[str] | None = given("public", description="The addresses that get a copy.")
    bcc: list[str] | None = given("public", description="The addresses that get a copy unseen by the others.")
    subject: str | None = given("public", description="The subject.")
    body: str | None = given("public", description="The text, plain or as HTML.")
    attach_pdf: bool | None = given("public", description="Whether the document is attached; it is when left out.")


@strawberry.input(description="An estimate to make.")
class EstimateCreateInput:
    """`documents.Estimate` as written."""

    customer_id: strawberry.ID = given("estimates.create.customer", description="The customer.", optional=False)
    line_items: list[LineItemInput] = given("estimates.create.lineItems", description="The lines.", optional=False)
    date: dt.date | None = given("estimates.create.date", description="The date on it; today when left out.")
    expiry_date: dt.date | None = given("estimates.create.expiryDate", description="Until when it holds.")
    reference_number: str | None = given("estimates.create.referenceNumber", description="The other side's reference.")
    discount: DiscountInput | None = given("estimates.create.discount", description="A discount on the whole.")
    notes: str | None = given("estimates.create.notes", description="A note.")
    terms: str | None = given("estimates.create.terms", description="The terms.")
    salesperson_name: str | None = given("estimates.create.salesperson", description="The salesperson's name.")
    custom_fields: list[CustomFieldInput] | None = given(
        "estimates.create.customFields", description="The organization's own fields to set."
    )


@strawberry.input(description="What to change on an estimate; what is left out stays, null clears.")
class EstimateUpdateInput:
    """`documents.Estimate` as changed."""

    line_items: list[LineItemInput] | None = given(
        "estimates.edit.lineItems", description="All lines, in place of the present ones."
    )
    date: dt.date | None = given("estimates.edit.date", description="The date on it.")
    expiry_date: dt.date | None = given("estimates.edit.expiryDate", description="Until when it holds.")
    reference_number: str | None = given("estimates.edit.referenceNumber", description="The other side's reference.")
    discount: DiscountInput | None = given("estimates.edit.discount", description="A discount on the whole.")
    notes: str | None = given("estimates.edit.notes", description="A note.")
    terms: str | None = given("estimates.edit.terms", description="The terms.")
    salesperson_name: str | None = given("estimates.edit.salesperson", description="The salesperson's name.")
    custom_fields: list[CustomFieldInput] | None = given(
        "estimates.edit.customFields", description="The organization's own fields to set."
    )


@strawberry.input(description="An invoice to make.")
class InvoiceCreateInput:
    """`documents.Invoice` as written."""

    customer_id: strawberry.ID = given("invoices.create.customer", description="The customer.", optional=False)
    line_items: list[LineItemInput] = given("invoices.create.lineItems", description="The lines.", optional=False)
    date: dt.date | None = given("invoices.create.date", description="The date on it; today when left out.")
    due_date: dt.date | None = given("invoices.create.dueDate", description="When it is to be paid.")
    reference_number: str | None = given("invoices.create.referenceNumber", description="The other side's reference.")
    discount: DiscountInput | None = given("invoices.create.discount", description="A discount on the whole.")
    notes: str | None = given("invoices.create.notes", description="A note.")
    terms: str | None = given("invoices.create.terms", description="The terms.")
    salesperson_name: str | None = given("invoices.create.salesperson", description="The salesperson's name.")
    custom_fields: list[CustomFieldInput] | None = given(
        "invoices.create.customFields", description="The organization's own fields to set."
    )


@strawberry.input(description="What to change on an invoice; what is left out stays, null clears.")
class InvoiceUpdateInput:
    """`documents.Invoice` as changed."""

    line_items: list[LineItemInput] | None = given(
        "invoices.edit.lineItems", description="All lines, in place of the present ones."
    )
    date: dt.date | None = given("invoices.edit.date", description="The date on it.")
    due_date: dt.date | None = given("invoices.edit.dueDate", description="When it is to be paid.")
    reference_number: str | None = given("invoices.edit.referenceNumber", description="The other side's reference.")
    discount: DiscountInput | None = given("invoices.edit.discount", description="A discount on the whole.")
    notes: str | None = given("invoices.edit.notes", description="A note.")
    terms: str | None = given("invoices.edit.terms", description="The terms.")
    salesperson_name: str | None = given("invoices.edit.salesperson", description="The salesperson's name.")
    custom_fields: list[CustomFieldInput] | None = given(
        "invoices.edit.customFields", description="The organization's own fields to set."
    )


@strawberry.input(description="A sales order to make.")
class SalesOrderCreateInput:
    """`documents.SalesOrder` as written."""

    customer_id: strawberry.ID = given("salesOrders.create.customer", description="The customer.", optional=False)
    line_items: list[LineItemInput] | None = given("salesOrders.create.lineItems", description="The lines.")
    date: dt.date | None = given("salesOrders.create.date", description="The date on it; today when left out.")
    shipment_date: dt.date | None = given("salesOrders.create.shipmentDate", description="When it is to be shipped.")
    reference_number: str | None = given(
        "salesOrders.create.referenceNumber", description="The other side's reference."
    )
    discount: DiscountInput | None = given("salesOrders.create.discount", description="A discount on the whole.")
    notes: str | None = given("salesOrders.create.notes", description="A note.")
    terms: str | None = given("salesOrders.create.terms", description="The terms.")
    salesperson_name: str | None = given("salesOrders.create.salesperson", description="The salesperson's name.")
    custom_fields: list[CustomFieldInput] | None = given(
        "salesOrders.create.customFields", description="The organization's own fields to set."
    )


@strawberry.input(description="What to change on a sales order; what is left out stays, null clears.")
class SalesOrderUpdateInput:
    """`documents.SalesOrder` as changed."""

    line_items: list[LineItemInput] | None = given(
        "salesOrders.edit.lineItems", description="All lines, in place of the present ones."
    )
    date: dt.date | None = given("salesOrders.edit.date", description="The date on it.")
    shipment_date: dt.date | None = given("salesOrders.edit.shipmentDate", description="When it is to be shipped.")
    reference_number: str | None = given("salesOrders.edit.referenceNumber", description="The other side's reference.")
    discount: DiscountInput | None = given("salesOrders.edit.discount", description="A discount on the whole.")
    notes: str | None = given("salesOrders.edit.notes", description="A note.")
    terms: str | None = given("salesOrders.edit.terms", description="The terms.")
    salesperson_name: str | None = given("salesOrders.edit.salesperson", description="The salesperson's name.")
    custom_fields: list[CustomFieldInput] | None = given(
        "salesOrders.edit.customFields", description="The organization's own fields to set."
    )


@strawberry.input(description="A purchase order to make.")
class PurchaseOrderCreateInput:
    """`documents.PurchaseOrder` as written."""

    vendor_id: strawberry.ID = given("purchaseOrders.create.vendor", description="The vendor.", optional=False)
    line_items: list[LineItemInput] = given("purchaseOrders.create.lineItems", description="The lines.", optional=False)
    date: dt.date | None = given("purchaseOrders.create.date", description="The date on it; today when left out.")
    delivery_date: dt.date | None = given(
        "purchaseOrders.create.deliveryDate", description="When delivery is expected."
    )
    reference_number: str | None = given(
        "purchaseOrders.create.referenceNumber", description="The other side's reference."
    )
    discount: DiscountInput | None = given("purchaseOrders.create.discount", description="A discount on the whole.")
    notes: str | None = given("purchaseOrders.create.notes", description="A note.")
    terms: str | None = given("purchaseOrders.create.terms", description="The terms.")
    salesperson_name: str | None = given("purchaseOrders.create.salesperson", description="The salesperson's name.")
    custom_fields: list[CustomFieldInput] | None = given(
        "purchaseOrders.create.customFields", description="The organization's own fields to set."
    )


@strawberry.input(description="What to change on a purchase order; what is left out stays, null clears.")
class PurchaseOrderUpdateInput:
    """`documents.PurchaseOrder` as changed."""

    line_items: list[LineItemInput] | None = given(
        "purchaseOrders.edit.lineItems", description="All lines, in place of the present ones."
    )
    date: dt.date | None = given("purchaseOrders.edit.date", description="The date on it.")
    delivery_date: dt.date | None = given("purchaseOrders.edit.deliveryDate", description="When delivery is expected.")
    reference_number: str | None = given(
        "purchaseOrders.edit.referenceNumber", description="The other side's reference."
    )
    discount: DiscountInput | None = given("purchaseOrders.edit.discount", description="A discount on the whole.")
    notes: str | None = given("purchaseOrders.edit.notes", description="A note.")
    terms: str | None = given("purchaseOrders.edit.terms", description="The terms.")
    salesperson_name: str | None = given("purchaseOrders.edit.salesperson", description="The salesperson's name.")
    custom_fields: list[CustomFieldInput] | None = given(
        "purchaseOrders.edit.customFields", description="The organization's own fields to set."
    )


@strawberry.input(description="A subscription to make.")
class SubscriptionCreateInput:
    """`documents.Subscription` as written."""

    customer_id: strawberry.ID = given("subscriptions.create.customer", description="The customer.", optional=False)
    plan: SubscriptionPlanInput = given("subscriptions.create.plan", description="The plan.", optional=False)
    addons: list[SubscriptionAddonInput] | None = given("subscriptions.create.addons", description="The add-ons.")
    starts_at: dt.date | None = given(
        "subscriptions.create.activatedAt", description="When it starts; today when left out."
    )
    auto_collect: bool | None = given(
        "subscriptions.create.autoCollect", description="Whether charges are collected automatically."
    )
    reference_number: str | None = given(
        "subscriptions.create.referenceNumber", description="The other side's reference."
    )
    coupon_code: str | None = given("subscriptions.create.amount", description="A coupon.")
    salesperson_name: str | None = given("subscriptions.create.salesperson", description="The salesperson's name.")
    custom_fields: list[CustomFieldInput] | None = given(
        "subscriptions.create.customFields", description="The organization's own fields to set."
    )


@strawberry.input(description="What to change on a subscription; what is left out stays.")
class SubscriptionUpdateInput:
    """`documents.Subscription` as changed."""

    plan: SubscriptionPlanInput | None = given("subscriptions.edit.plan", description="The plan.")
    addons: list[SubscriptionAddonInput] | None = given(
        "subscriptions.edit.addons", description="All add-ons, in place of the present ones."
    )
    auto_collect: bool | None = given(
        "subscriptions.edit.autoCollect", description="Whether charges are collected automatically."
    )
    reference_number: str | None = given(
        "subscriptions.edit.referenceNumber", description="The other side's reference."
    )
    coupon_code: str | None = given("subscriptions.edit.amount", description="A coupon.")
    salesperson_name: str | None = given("subscriptions.edit.salesperson", description="The salesperson's name.")
    custom_fields: list[CustomFieldInput] | None = given(
        "subscriptions.edit.customFields", description="The organization's own fields to set."
    )
