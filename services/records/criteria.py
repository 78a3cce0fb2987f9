# ruff: noqa: S608 - the SQL is put together from our own texts; every value is bound
"""The parameters of a product's list as SQL on the copy: what means the same there, and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from services.documents import Module
from services.kinds import KINDS, Kind, Order

Compare = Callable[[str, str], str]
"""(column, placeholder) → condition."""


@dataclass(frozen=True, slots=True)
class Column:
    """An expression on `records`, and how each suffix of its parameter compares it with a value (facts §1.4)."""

    sql: str
    ways: Mapping[str, Compare]


@dataclass(frozen=True, slots=True)
class Criteria:
    """A condition and the values it is given; `turning` when it asks for a status that the calendar may change."""

    sql: str = ""
    values: tuple[tuple[str, str], ...] = ()
    turning: bool = False


_TEXTS: Mapping[str, Compare] = {
    "": lambda at, value: f"{at} = {value}",
    "_startswith": lambda at, value: f"starts_with({at}, {value})",
    "_contains": lambda at, value: f"strpos({at}, {value}) > 0",
}
_COMPARED: Mapping[str, str] = {
    "": "=",
    "_less_than": "<",
    "_less_equals": "<=",
    "_greater_than": ">",
    "_greater_equals": ">=",
    "_start": ">=",
    "_end": "<=",
    "_before": "<",
    "_after": ">",
}


def _text(column: str) -> Column:
    """The products compare without case; of which letters beyond ASCII is not known, so those are left to them."""
    return Column(f'lower(({column}) COLLATE "C")', _TEXTS)


def _compared(column: str, cast: str) -> Column:
    return Column(column, {suffix: _comparison(sign, cast) for suffix, sign in _COMPARED.items()})


def _comparison(sign: str, cast: str) -> Compare:
    return lambda at, value: f"{at} {sign} CAST({value} AS {cast})"


_PARTY = Column("party_id", {"": _comparison("=", "text")})
_NAME = _text("party_name")
_BOOKS: Mapping[str, Column] = {
    "number": _text("number"),
    "reference_number": _text("body ->> 'reference_number'"),
    "customer_id": _PARTY,
    "vendor_id": _PARTY,
    "customer_name": _NAME,
    "vendor_name": _NAME,
    "total": _compared("amount", "numeric"),
    "balance": _compared("balance", "numeric"),
    "date": _compared("day", "date"),
    "due_date": _compared("due_on", "date"),
    "shipment_date": _compared("due_on", "date"),
    "expiry_date": _compared("ends_on", "date"),
    "last_modified_since": Column("modified_time", {"": _comparison(">=", "timestamptz")}),
}
_BILLING: Mapping[str, Column] = {"customer_id": _PARTY, "reference_number": _text("body ->> 'reference_id'")}
"""Filters by their names in `Kind.filters`; the others ask for what list rows do not tell, or in ways of their own."""

TURNING: Mapping[Module, tuple[str, frozenset[str]]] = {
    Module.INVOICES: ("due_on", frozenset({"sent", "viewed", "unpaid", "partially_paid"})),
    Module.SALES_ORDERS: ("due_on", frozenset({"open"})),
    Module.ESTIMATES: ("ends_on", frozenset({"sent"})),
}
"""Statuses that a product ends by itself when the day in a column is over, without changing the record."""
_TURNED = frozenset({"overdue", "expired"})
_ODD = {(Module.INVOICES, "unpaid")}
"""Statuses that the product's list takes in a wider sense than the records' own."""

ORDERS: Mapping[Order, str] = {
    Order.CREATED_AT: "created_at",
    Order.LAST_MODIFIED_AT: "modified_time",
    Order.DATE: "day",
    Order.NUMBER: 'number_key COLLATE "C"',
    Order.TOTAL: "amount",
    Order.PARTY_NAME: 'party_key COLLATE "C"',
    Order.DUE_DATE: "due_on",
    Order.BALANCE: "balance",
    Order.SHIPMENT_DATE: "due_on",
    Order.DELIVERY_DATE: "due_on",
}
"""The column that lists are sorted by, as `listing.Ranking` compares."""


def criteria(kind: Kind, params: Mapping[str, str]) -> Criteria | None:
    """The condition that the list's parameters mean; None where the copy cannot tell exactly."""
    known, parts, values, turning = _parameters(kind.module), [], [], False
    for place, (name, value) in enumerate(params.items()):
        status = _status(kind, name, value)
        turning = turning or status in _TURNED | TURNING.get(kind.module, ("", frozenset()))[1]
        part = "status = {}" if status else known.get(name, "")
        if not part or not value.isascii():
            return None
        key = f"{kind.singular}_{place}"
        parts.append(part.format(f"%({key})s"))
        values.append((key, status or (value.lower() if "lower(" in part else value)))
    return Criteria(" AND ".join(parts), tuple(values), turning)


@cache
def _parameters(module: Module) -> Mapping[str, str]:
    """Parameter → condition, with a place for the value."""
    kind = KINDS[module]
    columns = _BOOKS if kind.sort else _BILLING
    return {
        kind.filters[name].key + suffix: way(column.sql, "{}")
        for name, column in columns.items()
        if name in kind.filters
        for suffix, way in column.ways.items()
    }


def _status(kind: Kind, name: str, value: str) -> str | None:
    """The status that a parameter narrows to, when it means just that one."""
    found = next((status for status, asked in kind.by_status.items() if asked == (name, value)), None)
    return None if (kind.module, found) in _ODD else found


def late(kind: Kind) -> str:
    """Whether a row may have turned since it was read: its day is over in the organization's time zone."""
    if kind.module not in TURNING:
        return "FALSE"
    column, statuses = TURNING[kind.module]
    named = ", ".join(f"'{status}'" for status in sorted(statuses))
    return (
        f"(status IN ({named}) AND {column} < (SELECT (now() AT TIME ZONE time_zone)::date FROM zone)"
        f" AND read_at < ({column} + 1) AT TIME ZONE (SELECT time_zone FROM zone) + interval '1 hour')"
    )
