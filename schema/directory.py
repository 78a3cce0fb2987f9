"""CRM accounts and contacts with their related lists, customers, and people."""

from typing import Any

import strawberry

from resolvers import directory
from resolvers import documents as resolve
from resolvers.relations import Derived, Reporting
from schema.connections import Connection, lists
from schema.documents import FinanceDocument, Money, Node
from schema.instances import InstanceOf
from schema.kinds import Estimate, Invoice, PurchaseOrder, SalesOrder, Subscription
from schema.permissions import Argument, field, guarded
from schema.scalars import DateTime
from services import directory_values as domain
from services.documents import Module
from services.documents import Money as Amount

_MODULES = Argument(list[Module] | None, "Only these modules.")


@guarded("public", description="Someone who did something.")
class Person:
    """`directory.Person`."""

    id: strawberry.ID | None = field("public", description="The CRM user's id, if the person is one.")
    name: str | None = field("public", description="The name.")
    email: str | None = field("public", description="The e-mail address.")


def _outstanding(customer: Any) -> Amount | None:
    if customer.outstanding is None or customer.currency_code is None:
        return None
    return Amount(customer.outstanding, customer.currency_code)


@guarded("public", description="A customer or vendor in Zoho Books or Zoho Billing.")
class Customer:
    """`directory.Party`: id and name come with the document, the rest is one more look-up for all rows together."""

    id: strawberry.ID = field(
        "public", Derived(lambda party, c: c.global_id("customer", party.id)), description="The global id."
    )
    name: str | None = field("public", description="The display name.")
    company_name: str | None = field(
        "customers.view", directory.of_party("company_name"), description="The company's name."
    )
    email: str | None = field("customers.view", directory.of_party("email"), description="The main address.")
    phone: str | None = field("customers.view", directory.of_party("phone"), description="The main number.")
    outstanding: Money | None = field(
        "customers.view.outstanding",
        directory.derived_of_party(_outstanding),
        description="What the customer owes, in the customer's currency.",
    )
    as_of: DateTime | None = field(
        "customers.view", directory.of_party("as_of"), description="The moment at which all but id and name were true."
    )
    account: "Account | None" = field(
        "accounts.view", directory.account_of_party, description="The CRM account that the customer is linked with."
    )


@guarded("accounts.view", description="A CRM account, with its finance related lists, newest first.")
class Account(Node):
    """`domain.Account`."""

    id: strawberry.ID = field("accounts.view", Derived(lambda record, c: c.global_id("account", record.id)))
    name: str | None = field("accounts.view.name", description="The account's name.")
    phone: str | None = field("accounts.view.phone", description="The main number.")
    website: str | None = field("accounts.view.website", description="The web site.")
    as_of: DateTime | None = field("accounts.view", description="The moment at which it was true.")
    contacts: Connection["Contact"] | None = field(
        "contacts.view", directory.contacts_of, args=lists(), description="Its contacts."
    )
    customers: list[Customer] | None = field(
        "customers.view",
        directory.linked("account"),
        description="The customers and vendors it is linked with. When there are none, its related lists are empty.",
    )
    estimates: Connection[Estimate] | None = field(
        "estimates.view", resolve.related(Module.ESTIMATES, "account"), args=lists(), description="Its estimates."
    )
    invoices: Connection[Invoice] | None = field(
        "invoices.view", resolve.related(Module.INVOICES, "account"), args=lists(), description="Its invoices."
    )
    sales_orders: Connection[SalesOrder] | None = field(
        "salesOrders.view",
        resolve.related(Module.SALES_ORDERS, "account"),
        args=lists(),
        description="Its sales orders.",
    )
    purchase_orders: Connection[PurchaseOrder] | None = field(
        "purchaseOrders.view",
        resolve.related(Module.PURCHASE_ORDERS, "account"),
        args=lists(),
        description="The purchase orders to it as a vendor.",
    )
    subscriptions: Connection[Subscription] | None = field(
        "subscriptions.view",
        resolve.related(Module.SUBSCRIPTIONS, "account"),
        args=lists(),
        description="Its subscriptions.",
    )
    documents: Connection[FinanceDocument] | None = field(
        "accounts.view",
        Reporting(resolve.merged_of("account")),
        args=lists(modules=_MODULES),
        description="All of them in one list by date; a kind that is missing is named in one error.",
    )

    is_type_of = InstanceOf(domain.Account)


@guarded("contacts.view", description="A CRM contact, with the finance related lists of the customers linked with it.")
class Contact(Node):
    """`domain.Contact`."""

    id: strawberry.ID = field("contacts.view", Derived(lambda record, c: c.global_id("contact", record.id)))
    name: str | None = field("contacts.view.name", description="The contact's name.")
    email: str | None = field("contacts.view.email", description="The e-mail address.")
    phone: str | None = field("contacts.view.phone", description="The phone number.")
    account: Account | None = field(
        "accounts.view", directory.account_of_contact, description="The account that the contact belongs to."
    )
    customers: list[Customer] | None = field(
        "customers.view",
        directory.linked("contact"),
        description="The customers and vendors it is linked with. When there are none, its related lists are empty.",
    )
    estimates: Connection[Estimate] | None = field(
        "estimates.view", resolve.related(Module.ESTIMATES, "contact"), args=lists(), description="Its estimates."
    )
    invoices: Connection[Invoice] | None = field(
        "invoices.view", resolve.related(Module.INVOICES, "contact"), args=lists(), description="Its invoices."
    )
    sales_orders: Connection[SalesOrder] | None = field(
        "salesOrders.view",
        resolve.related(Module.SALES_ORDERS, "contact"),
        args=lists(),
        description="Its sales orders.",
    )
    purchase_orders: Connection[PurchaseOrder] | None = field(
        "purchaseOrders.view",
        resolve.related(Module.PURCHASE_ORDERS, "contact"),
        args=lists(),
        description="The purchase orders to it as a vendor.",
    )
    subscriptions: Connection[Subscription] | None = field(
        "subscriptions.view",
        resolve.related(Module.SUBSCRIPTIONS, "contact"),
        args=lists(),
        description="Its subscriptions.",
    )
    documents: Connection[FinanceDocument] | None = field(
        "contacts.view",
        Reporting(resolve.merged_of("contact")),
        args=lists(modules=_MODULES),
        description="All of them in one list by date; a kind that is missing is named in one error.",
    )

    is_type_of = InstanceOf(domain.Contact)
