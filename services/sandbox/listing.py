"""Lists: suffix filters, `filter_by`, sorting and paging without totals, all in SQL.

Parameters that a list does not know are ignored, as the products do; values that cannot be read are refused (code 2).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, String, and_, func, literal, select
from sqlalchemy.sql.elements import SQLCoreOperations
from sqlmodel import col
from starlette.responses import Response

from services.sandbox import exact, shapes, stamps, totals
from services.sandbox.desk import Desk
from services.sandbox.documents import invalid
from services.sandbox.store import Record

Condition = ColumnElement[bool]
Expression = SQLCoreOperations[Any]

PER_PAGE = 200


def stored(key: str) -> Expression:
    """A field of the full record that has no column."""
    return func.json_extract(col(Record.body), f"$.{key}")


@dataclass(frozen=True)
class Listing:
    """What one list can do. Values are columns of Record, or the names of fields of the full record."""

    module: str
    report_name: str
    texts: Mapping[str, Expression]
    sorts: Mapping[str, Expression]
    numbers: Mapping[str, Expression] = field(default_factory=dict)
    dates: Mapping[str, Expression] = field(default_factory=dict)
    exact: Mapping[str, Expression] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)
    statuses: frozenset[str] = frozenset()
    filter_by: Mapping[str, Callable[[Desk], Condition]] = field(default_factory=dict)
    status_is: Callable[[str, Desk], Condition] = lambda status, _: col(Record.status) == status
    searched: tuple[Expression, ...] = ()
    lists_in: bool = False
    custom_field: bool = False
    default_sort: str = "created_time"


@dataclass(frozen=True)
class Page:
    number: int
    size: int
    column: str
    order: str
    filter_by: str


def page(listing: Listing, desk: Desk) -> Page:
    """`per_page` beyond 200 is 200; raises Refusal for what is no positive number or unknown column or order."""
    column = desk.query.get("sort_column") or listing.default_sort
    order = (desk.query.get("sort_order") or ("D" if column.endswith("_time") else "A")).upper()
    if column not in listing.sorts:
        raise invalid("sort_column")
    if order not in ("A", "D"):
        raise invalid("sort_order")
    size = min(_positive(desk, "per_page", PER_PAGE), PER_PAGE)
    return Page(_positive(desk, "page", 1), size, column, order, desk.query.get("filter_by") or "Status.All")


def _positive(desk: Desk, name: str, default: int) -> int:
    text = desk.query.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) < 10**9:
        raise invalid(name)
    return int(text)


def conditions(listing: Listing, desk: Desk) -> list[Condition]:
    return [
        col(Record.organization_id) == desk.organization_id,
        col(Record.kind) == listing.module,
        *_scope(desk),
        *_texts(listing, desk),
        *_numbers(listing, desk),
        *_dates(listing, desk),
        *_exact(listing, desk),
        *_lines(listing, desk),
        *_status(listing, desk),
        *_search(listing, desk),
        *_modified(desk),
    ]


def _scope(desk: Desk) -> Iterable[Condition]:
    if desk.caller.assigned is not None:
        yield col(Record.customer_id).in_(desk.caller.assigned)


def _asked(desk: Desk, names: Mapping[str, Any], suffixes: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any, str]]:
    """Parameter, what it filters, how, and its value, for the parameters that are there."""
    for parameter, value in desk.query.items():
        for suffix, how in suffixes.items():
            name = parameter.removesuffix(suffix) if suffix else parameter
            if value and name in names and (not suffix or parameter.endswith(suffix)):
                yield parameter, names[name], how, value
                break


def _words(value: str) -> list[str]:
    return [word.strip().lower() for word in value.split(",") if word.strip()]


_TEXT: Mapping[str, Callable[[Expression, str], Condition]] = {
    "_startswith": lambda at, value: func.lower(at).startswith(value.lower(), autoescape=True),
    "_contains": lambda at, value: func.lower(at).contains(value.lower(), autoescape=True),
    "": lambda at, value: func.lower(at) == value.lower(),
}
_IN: Mapping[str, Callable[[Expression, str], Condition]] = {
    "_not_in": lambda at, value: func.lower(at).not_in(_words(value)),
    "_in": lambda at, value: func.lower(at).in_(_words(value)),
}
_COMPARED: Mapping[str, Callable[[Expression, Any], Condition]] = {
    "_less_than": lambda at, value: at < value,
    "_less_equals": lambda at, value: at <= value,
    "_greater_than": lambda at, value: at > value,
    "_greater_equals": lambda at, value: at >= value,
    "_start": lambda at, value: at >= value,
    "_end": lambda at, value: at <= value,
    "": lambda at, value: at == value,
}
_DATED: Mapping[str, Callable[[Expression, str], Condition]] = {
    "_start": lambda at, value: at >= value,
    "_end": lambda at, value: and_(at <= value, at != ""),
    "_before": lambda at, value: and_(at < value, at != ""),
    "_after": lambda at, value: at > value,
    "": lambda at, value: at == value,
}


def _texts(listing: Listing, desk: Desk) -> Iterable[Condition]:
    ways = {**(_IN if listing.lists_in else {}), **_TEXT}
    for _, at, how, value in _asked(desk, listing.texts, ways):
        yield how(at, value)


def _numbers(listing: Listing, desk: Desk) -> Iterable[Condition]:
    for parameter, at, how, value in _asked(desk, listing.numbers, _COMPARED):
        try:
            yield how(at, float(totals.number(value)))
        except ValueError as error:
            raise invalid(parameter) from error


def _dates(listing: Listing, desk: Desk) -> Iterable[Condition]:
    for parameter, at, how, value in _asked(desk, listing.dates, _DATED):
        try:
            yield how(at, stamps.day(value).isoformat())
        except ValueError as error:
            raise invalid(parameter) from error


def _exact(listing: Listing, desk: Desk) -> Iterable[Condition]:
    for name, at in listing.exact.items():
        if value := desk.query.get(name):
            yield at == value


def _lines(listing: Listing, desk: Desk) -> Iterable[Condition]:
    """Some line of the document, or some custom field, is as asked."""
    for _, key, how, value in _asked(desk, listing.lines, _TEXT):
        line = func.json_each(col(Record.body), "$.line_items").table_valued("value", name="line")
        yield (
            select(literal(1)).select_from(line).where(how(func.json_extract(line.c.value, f"$.{key}"), value)).exists()
        )
    if not listing.custom_field:
        return
    for _, _, how, value in _asked(desk, {"custom_field": ""}, _TEXT):
        entry = func.json_each(col(Record.body), "$.custom_fields").table_valued("value", name="entry")
        yield (
            select(literal(1))
            .select_from(entry)
            .where(how(func.json_extract(entry.c.value, "$.value"), value))
            .exists()
        )


def _status(listing: Listing, desk: Desk) -> Iterable[Condition]:
    status = desk.query.get("status")
    if status and listing.statuses:
        if status not in listing.statuses:
            raise invalid("status")
        yield listing.status_is(status, desk)
    chosen = desk.query.get("filter_by")
    if chosen and not chosen.endswith(".All"):
        if chosen not in listing.filter_by:
            raise invalid("filter_by")
        yield listing.filter_by[chosen](desk)


def _search(listing: Listing, desk: Desk) -> Iterable[Condition]:
    text = desk.query.get("search_text")
    if not text or not listing.searched:
        return
    if len(text) > 100:
        raise invalid("search_text")
    joined: Expression = literal("")
    for part in listing.searched:
        joined = joined.op("||", return_type=String())(func.coalesce(part, "")).op("||", return_type=String())("\n")
    yield func.lower(joined).contains(text.lower(), autoescape=True)


def _modified(desk: Desk) -> Iterable[Condition]:
    """Changed at that moment or later."""
    since = desk.query.get("last_modified_time")
    if since:
        try:
            yield col(Record.modified_time) >= stamps.sortable(since)
        except ValueError as error:
            raise invalid("last_modified_time") from error


def rows(listing: Listing, desk: Desk, at: Page, where: list[Condition]) -> tuple[list[str], bool]:
    """The page's rows as JSON texts, and whether there is another page."""
    key = listing.sorts[at.column]
    directed = (key.desc(), col(Record.id).desc()) if at.order == "D" else (key.asc(), col(Record.id).asc())
    statement = (
        select(col(Record.row)).where(*where).order_by(*directed).limit(at.size + 1).offset((at.number - 1) * at.size)
    )
    found = list(desk.session.connection().execute(statement).scalars())
    return found[: at.size], len(found) > at.size


