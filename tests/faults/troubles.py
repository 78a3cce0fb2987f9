"""What products and the sign-in provider can do to us, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from services.sandbox.faults import Fault, FaultKind


class Where(TypedDict):
    """Which calls fail, as `Fault` says it."""

    path: str
    product: NotRequired[str]


BOOKS: Where = {"path": "/books/v3/*"}
TOKENS: Where = {"path": "/oauth/v2/token", "product": "accounts"}


@dataclass(frozen=True)
class Trouble:
    """One kind of failure of the products, as `Fault` says it."""

    name: str
    kind: FaultKind
    where: Where = field(default_factory=lambda: BOOKS)
    more: Mapping[str, Any] = field(default_factory=dict)

    def fault(self, **more: Any) -> Fault:
        """To order at the sandbox: until it is cleared, unless `more` says for how many calls, or of which method."""
        return Fault(self.kind, **self.where, **self.more, **more)

    def __str__(self) -> str:
        return self.name


TROUBLES = (
    Trouble("refuses", "refuse"),
    Trouble("black hole", "black_hole"),
    Trouble("resets, having done it", "lost_answer"),
    Trouble("cuts its answer", "cut"),
    Trouble("garbage", "garbage"),
    Trouble("a web page with 200", "html", more={"status": 200}),
    Trouble("a web page with 502", "html", more={"status": 502}),
    Trouble("a code in a 200", "code", more={"code": 9999}),
    Trouble("no such record in a 200", "code", more={"code": 1002}),
    Trouble("429 with Retry-After", "rate_limit", more={"code": 44, "retry_after": 1}),
    Trouble("429 without Retry-After", "rate_limit", more={"code": 1070}),
    Trouble("500, not done", "status", more={"status": 500}),
    Trouble("503, done", "status", more={"status": 503, "applied": True}),
    Trouble("401 of the token", "status", more={"status": 401, "code": 14}),
    Trouble("401 as of a role", "status", more={"status": 401, "code": 57}),
    Trouble("tokens refused", "token_error", TOKENS, {"code": "invalid_code"}),
    Trouble("tokens throttled", "token_error", TOKENS, {"code": "Access Denied"}),
    Trouble("Accounts down", "refuse", TOKENS),
    Trouble("Accounts talk nonsense", "html", TOKENS, {"status": 200}),
)
