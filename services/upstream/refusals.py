"""What a product's refusal means to the client of the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from services.errors import (
    Forbidden,
    GatewayError,
    NotFound,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from services.policy import Product


class Told(Struct):
    """Code and message of an answer; Books and Billing number their codes, the CRM names them."""

    code: int | str = 0
    message: str | None = None


_told = Decoder(Told).decode

MINUTE_SPENT, DAY_SPENT, BUSY = 44, 45, 1070
OLD_MINUTE_SPENT = 43
RETRY_AFTER: Mapping[int | str, float] = {MINUTE_SPENT: 60.0, OLD_MINUTE_SPENT: 60.0, DAY_SPENT: 600.0, BUSY: 1.0}
"""Seconds to tell the client, where the product names none; how long it refuses is not documented (facts §2.3)."""
PAUSES: Mapping[int | str, float] = {MINUTE_SPENT: 5.0, OLD_MINUTE_SPENT: 5.0, DAY_SPENT: 600.0}
"""Seconds before our own first repetition, where the product names none."""
NOT_FOUND = frozenset({1002})
WITHHELD = frozenset({6041, "OAUTH_SCOPE_MISMATCH", "NO_PERMISSION", "AUTHORIZATION_FAILED"})
"""What no other token would change: not a user of the organization, and the CRM's words for a missing permission."""
INVALID_TOKEN = frozenset({14, "INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE"})
SOURCES = {Product.CRM: "CRM_PROFILE", Product.BOOKS: "BOOKS_ROLE", Product.BILLING: "BILLING_ROLE"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One answer that is no success."""

    product: Product
    status: int
    code: int | str
    message: str | None
    headers: Mapping[str, str]

    @classmethod
    def of(cls, product: Product, status: int, headers: Mapping[str, str], body: bytes) -> "Refusal":
        """Read what can be read: an answer that is not JSON has no code."""
        try:
            told = _told(body)
        except DecodeError:
            told = Told()
        code = int(told.code) if isinstance(told.code, str) and told.code.isdecimal() else told.code
        return cls(product, status, code, told.message, headers)

    @property
    def unauthorized(self) -> bool:
        """The token is expired, lacks a scope, or the role lacks the permission: Books says 57 to all (facts §2.2)."""
        return self.status == 401 and self.code not in WITHHELD  # noqa: PLR2004

    @property
    def of_the_token(self) -> bool:
        """The product blames the token and nothing else."""
        return self.code in INVALID_TOKEN

    @property
    def limited(self) -> bool:
        """A budget is spent."""
        return self.status == 429 or self.code in RETRY_AFTER  # noqa: PLR2004

    @property
    def daily(self) -> bool:
        """The budget of the day is spent: waiting is no use."""
        return self.code == DAY_SPENT

    @property
    def asked_to_wait(self) -> float | None:
        """Seconds the product asks for; of the day's budget, until its end."""
        name = "x-rate-limit-reset" if self.daily and "retry-after" not in self.headers else "retry-after"
        return seconds(self.headers.get(name))

    @property
    def pause(self) -> float:
        """Seconds before the first repetition when the product asks for none."""
        return PAUSES.get(self.code, 0.25)

    @property
    def forbidden(self) -> Forbidden:
        """The product's last word on what this person may do."""
        return Forbidden(
            hint="Connect the product again." if self.of_the_token else None,
            product=self.product,
            missingFrom=None if self.of_the_token else [SOURCES[self.product]],
            productCode=self._code,
            productMessage=self.message,
        )

    @property
    def error(self) -> GatewayError:
        """The gateway's error for it."""
        if self.limited:
            wait = self.asked_to_wait or RETRY_AFTER.get(self.code, 1.0)
            return UpstreamRateLimited(product=self.product, retryAfter=max(1, round(wait)), productCode=self._code)
        if self.status >= 500:  # noqa: PLR2004
            return UpstreamUnavailable(product=self.product, productCode=self._code, productMessage=self.message)
        if self.unauthorized or self.status == 403 or self.code in WITHHELD:  # noqa: PLR2004
            return self.forbidden
        if self.status == 404 or self.code in NOT_FOUND:  # noqa: PLR2004
            return NotFound(product=self.product, productCode=self._code)
        return UpstreamRejected(product=self.product, productCode=self._code, productMessage=self.message)

    @property
    def _code(self) -> int | str | None:
        return self.code or None


def seconds(text: str | None) -> float | None:
    """A header's number of seconds; None when absent or not a number."""
    return float(text) if text is not None and text.strip().isdecimal() else None
