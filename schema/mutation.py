"""Everything that can be changed, a line a field."""

from typing import Any

import strawberry

from resolvers import integration, migrations
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
from services.documents import Module

KEY = required(strawberry.ID, "A fresh text for every write; the same one to repeat it, which then does nothing twice.")


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
            "input": required(IntegrationUserUpdateInput, "What he may do from now on."),
        },
        description="Change what an integration user may do, in force for his next request.",
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
