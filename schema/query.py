"""Everything that can be asked, a line a field."""

from decimal import Decimal

import strawberry

from resolvers import access, audit, directory, migrations, mutations, nodes, reporting, views
from resolvers import documents as resolve
from resolvers import integration as integrate
from resolvers import subscriptions as catalogue
from resolvers.relations import Derived, Reporting
from schema.access import AccessExplanation, Viewer
from schema.audit import AuditEvent, AuditFilter
from schema.connections import Connection, listed, lists
from schema.directory import Account, Contact
from schema.documents import FinanceDocument, Node
from schema.filters import (
    DocumentFilter,
    DocumentOrder,
    EstimateFilter,
    InvoiceFilter,
    PurchaseOrderFilter,
    SalesOrderFilter,
    SubscriptionFilter,
)
from schema.integration import Integration, IntegrationUser, MigrationCandidate
from schema.kinds import Estimate, Invoice, PurchaseOrder, SalesOrder, Subscription
from schema.migration import Migration
from schema.payloads import WriteOutcome
from schema.permissions import Argument, field, guarded, required, requirement
from schema.reporting import Dashboard, Report
from services.candidates import Kind
from services.documents import Module

BY_ID = {"id": required(strawberry.ID, "The global id.")}
SEARCH = Argument(str | None, "Words to look for, 2 to 100 characters.")


def narrowed(where: type) -> dict[str, Argument]:
    """The arguments of a list of one kind."""
    return lists(
        where=listed(where, "Which records; what the product cannot apply is refused."),
        order_by=listed(DocumentOrder, "In which order; newest first when left out."),
        view=listed(strawberry.ID, "Through this custom view: an `id` from `customViews`."),
    )


@guarded("public", description="A predefined custom view of a module.")
class CustomView:
    """`views.View`."""

    id: strawberry.ID = field("public", Derived(views.view_id), description="Give it as `view:` to a list.")
    name: str = field("public", description="Its title.")
    module: Module = field("public", description="The module it belongs to.")


@guarded("subscriptions.view.plan", description="A plan of Zoho Billing's catalogue.")
class PlanOffer:
    """`directory_values.BillingPlan`."""

    code: str = field("subscriptions.view.plan", description="Give it as `plan.code` to a subscription.")
    name: str | None = field("subscriptions.view.plan", description="Its name.")
    description: str | None = field("subscriptions.view.plan", description="What it offers.")
    price: Decimal | None = field(
        "subscriptions.view.plan", "recurring_price", description="What one costs per interval, in the base currency."
    )
    interval: int | None = field(
        "subscriptions.view.plan", Derived(catalogue.interval), description="Units between two charges."
    )
    interval_unit: str | None = field("subscriptions.view.plan", description="The unit, such as `months`.")


@guarded("subscriptions.view.addons", description="An add-on of Zoho Billing's catalogue.")
class AddonOffer:
    """`directory_values.BillingAddon`."""

    code: str = field("subscriptions.view.addons", description="Give it as `addons.code` to a subscription.")
    name: str | None = field("subscriptions.view.addons", description="Its name.")
    description: str | None = field("subscriptions.view.addons", description="What it offers.")
    type: str | None = field("subscriptions.view.addons", description="`recurring` or `one_time`.")
    price: Decimal | None = field("subscriptions.view.addons", description="What one costs, in the base currency.")
    interval_unit: str | None = field("subscriptions.view.addons", description="How often it is charged.")


