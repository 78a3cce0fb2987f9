"""What lists can be narrowed and ordered by: only what the products themselves apply."""

import datetime as dt
from decimal import Decimal

import strawberry

from schema.enums import (
    EstimateStatus,
    InvoiceStatus,
    OrderDirection,
    PurchaseOrderStatus,
    SalesOrderStatus,
    SubscriptionStatus,
)
from schema.permissions import given
from schema.scalars import DateTime
from services.kinds import Order


@strawberry.input(description="A condition on a text; what is given has to match. Up to 100 characters.")
class TextFilter:
    """`kinds.TEXT`."""

    equals: str | None = given("public", description="The whole text.")
    starts_with: str | None = given("public", description="Its beginning.")
    contains: str | None = given("public", description="A part of it.")


@strawberry.input(description="A condition on an amount, in the record's own currency.")
class AmountFilter:
    """`kinds.AMOUNT`."""

    equals: Decimal | None = given("public", description="Exactly this.")
    less_than: Decimal | None = given("public", description="Less than this.")
    at_most: Decimal | None = given("public", description="This or less.")
    greater_than: Decimal | None = given("public", description="More than this.")
    at_least: Decimal | None = given("public", description="This or more.")


@strawberry.input(description="A condition on a date.")
class DateFilter:
    """`kinds.DATES`."""

    on: dt.date | None = given("public", description="On this day.")
    since: dt.date | None = given("public", description="On this day or later.")
    until: dt.date | None = given("public", description="On this day or earlier.")
    before: dt.date | None = given("public", description="Earlier than this day.")
    after: dt.date | None = given("public", description="Later than this day.")


@strawberry.input(description="Exactly one day: all that the product can search for.")
class DayFilter:
    """`kinds.DAY`."""

    on: dt.date | None = given("public", description="On this day.")


@strawberry.input(description="The whole text: all that the product can search for.")
class ExactFilter:
    """`kinds.TEXT`, its `equals` only."""

    equals: str | None = given("public", description="The whole text.")


@strawberry.input(description="A part of the text: all that the product can search for.")
class PartFilter:
    """`kinds.CONTAINS`."""

    contains: str | None = given("public", description="A part of it.")


@strawberry.input(description="The order of a list. What a product cannot order by is refused.")
class DocumentOrder:
    """`kinds.Order`."""

    field: Order = given("public", description="What to order by.", optional=False)
    direction: OrderDirection = given("public", description="In which direction.", optional=False)


@strawberry.input(description="Which estimates.")
class EstimateFilter:
    """`KINDS[ESTIMATES].filters`."""

    number: TextFilter | None = given("estimates.view.number", description="By number.")
    reference_number: TextFilter | None = given("estimates.view.referenceNumber", description="By reference.")
    customer_id: strawberry.ID | None = given("estimates.view.customer", description="Of one customer.")
    customer_name: TextFilter | None = given("estimates.view.customer", description="By the customer's name.")
    status: EstimateStatus | None = given("estimates.view.status", description="In one status.")
    date: DateFilter | None = given("estimates.view.date", description="By date.")
    expiry_date: DayFilter | None = given("estimates.view.expiryDate", description="By the day it expires.")
    total: AmountFilter | None = given("estimates.view.total", description="By total.")
    item_id: strawberry.ID | None = given("estimates.view.lineItems", description="With one item.")
    item_name: TextFilter | None = given("estimates.view.lineItems", description="With an item by name.")
    custom_field: TextFilter | None = given("estimates.view.customFields", description="By any custom field.")
    last_modified_since: DateTime | None = given("estimates.view.lastModifiedAt", description="Changed since.")
    search: str | None = given("estimates.view", description="In number, reference and customer name.")


