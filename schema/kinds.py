"""The five kinds, every field on a line of its own with the permission it takes."""

import datetime as dt
from decimal import Decimal

import strawberry

from resolvers import directory, subscriptions
from resolvers.links import came_from, made_from
from resolvers.relations import Attribute, Derived, Full, MoneyOf
from schema.documents import (
    AccountType,
    Approval,
    BooksDocument,
    CustomerType,
    CustomField,
    DocumentAction,
    EmailPreview,
    FinanceDocument,
    LineItem,
    Money,
    PersonType,
    typed_status,
)
from schema.enums import EstimateStatus, InvoiceStatus, PurchaseOrderStatus, SalesOrderStatus, SubscriptionStatus
from schema.instances import InstanceOf
from schema.permissions import field, guarded
from schema.scalars import DateTime
from services import documents as domain
from services.documents import Module


@guarded("estimates.view", description="An estimate of Zoho Books.")
class Estimate(BooksDocument):
    """`domain.Estimate`."""

    id: strawberry.ID = field("estimates.view")
    module: Module = field("estimates.view")
    number: str | None = field("estimates.view.number")
    reference_number: str | None = field("estimates.view.referenceNumber")
    raw_status: str | None = field("estimates.view.status")
    date: dt.date | None = field("estimates.view.date")
    total: Money | None = field("estimates.view.total")
    custom_fields: list[CustomField] | None = field("estimates.view.customFields")
    created_at: DateTime | None = field("estimates.view.createdAt")
    created_by: PersonType | None = field("estimates.view.createdBy")
    last_modified_at: DateTime | None = field("estimates.view.lastModifiedAt")
    last_modified_by: PersonType | None = field("estimates.view.lastModifiedBy")
    acting_user: PersonType | None = field("estimates.view.actingUser")
    as_of: DateTime | None = field("estimates.view")
    product_url: str | None = field("estimates.view")
    available_actions: list[DocumentAction] | None = field("estimates.view")
    line_items: list[LineItem] | None = field("estimates.view.lineItems")
    sub_total: Money | None = field("estimates.view.subTotal")
    tax_total: Money | None = field("estimates.view.taxTotal")
    discount: Money | None = field("estimates.view.discount")
    shipping_charge: Money | None = field("estimates.view.shippingCharge")
    adjustment: Money | None = field("estimates.view.adjustment")
    notes: str | None = field("estimates.view.notes")
    terms: str | None = field("estimates.view.terms")
    salesperson: str | None = field("estimates.view.salesperson")
    approval: Approval | None = field("estimates.view.approval")
    email_preview: EmailPreview | None = field("estimates.email")
    status: EstimateStatus | None = field(
        "estimates.view.status",
        Derived(typed_status),
        description="The status; null for a word the gateway does not know.",
    )
    customer: CustomerType | None = field("estimates.view.customer", directory.party, description="The customer.")
    account: AccountType | None = field(
        "estimates.view.account", directory.account_of, description="The CRM account linked with the customer."
    )
    expiry_date: dt.date | None = field("estimates.view.expiryDate", description="Until when it holds.")
    sales_orders: list["SalesOrder"] | None = field(
        "estimates.view.salesOrders",
        made_from(Module.SALES_ORDERS),
        description="The sales orders made from it that the viewer may see, newest first.",
    )
    invoices: list["Invoice"] | None = field(
        "estimates.view.invoices",
        made_from(Module.INVOICES),
        description="The invoices made from it that the viewer may see, newest first.",
    )

    is_type_of = InstanceOf(domain.Estimate)


