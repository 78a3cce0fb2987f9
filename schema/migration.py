"""Migrations: preview, run, watch, stop, undo."""

import strawberry

from resolvers import migrations as resolve
from resolvers.relations import Derived
from schema.connections import Connection, lists
from schema.documents import Node, PersonType
from schema.enums import Outcome
from schema.errors import UserError
from schema.instances import InstanceOf
from schema.payloads import WritePayload
from schema.permissions import Argument, field, given, guarded
from schema.scalars import DateTime
from services.candidates import Reason
from services.migration.states import ItemState, State
from services.migration.values import Purpose, Run
from services.policy import AccessKind, CapabilitySet

strawberry.enum(State, name="MigrationState", description="Where a migration is.")
strawberry.enum(ItemState, name="MigrationItemState", description="What has become of one member.")
strawberry.enum(Purpose, name="MigrationPurpose", description="Why there is a migration.")


@guarded("migration.view", description="A field whose permission is lost, and how often it was used.")
class LostUse:
    """`values.Mattered`."""

    coordinate: str = field("migration.view", description="The field, such as `Invoice.balance`.")
    permission: str = field("migration.view", description="The permission that it needs.")
    operations: int = field("migration.view", description="Operations of the last 30 days that touched it.")


@guarded("migration.view", description="One member in a migration.")
class MigrationItem:
    """`values.Item`."""

    id: strawberry.ID = field(
        "migration.view", Derived(lambda item, c: c.global_id("migrationItem", item.id)), description="The global id."
    )
    user: PersonType | None = field("migration.view", Derived(resolve.user), description="The member.")
    from_: AccessKind = field("migration.view", "from_access", name="from", description="The access before.")
    to: AccessKind = field("migration.view", "to_access", description="The access after.")
    state: ItemState = field("migration.view", description="What has become of the user.")
    reason: Reason | None = field("migration.view", description="Why the user was not migrated.")
    message: str | None = field("migration.view", description="The same in a sentence.")
    attempts: int = field("migration.view", description="How often it was tried.")
    settled_at: DateTime | None = field("migration.view", description="When it was done.")
    emailed_at: DateTime | None = field("migration.view", description="When the e-mail about it left.")
    permissions_gained: list[str] = field("migration.view", description="What the user may do now, but not before.")
    permissions_lost: list[str] = field("migration.view", description="What the user could do before, but not now.")
    mattered: list[LostUse] = field("migration.view", description="Where the losses would have mattered.")


@guarded("migration.view", description="A run that moves members to another access.")
class Migration(Node):
    """`values.Run`."""

    id: strawberry.ID = field("migration.view", Derived(lambda run, c: c.global_id("migration", run.id)))
    purpose: Purpose = field("migration.view", description="Why it runs.")
    state: State = field("migration.view", description="Where it is.")
    dry_run: bool = field("migration.view", description="Whether it only tells what would happen.")
    capability_set: CapabilitySet = field("migration.view", description="What new integration users get.")
    requested_by: PersonType | None = field(
        "migration.view", Derived(resolve.requested_by), description="Who asked for it; null when the window's end did."
    )
    created_at: DateTime = field("migration.view", description="When it was asked for.")
    started_at: DateTime | None = field("migration.view", description="When work began.")
    finished_at: DateTime | None = field("migration.view", description="When it came to its end.")
    total: int = field("migration.view", description="How many members it has.")
    done: int = field("migration.view", description="How many have a result.")
    migrated: int = field("migration.view", description="How many are migrated.")
    skipped: int = field("migration.view", description="How many were left as they are, each with its reason.")
    failed: int = field("migration.view", description="How many failed; they can be retried.")
    rolled_back: int = field("migration.view", description="How many were taken back to the old way.")
    estimated_completion_at: DateTime | None = field("migration.view", description="From the pace so far.")
    items: Connection[MigrationItem] | None = field(
        "migration.view",
        resolve.items,
        args=lists(state=Argument(ItemState | None, "Only those in this state.")),
        description="The members, in their order.",
    )

    is_type_of = InstanceOf(Run)


@strawberry.input(description='"Migrate Users": whom, and whether to do it or only to say what would happen.')
class UsersMigrateInput:
    """Members, or all candidates."""

    user_ids: list[strawberry.ID] | None = given("migration.run", description="These; all candidates when left out.")
    dry_run: bool = given("migration.run", description="Only say what would happen.", optional=False)


@guarded("public", description="The answer of a mutation on a migration.")
class MigrationPayload(WritePayload):
    """`mutations.Payload`."""

    migration: Migration | None = field("migration.view", "value", description="The migration as it is now.")
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")
