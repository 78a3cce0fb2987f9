"""Faults to order, per path, switchable while the sandbox runs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from services.sandbox import exact
from services.sandbox.answers import Answer
from services.sandbox.errors import NUMBERED, Broken, Refusal

FaultKind = Literal[
    "refuse",  # no connection
    "black_hole",  # connected, never answered
    "delay",  # answered after `seconds`
    "status",  # HTTP `status` with the product's error body
    "code",  # `code` inside HTTP 200
    "rate_limit",  # HTTP 429 with `code` 44, 45 or 1070, with or without `retry_after`
    "html",  # a web page with HTTP `status`
    "token_error",  # `code` as OAuth error
    "cut",  # applied; the answer breaks off in its middle
    "garbage",  # applied; half of the JSON text as if it were all
    "missing_field",  # applied; the answer lacks `field` wherever it stands
    "lost_answer",  # applied; the connection closes instead of answering
]


@dataclass(frozen=True)
class Fault:
    """One kind of failure for the calls that match.

    `path` is a pattern with `*`, on the whole path (`/books/v3/estimates*`) or below the product's root
    (`/estimates*`). The first `after` matching calls succeed, then `times` calls fail (None: all of them).
    `applied`: what was asked for happens nevertheless.
    """

    kind: FaultKind
    path: str = "*"
    method: str | None = None
    product: str | None = None
    email: str | None = None
    times: int | None = None
    after: int = 0
    applied: bool = False
    status: int | None = None
    code: int | str | None = None
    message: str | None = None
    seconds: float = 0
    retry_after: int | None = None
    field: str = ""

    def matches(self, *, product: str, method: str, path: str, full_path: str, email: str) -> bool:
        return (
            self.product in (None, product)
            and self.method in (None, method)
            and self.email in (None, email)
            and (fnmatchcase(full_path, self.path) or fnmatchcase(path, self.path))
        )


@dataclass
class _Ordered:
    fault: Fault
    seen: int = 0

    def strikes(self) -> bool:
        self.seen += 1
        number = self.seen - self.fault.after
        return number > 0 and (self.fault.times is None or number <= self.fault.times)


class Faults:
    def __init__(self) -> None:
        self._ordered: list[_Ordered] = []

    def __bool__(self) -> bool:
        return bool(self._ordered)

    def order(self, fault: Fault) -> None:
        self._ordered.append(_Ordered(fault))

    def clear(self) -> None:
        self._ordered.clear()

    def listed(self) -> list[dict[str, Any]]:
        return [{"fault": asdict(ordered.fault), "seen": ordered.seen} for ordered in self._ordered]

    def strike(self, **call: str) -> Fault | None:
        """The first ordered fault that is due for this call."""
        for ordered in self._ordered:
            if ordered.fault.matches(**call) and ordered.strikes():
                return ordered.fault
        return None


class Cut(Response):
    """Announces all of its body and breaks off after half of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - of ASGI
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.half, "more_body": True})
        raise Broken("hang_up")

    @property
    def half(self) -> bytes:
        return bytes(self.body[: len(self.body) // 2])


Serve = Callable[[], Awaitable[Response]]


async def struck(fault: Fault, serve: Serve) -> Response:
    """What comes of a call under the fault; `serve` does what was asked for. Raises Refusal or Broken."""
    if fault.kind in _AFTER:
        return _AFTER[fault.kind](fault, await serve())
    if fault.applied:
        await serve()
    await asyncio.sleep(fault.seconds)
    return await serve() if fault.kind == "delay" else _INSTEAD[fault.kind](fault)


def _broken(how: str) -> Callable[[Fault], Response]:
    def fail(_: Fault) -> Response:
        raise Broken(how)

    return fail


def _status(fault: Fault) -> Response:
    status = fault.status or 503
    raise _refusal(fault, status, fault.code if fault.code is not None else 1000)


def _code(fault: Fault) -> Response:
    raise _refusal(fault, 200, fault.code if fault.code is not None else 1000)


def _rate_limit(fault: Fault) -> Response:
    raise _refusal(fault, 429, fault.code if fault.code is not None else 44)


def _token_error(fault: Fault) -> Response:
    return Answer({"error": fault.code or "invalid_code"}, fault.status or 200)


def _html(fault: Fault) -> Response:
    return HTMLResponse("<!doctype html><title>Error</title><p>Something went wrong.</p>", fault.status or 502)


def _refusal(fault: Fault, status: int, code: int | str) -> Refusal:
    _, known = NUMBERED.get(code, (0, "The request failed.")) if isinstance(code, int) else (0, "The request failed.")
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
    return Refusal(status, code, fault.message or known, headers=headers)


def _cut(_: Fault, response: Response) -> Response:
    cut = Cut(response.body, response.status_code)
    cut.raw_headers = response.raw_headers
    return cut


def _garbage(_: Fault, response: Response) -> Response:
    return Response(response.body[: len(response.body) // 2], response.status_code, media_type="application/json")


def _missing_field(fault: Fault, response: Response) -> Response:
    return Answer(_without(exact.decode(bytes(response.body)), fault.field), response.status_code)


def _lost(_: Fault, __: Response) -> Response:
    raise Broken("hang_up")


def _without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, name) for key, inner in value.items() if key != name}
    return [_without(inner, name) for inner in value] if isinstance(value, list) else value


_INSTEAD: Mapping[str, Callable[[Fault], Response]] = {
    "refuse": _broken("refuse"),
    "black_hole": _broken("black_hole"),
    "status": _status,
    "code": _code,
    "rate_limit": _rate_limit,
    "html": _html,
    "token_error": _token_error,
}
_AFTER: Mapping[str, Callable[[Fault, Response], Response]] = {
    "cut": _cut,
    "garbage": _garbage,
    "missing_field": _missing_field,
    "lost_answer": _lost,
}
