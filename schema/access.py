"""The viewer, what they may do, and why."""

import strawberry

from resolvers import access as resolve
from resolvers.relations import Derived
from schema.documents import PersonType
from schema.permissions import PERMISSIONS, field, guarded, required
from schema.scalars import DateTime
from services.policy import AccessKind, CapabilitySet, Product, Source


@guarded("public", description="The viewer's access to one product.")
class ProductAccess:
    """`policy.ProductAccess`."""

    product: Product = field("public", description="The product.")
    kind: AccessKind = field("public", description="Under whose access calls to it run.")
    role: str | None = field("public", description="The viewer's role in the product, if the viewer is a user of it.")
    capability_set: CapabilitySet | None = field("public", description="The capabilities of an integration user.")
    migrated_at: DateTime | None = field("public", description="Since when it is the viewer's own access.")


@guarded("public", description="Whether a permission is held, and what is missing otherwise.")
class PermissionAnswer:
    """`policy.Decision`."""

    permission: str = field("public", description="The permission asked for.")
    granted: bool = field("public", description="Whether it is held.")
    missing_from: list[Source] = field("public", description="The rules that withhold it.")
    granted_by: str | None = field("public", description="Who can grant what is missing.")
    through: list[Product] = field("public", description="The products whose access grants it.")


@guarded("public", description="The signed-in CRM user.")
class Viewer:
    """`policy.Viewer`."""

    id: strawberry.ID = field("public", Derived(resolve.viewer_id), description="The user's global id.")
    name: str = field("public", description="The user's name in the CRM.")
    email: str = field("public", description="The user's e-mail address in the CRM.")
    profile: str = field("public", "profile_name", description="The user's CRM profile.")
    access: list[ProductAccess] = field("public", description="The access to each connected product.")
    permissions: list[str] = field(
        "public",
        Derived(lambda viewer, _: [permission for permission in sorted(PERMISSIONS) if viewer.may(permission)]),
        description="Every permission of this schema that the viewer holds.",
    )
    can: list[PermissionAnswer] = field(
        "public",
        Derived(resolve.can),
        args={"permissions": required(list[str], "Such as `invoices.create` or `invoices.view.balance`; 200 at most.")},
        description="Whether the viewer holds these permissions, and if not, what is missing where.",
    )
    is_integration_admin: bool = field(
        "public", Derived(resolve.is_administrator), description="Whether the viewer may manage the integration."
    )


@guarded("integration.manage", description="One rule's part in a decision.")
class AccessRule:
    """`access.Rule`."""

    source: Source = field("integration.manage", description="The rule.")
    allows: bool = field("integration.manage", description="Whether it allows the permission.")
    product: Product | None = field("integration.manage", description="The product that the rule is about.")
    held_by: str | None = field("integration.manage", description="The profile, role or capability set it stands in.")
    changed_by: str = field(
        "integration.manage", Derived(lambda rule, _: rule.source.value), description="Who can change it."
    )


@guarded("integration.manage", description="Why a user may or may not do something.")
class AccessExplanation:
    """`access.Explanation`."""

    user: PersonType = field("integration.manage", Derived(resolve.explained_user), description="The user asked about.")
    permission: str = field(
        "integration.manage", Derived(lambda e, _: e.decision.permission), description="The permission asked about."
    )
    granted: bool = field("integration.manage", Derived(lambda e, _: e.decision.granted), description="The decision.")
    missing_from: list[Source] = field(
        "integration.manage", Derived(lambda e, _: e.decision.missing_from), description="The rules that withhold it."
    )
    through: list[Product] = field(
        "integration.manage", Derived(lambda e, _: e.decision.through), description="The products that grant it."
    )
    rules: list[AccessRule] = field("integration.manage", description="Every rule that had a say.")
    summary: str = field("integration.manage", Derived(resolve.summary), description="The explanation in a sentence.")
