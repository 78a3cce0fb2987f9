"""Mistakes in a mutation's input."""

from resolvers.relations import Derived
from schema.enums import UserErrorCode
from schema.permissions import field, guarded


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