def shown(listing: Listing, desk: Desk, texts: list[str]) -> list[str]:
    """The rows without what is hidden from the caller."""
    hidden = desk.caller.hidden_fields(listing.module)
    return [exact.encode(shapes.without(exact.decode(text), hidden)) for text in texts] if hidden else texts


def context(listing: Listing, at: Page, more: bool) -> dict[str, Any]:
    return {
        "page": at.number,
        "per_page": at.size,
        "has_more_page": more,
        "report_name": listing.report_name,
        "applied_filter": at.filter_by,
        "sort_column": at.column,
        "sort_order": at.order,
    }


def answer(key: str, texts: Iterable[str] | None, page_context: Mapping[str, Any]) -> Response:
    """The envelope around rows that are JSON already; None leaves the rows out."""
    listed = "" if texts is None else f'"{key}":[{",".join(texts)}],'
    content = f'{{"code":0,"message":"success",{listed}"page_context":{exact.encode(page_context)}}}'
    return Response(content, media_type="application/json;charset=UTF-8")


def list_all(listing: Listing, desk: Desk, key: str) -> Response:
    desk.allow(listing.module, "view")
    at = page(listing, desk)
    texts, more = rows(listing, desk, at, conditions(listing, desk))
    return answer(key, shown(listing, desk, texts), context(listing, at, more))
