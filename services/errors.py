"""The one family of errors a client can meet. The class docstring is the default message and is safe to show."""

from collections.abc import Sequence
from typing import Any, ClassVar


class GatewayError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str | None = None, *, hint: str | None = None, **extensions: Any) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.hint = hint
        self.details = {name: value for name, value in extensions.items() if value is not None}
        super().__init__(self.message)

    @property
    def extensions(self) -> dict[str, Any]:
        """What GraphQL publishes beside the message: `code`, then `hint` and details where there are any."""
        hint = {"hint": self.hint} if self.hint else {}
        return {"code": self.code, **hint, **self.details}


class Unauthenticated(GatewayError):
    """Sign in first: send a bearer token of the configured OpenID provider."""

    code = "UNAUTHENTICATED"


class Forbidden(GatewayError):
    """You may not do this."""

    code = "FORBIDDEN"


class NotFound(GatewayError):
    """There is no such record, or you may not see it."""

    code = "NOT_FOUND"


class BadUserInput(GatewayError):
    """The input is not valid."""

    code = "BAD_USER_INPUT"

    def __init__(
        self,
        message: str | None = None,
        *,
        field: Sequence[str] | None = None,
        hint: str | None = None,
        **extensions: Any,
    ) -> None:
        self.field = tuple(field) if field else ()
        super().__init__(message, hint=hint, field=list(self.field) or None, **extensions)


class Conflict(GatewayError):
    """The record has changed meanwhile."""

    code = "CONFLICT"


class LimitReached(GatewayError):
    """A limit has been reached."""

    code = "LIMIT_REACHED"


class UnsupportedByProduct(GatewayError):
    """The product does not offer this."""

    code = "UNSUPPORTED_BY_PRODUCT"


class UpstreamUnavailable(GatewayError):
    """The product does not answer at the moment."""

    code = "UPSTREAM_UNAVAILABLE"


class UpstreamRateLimited(GatewayError):
    """The product's call budget of the organization is used up for now."""

    code = "UPSTREAM_RATE_LIMITED"


class UpstreamRejected(GatewayError):
    """The product refused the call or gave an answer that cannot be read."""

    code = "UPSTREAM_REJECTED"


class DeadlineExceeded(GatewayError):
    """The request took longer than it may."""

    code = "DEADLINE_EXCEEDED"


class CostExceeded(GatewayError):
    """The operation asks for more than it may."""

    code = "COST_EXCEEDED"
