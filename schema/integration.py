"""The integration: what is connected, the rollout, integration users and those who could become ones."""

import datetime as dt

import strawberry

from resolvers import integration as resolve
from resolvers.migrations import person
from resolvers.relations import Derived
from schema.documents import Node, PersonType
from schema.enums import Outcome
from schema.errors import UserError
from schema.instances import InstanceOf
from schema.payloads import WritePayload
from schema.permissions import field, given, guarded
from schema.scalars import DateTime
from services.candidates import Candidate, Kind, Reason
from services.documents import Module
from services.integration_values import IntegrationUser as Member
from services.policy import AccessKind, Action, CapabilitySet, Product
from services.rollout import Feature

strawberry.enum(Kind, name="CandidateKind", description="What a person would become.")
strawberry.enum(Reason, name="MigrationReason", description="Why somebody is not, or not yet, migrated.")
strawberry.enum(Action, description="What a permission on a module allows.")
strawberry.enum(Feature, name="RolloutFeature", description="What comes to data centres and editions in phases.")


@guarded("integration.manage", description="A product and the owner's connection to it.")
class ProductConnection:
    """`integration.ProductConnection`."""

    product: Product = field("integration.manage", description="The product.")
    connected: bool = field("integration.manage", description="Whether the owner has connected it.")
    owner: PersonType | None = field(
        "integration.manage", Derived(lambda c, context: person(c.owner, context)), description="Who has connected it."
    )
    api_domain: str | None = field("integration.manage", description="Where its API is.")
    last_error: str | None = field("integration.manage", description="What went wrong with the connection last.")


@guarded("integration.manage", description="From when a feature is available in a data centre, and to which editions.")
class RolloutPhase:
    """`rollout.Phase`."""

    feature: Feature = field("integration.manage", Derived(lambda p, _: Feature(p.feature)), description="The feature.")
    data_center: str = field("integration.manage", description="The data centre, such as `eu`.")
    editions: list[str] = field("integration.manage", description="The editions that have it; `*` stands for all.")
    starts_at: DateTime = field("integration.manage", description="From when.")
    note: str | None = field("integration.manage", description="What else there is to know.")


@guarded(
    "integration.manage", description="The time in which users are migrated by hand; when it closes, the rest follows."
)
class MigrationWindow:
    """`integration.Window`."""

    opens_at: DateTime = field("integration.manage", description="When it opened.")
    closes_at: DateTime = field("integration.manage", description="When it closes.")
    remaining_days: int = field("integration.manage", description="Begun days that remain; 0 once it has closed.")
    auto_migration_done_at: DateTime | None = field(
        "integration.manage", description="When the remaining users were added automatically."
    )


@guarded("integration.manage", description="The integration of the viewer's organization.")
class Integration:
    """`integration.IntegrationState`."""

    data_center: str = field("integration.manage", description="The data centre of the organization.")
    edition: str = field("integration.manage", description="The edition of the organization's CRM.")
    products: list[ProductConnection] = field("integration.manage", description="The products and their connections.")
    integration_users_available: bool = field(
        "integration.manage",
        Derived(lambda state, _: state.available.available),
        description="Whether the rollout has come to this data centre and edition.",
    )
    integration_users_available_from: DateTime | None = field(
        "integration.manage",
        Derived(lambda state, _: state.available.since),
        description="Since when, or from when; null when no phase is planned yet.",
    )
    integration_users_unavailable_because: str | None = field(
        "integration.manage",
        Derived(lambda state, _: None if state.available.available else state.available.note),
        description="Why not, where it is known.",
    )
    rollout: list[RolloutPhase] = field("integration.manage", description="The phases of the data centre.")
    integration_user_limit: int = field("integration.manage", "limit", description="How many there may be.")
    integration_user_count: int = field("integration.manage", "count", description="How many there are.")
    migration_window: MigrationWindow | None = field(
        "integration.manage",
        "window",
        description="The window; null for those who had integration users from the start.",
    )
    capability_set: CapabilitySet = field("integration.manage", description="What integration users may hold at most.")
    freshness_seconds: int = field(
        "integration.manage", description="How old answers may be where an operation does not say it (`@fresh`)."
    )


@guarded("integration.manage", description="What is granted on one module.")
class ModuleGrant:
    """A module and its `policy.ModuleGrant`."""

    module: str = field(
        "integration.manage", Derived(lambda pair, _: pair[0]), description="The module, as in permissions."
    )
    actions: list[Action] = field(
        "integration.manage", Derived(lambda pair, _: sorted(pair[1].actions)), description="What may be done."
    )


@guarded("integration.manage", description="The part of an integration user's permissions that comes from one product.")
class GrantSource:
    """`integration.Source`."""

    product: Product = field("integration.manage", description="The product.")
    capability_set: CapabilitySet = field("integration.manage", description="The capability set.")
    grants: list[ModuleGrant] = field("integration.manage", Derived(resolve.modules), description="The grants.")
    narrowed: bool = field("integration.manage", description="Whether they are less than the capability set holds.")
    since: DateTime = field("integration.manage", description="Since when.")


