"""What a report is, as data: its columns, how it may be adjusted, and what comes out."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct

FOLDER = "Zoho Subscription Reports"
PRIVATE = "Private Reports"
SHARED = "Shared Reports"


class ColumnKind(StrEnum):
    """What a column's texts are."""

    TEXT = "TEXT"
    DATE = "DATE"
    PERIOD = "PERIOD"
    COUNT = "COUNT"
    MONEY = "MONEY"
    PERCENT = "PERCENT"


class ChartKind(StrEnum):
    """How the rows are best shown."""

    TABLE = "TABLE"
    NUMBER = "NUMBER"
    LINE = "LINE"
    BAR = "BAR"
    STACKED_BAR = "STACKED_BAR"
    PIE = "PIE"
    FUNNEL = "FUNNEL"
    HEATMAP = "HEATMAP"


class Grain(StrEnum):
    """How long one period of a report is; weeks begin on Monday."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"


class Group(StrEnum):
    """By what the rows of a period are split."""

    PLAN = "PLAN"
    CURRENCY = "CURRENCY"


class Span(StrEnum):
    """Which days, counted from the day that the figures are of; months, quarters and years are the calendar's."""

    THIS_MONTH = "THIS_MONTH"
    THIS_QUARTER = "THIS_QUARTER"
    THIS_YEAR = "THIS_YEAR"
    PREVIOUS_MONTH = "PREVIOUS_MONTH"
    PREVIOUS_QUARTER = "PREVIOUS_QUARTER"
    PREVIOUS_YEAR = "PREVIOUS_YEAR"
    LAST_THREE_MONTHS = "LAST_THREE_MONTHS"
    LAST_TWELVE_MONTHS = "LAST_TWELVE_MONTHS"
    LAST_TWENTY_FOUR_MONTHS = "LAST_TWENTY_FOUR_MONTHS"
    NEXT_THIRTY_DAYS = "NEXT_THIRTY_DAYS"
    NEXT_TWELVE_WEEKS = "NEXT_TWELVE_WEEKS"
    CUSTOM = "CUSTOM"


AHEAD = frozenset({Span.NEXT_THIRTY_DAYS, Span.NEXT_TWELVE_WEEKS})

AMOUNT = frozenset({"amount", "mrr", "total"})
"""The fields of a subscription that tell what it is worth: who may not see one of them sees no money at all."""
STATUS = frozenset({"status"})
PLAN = frozenset({"plan"})
NEEDS_OF_GROUP: Mapping[Group, frozenset[str]] = {Group.PLAN: PLAN, Group.CURRENCY: AMOUNT}
NEEDS_OF_FILTER: Mapping[str, frozenset[str]] = {
    "plans": PLAN,
    "currencies": AMOUNT,
    "customers": frozenset({"customer"}),
}


class Column(Struct, frozen=True, kw_only=True):
    """A column: `sql` over the report's source, `total` over its rows (and their period `n`); None: no total.

    `needs`: fields of a subscription whom it would tell about. `apart`: its total does not add up over groups.
    """

    key: str
    title: str
    kind: ColumnKind
    sql: str
    total: str | None = None
    needs: frozenset[str] = frozenset()
    apart: bool = False


class Filters(Struct, frozen=True, omit_defaults=True):
    """Which subscriptions count: by plan codes, currencies, and the product's ids of customers; empty: all."""

    plans: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()

    @property
    def used(self) -> list[str]:
        """The names of those that narrow."""
        return [name for name in self.__struct_fields__ if getattr(self, name)]


class Choice(Struct, frozen=True, omit_defaults=True):
    """How a report is adjusted. Without columns: all. `since` and `until` (both included) only with CUSTOM."""

    span: Span = Span.LAST_TWELVE_MONTHS
    grain: Grain = Grain.MONTH
    group: Group | None = None
    columns: tuple[str, ...] = ()
    filters: Filters = Filters()
    since: date | None = None
    until: date | None = None


class Definition(Struct, frozen=True, kw_only=True):
    """A system report. `source`: what follows FROM, over the facts; `grouped`: GROUP BY; `order`: of the rows.

    `also`: what order and totals need beside the columns. `facts`: what the source is made from. `needs`: fields of a
    subscription without which there is no row to show. `filters`: those that it can apply. `most`: rows shown, the
    totals are of all.
    """

    key: str
    name: str
    description: str
    columns: tuple[Column, ...]
    source: str
    order: str
    facts: tuple[str, ...]
    grouped: str = ""
    also: tuple[str, ...] = ()
    chart: ChartKind = ChartKind.TABLE
    groups: tuple[Group, ...] = ()
    grains: tuple[Grain, ...] = (Grain.MONTH, Grain.QUARTER, Grain.YEAR)
    needs: frozenset[str] = STATUS
    choice: Choice = Choice()
    filters: tuple[str, ...] = ("plans", "currencies", "customers")
    most: int | None = None

    @property
    def ahead(self) -> bool:
        """Whether it looks at days to come."""
        return self.choice.span in AHEAD


class Report(Struct, frozen=True, kw_only=True):
    """A report that can be run: a system one (then without owner), or one that somebody has made from it."""

    id: str
    name: str
    definition: Definition
    choice: Choice
    owner_id: str | None = None
    shared: bool = True
    description: str = ""

    @property
    def system(self) -> bool:
        """Whether it is predefined."""
        return self.owner_id is None

    @property
    def folder(self) -> str:
        """Where it lies."""
        return FOLDER if self.system else SHARED if self.shared else PRIVATE


class Shown(Struct, frozen=True):
    """A column of a result; `currency` of money."""

    key: str
    title: str
    kind: ColumnKind
    currency: str | None = None


class Withheld(Struct, frozen=True):
    """A column that is left out, and the permission that the viewer lacks for it."""

    title: str
    permission: str
    granted_by: str | None


class Result(Struct, frozen=True):
    """Rows as texts: plain decimal numbers, ISO days; None where there is no value. `as_of`: of the copy."""

    columns: Sequence[Shown]
    rows: Sequence[Sequence[str | None]]
    totals: Sequence[str | None] | None
    chart: ChartKind
    as_of: datetime
    withheld: Sequence[Withheld] = ()


class Component(Struct, frozen=True, kw_only=True):
    """A part of a dashboard: a report, those of its columns that are shown, and the chart that shows them."""

    title: str
    chart: ChartKind
    report: str
    columns: tuple[str, ...] = ()


class Dashboard(Struct, frozen=True, kw_only=True):
    """Components in their order."""

    key: str
    name: str
    description: str
    components: tuple[Component, ...]