@guarded("invoices.view", description="An invoice of Zoho Books.")
class Invoice(BooksDocument):
    """`domain.Invoice`."""

    id: strawberry.ID = field("invoices.view")
    module: Module = field("invoices.view")
    number: str | None = field("invoices.view.number")
    reference_number: str | None = field("invoices.view.referenceNumber")
    raw_status: str | None = field("invoices.view.status")
    date: dt.date | None = field("invoices.view.date")
    total: Money | None = field("invoices.view.total")
    custom_fields: list[CustomField] | None = field("invoices.view.customFields")
    created_at: DateTime | None = field("invoices.view.createdAt")
    created_by: PersonType | None = field("invoices.view.createdBy")
    last_modified_at: DateTime | None = field("invoices.view.lastModifiedAt")
    last_modified_by: PersonType | None = field("invoices.view.lastModifiedBy")
    acting_user: PersonType | None = field("invoices.view.actingUser")
    as_of: DateTime | None = field("invoices.view")
    product_url: str | None = field("invoices.view")
    available_actions: list[DocumentAction] | None = field("invoices.view")
    line_items: list[LineItem] | None = field("invoices.view.lineItems")
    sub_total: Money | None = field("invoices.view.subTotal")
    tax_total: Money | None = field("invoices.view.taxTotal")
    discount: Money | None = field("invoices.view.discount")
    shipping_charge: Money | None = field("invoices.view.shippingCharge")
    adjustment: Money | None = field("invoices.view.adjustment")
    notes: str | None = field("invoices.view.notes")
    terms: str | None = field("invoices.view.terms")
    salesperson: str | None = field("invoices.view.salesperson")
    approval: Approval | None = field("invoices.view.approval")
    email_preview: EmailPreview | None = field("invoices.email")
    status: InvoiceStatus | None = field(
        "invoices.view.status",
        Derived(typed_status),
        description="The status; null for a word the gateway does not know.",
    )
    customer: CustomerType | None = field("invoices.view.customer", directory.party, description="The customer.")
    account: AccountType | None = field(
        "invoices.view.account", directory.account_of, description="The CRM account linked with the customer."
    )
    due_date: dt.date | None = field("invoices.view.dueDate", description="When it is to be paid.")
    balance: Money | None = field("invoices.view.balance", MoneyOf("balance"), description="What is still to be paid.")
    payment_made: Money | None = field(
        "invoices.view.paymentMade", Full(MoneyOf("payment_made")), description="What has been paid."
    )
    sales_order: "SalesOrder | None" = field(
        "invoices.view.salesOrder", came_from(Module.SALES_ORDERS), description="The sales order it was made from."
    )
    estimate: "Estimate | None" = field(
        "invoices.view.estimate", came_from(Module.ESTIMATES), description="The estimate it was made from."
    )

    is_type_of = InstanceOf(domain.Invoice)


@guarded("salesOrders.view", description="A sales order of Zoho Books.")
class SalesOrder(BooksDocument):
    """`domain.SalesOrder`."""

    id: strawberry.ID = field("salesOrders.view")
    module: Module = field("salesOrders.view")
    number: str | None = field("salesOrders.view.number")
    reference_number: str | None = field("salesOrders.view.referenceNumber")
    raw_status: str | None = field("salesOrders.view.status")
    date: dt.date | None = field("salesOrders.view.date")
    total: Money | None = field("salesOrders.view.total")
    custom_fields: list[CustomField] | None = field("salesOrders.view.customFields")
    created_at: DateTime | None = field("salesOrders.view.createdAt")
    created_by: PersonType | None = field("salesOrders.view.createdBy")
    last_modified_at: DateTime | None = field("salesOrders.view.lastModifiedAt")
    last_modified_by: PersonType | None = field("salesOrders.view.lastModifiedBy")
    acting_user: PersonType | None = field("salesOrders.view.actingUser")
    as_of: DateTime | None = field("salesOrders.view")
    product_url: str | None = field("salesOrders.view")
    available_actions: list[DocumentAction] | None = field("salesOrders.view")
    line_items: list[LineItem] | None = field("salesOrders.view.lineItems")
    sub_total: Money | None = field("salesOrders.view.subTotal")
    tax_total: Money | None = field("salesOrders.view.taxTotal")
    discount: Money | None = field("salesOrders.view.discount")
    shipping_charge: Money | None = field("salesOrders.view.shippingCharge")
    adjustment: Money | None = field("salesOrders.view.adjustment")
    notes: str | None = field("salesOrders.view.notes")
    terms: str | None = field("salesOrders.view.terms")
    salesperson: str | None = field("salesOrders.view.salesperson")
    approval: Approval | None = field("salesOrders.view.approval")
    email_preview: EmailPreview | None = field("salesOrders.email")
    status: SalesOrderStatus | None = field(
        "salesOrders.view.status",
        Derived(typed_status),
        description="The status; null for a word the gateway does not know.",
    )
    customer: CustomerType | None = field("salesOrders.view.customer", directory.party, description="The customer.")
    account: AccountType | None = field(
        "salesOrders.view.account", directory.account_of, description="The CRM account linked with the customer."
    )
    shipment_date: dt.date | None = field("salesOrders.view.shipmentDate", description="When it is to be shipped.")
    estimate: "Estimate | None" = field(
        "salesOrders.view.estimate", came_from(Module.ESTIMATES), description="The estimate it was made from."
    )
    invoices: list["Invoice"] | None = field(
        "salesOrders.view.invoices",
        made_from(Module.INVOICES),
        description="The invoices made from it that the viewer may see, newest first.",
    )

    is_type_of = InstanceOf(domain.SalesOrder)