@strawberry.input(description="Which invoices.")
class InvoiceFilter:
    """`KINDS[INVOICES].filters`."""

    number: TextFilter | None = given("invoices.view.number", description="By number.")
    reference_number: ExactFilter | None = given("invoices.view.referenceNumber", description="By reference.")
    customer_id: strawberry.ID | None = given("invoices.view.customer", description="Of one customer.")
    customer_name: ExactFilter | None = given("invoices.view.customer", description="By the customer's name.")
    status: InvoiceStatus | None = given("invoices.view.status", description="In one status.")
    date: DateFilter | None = given("invoices.view.date", description="By date.")
    due_date: DateFilter | None = given("invoices.view.dueDate", description="By the day it is due.")
    total: AmountFilter | None = given("invoices.view.total", description="By total.")
    balance: AmountFilter | None = given("invoices.view.balance", description="By what is still to be paid.")
    item_id: strawberry.ID | None = given("invoices.view.lineItems", description="With one item.")
    item_name: TextFilter | None = given("invoices.view.lineItems", description="With an item by name.")
    custom_field: TextFilter | None = given("invoices.view.customFields", description="By any custom field.")
    last_modified_since: DateTime | None = given("invoices.view.lastModifiedAt", description="Changed since.")
    search: str | None = given("invoices.view", description="In number, reference and customer name.")


@strawberry.input(description="Which sales orders.")
class SalesOrderFilter:
    """`KINDS[SALES_ORDERS].filters`."""

    number: TextFilter | None = given("salesOrders.view.number", description="By number.")
    reference_number: TextFilter | None = given("salesOrders.view.referenceNumber", description="By reference.")
    customer_id: strawberry.ID | None = given("salesOrders.view.customer", description="Of one customer.")
    customer_name: TextFilter | None = given("salesOrders.view.customer", description="By the customer's name.")
    status: SalesOrderStatus | None = given("salesOrders.view.status", description="In one status.")
    date: DateFilter | None = given("salesOrders.view.date", description="By date.")
    shipment_date: DateFilter | None = given("salesOrders.view.shipmentDate", description="By the day of shipment.")
    total: AmountFilter | None = given("salesOrders.view.total", description="By total.")
    item_id: strawberry.ID | None = given("salesOrders.view.lineItems", description="With one item.")
    item_name: TextFilter | None = given("salesOrders.view.lineItems", description="With an item by name.")
    last_modified_since: DateTime | None = given("salesOrders.view.lastModifiedAt", description="Changed since.")
    search: str | None = given("salesOrders.view", description="In number, reference and customer name.")


@strawberry.input(description="Which purchase orders.")
class PurchaseOrderFilter:
    """`KINDS[PURCHASE_ORDERS].filters`."""

    number: TextFilter | None = given("purchaseOrders.view.number", description="By number.")
    reference_number: TextFilter | None = given("purchaseOrders.view.referenceNumber", description="By reference.")
    vendor_id: strawberry.ID | None = given("purchaseOrders.view.vendor", description="To one vendor.")
    vendor_name: TextFilter | None = given("purchaseOrders.view.vendor", description="By the vendor's name.")
    status: PurchaseOrderStatus | None = given("purchaseOrders.view.status", description="In one status.")
    date: DayFilter | None = given("purchaseOrders.view.date", description="By date.")
    total: AmountFilter | None = given("purchaseOrders.view.total", description="By total.")
    item_id: strawberry.ID | None = given("purchaseOrders.view.lineItems", description="With one item.")
    custom_field: TextFilter | None = given("purchaseOrders.view.customFields", description="By any custom field.")
    last_modified_since: DateTime | None = given("purchaseOrders.view.lastModifiedAt", description="Changed since.")
    search: str | None = given("purchaseOrders.view", description="In number, reference and vendor name.")


@strawberry.input(description="Which subscriptions.")
class SubscriptionFilter:
    """`KINDS[SUBSCRIPTIONS].filters`."""

    customer_id: strawberry.ID | None = given("subscriptions.view.customer", description="Of one customer.")
    reference_number: PartFilter | None = given("subscriptions.view.referenceNumber", description="By reference.")
    status: SubscriptionStatus | None = given("subscriptions.view.status", description="In one status.")


@strawberry.input(
    description="Which documents of any kind. A kind whose product cannot apply a condition is left out and named."
)
class DocumentFilter:
    """Conditions that several kinds know."""

    number: TextFilter | None = given("*.view.number", description="By number.")
    reference_number: TextFilter | None = given("*.view.referenceNumber", description="By reference.")
    customer_id: strawberry.ID | None = given("*.view.customer", description="Of one customer.")
    customer_name: TextFilter | None = given("*.view.customer", description="By the customer's name.")
    date: DateFilter | None = given("*.view.date", description="By date.")
    total: AmountFilter | None = given("*.view.total", description="By total.")
    last_modified_since: DateTime | None = given("*.view.lastModifiedAt", description="Changed since.")
    search: str | None = given("*.view", description="In number, reference and the other side's name.")
