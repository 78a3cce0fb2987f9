"""Pages of CRM's lists: `page`, `per_page`, `info`, and 204 for an empty one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.sandbox.answers import Answer
from services.sandbox.errors import Refusal

EMPTY = 204
LARGEST = 200


def page_of(request: Request, key: str, rows: Sequence[dict[str, Any]], info: dict[str, Any] | None = None) -> Response:
    """The page of `rows` that is asked for; `If-Modified-Since` with nothing newer gives 304."""
    page, size = number(request, "page", 1, None), number(request, "per_page", LARGEST, LARGEST)
    found = rows[(page - 1) * size : page * size]
    if not found:
        return Response(status_code=304 if "if-modified-since" in request.headers else EMPTY)
    more = len(rows) > page * size
    paging = {"per_page": size, "count": len(found), "page": page, "more_records": more}
    return Answer({key: list(found), "info": {**paging, **(info or {})}})


def number(request: Request, name: str, default: int, most: int | None) -> int:
    given = request.query_params.get(name, str(default))
    if not given.isdecimal() or int(given) < 1 or int(given) > (most or 10**6):
        raise Refusal(400, "INVALID_DATA", "invalid data", details={"param_name": name})
    return int(given)


def unchanged(request: Request, modified_time: str) -> bool:
    """Not modified since the time in the `If-Modified-Since` header (ISO 8601), if there is one."""
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return datetime.fromisoformat(modified_time) <= datetime.fromisoformat(since)
    except (ValueError, TypeError) as error:
        raise Refusal(400, "INVALID_DATA", "invalid data", details={"header": "If-Modified-Since"}) from error