@guarded("purchaseOrders.view", description="A purchase order of Zoho Books.")
class PurchaseOrder(BooksDocument):
    """`domain.PurchaseOrder`."""

    id: strawberry.ID = field("purchaseOrders.view")
    module: Module = field("purchaseOrders.view")
    number: str | None = field("purchaseOrders.view.number")
    reference_number: str | None = field("purchaseOrders.view.referenceNumber")
    raw_status: str | None = field("purchaseOrders.view.status")
    date: dt.date | None = field("purchaseOrders.view.date")
    total: Money | None = field("purchaseOrders.view.total")
    custom_fields: list[CustomField] | None = field("purchaseOrders.view.customFields")
    created_at: DateTime | None = field("purchaseOrders.view.createdAt")
    created_by: PersonType | None = field("purchaseOrders.view.createdBy")
    last_modified_at: DateTime | None = field("purchaseOrders.view.lastModifiedAt")
    last_modified_by: PersonType | None = field("purchaseOrders.view.lastModifiedBy")
    acting_user: PersonType | None = field("purchaseOrders.view.actingUser")
    as_of: DateTime | None = field("purchaseOrders.view")
    product_url: str | None = field("purchaseOrders.view")
    available_actions: list[DocumentAction] | None = field("purchaseOrders.view")
    line_items: list[LineItem] | None = field("purchaseOrders.view.lineItems")
    sub_total: Money | None = field("purchaseOrders.view.subTotal")
    tax_total: Money | None = field("purchaseOrders.view.taxTotal")
    discount: Money | None = field("purchaseOrders.view.discount")
    shipping_charge: Money | None = field("purchaseOrders.view.shippingCharge")
    adjustment: Money | None = field("purchaseOrders.view.adjustment")
    notes: str | None = field("purchaseOrders.view.notes")
    terms: str | None = field("purchaseOrders.view.terms")
    salesperson: str | None = field("purchaseOrders.view.salesperson")
    approval: Approval | None = field("purchaseOrders.view.approval")
    email_preview: EmailPreview | None = field("purchaseOrders.email")
    status: PurchaseOrderStatus | None = field(
        "purchaseOrders.view.status",
        Derived(typed_status),
        description="The status; null for a word the gateway does not know.",
    )
    vendor: CustomerType | None = field("purchaseOrders.view.vendor", directory.party, description="The vendor.")
    account: AccountType | None = field(
        "purchaseOrders.view.account", directory.account_of, description="The CRM account linked with the vendor."
    )
    delivery_date: dt.date | None = field("purchaseOrders.view.deliveryDate", description="When delivery is expected.")

    is_type_of = InstanceOf(domain.PurchaseOrder)


@guarded("public", description="The plan of a subscription.")
class SubscriptionPlan:
    """`domain.Plan`."""

    code: str | None = field("public", description="The plan's code.")
    name: str | None = field("public", description="The plan's name.")
    description: str | None = field("public", description="What it offers.")
    quantity: Decimal | None = field("public", description="How many of it.")
    price: Decimal | None = field(
        "public", description="The price of one per interval, in the subscription's currency."
    )


@guarded("public", description="An add-on of a subscription.")
class SubscriptionAddon:
    """`domain.Addon`."""

    code: str | None = field("public", description="The add-on's code.")
    name: str | None = field("public", description="The add-on's name.")
    quantity: Decimal | None = field("public", description="How many of it.")
    price: Decimal | None = field(
        "public", description="The price of one per interval, in the subscription's currency."
    )