@guarded("integration.manage", description="A permission and the products it comes from.")
class PermissionSource:
    """A permission and products."""

    permission: str = field(
        "integration.manage", Derived(lambda pair, _: pair[0]), description="Such as `estimates.edit`."
    )
    products: list[Product] = field(
        "integration.manage", Derived(lambda pair, _: pair[1]), description="Where it comes from."
    )


@guarded("integration.manage", description="A CRM user without a licence, working under the owner's connections.")
class IntegrationUser(Node):
    """`integration.IntegrationUser`."""

    id: strawberry.ID = field("integration.manage", Derived(lambda user, c: c.global_id("user", user.member_id)))
    user: PersonType = field("integration.manage", Derived(resolve.person_of), description="The CRM user.")
    status: str = field("integration.manage", description="The status of the CRM user, in the CRM's word.")
    sources: list[GrantSource] = field("integration.manage", description="The grants, product by product.")
    permissions: list[PermissionSource] = field(
        "integration.manage", Derived(resolve.permissions), description="All of them together, each with its products."
    )

    is_type_of = InstanceOf(Member)


@guarded("migration.view", description="How much somebody used the finance modules.")
class Utilization:
    """`usage.Utilization`."""

    operations: int = field("migration.view", description="Operations that touched a finance module.")
    last_on: dt.date | None = field("migration.view", "last_day", description="The day of the last one.")


@guarded("migration.view", description="Somebody who could be migrated.")
class MigrationCandidate:
    """`candidates.Candidate`."""

    user: PersonType = field("migration.view", Derived(resolve.person_of), description="The user.")
    kind: Kind = field("migration.view", description="What the user would become.")
    to: AccessKind = field("migration.view", description="The access the user would get; NONE when it is not possible.")
    products: list[Product] = field("migration.view", description="The products in which this person is a user.")
    connected: list[Product] = field("migration.view", description="Those that the user has connected.")
    eligible: bool = field("migration.view", description="Whether a migration takes the user.")
    reason: Reason | None = field("migration.view", description="What stands in the way.")
    message: str = field("migration.view", description="The same in a sentence.")
    utilization: Utilization = field("migration.view", description="How much the user used the modules in the window.")

    is_type_of = InstanceOf(Candidate)


@strawberry.input(description="How an organization is set up.")
class IntegrationSetUpInput:
    """`integration.SetUp`."""

    data_center: str = given("integration.setUp", description="Its data centre, such as `eu`.", optional=False)
    edition: str = given("integration.setUp", description="The CRM's edition, such as `Enterprise`.", optional=False)
    products: list[Product] | None = given(
        "integration.setUp", description="The products to use; those connected when left out."
    )
    owner_id: strawberry.ID | None = given(
        "integration.setUp", description="Under whose connections it runs; whoever has connected them when left out."
    )
    new_sign_up: bool = given(
        "integration.setUp",
        description="New: integration users from the start. Otherwise the old way goes on for three months.",
        optional=False,
    )


@strawberry.input(description="What may be done in one module.")
class ModuleGrantInput:
    """A module and its actions."""

    module: Module = given("integration.usersUpdate", description="The module.", optional=False)
    actions: list[Action] = given(
        "integration.usersUpdate", description="Within the organization's capability set; never more.", optional=False
    )


@strawberry.input(description="Somebody to be made an integration user.")
class NewIntegrationUserInput:
    """`integration.NewUser`."""

    user_id: strawberry.ID = given("integration.usersAdd", description="The CRM user.", optional=False)
    product: Product = given("integration.usersAdd", description="The product.", optional=False)
    grants: list[ModuleGrantInput] | None = given(
        "integration.usersAdd", description="Less than the capability set; all of it when left out."
    )


@strawberry.input(description="Those to be made integration users: all or none.")
class IntegrationUsersAddInput:
    """A list of `integration.NewUser`."""

    users: list[NewIntegrationUserInput] = given("integration.usersAdd", description="Up to 200.", optional=False)


@strawberry.input(description="What an integration user may do from now on.")
class IntegrationUserUpdateInput:
    """Grants for one product or all."""

    product: Product | None = given("integration.usersUpdate", description="In this product; in each when left out.")
    grants: list[ModuleGrantInput] | None = given(
        "integration.usersUpdate", description="These; the whole capability set when null or left out."
    )


@guarded("public", description="The answer of a change of the integration.")
class IntegrationPayload(WritePayload):
    """`mutations.Payload`."""

    integration: Integration | None = field("integration.manage", "value", description="The integration afterwards.")
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")


@guarded("public", description="The answer of adding integration users.")
class IntegrationUsersPayload(WritePayload):
    """`mutations.Payload`."""

    integration_users: list[IntegrationUser] | None = field("integration.manage", "value", description="Those added.")
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")


@guarded("public", description="The answer of a change of an integration user.")
class IntegrationUserPayload(WritePayload):
    """`mutations.Payload`."""

    integration_user: IntegrationUser | None = field(
        "integration.manage", "value", description="The user afterwards; null once removed."
    )
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")
