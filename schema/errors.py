"""What can go wrong: mistakes in a mutation's input, and the codes of errors that each root field declares."""

from collections.abc import Collection, Iterator, Mapping
from enum import Enum

import strawberry
from strawberry.schema_directive import Location

from resolvers.relations import Derived
from schema.enums import UserErrorCode
from schema.permissions import Guarded, field, guarded


@guarded("public", description="A mistake in a mutation's input. All of them are told at once.")
class UserError:
    """`drafts.Problem`."""

    message: str = field("public", description="What is wrong, in a sentence.")
    code: UserErrorCode = field(
        "public", Derived(lambda problem, _: UserErrorCode(problem.code)), description="What kind of mistake."
    )
    hint: str | None = field("public", description="How to mend it.")
    field: list[str] | None = field(
        "public", description="Where: the path of the input field, such as `input`, `lineItems`, `0`, `rate`."
    )


@strawberry.enum(description="What `extensions.code` of an error says.")
class ErrorCode(Enum):
    """The codes of `services.errors`."""

    UNAUTHENTICATED = strawberry.enum_value("UNAUTHENTICATED", description="There is no valid token; sign in.")
    FORBIDDEN = strawberry.enum_value(
        "FORBIDDEN",
        description="A permission is missing: `required`, `missingFrom` and `grantedBy` say which and where.",
    )
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="There is no such record, or none that one may see.")
    BAD_USER_INPUT = strawberry.enum_value(
        "BAD_USER_INPUT", description="The request is not valid; `field` says where."
    )
    CONFLICT = strawberry.enum_value("CONFLICT", description="Something has changed meanwhile, or the key was used.")
    LIMIT_REACHED = strawberry.enum_value("LIMIT_REACHED", description="There is more of something than there may be.")
    UNSUPPORTED_BY_PRODUCT = strawberry.enum_value(
        "UNSUPPORTED_BY_PRODUCT", description="Zoho's product does not offer this."
    )
    UPSTREAM_UNAVAILABLE = strawberry.enum_value(
        "UPSTREAM_UNAVAILABLE", description="Zoho's product does not answer; try again."
    )
    UPSTREAM_RATE_LIMITED = strawberry.enum_value(
        "UPSTREAM_RATE_LIMITED", description="The calls of the organization are used up; `retryAfter` is in seconds."
    )
    UPSTREAM_REJECTED = strawberry.enum_value("UPSTREAM_REJECTED", description="Zoho's product has refused the call.")
    DEADLINE_EXCEEDED = strawberry.enum_value("DEADLINE_EXCEEDED", description="It took longer than it may.")
    COST_EXCEEDED = strawberry.enum_value("COST_EXCEEDED", description="The operation asks for more than it may.")
    INTERNAL = strawberry.enum_value("INTERNAL", description="A fault of ours; `requestId` finds it in our logs.")


REQUEST = frozenset(
    {
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.FORBIDDEN,
        ErrorCode.NOT_FOUND,
        ErrorCode.BAD_USER_INPUT,
        ErrorCode.LIMIT_REACHED,
        ErrorCode.UPSTREAM_REJECTED,
        ErrorCode.UPSTREAM_UNAVAILABLE,
        ErrorCode.DEADLINE_EXCEEDED,
        ErrorCode.COST_EXCEEDED,
        ErrorCode.INTERNAL,
    }
)
"""What any request may be refused with before it is executed. INTERNAL may also come of any field."""


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="errors",
    description=(
        "The codes of the errors that may come of this field and of what is selected below it. Before it is executed "
        "any request may be refused with "
        f"{', '.join(code.name for code in ErrorCode if code in REQUEST)}; INTERNAL may come of any field."
    ),
)
class Errors:
    """The directive on every root field."""

    codes: list[ErrorCode]


ASKED = frozenset({ErrorCode.FORBIDDEN, ErrorCode.BAD_USER_INPUT})
CALLED = frozenset(
    {
        ErrorCode.UPSTREAM_UNAVAILABLE,
        ErrorCode.UPSTREAM_RATE_LIMITED,
        ErrorCode.UPSTREAM_REJECTED,
        ErrorCode.DEADLINE_EXCEEDED,
    }
)
"""Whatever takes calls to the products."""
KEPT = ASKED | {ErrorCode.NOT_FOUND, ErrorCode.DEADLINE_EXCEEDED}
"""Whatever is kept by the gateway itself."""
RECORDS = KEPT | CALLED | {ErrorCode.UNSUPPORTED_BY_PRODUCT, ErrorCode.LIMIT_REACHED, ErrorCode.COST_EXCEEDED}
"""Whatever leads to records of the products, and from them to others."""
CHANGED = frozenset({ErrorCode.CONFLICT, ErrorCode.LIMIT_REACHED})
"""What may come of a change beside that."""
CATALOGUE = ASKED | CALLED | {ErrorCode.LIMIT_REACHED}
REPORTS = KEPT | {ErrorCode.UPSTREAM_UNAVAILABLE}
"""Reports are reckoned from the copy, which may not have been read yet."""

READS: Mapping[str, Collection[ErrorCode]] = {
    "viewer": {ErrorCode.BAD_USER_INPUT},
    "custom_views": ASKED,
    "subscription_plans": CATALOGUE,
    "subscription_addons": CATALOGUE,
    "reports": REPORTS,
    "report": REPORTS,
    "dashboards": REPORTS,
    "dashboard": REPORTS,
    "integration": KEPT,
    "integration_users": KEPT,
    "migration_candidates": KEPT,
    "migration": KEPT,
    "migrations": KEPT,
    "explain_access": KEPT,
    "write_outcome": RECORDS | {ErrorCode.CONFLICT},
    "migration_progress": KEPT,
}
"""The root fields to read that do not give records of the products, or more than that."""
WRITES: Mapping[str, Collection[ErrorCode]] = {
    "report": REPORTS | CHANGED,
    "integration": KEPT | CHANGED,
    "users": KEPT | CHANGED,
    "capabilities": KEPT | CHANGED,
    "migration": KEPT | CHANGED,
}
"""The mutations on what the gateway itself keeps, by the first word of their names; the others write documents."""


def declare(reads: Collection[type], writes: Collection[type]) -> None:
    """Have each field of these roots say its errors."""
    for root in reads:
        for one in _fields(root):
            _say(one, READS.get(one.python_name, RECORDS))
    for root in writes:
        for one in _fields(root):
            _say(one, WRITES.get(one.python_name.partition("_")[0], RECORDS | CHANGED))


def _fields(root: type) -> Iterator[Guarded]:
    definition = root.__strawberry_definition__  # type: ignore[attr-defined]
    return (one for one in definition.fields if isinstance(one, Guarded))


def _say(one: Guarded, codes: Collection[ErrorCode]) -> None:
    one.directives = [*one.directives, Errors(codes=[code for code in ErrorCode if code in codes])]
