"""The columns that several reports have, and where their rows come from."""

from services.reports.values import AMOUNT, Column, ColumnKind

PERIOD = Column(key="period", title="Period", kind=ColumnKind.PERIOD, sql="({labels})[n]")

SERIES = "series_{f} WHERE n >= 1"
"""A row a period and group, of what recurs."""
PAYING = "series_{f} JOIN payers_{f} USING (n, grp) WHERE n >= 1"
"""The same with customers."""
BY_PERIOD = "n, title"
ALSO = ("n", "title")


def counted(fact: str) -> str:
    """A row a period and group, also where the fact has none; the fact's columns are `x`."""
    return (
        f"generate_series(1, {{last}}) AS n CROSS JOIN ({{groups_{fact}}}) AS g "
        f"LEFT JOIN {fact}_{{f}} AS x ON x.bucket = n AND x.grp = g.grp"
    )


COUNTED = "n, g.grp, g.title"
ALSO_COUNTED = ("n", "g.title")


def money(key: str, title: str, sql: str, total: str | None = None, *, apart: bool = False) -> Column:
    """An amount in the organization's base currency."""
    return Column(key=key, title=title, kind=ColumnKind.MONEY, sql=sql, total=total, needs=AMOUNT, apart=apart)


def count(
    key: str,
    title: str,
    sql: str,
    total: str | None = None,
    *,
    needs: frozenset[str] = frozenset(),
    apart: bool = False,
) -> Column:
    """A number of things."""
    return Column(key=key, title=title, kind=ColumnKind.COUNT, sql=sql, total=total, needs=needs, apart=apart)


def percent(
    key: str,
    title: str,
    part: str,
    whole: str,
    *,
    of_money: bool = False,
    total: str | None = None,
    apart: bool = False,
) -> Column:
    """A part of a whole, both in columns of the source; the total is that of their sums unless `total` says more."""
    return Column(
        key=key,
        title=title,
        kind=ColumnKind.PERCENT,
        sql=ratio(part, whole),
        total=total,
        needs=AMOUNT if of_money else frozenset(),
        apart=apart,
    )


def ratio(part: str, whole: str) -> str:
    """A hundred times part by whole; no value where there is no whole."""
    return f"100.0 * ({part}) / nullif({whole}, 0)"


def text(key: str, title: str, sql: str, *, needs: frozenset[str] = frozenset()) -> Column:
    """Words."""
    return Column(key=key, title=title, kind=ColumnKind.TEXT, sql=sql, needs=needs)


FIRST = "sum({0}) FILTER (WHERE n = 1)"
LAST = "sum({0}) FILTER (WHERE n = {{last}})"


def first(column: str) -> str:
    """A total: what the column is in the first period, all groups together."""
    return FIRST.format(column)


def last(column: str) -> str:
    """A total: what the column is in the last period, all groups together."""
    return LAST.format(column)