@guarded("public", description="An entry in the history of a subscription.")
class SubscriptionActivity:
    """`domain.Activity`."""

    id: strawberry.ID | None = field("public", description="The product's id of the entry.")
    description: str | None = field("public", description="What happened.")
    at: DateTime | None = field("public", description="When.")
    by: str | None = field(
        "public", Derived(lambda a, _: None if a.by is None else str(a.by)), description="Who did it."
    )


@guarded("subscriptions.view", description="A subscription of Zoho Billing.")
class Subscription(FinanceDocument):
    """`domain.Subscription`."""

    id: strawberry.ID = field("subscriptions.view")
    module: Module = field("subscriptions.view")
    number: str | None = field("subscriptions.view.number", Full(Attribute("number")))
    reference_number: str | None = field("subscriptions.view.referenceNumber")
    raw_status: str | None = field("subscriptions.view.status")
    date: dt.date | None = field("subscriptions.view.date")
    total: Money | None = field("subscriptions.view.total")
    custom_fields: list[CustomField] | None = field("subscriptions.view.customFields")
    created_at: DateTime | None = field("subscriptions.view.createdAt")
    created_by: PersonType | None = field("subscriptions.view.createdBy")
    last_modified_at: DateTime | None = field("subscriptions.view.lastModifiedAt")
    last_modified_by: PersonType | None = field("subscriptions.view.lastModifiedBy")
    acting_user: PersonType | None = field("subscriptions.view.actingUser")
    as_of: DateTime | None = field("subscriptions.view")
    product_url: str | None = field("subscriptions.view")
    available_actions: list[DocumentAction] | None = field("subscriptions.view")
    status: SubscriptionStatus | None = field(
        "subscriptions.view.status",
        Derived(typed_status),
        description="The status; null for a word the gateway does not know.",
    )
    customer: CustomerType | None = field("subscriptions.view.customer", directory.party, description="The customer.")
    account: AccountType | None = field(
        "subscriptions.view.account", directory.account_of, description="The CRM account linked with the customer."
    )
    name: str | None = field("subscriptions.view.name", description="What it is called.")
    plan: SubscriptionPlan | None = field(
        "subscriptions.view.plan", Full(Derived(lambda record, _: record.plan)), description="The plan."
    )
    addons: list[SubscriptionAddon] | None = field(
        "subscriptions.view.addons", Full(Derived(lambda record, _: record.addons)), description="The add-ons."
    )
    amount: Money | None = field(
        "subscriptions.view.amount", MoneyOf("total"), description="What is charged per interval, taxes included."
    )
    mrr: Money | None = field(
        "subscriptions.view.mrr",
        Derived(subscriptions.mrr),
        description="Monthly recurring revenue: the amount brought to one month (12 a year, 365.25 days a year); "
        "null while it does not recur.",
    )
    interval: int | None = field(
        "subscriptions.view.interval",
        Derived(subscriptions.interval),
        description="How many units lie between two charges.",
    )
    interval_unit: str | None = field(
        "subscriptions.view.intervalUnit", description="The unit: `days`, `weeks`, `months` or `years`."
    )
    activated_at: dt.date | None = field("subscriptions.view.activatedAt", description="When it became active.")
    current_term_starts_at: dt.date | None = field(
        "subscriptions.view.currentTermStartsAt", description="When the running term began."
    )
    current_term_ends_at: dt.date | None = field(
        "subscriptions.view.currentTermEndsAt", description="When the running term ends."
    )
    next_billing_at: dt.date | None = field("subscriptions.view.nextBillingAt", description="When it is charged next.")
    cancelled_at: dt.date | None = field(
        "subscriptions.view.cancelledAt",
        Full(Derived(lambda record, _: record.cancelled_at)),
        description="When it was cancelled.",
    )
    expires_at: dt.date | None = field("subscriptions.view.expiresAt", description="When it expires.")
    auto_collect: bool | None = field(
        "subscriptions.view.autoCollect", description="Whether charges are collected automatically."
    )
    salesperson: str | None = field(
        "subscriptions.view.salesperson", "salesperson_name", description="The salesperson's name."
    )
    activities: list[SubscriptionActivity] | None = field(
        "subscriptions.view.activities", subscriptions.activities, description="What happened to it, newest first."
    )

    is_type_of = InstanceOf(domain.Subscription)
