"""What is wrong with an answer, whatever was asked: GraphQL over HTTP, and the specification's response format."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from tests.declared import undeclared

MODERN, LEGACY = "application/graphql-response+json", "application/json"
MEMBERS = frozenset({"data", "errors", "extensions"})
ERROR = frozenset({"message", "locations", "path", "extensions"})
MASKED = "INTERNAL"


def faults(query: str, accepted: str | None, response: httpx.Response) -> Iterator[str]:
    """As sentences; none when all is well."""
    media = response.headers.get("content-type", "")
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        yield f"HTTP {response.status_code}: {response.text[:300]}"
    elif accepted and media.partition(";")[0] != accepted:
        yield f"{media} where {accepted} was accepted"
    else:
        yield from _of(query, media, response)


def _of(query: str, media: str, response: httpx.Response) -> Iterator[str]:
    try:
        answer = msgspec.json.decode(response.content)
    except msgspec.DecodeError as error:
        yield f"no JSON: {error}"
        return
    if not isinstance(answer, dict) or not answer.keys() <= MEMBERS or not answer.keys() & {"data", "errors"}:
        yield f"no response of GraphQL: {response.text[:300]}"
        return
    errors = answer.get("errors", ())
    wrong = [fault for error in errors for fault in _of_error(error, answer)]
    yield from wrong
    yield from _of_status(media, response.status_code, answer)
    if not wrong:
        yield from (f"{code} is not declared for {root}" for root, code in _undeclared(query, answer))


def _undeclared(query: str, answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    return undeclared(query, answer) if answer.get("errors") else []


def _of_status(media: str, status: int, answer: Mapping[str, Any]) -> Iterator[str]:
    """Executed is 200; refused is not, except in the older media type where it may be."""
    if "errors" in answer and not answer["errors"]:
        yield "an empty list of errors"
    if answer.get("data", ...) is None and not answer.get("errors"):
        yield "no data and no error"
    if "data" in answer and status != HTTPStatus.OK:
        yield f"data with HTTP {status}"
    if "data" not in answer and status == HTTPStatus.OK and media.startswith(MODERN):
        yield "a refused request with HTTP 200"


def _of_error(error: Any, answer: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(error, dict) or not error.keys() <= ERROR or not isinstance(error.get("message"), str):
        yield f"no error of GraphQL: {error}"
        return
    code = error.get("extensions", {}).get("code")
    if not isinstance(code, str):
        yield f"without a code: {error}"
    elif code == MASKED:
        yield f"masked: {error}"
    if not all(place.keys() == {"line", "column"} and min(place.values()) > 0 for place in error.get("locations", ())):
        yield f"no locations: {error}"
    if "path" in error and not _is_null(answer.get("data"), error["path"]):
        yield f"no null at {error['path']}: {error['message']}"


def _is_null(data: Any, path: list[str | int]) -> bool:
    """Whether the path leads to null, or ends at one on the way."""
    for key in path:
        if data is None:
            return True
        try:
            data = data[key]
        except (LookupError, TypeError):
            return False
    return data is None
