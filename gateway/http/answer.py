"""What a client gets to see of a result: coded errors, and nothing of the inside."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

import msgspec
import structlog
from graphql import GraphQLError
from starlette.responses import Response
from strawberry.types import ExecutionResult

from gateway.http import media
from services.errors import BadUserInput, GatewayError, Unauthenticated
from services.storage.failures import has_crossed, is_away, words

log = structlog.get_logger(__name__)
STATUS = {
    "INTERNAL": 500,
    "UPSTREAM_REJECTED": 502,
    "UPSTREAM_UNAVAILABLE": 503,
    "UPSTREAM_RATE_LIMITED": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The status of a request that failed before execution, by error code; 401 and 400 otherwise."""
HEADERS = {"Cache-Control": "no-store"}
VARIABLE = re.compile(r"Variable '\$\w+' has invalid value(?: at [\w.\[\]]+)?: ")
"""Where the fault is, before what graphql-core or one of our types says of it."""
TOO_DEEP = BadUserInput("The operation is nested too deeply.")


class Away(GatewayError):
    """The gateway's own records cannot be reached at the moment. Try again shortly, a write under its same key."""


class Crossed(GatewayError):
    """Somebody changed the same at the same time, and yours was given up. Try again, a write under its same key."""


PASSING = (Away, Crossed)
"""What the same request may not meet again: 503, with the time after which to try."""


def answered(result: ExecutionResult, accepted: str, request_id: str) -> Response:
    """An executed operation. One that did not get as far as execution is a 400 in GraphQL's own media type."""
    body = told(result, request_id)
    return _response(body, 200 if "data" in body or accepted == media.JSON else 400, accepted)


def told(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    """A result as the client sees it; without `data` when it did not get as far as execution."""
    errors = [published(error, request_id) for error in result.errors or ()]
    body: dict[str, Any] = {"errors": errors} if errors else {}
    if result.data is not None or any(error.path for error in result.errors or ()):
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def refused(error: GatewayError, *, accepted: str = media.JSON, status: int | None = None) -> Response:
    """A request that was not executed at all."""
    response = _response({"errors": [body_of(error)]}, status or status_of(error), accepted)
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = "POST"
    if isinstance(error, Unauthenticated):
        missing = error.details.get("reason") == "MISSING_TOKEN"
        response.headers["WWW-Authenticate"] = "Bearer" if missing else 'Bearer error="invalid_token"'
    if retry_after := error.details.get("retryAfter"):
        response.headers["Retry-After"] = str(ceil(retry_after))
    return response


def status_of(error: GatewayError) -> int:
    """The HTTP status of a request that failed before execution."""
    if isinstance(error, Unauthenticated):
        return 401
    return 503 if isinstance(error, PASSING) else STATUS.get(error.code, 400)


def published(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """A GraphQL error as the client sees it. What the gateway did not mean to say is masked and logged."""
    located: dict[str, Any] = {}
    if error.locations:
        located["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        located["path"] = error.path
    body = body_of(_meant(error, request_id))
    place = VARIABLE.match(error.message)
    if place and not body["message"].startswith(place[0]):
        body["message"] = place[0] + body["message"]
    return {**body, **located}


def internal(error: BaseException, request_id: str, path: Sequence[str | int] | None = None) -> GatewayError:
    """The mask over an error of ours; the log has the rest under the same request id."""
    if is_away(error):
        log.warning("the database does not answer", request_id=request_id, path=path, error=words(error))
        return Away(requestId=request_id, retryAfter=1)
    if has_crossed(error):
        log.error("two transactions were in each other's way", request_id=request_id, path=path, exc_info=error)
        return Crossed(requestId=request_id, retryAfter=1)
    log.error("unforeseen error", request_id=request_id, path=path, exc_info=error)
    return GatewayError("Something went wrong on our side.", requestId=request_id)


def _cause(error: GraphQLError) -> Exception | None:
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _meant(error: GraphQLError, request_id: str) -> GatewayError | GraphQLError:
    cause = _cause(error)
    if isinstance(cause, GatewayError):
        return cause
    if cause is None or isinstance(cause, GraphQLError):
        return cause or error
    if isinstance(cause, RecursionError):
        return TOO_DEEP
    return internal(cause, request_id, error.path)


def code_of(error: GraphQLError) -> str:
    """The code under which a client gets to see an error."""
    cause = _cause(error)
    if isinstance(cause, GatewayError):
        return cause.code
    if cause is None or isinstance(cause, GraphQLError):
        return str(((cause or error).extensions or {}).get("code", BadUserInput.code))
    if isinstance(cause, RecursionError):
        return TOO_DEEP.code
    return GatewayError.code


def body_of(error: GatewayError | GraphQLError) -> dict[str, Any]:
    """An error of its own, without a place in an operation."""
    extensions = error.extensions or {}
    return {"message": error.message, "extensions": {"code": BadUserInput.code, **extensions}}


def _response(body: dict[str, Any], status: int, accepted: str) -> Response:
    return Response(msgspec.json.encode(body), status, headers=HEADERS | {"Content-Type": f"{accepted}; charset=utf-8"})
