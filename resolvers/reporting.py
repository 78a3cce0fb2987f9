"""Reports and dashboards."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from resolvers.context import Context
from resolvers.integration import given, payload
from resolvers.mutations import Payload
from services.errors import GatewayError, NotFound
from services.reports.access import columns_of
from services.reports.catalogue import SYSTEM
from services.reports.dashboards import DASHBOARDS
from services.reports.personal import Draft
from services.reports.values import Choice, Column, ColumnKind, Component, Dashboard, Filters, Report, Result, Shown


async def reports(_root: Any, context: Context, folder: str | None = None) -> list[Report]:
    """The reports that the viewer can open."""
    return await context.services.reports.many(context.errand, folder)


async def report(_root: Any, context: Context, id: str) -> Report | None:  # noqa: A002
    """A report by global id; None when there is none."""
    try:
        return await fetch(context, context.record_id("report", id))
    except NotFound:
        return None


async def fetch(context: Context, report_id: str) -> Report:
    """A report; raises `NotFound`."""
    return await context.services.reports.one(context.errand, report_id)


async def run(
    report: Report, context: Context, as_of: dt.date | None = None, to: dt.date | None = None, **more: dt.date | None
) -> Result:
    """What a report says; `from` is a word of Python's own."""
    return await context.services.reports.run(context.errand, report, as_of, more.get("from"), to)


def report_id(report: Report, context: Context) -> str:
    """Its global id."""
    return context.global_id("report", report.id)


def based_on(report: Report, context: Context) -> str | None:
    """The system report it was made from."""
    return None if report.system else context.global_id("report", report.definition.key)


def columns(report: Report, _context: Context) -> list[Shown]:
    """The columns to choose from; the currency is said with figures only."""
    return [_told(column) for column in report.definition.columns]


def chosen(report: Report, _context: Context) -> list[str]:
    """The keys of its own columns, in their order."""
    return [column.key for column in columns_of(report.definition, report.choice) if column.key != "group"]


def _told(column: Column) -> Shown:
    return Shown(column.key, column.title, ColumnKind(column.kind))


def mine(report: Report, context: Context) -> bool:
    """Whether the viewer may change it."""
    return report.owner_id == context.viewer.id


def customers(filters: Filters, context: Context) -> list[str]:
    """The customers by global id."""
    return [context.global_id("customer", customer) for customer in filters.customers]


@dataclass
class Board:
    """A dashboard, whose components are run together when the first result is asked for."""

    dashboard: Dashboard
    _results: list[Result | GatewayError] | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def result(self, context: Context, place: int) -> Result:
        """A component's result; raises what refused it."""
        async with self._lock:
            if self._results is None:
                self._results = await context.services.reports.show(context.errand, self.dashboard)
        found = self._results[place]
        if isinstance(found, GatewayError):
            raise found
        return found


@dataclass(frozen=True)
class Part:
    """A component in its dashboard."""

    board: Board
    place: int

    @property
    def component(self) -> Component:
        """What it shows."""
        return self.board.dashboard.components[self.place]


async def dashboards(_root: Any, _context: Context) -> list[Board]:
    """All dashboards."""
    return [Board(dashboard) for dashboard in DASHBOARDS.values()]


async def dashboard(_root: Any, context: Context, id: str) -> Board | None:  # noqa: A002
    """A dashboard by global id; None when there is none."""
    found = DASHBOARDS.get(context.record_id("dashboard", id))
    return Board(found) if found else None


async def board(_context: Context, key: str) -> Board:
    """A dashboard by its key; raises `NotFound`."""
    if key not in DASHBOARDS:
        raise NotFound("There is no such dashboard.")
    return Board(DASHBOARDS[key])


def dashboard_id(board: Board, context: Context) -> str:
    """Its global id."""
    return context.global_id("dashboard", board.dashboard.key)


def parts(board: Board, _context: Context) -> list[Part]:
    """The components in their order."""
    return [Part(board, place) for place, _ in enumerate(board.dashboard.components)]


async def part_report(part: Part, context: Context) -> Report:
    """The report behind a component."""
    return await fetch(context, part.component.report)


async def part_result(part: Part, context: Context) -> Result:
    """What it shows."""
    return await part.board.result(context, part.place)


async def create(_root: Any, context: Context, input: Any) -> Payload:  # noqa: A002
    """Keep a report of one's own."""
    return await _written(context, context.services.reports.create(context.errand, _draft(context, input)))


async def update(_root: Any, context: Context, id: str, input: Any) -> Payload:  # noqa: A002
    """Replace a report of one's own."""
    draft, own = _draft(context, input), context.record_id("report", id)
    return await _written(context, context.services.reports.update(context.errand, own, draft))


async def delete(_root: Any, context: Context, id: str) -> Payload:  # noqa: A002
    """Delete a report of one's own; the value is its global id."""
    done = await _written(context, context.services.reports.delete(context.errand, context.record_id("report", id)))
    return Payload(id, done.outcome, done.user_errors, done.audit_event_id)


async def _written(context: Context, write: Any) -> Payload:
    """The write's payload; an error names its audit event by global id."""
    try:
        return payload(await write)
    except GatewayError as error:
        if event := error.details.get("auditEventId"):
            error.details["auditEventId"] = context.global_id("audit", event)
        raise


def _draft(context: Context, input: Any) -> Draft:  # noqa: A002
    key = context.record_id("report", input.based_on, "input", "basedOn")
    usual = SYSTEM[key].choice if key in SYSTEM else Choice()
    choice = Choice(
        span=given(input.period) or usual.span,
        grain=given(input.interval) or usual.grain,
        group=given(input.group_by),
        columns=tuple(given(input.columns) or ()),
        filters=_filters(context, given(input.filters)),
        since=given(input.from_),
        until=given(input.to),
    )
    return Draft(name=input.name.strip(), system_key=key, choice=choice, shared=bool(given(input.shared)))


def _filters(context: Context, filters: Any) -> Filters:
    if filters is None:
        return Filters()
    customers: Sequence[str] = given(filters.customers) or ()
    return Filters(
        plans=tuple(given(filters.plans) or ()),
        currencies=tuple(given(filters.currencies) or ()),
        customers=tuple(
            context.record_id("customer", customer, "input", "filters", "customers", str(place))
            for place, customer in enumerate(customers)
        ),
    )
