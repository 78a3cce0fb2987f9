"""Running reports on the copy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision
from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.errors import BadUserInput, GatewayError, UpstreamUnavailable
from services.policy import Viewer
from services.reports import access
from services.reports.periods import periods
from services.reports.statement import Asked, statement
from services.reports.values import Choice, Column, ColumnKind, Definition, Result, Shown, Withheld
from services.storage.engine import Database
from services.storage.models import now
from services.storage.records import Base, RecordPull

MODULE = "subscriptions"
SETTINGS = ("jit = off", "work_mem = '64MB'")
"""Compiling a statement takes longer than running it; 100,000 subscriptions are sorted in memory."""
_PERCENT_DIGITS = 2


@dataclass(frozen=True)
class Ground:
    """What the figures of an organization stand on: its currency, its calendar, and how old the copy is."""

    currency: str
    today: date
    as_of: datetime

    @property
    def digits(self) -> int:
        """Of the base currency, after the point."""
        return get_currency_precision(self.currency)


@dataclass(frozen=True)
class Order:
    """A report to be run: `as_of` only with what was at the end of that day, otherwise with all until now."""

    definition: Definition
    choice: Choice
    as_of: date | None = None


@dataclass(frozen=True)
class _Prepared:
    asked: Asked
    withheld: Sequence[Withheld]


async def run(database: Database, viewer: Viewer, orders: Sequence[Order]) -> list[Result | GatewayError]:
    """The results in the order asked for, all of the same moment; a refusal in the place of what is refused."""
    async with database.session() as session:
        ground = await _ground(session, viewer.organization_id)
        prepared = [_prepared(viewer, order, ground) for order in orders]
        possible = [one for one in prepared if isinstance(one, _Prepared)]
        rows = await _rows(session, viewer.organization_id, ground, [one.asked for one in possible])
    results = iter([_result(one, rows.get(place, {}), ground) for place, one in enumerate(possible)])
    return [next(results) if isinstance(one, _Prepared) else one for one in prepared]


async def _ground(session: AsyncSession, organization_id: str) -> Ground:
    known = select(Base, RecordPull.as_of).join(
        RecordPull, col(RecordPull.organization_id) == col(Base.organization_id)
    )
    found = (
        await session.exec(known.where(Base.organization_id == organization_id, RecordPull.module == MODULE))
    ).one_or_none()
    if found is None or found[1] is None:
        raise UpstreamUnavailable(
            "The subscriptions have not been read from Zoho Billing yet.",
            hint="They are read in the background; try again in some minutes.",
        )
    base, as_of = found
    return Ground(base.currency, now().astimezone(ZoneInfo(base.time_zone)).date(), as_of)


def _prepared(viewer: Viewer, order: Order, ground: Ground) -> _Prepared | GatewayError:
    try:
        access.require(viewer, order.definition, order.choice)
        columns, withheld = access.columns_for(viewer, order.definition, order.choice)
        today = _day(order, ground)
        cut = periods(order.choice, today, ahead=order.definition.ahead)
    except GatewayError as error:
        return error
    return _Prepared(Asked(order.definition, order.choice, cut, tuple(columns)), withheld)


def _day(order: Order, ground: Ground) -> date:
    """The day at whose end the figures are taken."""
    if order.as_of is None or order.as_of == ground.today:
        return ground.today
    if order.as_of > ground.today:
        raise BadUserInput(f"{order.as_of} is in the future.", field=("asOf",))
    if order.definition.ahead:
        raise BadUserInput("What is due was not kept; it is known as of today only.", field=("asOf",))
    return order.as_of


async def _rows(
    session: AsyncSession, organization_id: str, ground: Ground, asked: Sequence[Asked]
) -> Mapping[int, Mapping[int, Sequence[str | None]]]:
    """The texts by the report's place and the row's; 0 are the totals."""
    shown = [one for one in asked if one.columns]
    if not shown:
        return {}
    made = statement(asked, organization_id, ground.digits)
    connection = await session.connection()
    for setting in SETTINGS:
        await connection.execute(text(f"SET LOCAL {setting}"))
    found: dict[int, dict[int, Sequence[str | None]]] = {}
    for report, place, cells in await connection.execute(text(made.sql), dict(made.values)):
        found.setdefault(report, {})[place] = cells
    return found


def _result(one: _Prepared, rows: Mapping[int, Sequence[str | None]], ground: Ground) -> Result:
    columns, definition = one.asked.columns, one.asked.definition
    written = {place: _written(columns, cells, ground) for place, cells in rows.items()}
    totals = written.pop(0, None)
    return Result(
        columns=[_shown(column, ground) for column in columns],
        rows=[written[place] for place in sorted(written)],
        totals=totals if totals and any(total is not None for total in totals) else None,
        chart=definition.chart,
        as_of=ground.as_of,
        withheld=one.withheld,
    )


def _shown(column: Column, ground: Ground) -> Shown:
    return Shown(column.key, column.title, column.kind, ground.currency if column.kind is ColumnKind.MONEY else None)


def _written(columns: Iterable[Column], cells: Iterable[Any], ground: Ground) -> list[str | None]:
    digits = {ColumnKind.MONEY: ground.digits, ColumnKind.PERCENT: _PERCENT_DIGITS, ColumnKind.COUNT: 0}
    return [
        cell if cell is None or column.kind not in digits else _number(cell, digits[column.kind])
        for column, cell in zip(columns, cells, strict=True)
    ]


def _number(cell: str, digits: int) -> str:
    return format(Decimal(cell).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN), "f")
