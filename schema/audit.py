"""The audit trail."""

import strawberry

from resolvers import audit
from resolvers.relations import Derived
from schema.documents import Node, PersonType
from schema.enums import Outcome
from schema.errors import UserError
from schema.instances import InstanceOf
from schema.permissions import field, given, guarded
from schema.scalars import DateTime
from services.audit import Event
from services.policy import AccessKind, Product


@guarded("audit.view", description="A field of a record before and after.")
class FieldChange:
    """`audit.FieldChange`."""

    before: str | None = field(
        "audit.view", Derived(audit.text("before")), description="Its value before, as JSON text."
    )
    after: str | None = field("audit.view", Derived(audit.text("after")), description="Its value after, as JSON text.")
    field: str = field("audit.view", description="The field, by its name in this schema.")


@guarded("audit.view", description="A call that was made to a product.")
class UpstreamCall:
    """`errand.UpstreamCall`."""

    product: Product = field("audit.view", description="The product.")
    method: str = field("audit.view", description="The HTTP method.")
    path: str = field("audit.view", description="The path, without its query.")
    status: int | None = field("audit.view", description="The HTTP status; null when no answer came.")
    duration_ms: float = field("audit.view", description="How long it took, in milliseconds.")
    actor: str = field("audit.view", description="The e-mail address whose access it ran under.")


@guarded("audit.view", description="An attempt to change something, and what became of it.")
class AuditEvent(Node):
    """`audit.Event`."""

    id: strawberry.ID = field("audit.view", Derived(audit.event_id))
    at: DateTime = field("audit.view", description="When it began.")
    actor: PersonType = field("audit.view", Derived(audit.actor), description="Who did it.")
    credential: PersonType | None = field(
        "audit.view", Derived(audit.credential), description="Whose product access it ran under."
    )
    access: AccessKind | None = field(
        "audit.view", description="The kind of access; OWNER_DELEGATED marks what users did who were not yet migrated."
    )
    product: Product | None = field("audit.view", description="The product it was done in.")
    action: str = field("audit.view", description="What was done, such as `invoices.create`.")
    permission: str | None = field("audit.view", description="The permission it took.")
    subject: Node | None = field("audit.view", audit.subject, description="The record, when the viewer may see it.")
    subject_id: strawberry.ID | None = field(
        "audit.view", Derived(audit.subject_id), description="The global id of the record, without asking the product."
    )
    outcome: Outcome = field(
        "audit.view", Derived(audit.outcome), description="What became of it; UNCERTAIN also while it is under way."
    )
    changes: list[FieldChange] = field("audit.view", description="What changed.")
    user_errors: list[UserError] = field(
        "audit.view", Derived(audit.problems), description="The mistakes it was refused for."
    )
    request_id: str = field("audit.view", description="The request it came in, as the `x-request-id` header named it.")
    upstream_calls: list[UpstreamCall] = field("audit.view", "calls", description="The calls it took, in order.")
    sequence: int | None = field(
        "audit.view",
        description="Its place in the organization's chain: that of its recording, or later of its settling. Null when"
        " it was put into the trail past the chain.",
    )
    hash: str | None = field(
        "audit.view",
        description="SHA-256 of that place, in hex digits; note it elsewhere to prove later that nothing was cut off.",
    )

    is_type_of = InstanceOf(Event)


@strawberry.input(description="Which events; everything that is given has to match.")
class AuditFilter:
    """`audit.Filters`."""

    actor_id: strawberry.ID | None = given("audit.view", description="Who did it: a user's global id.")
    actions: list[str] | None = given("audit.view", description="What was done, such as `invoices.create`.")
    outcomes: list[Outcome] | None = given("audit.view", description="What became of it.")
    product: Product | None = given("audit.view", description="Where it was done.")
    subject_id: strawberry.ID | None = given("audit.view", description="The record's global id.")
    request_id: str | None = given("audit.view", description="The request it came in.")
    since: DateTime | None = given("audit.view", description="From this moment on.")
    until: DateTime | None = given("audit.view", description="Before this moment.")