@guarded("public", description="Everything that can be asked. All of it runs under the viewer's own access.")
class Query:
    """The root of queries."""

    viewer: Viewer = field("public", access.viewer, description="The signed-in user.")
    node: Node | None = field(
        "public", nodes.node, args=BY_ID, description="Any record by its global id; null when there is none."
    )
    nodes: list[Node | None] = field(
        "public",
        nodes.nodes,
        args={"ids": required(list[strawberry.ID], "Up to 100 global ids.")},
        description="Records by their global ids, in that order.",
    )

    estimate: Estimate | None = field(
        "estimates.view", resolve.one(Module.ESTIMATES), args=BY_ID, description="One estimate."
    )
    estimates: Connection[Estimate] | None = field(
        "estimates.view",
        resolve.many(Module.ESTIMATES, requirement),
        args=narrowed(EstimateFilter),
        description="Estimates.",
    )
    invoice: Invoice | None = field(
        "invoices.view", resolve.one(Module.INVOICES), args=BY_ID, description="One invoice."
    )
    invoices: Connection[Invoice] | None = field(
        "invoices.view",
        resolve.many(Module.INVOICES, requirement),
        args=narrowed(InvoiceFilter),
        description="Invoices.",
    )
    sales_order: SalesOrder | None = field(
        "salesOrders.view", resolve.one(Module.SALES_ORDERS), args=BY_ID, description="One sales order."
    )
    sales_orders: Connection[SalesOrder] | None = field(
        "salesOrders.view",
        resolve.many(Module.SALES_ORDERS, requirement),
        args=narrowed(SalesOrderFilter),
        description="Sales orders.",
    )
    purchase_order: PurchaseOrder | None = field(
        "purchaseOrders.view", resolve.one(Module.PURCHASE_ORDERS), args=BY_ID, description="One purchase order."
    )
    purchase_orders: Connection[PurchaseOrder] | None = field(
        "purchaseOrders.view",
        resolve.many(Module.PURCHASE_ORDERS, requirement),
        args=narrowed(PurchaseOrderFilter),
        description="Purchase orders.",
    )
    subscription: Subscription | None = field(
        "subscriptions.view", resolve.one(Module.SUBSCRIPTIONS), args=BY_ID, description="One subscription."
    )
    subscriptions: Connection[Subscription] | None = field(
        "subscriptions.view",
        resolve.many(Module.SUBSCRIPTIONS, requirement),
        args=narrowed(SubscriptionFilter),
        description="Subscriptions.",
    )
    documents: Connection[FinanceDocument] | None = field(
        "public",
        Reporting(resolve.merged(requirement)),
        args=lists(
            modules=Argument(list[Module] | None, "Only these modules."),
            where=listed(DocumentFilter, "Which documents."),
        ),
        description="All five kinds in one list by date, newest first; a kind that is missing is named in one error.",
    )

    account: Account | None = field("accounts.view", directory.account, args=BY_ID, description="One CRM account.")
    accounts: Connection[Account] | None = field(
        "accounts.view", directory.accounts, args=lists(search=SEARCH), description="CRM accounts, newest first."
    )
    contact: Contact | None = field("contacts.view", directory.contact, args=BY_ID, description="One CRM contact.")
    contacts: Connection[Contact] | None = field(
        "contacts.view", directory.contacts, args=lists(search=SEARCH), description="CRM contacts, newest first."
    )

    subscription_plans: list[PlanOffer] | None = field(
        "subscriptions.view.plan", catalogue.plans, description="The active plans that a subscription can have."
    )
    subscription_addons: list[AddonOffer] | None = field(
        "subscriptions.view.addons", catalogue.addons, description="The active add-ons that it can have."
    )
    custom_views: list[CustomView] | None = field(
        "public",
        views.views,
        args={"module": required(Module, "The module.")},
        description="The predefined custom views of a module.",
    )
    reports: list[Report] | None = field(
        "subscriptions.view",
        reporting.reports,
        args={"folder": Argument(str | None, "Only those in this folder.")},
        description="The reports on subscriptions, the system ones first.",
    )
    report: Report | None = field(
        "subscriptions.view", reporting.report, args=BY_ID, description="One report; null when there is none."
    )
    dashboards: list[Dashboard] | None = field(
        "subscriptions.view", reporting.dashboards, description="The dashboards on subscriptions."
    )
    dashboard: Dashboard | None = field(
        "subscriptions.view", reporting.dashboard, args=BY_ID, description="One dashboard; null when there is none."
    )
    integration: Integration | None = field(
        "integration.manage", integrate.state, description="The integration of the viewer's organization."
    )
    integration_users: Connection[IntegrationUser] | None = field(
        "integration.manage",
        integrate.users,
        args=lists(search=Argument(str | None, "A part of the name or address.")),
        description="Those who work under the owner's connections within grants of their own, by address.",
    )
    migration_candidates: Connection[MigrationCandidate] | None = field(
        "migration.view",
        integrate.candidates,
        args=lists(kind=Argument(Kind | None, "Only those who would become this.")),
        description="The users common to the CRM and a product, and those who would become integration users.",
    )
    migration: Migration | None = field("migration.view", migrations.one, args=BY_ID, description="One migration.")
    migrations: Connection[Migration] | None = field(
        "migration.view", migrations.many, args=lists(), description="All migrations, newest first."
    )
    audit_trail: Connection[AuditEvent] | None = field(
        "audit.view",
        audit.trail,
        args=lists(where=listed(AuditFilter, "Which events.")),
        description="Every attempt to change something, newest first.",
    )
    explain_access: AccessExplanation | None = field(
        "integration.manage",
        access.explain,
        args={
            "user_id": required(strawberry.ID, "The user's global id."),
            "permission": required(str, "The permission, such as `invoices.view.balance`."),
        },
        description="Which rules decided that this user may or may not, and who can change them.",
    )
    write_outcome: WriteOutcome | None = field(
        "public",
        mutations.write_outcome,
        args={"idempotency_key": required(strawberry.ID, "The key of the write.")},
        description="What became of a write of the viewer whose answer was lost; null when there was none.",
    )
