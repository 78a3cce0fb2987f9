"""CRM records: Accounts and Contacts, listed, one by one, related and searched."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.sandbox.access import Caller
from services.sandbox.answers import Answer
from services.sandbox.crm_paging import page_of, unchanged
from services.sandbox.errors import Refusal
from services.sandbox.profiles import PROFILES
from services.sandbox.store import Record

KINDS: Mapping[str, str] = {"Accounts": "crm_accounts", "Contacts": "crm_contacts"}
SORTS: Mapping[str, Callable[[Any], Any]] = {
    "id": int,
    "Created_Time": datetime.fromisoformat,
    "Modified_Time": datetime.fromisoformat,
}
MOST_FIELDS = 50

Row = dict[str, Any]


async def listed(request: Request) -> Response:
    """`fields` must be given; `ids` names up to 100 records."""
    names = _fields(request, required=True)
    ids = [one for one in request.query_params.get("ids", "").split(",") if one]
    sort, order = _sorting(request)
    found = [row for row in _rows(request, _module(request), ids) if not unchanged(request, row["Modified_Time"])]
    found.sort(key=lambda row: SORTS[sort](row[sort]), reverse=order == "desc")
    return page_of(request, "data", [_chosen(row, names) for row in found], {"sort_by": sort, "sort_order": order})


async def one(request: Request) -> Response:
    rows = _rows(request, _module(request), [request.path_params["id"]])
    if not rows:
        raise Refusal(
            404, "INVALID_DATA", "the id given seems to be invalid", details={"id": request.path_params["id"]}
        )
    return Answer({"data": [_chosen(rows[0], _fields(request))]})


async def contacts_of_account(request: Request) -> Response:
    names = _fields(request, required=True)
    account_id = request.path_params["id"]
    rows = [
        _chosen(row, names)
        for row in _rows(request, _viewable(request, "Contacts"))
        if row["Account_Name"] and row["Account_Name"]["id"] == account_id
    ]
    return page_of(request, "data", rows)


async def searched(request: Request) -> Response:
    """By one of `criteria`, `email`, `phone` and `word`, the first of them that is given."""
    module = _module(request)
    asked = next(((name, value) for name in _SEARCHES if (value := request.query_params.get(name))), None)
    if asked is None:
        raise Refusal(
            400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", details={"param": "word"}
        )
    matches = _SEARCHES[asked[0]](asked[1])
    names = _fields(request)
    return page_of(request, "data", [_chosen(row, names) for row in _rows(request, module) if matches(row)])


async def counted(request: Request) -> Response:
    return Answer({"count": len(_rows(request, _module(request)))})


def _module(request: Request) -> str:
    return _viewable(request, request.path_params["module"])


def _viewable(request: Request, module: str) -> str:
    if module not in KINDS:
        raise Refusal(400, "INVALID_MODULE", "The module name given seems to be invalid")
    caller: Caller = request.state.caller
    if not PROFILES[caller.person.profile].may(module, "View"):
        wanted = {"permissions": [f"Crm_Implied_View_{module}"]}
        raise Refusal(403, "NO_PERMISSION", "permission denied", details=wanted)
    return module


def _rows(request: Request, module: str, ids: Sequence[str] = ()) -> list[Row]:
    """Newest id first."""
    found = select(Record.body).where(
        Record.organization_id == request.state.caller.organization_id, Record.kind == KINDS[module]
    )
    if ids:
        found = found.where(col(Record.id).in_(ids))
    with request.state.store.session() as session:
        return list(session.exec(found.order_by(col(Record.id).desc())))


def _sorting(request: Request) -> tuple[str, str]:
    sort = request.query_params.get("sort_by", "id")
    order = request.query_params.get("sort_order", "desc")
    if sort not in SORTS or order not in ("asc", "desc"):
        raise Refusal(400, "INVALID_DATA", "invalid data", details={"param_name": "sort_by"})
    return sort, order


def _fields(request: Request, *, required: bool = False) -> list[str]:
    names = [name for name in request.query_params.get("fields", "").split(",") if name]
    if required and not names:
        details = {"param": "fields"}
        raise Refusal(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", details=details)
    if len(names) > MOST_FIELDS:
        raise Refusal(400, "LIMIT_EXCEEDED", "the number of fields is limited", details={"limit": MOST_FIELDS})
    return names


def _chosen(row: Row, names: list[str]) -> Row:
    """Unknown names are passed over; the id is always there."""
    return {"id": row["id"], **{name: row[name] for name in names if name in row}} if names else row


Matches = Callable[[Row], bool]


def _by_word(word: str) -> Matches:
    if len(word) < 2:
        raise Refusal(400, "INVALID_DATA", "invalid data", details={"param_name": "word"})
    wanted = word.lower()
    return lambda row: any(wanted in value.lower() for value in row.values() if isinstance(value, str))


def _by_email(email: str) -> Matches:
    return lambda row: str(row.get("Email") or "").lower() == email.lower()


def _by_phone(phone: str) -> Matches:
    return lambda row: phone in (row.get("Phone"), row.get("Mobile"))


def _by_criteria(text: str) -> Matches:
    tokens = [token for token in re.split(r"(\(|\)|\band\b|\bor\b)", text) if token.strip()]
    matches = _either(tokens)
    if tokens:
        raise _invalid_criteria()
    return matches


def _either(tokens: list[str]) -> Matches:
    left = _both(tokens)
    while tokens and tokens[0] == "or":
        tokens.pop(0)
        left = _or(left, _both(tokens))
    return left


def _both(tokens: list[str]) -> Matches:
    left = _term(tokens)
    while tokens and tokens[0] == "and":
        tokens.pop(0)
        left = _and(left, _term(tokens))
    return left


def _or(left: Matches, right: Matches) -> Matches:
    return lambda row: left(row) or right(row)


def _and(left: Matches, right: Matches) -> Matches:
    return lambda row: left(row) and right(row)


def _term(tokens: list[str]) -> Matches:
    """`(field:operator:value)`, or a criterion in parentheses."""
    if not tokens or tokens.pop(0) != "(":
        raise _invalid_criteria()
    inner = _either(tokens) if tokens and tokens[0] == "(" else _comparison(tokens)
    if not tokens or tokens.pop(0) != ")":
        raise _invalid_criteria()
    return inner


def _comparison(tokens: list[str]) -> Matches:
    words = []
    while tokens and tokens[0] not in ("(", ")"):
        words.append(tokens.pop(0))
    name, _, rest = "".join(words).partition(":")
    operator, _, value = rest.partition(":")
    if operator not in _OPERATORS:
        raise _invalid_criteria()
    compare = _OPERATORS[operator]
    return lambda row: compare(_text(row, name), value.lower())


def _text(row: Row, name: str) -> str:
    """A lookup by its id with `.id`, else by its name."""
    field, _, part = name.partition(".")
    value = row.get(field)
    if isinstance(value, dict):
        value = value.get(part or "name")
    return str(value if value is not None else "").lower()


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "equals": lambda value, wanted: value == wanted,
    "not_equal": lambda value, wanted: value != wanted,
    "starts_with": lambda value, wanted: value.startswith(wanted),
    "in": lambda value, wanted: value in wanted.split(","),
}
_SEARCHES: Mapping[str, Callable[[str], Matches]] = {
    "criteria": _by_criteria,
    "email": _by_email,
    "phone": _by_phone,
    "word": _by_word,
}


def _invalid_criteria() -> Refusal:
    return Refusal(400, "INVALID_QUERY", "Invalid query formed", details={"param_name": "criteria"})


ROUTES = [
    Route("/{module}", listed),
    Route("/{module}/search", searched),
    Route("/{module}/actions/count", counted),
    Route("/Accounts/{id}/Contacts", contacts_of_account),
    Route("/{module}/{id}", one),
]
