"""How long every report and both dashboards take: `python -m tests.bench.reports [--subscriptions 100000]`.

Makes subscriptions with 24 months of history in a database of its own, runs everything as a viewer would, nothing of it
cached, and leaves with 1 when a report takes a second or a dashboard two.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from time import perf_counter
from typing import Any

import msgspec
import psycopg
from rich.console import Console
from rich.table import Table as Grid

from services.errand import Errand
from services.policy import AccessKind, Action, ModuleGrant, Product, ProductAccess, Viewer
from services.reports.catalogue import SYSTEM
from services.reports.dashboards import DASHBOARDS
from services.reports.desk import Reports
from services.reports.personal import system_report
from services.reports.values import Choice, Group, Report
from services.storage.embedded import Embedded
from services.storage.engine import Database
from services.storage.models import Organization, Table, new_id, now
from services.storage.records import Base, Record, RecordPull, SubscriptionChange
from tests.ending import end_on_signals
from tests.services.reports.histories import by_chance, changes, record

DAYS = 730
ROUNDS = 3
REPORT_SECONDS, DASHBOARD_SECONDS = 1, 2
Work = Callable[[], Awaitable[Any]]


async def organization(database: Database) -> str:
    """An organization with nothing in its copy; its id."""
    await database.upgrade()
    company = Organization(name="Harbor Foods", data_center="eu", edition="enterprise", crm_org_id=new_id())
    async with database.session() as session:
        session.add(company)
    async with database.session() as session:
        session.add(Base(organization_id=company.id, currency="EUR", time_zone="Europe/Berlin"))
        session.add(RecordPull(organization_id=company.id, module="subscriptions", as_of=now()))
    return company.id


async def fill(database: Database, organization_id: str, count: int) -> int:
    """Write the copy; how many states it has."""
    today = now().date()
    lives = by_chance(1, count, today - timedelta(days=DAYS), today, customers=count * 4 // 5)
    async with await psycopg.AsyncConnection.connect(database.conninfo, autocommit=True) as connection:
        await _copy(connection, Record, (record(organization_id, life) for life in lives))
        states = (change for life in lives for change in changes(organization_id, life))
        written = await _copy(connection, SubscriptionChange, states)
        await connection.execute("VACUUM ANALYZE subscription_history, records")
    return written


async def _copy(connection: psycopg.AsyncConnection, table: type[Table], rows: Iterable[Table]) -> int:
    names = list(table.model_fields)
    count = 0
    async with connection.cursor() as cursor, cursor.copy(_into(table, names)) as copy:
        for row in rows:
            values = [getattr(row, name) for name in names]
            await copy.write_row([json.dumps(value) if isinstance(value, dict) else value for value in values])
            count += 1
    return count


def _into(table: type[Table], names: list[str]) -> psycopg.sql.Composed:
    columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, names))
    return psycopg.sql.SQL("COPY {} ({}) FROM STDIN").format(psycopg.sql.Identifier(str(table.__tablename__)), columns)


def errand(organization_id: str) -> Errand:
    """Of somebody who may see everything."""
    everything = {"subscriptions": ModuleGrant(frozenset(Action))}
    access = ProductAccess(Product.BILLING, AccessKind.PRODUCT_USER, everything)
    viewer = Viewer("m", organization_id, "Sales", "sales@demo.example", "Standard", everything, (access,))
    return Errand(viewer, "bench", float("inf"))


def by_plan(key: str) -> Report:
    """A report as somebody may have adjusted it."""
    definition = SYSTEM[key]
    return msgspec.structs.replace(system_report(definition), choice=Choice(group=Group.PLAN))


async def timed(work: Work) -> float:
    """The slowest of some rounds, in seconds."""
    took = []
    for _ in range(ROUNDS):
        begun = perf_counter()
        result = await work()
        took.append(perf_counter() - begun)
        for one in result if isinstance(result, list) else ():
            if isinstance(one, Exception):
                raise one
    return max(took)


async def measure(url: str, count: int) -> bool:
    """Print the table; whether all are fast enough."""
    database = Database(url)
    organization_id = await organization(database)
    states = await fill(database, organization_id, count)
    asked, reports = errand(organization_id), Reports(database)
    works: list[tuple[str, float, Work]] = [
        *((key, REPORT_SECONDS, partial(reports.run, asked, system_report(one))) for key, one in SYSTEM.items()),
        ("mrr-movement by plan", REPORT_SECONDS, partial(reports.run, asked, by_plan("mrr-movement"))),
        ("arpu by plan", REPORT_SECONDS, partial(reports.run, asked, by_plan("arpu"))),
        *((one.name, DASHBOARD_SECONDS, partial(reports.show, asked, one)) for one in DASHBOARDS.values()),
    ]
    title = f"{count:,} subscriptions, {states:,} states in 24 months; slowest of {ROUNDS}"
    grid = Grid("what", "seconds", "limit", title=title)
    slow = 0
    for name, limit, work in works:
        took = await timed(work)
        slow += took >= limit
        grid.add_row(name, f"{took:.3f}", str(limit))
    Console(width=80).print(grid)
    await database.close()
    return not slow


def main() -> None:
    """Run it."""
    end_on_signals()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscriptions", type=int, default=100_000)
    count = parser.parse_args().subscriptions
    with Embedded(Path(gettempdir()) / "reports-bench" / "postgres", durable=False).running() as server:
        fast = asyncio.run(measure(server.ensure_database("bench"), count))
    sys.exit(not fast)


if __name__ == "__main__":
    main()
