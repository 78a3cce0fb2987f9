"""What entering and leaving the budget costs: `python -m tests.bench.budget [--calls 20000]`.

Microseconds a call, in this process alone and shared by several on an embedded PostgreSQL, beside what one settlement
with the database takes (about one a second and organization, whatever is called).
"""

import argparse
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter

from rich.console import Console
from rich.table import Table

from services.policy import Product
from services.storage.embedded import Embedded
from services.storage.engine import Database
from services.upstream.budget import Allowance, Budget, Key
from services.upstream.leases import SharedBudget
from services.upstream.ledger import Ledger
from services.upstream.shares import Report
from tests.ending import end_on_signals

KEY: Key = (Product.BOOKS, "measured")
FREE = {product: Allowance(None, 10) for product in Product}
MINUTE = {product: Allowance(100, 10) for product in Product}
PER_MINUTE = 100


async def measured(budget: Budget, key: Key, calls: int) -> list[float]:
    """Microseconds of each enter and leave, after a first call."""
    spent = []
    for _ in range(calls + 1):
        await asyncio.sleep(0)
        started = perf_counter()
        await budget.enter(key, "person", monotonic() + 20)
        budget.leave(key)
        spent.append((perf_counter() - started) * 1e6)
    return spent[1:]


async def settled(ledger: Ledger, times: int) -> list[float]:
    """Microseconds of each settlement."""
    spent = []
    for _ in range(times):
        report = Report("bench", False, 0, 0, 0, 0, 0, [1.0] * 50, 0.0, None)
        started = perf_counter()
        await ledger.settle((Product.BILLING, "measured"), report)
        spent.append((perf_counter() - started) * 1e6)
    return spent


async def compare(url: str, calls: int) -> Table:
    """One row a way."""
    database = Database(url, pool_size=2)
    await database.upgrade()
    table = Table("", "calls", "mean µs", "median µs", "99 % µs", "worst µs")
    for title, limits, count in (("no minute", FREE, calls), ("100 a minute", MINUTE, PER_MINUTE - 12)):
        shared = SharedBudget(Ledger(database, limits), limits)
        for name, budget in (("alone", Budget(limits)), ("shared", shared)):
            key = (Product.BOOKS, f"{name} {title}")
            _row(table, f"{name}, {title}", await measured(budget, key, count))
        await shared.aclose()
    _row(table, "one settlement", await settled(Ledger(database, MINUTE), 300))
    await database.close()
    return table


def _row(table: Table, title: str, spent: list[float]) -> None:
    ranked, count = sorted(spent), len(spent)
    figures = (sum(ranked) / count, ranked[count // 2], ranked[count * 99 // 100], ranked[-1])
    table.add_row(title, str(count), *(f"{figure:.1f}" for figure in figures))


def main() -> None:
    """Measure on a server that lives as long."""
    end_on_signals()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    given = parser.parse_args()
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        embedded = Embedded(Path(directory) / "postgres", durable=False)
        embedded.start()
        try:
            Console().print(asyncio.run(compare(embedded.url(), given.calls)))
        finally:
            embedded.stop()


if __name__ == "__main__":
    main()
