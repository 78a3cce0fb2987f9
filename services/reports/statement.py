# ruff: noqa: S608 - the SQL is put together from this package's own texts; every value is bound
"""One statement for any number of reports: each fact is computed once, and all figures are of the same moment."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from services.reports.facts import FACTS, needed
from services.reports.periods import Periods
from services.reports.values import Choice, Column, ColumnKind, Definition, Filters, Group

_GROUPS: Mapping[Group | None, str] = {
    None: "''",
    Group.PLAN: "coalesce(plan_code, '')",
    Group.CURRENCY: "coalesce(currency, '')",
}
"""By what rows are grouped."""
_TOGETHER = "sum(step) OVER (PARTITION BY subscription_id, bucket)"
"""What all legs of a subscription do in a period."""
_TITLES = {Group.PLAN: "Plan", Group.CURRENCY: "Currency"}


class Asked(Struct, frozen=True):
    """A report to be run, and the columns that are wanted of it."""

    definition: Definition
    choice: Choice
    periods: Periods
    columns: tuple[Column, ...]


class Statement(Struct, frozen=True):
    """SQL whose rows are (report's place, row's place, texts); the row 0 of a report are its totals."""

    sql: str
    values: Mapping[str, Any]


Frame = tuple[Periods, Group | None, Filters]


def group_column(group: Group) -> Column:
    """The column that names the group of a row."""
    return Column(key="group", title=_TITLES[group], kind=ColumnKind.TEXT, sql="title")


def statement(asked: Sequence[Asked], organization_id: str, digits: int) -> Statement:
    """The statement of some reports; `digits` are those of the base currency after the point."""
    facts: dict[Frame, list[str]] = defaultdict(list)
    for one in asked:
        facts[_frame(one)] += one.definition.facts
    places = {frame: place for place, frame in enumerate(facts)}
    parts: list[str] = []
    values: dict[str, Any] = {"organization": organization_id, "digits": digits, "scale": 10**digits}
    for frame, names in facts.items():
        parts += _facts(places[frame], frame, names)
        values |= _values(places[frame], frame)
    for place, one in enumerate(asked):
        frame = _frame(one)
        parts.append(f"r{place} AS MATERIALIZED ({_rows(one, _words(places[frame], frame))})")
    answers = [answer for place, one in enumerate(asked) for answer in _answers(place, one)]
    sql = f"WITH {', '.join(parts)} {' UNION ALL '.join(answers)} ORDER BY report, place"
    return Statement(sql, {name: value for name, value in values.items() if f":{name}" in sql})


def _frame(one: Asked) -> Frame:
    return one.periods, one.choice.group, one.choice.filters


def _values(f: int, frame: Frame) -> dict[str, Any]:
    periods, _, filters = frame
    return {
        f"bounds_{f}": list(periods.bounds),
        f"labels_{f}": list(periods.labels),
        f"end_{f}": periods.end,
        f"start_{f}": periods.bounds[0],
        f"last_{f}": len(periods.labels),
        **{f"{name}_{f}": list(getattr(filters, name)) for name in filters.used},
    }


def _words(f: int, frame: Frame) -> dict[str, str]:
    """What stands in the facts' texts for the parts that depend on the frame."""
    _, group, filters = frame
    apart = group is Group.PLAN or bool(filters.plans)
    narrowed = {"currencies": "h.currency", "customers": "h.party_id"}
    words = {
        "f": str(f),
        "bounds": f"CAST(:bounds_{f} AS date[])",
        "labels": f"CAST(:labels_{f} AS text[])",
        "start": f"CAST(:start_{f} AS date)",
        "end": f"CAST(:end_{f} AS date)",
        "scale": "CAST(:scale AS numeric)",
        "last": f"CAST(:last_{f} AS int)",
        "group": _GROUPS[group],
        "same": "(plan_code IS NOT DISTINCT FROM before_plan_code)" if apart else "true",
        "leg": "coalesce(plan_code, '')" if apart else "''",
        "net": _TOGETHER if apart else "step",
        "plans": _among("plan_code", f"plans_{f}") if filters.plans else "true",
        "legs": _among("leg", f"plans_{f}") if filters.plans else "true",
        "narrow": "".join(
            f" AND {_among(column, f'{name}_{f}')}" for name, column in narrowed.items() if name in filters.used
        ),
    }
    return words | {f"groups_{fact}": _groups(group, fact, f) for fact in ("moves", "signups", "activations", "trials")}


def _groups(group: Group | None, fact: str, f: int) -> str:
    """All groups of a fact with their titles."""
    if group is None:
        return "SELECT '' AS grp, '' AS title"
    if group is Group.CURRENCY:
        return f"SELECT DISTINCT grp, grp AS title FROM {fact}_{f}"
    return f"SELECT DISTINCT grp, coalesce(title, grp) AS title FROM {fact}_{f} LEFT JOIN titles_{f} ON plan_code = grp"


def _among(column: str, name: str) -> str:
    return f"{column} = ANY(CAST(:{name} AS text[]))"


def _facts(f: int, frame: Frame, names: Sequence[str]) -> Iterator[str]:
    words = _words(f, frame)
    titles = ["titles"] if frame[1] is Group.PLAN else []
    for name in needed([*titles, *names]):
        fact = FACTS[name]
        kept = "NOT MATERIALIZED" if fact.inline else "MATERIALIZED"
        yield f"{name}_{f} AS {kept} ({fact.sql.format_map(words)})"


def _rows(one: Asked, words: Mapping[str, str]) -> str:
    """All columns, wanted or not, since totals may be made from others."""
    definition = one.definition
    columns = [f'{column.sql} AS "{column.key}"' for column in definition.columns]
    grouped = f"GROUP BY {definition.grouped}" if definition.grouped else ""
    inner = f"SELECT {', '.join([*columns, *definition.also])} FROM {definition.source} {grouped}".format_map(words)
    return f"SELECT row_number() OVER (ORDER BY {definition.order}) AS place, q.* FROM ({inner}) AS q"


def _answers(place: int, one: Asked) -> Iterator[str]:
    cells = ", ".join(f'CAST("{column.key if column.key != "group" else "title"}" AS text)' for column in one.columns)
    most = f" WHERE place <= {one.definition.most}" if one.definition.most else ""
    yield f"SELECT {place} AS report, place, ARRAY[{cells}] AS cells FROM r{place}{most}"
    totals = ", ".join(f"CAST({_total(column, one)} AS text)" for column in one.columns)
    yield f"SELECT {place}, 0, ARRAY[{totals}] FROM r{place}"


def _total(column: Column, one: Asked) -> str:
    if column.total is None or (column.apart and one.choice.group):
        return "NULL"
    return column.total.format(last=len(one.periods.labels))
