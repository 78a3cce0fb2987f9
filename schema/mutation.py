"""Everything that can be changed, a line a field."""

import datetime as dt
from typing import Any

import strawberry

from resolvers import integration, migrations, reporting
from resolvers.acts import act, cancel, convert, email, postpone
from resolvers.mutations import create, update
from schema import inputs
from schema.integration import (
    IntegrationPayload,
    IntegrationSetUpInput,
    IntegrationUserPayload,
    IntegrationUsersAddInput,
    IntegrationUsersPayload,
    IntegrationUserUpdateInput,
)
from schema.migration import MigrationPayload, UsersMigrateInput
from schema.payloads import (
    EstimatePayload,
    InvoicePayload,
    PurchaseOrderPayload,
    SalesOrderPayload,
    SubscriptionPayload,
)
from schema.permissions import Argument, field, guarded, required, requirement
from schema.reporting import ReportDeletePayload, ReportInput, ReportPayload
from services.acts import ActName
from services.documents import Module

KEY = required(strawberry.ID, "A fresh text for every write; the same one to repeat it, which then does nothing twice.")


ACTING = {"id": required(strawberry.ID, "The record."), "idempotency_key": KEY}
MIGRATION = {"id": required(strawberry.ID, "The migration.")}


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


@guarded("public", description="Everything that can be changed: under the viewer's own access, in the viewer's name.")
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
    estimate_mark_sent: EstimatePayload = field(
        "estimates.edit", act(Module.ESTIMATES, ActName.MARK_SENT), args=ACTING, description="Mark an estimate as sent."
    )
    estimate_accept: EstimatePayload = field(
        "estimates.edit",
        act(Module.ESTIMATES, ActName.ACCEPT),
        args=ACTING,
        description="Note that the customer has accepted an estimate.",
    )
    estimate_decline: EstimatePayload = field(
        "estimates.edit",
        act(Module.ESTIMATES, ActName.DECLINE),
        args=ACTING,
        description="Note that the customer has declined an estimate.",
    )
    estimate_submit: EstimatePayload = field(
        "estimates.edit",
        act(Module.ESTIMATES, ActName.SUBMIT),
        args=ACTING,
        description="Submit an estimate for approval.",
    )
    estimate_approve: EstimatePayload = field(
        "estimates.approve",
        act(Module.ESTIMATES, ActName.APPROVE),
        args=ACTING,
        description="Approve an estimate that was submitted.",
    )
    estimate_email: EstimatePayload = field(
        "estimates.email",
        email(Module.ESTIMATES),
        args=updating(inputs.EmailInput),
        description="Mail an estimate from the viewer's own address; a draft counts as sent then.",
    )
    estimate_convert_to_sales_order: SalesOrderPayload = field(
        "salesOrders.create",
        convert(Module.ESTIMATES, ActName.CONVERT_TO_SALES_ORDER, Module.SALES_ORDERS),
        args=ACTING,
        description="Make a sales order of an estimate.",
    )
    estimate_convert_to_invoice: InvoicePayload = field(
        "invoices.create",
        convert(Module.ESTIMATES, ActName.CONVERT_TO_INVOICE, Module.INVOICES),
        args=ACTING,
        description="Make an invoice of an estimate.",
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
    invoice_mark_sent: InvoicePayload = field(
        "invoices.edit", act(Module.INVOICES, ActName.MARK_SENT), args=ACTING, description="Mark an invoice as sent."
    )
    invoice_void: InvoicePayload = field(
        "invoices.edit", act(Module.INVOICES, ActName.VOID), args=ACTING, description="Make an invoice void."
    )
    invoice_submit: InvoicePayload = field(
        "invoices.edit",
        act(Module.INVOICES, ActName.SUBMIT),
        args=ACTING,
        description="Submit an invoice for approval.",
    )
    invoice_approve: InvoicePayload = field(
        "invoices.approve",
        act(Module.INVOICES, ActName.APPROVE),
        args=ACTING,
        description="Approve an invoice that was submitted.",
    )
    invoice_email: InvoicePayload = field(
        "invoices.email",
        email(Module.INVOICES),
        args=updating(inputs.EmailInput),
        description="Mail an invoice from the viewer's own address; a draft counts as sent then.",
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
    sales_order_open: SalesOrderPayload = field(
        "salesOrders.edit",
        act(Module.SALES_ORDERS, ActName.OPEN),
        args=ACTING,
        description="Mark a sales order as open.",
    )
    sales_order_void: SalesOrderPayload = field(
        "salesOrders.edit", act(Module.SALES_ORDERS, ActName.VOID), args=ACTING, description="Make a sales order void."
    )
    sales_order_submit: SalesOrderPayload = field(
        "salesOrders.edit",
        act(Module.SALES_ORDERS, ActName.SUBMIT),
        args=ACTING,
        description="Submit a sales order for approval.",
    )
    sales_order_approve: SalesOrderPayload = field(
        "salesOrders.approve",
        act(Module.SALES_ORDERS, ActName.APPROVE),
        args=ACTING,
        description="Approve a sales order that was submitted.",
    )
    sales_order_email: SalesOrderPayload = field(
        "salesOrders.email",
        email(Module.SALES_ORDERS),
        args=updating(inputs.EmailInput),
        description="Mail a sales order from the viewer's own address; a draft counts as sent then.",
    )
    sales_order_convert_to_invoice: InvoicePayload = field(
        "invoices.create",
        convert(Module.SALES_ORDERS, ActName.CONVERT_TO_INVOICE, Module.INVOICES),
        args=ACTING,
        description="Make an invoice of all that is open in a sales order.",
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
    purchase_order_open: PurchaseOrderPayload = field(
        "purchaseOrders.edit",
        act(Module.PURCHASE_ORDERS, ActName.OPEN),
        args=ACTING,
        description="Mark a purchase order as open.",
    )
    purchase_order_cancel: PurchaseOrderPayload = field(
        "purchaseOrders.edit",
        act(Module.PURCHASE_ORDERS, ActName.CANCEL),
        args=ACTING,
        description="Cancel a purchase order.",
    )
    purchase_order_submit: PurchaseOrderPayload = field(
        "purchaseOrders.edit",
        act(Module.PURCHASE_ORDERS, ActName.SUBMIT),
        args=ACTING,
        description="Submit a purchase order for approval.",
    )
    purchase_order_approve: PurchaseOrderPayload = field(
        "purchaseOrders.approve",
        act(Module.PURCHASE_ORDERS, ActName.APPROVE),
        args=ACTING,
        description="Approve a purchase order that was submitted.",
    )
    purchase_order_reject: PurchaseOrderPayload = field(
        "purchaseOrders.approve",
        act(Module.PURCHASE_ORDERS, ActName.REJECT),
        args=ACTING,
        description="Reject a purchase order that was submitted.",
    )
    purchase_order_email: PurchaseOrderPayload = field(
        "purchaseOrders.email",
        email(Module.PURCHASE_ORDERS),
        args=updating(inputs.EmailInput),
        description="Mail a purchase order from the viewer's own address; a draft counts as sent then.",
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
    subscription_cancel: SubscriptionPayload = field(
        "subscriptions.edit",
        cancel,
        args={**ACTING, "at_term_end": required(bool, "Whether it runs until the end of its term.")},
        description="End a subscription, now or with its term.",
    )
    subscription_reactivate: SubscriptionPayload = field(
        "subscriptions.edit",
        act(Module.SUBSCRIPTIONS, ActName.REACTIVATE),
        args=ACTING,
        description="Let a subscription that was to end with its term go on.",
    )
    subscription_postpone: SubscriptionPayload = field(
        "subscriptions.edit",
        postpone,
        args={**ACTING, "renewal_at": required(dt.date, "The day of the next renewal, in the future.")},
        description="Renew a subscription later.",
    )

    report_create: ReportPayload = field(
        "subscriptions.view",
        reporting.create,
        args={"input": required(ReportInput, "The report.")},
        description="Keep a report of one's own, made from a system report.",
    )
    report_update: ReportPayload = field(
        "subscriptions.view",
        reporting.update,
        args={"id": required(strawberry.ID, "The report."), "input": required(ReportInput, "What it is to be.")},
        description="Replace a report of one's own.",
    )
    report_delete: ReportDeletePayload = field(
        "subscriptions.view",
        reporting.delete,
        args={"id": required(strawberry.ID, "The report.")},
        description="Delete a report of one's own.",
    )

    integration_set_up: IntegrationPayload = field(
        "integration.setUp",
        integration.set_up,
        args={"input": required(IntegrationSetUpInput, "How the organization is set up.")},
        description="Set data centre, edition, products and owner; new sign-ups have integration users from the start.",
    )
    integration_users_add: IntegrationUsersPayload = field(
        "integration.usersAdd",
        integration.users_add,
        args={"input": required(IntegrationUsersAddInput, "Whom, and with which grants.")},
        description="Make CRM users integration users: all of them or none.",
    )
    integration_user_update: IntegrationUserPayload = field(
        "integration.usersUpdate",
        integration.user_update,
        args={
            "id": required(strawberry.ID, "The integration user."),
            "input": required(IntegrationUserUpdateInput, "What the user may do from now on."),
        },
        description="Change what an integration user may do, in force for the user's next request.",
    )
    integration_user_remove: IntegrationUserPayload = field(
        "integration.usersRemove",
        integration.user_remove,
        args={"id": required(strawberry.ID, "The integration user.")},
        description="End somebody's being an integration user.",
    )
    integration_user_limit_raise: IntegrationPayload = field(
        "integration.limitRaise",
        integration.limit_raise,
        args={"limit": required(int, "The new limit."), "reason": required(str, "Why; it is kept.")},
        description="Allow more integration users. Only the owner of the integration can.",
    )
    integration_freshness_set: IntegrationPayload = field(
        "integration.manage",
        integration.freshness_set,
        args={"seconds": required(int, "0 to 86400; with 0 every answer comes from the products.")},
        description="Say how old answers may be where an operation does not say it itself (`@fresh`).",
    )
    users_migrate: MigrationPayload = field(
        "migration.run",
        migrations.migrate,
        args={"input": required(UsersMigrateInput, "Whom, and whether to do it.")},
        description='"Migrate Users" and Save. A dry run answers the same outcomes and changes nothing.',
    )
    capabilities_upgrade: MigrationPayload = field(
        "capabilities.upgrade",
        migrations.upgrade,
        args={"dry_run": required(bool, "Only say what would happen.")},
        description="Give every integration user who is on an earlier set of capabilities the newest one.",
    )
    migration_pause: MigrationPayload = field(
        "migration.pause", migrations.control("pause"), args=MIGRATION, description="Move nobody more until resumed."
    )
    migration_resume: MigrationPayload = field(
        "migration.resume", migrations.control("resume"), args=MIGRATION, description="Go on where it was paused."
    )
    migration_cancel: MigrationPayload = field(
        "migration.cancel", migrations.control("cancel"), args=MIGRATION, description="Move nobody more for good."
    )
    migration_retry_failed: MigrationPayload = field(
        "migration.retry", migrations.control("retry_failed"), args=MIGRATION, description="Try those who failed again."
    )
    migration_roll_back: MigrationPayload = field(
        "migration.rollBack",
        migrations.roll_back,
        args={**MIGRATION, "user_ids": Argument(list[strawberry.ID] | None, "Only these; all when left out.")},
        description="Take migrated users back to the way in which they worked before, while the window is open.",
    )
