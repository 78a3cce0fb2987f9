"""`python -m tests.clients`: client libraries, unchanged, against the gateway, scenario by scenario."""

import argparse
import asyncio
import sys
import traceback
from collections.abc import AsyncIterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.observing import logs
from gateway.settings import Logs
from tests.clients import programs, transports
from tests.clients.door import Door, demonstrated, opened
from tests.clients.programs import Absent, Outcome
from tests.ending import end_on_signals


def main() -> int:
    """Print the table; 0 when everything went well."""
    end_on_signals()
    logs.configure(Logs(level="error"))
    chosen = _chosen()
    try:
        outcomes = asyncio.run(_gone_through(chosen))
    except Absent as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is what it is for
        return 1
    _show(chosen, outcomes)
    return int(any(one.problem for one in outcomes) or {one.client for one in outcomes} != set(chosen))


def _chosen() -> list[str]:
    every = [*programs.CLIENTS, *transports.TRANSPORTS]
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    parser.add_argument("--only", action="append", choices=every, help="this client; may be given several times")
    return parser.parse_args().only or every


async def _gone_through(chosen: Sequence[str]) -> list[Outcome]:
    if programs.CLIENTS.keys() & set(chosen):
        programs.check_installed()
        await programs.compiled()
    async with demonstrated() as gateway, opened(gateway) as door:
        return [outcome for client in chosen async for outcome in _played(client, door)]


async def _played(client: str, door: Door) -> AsyncIterator[Outcome]:
    if client in programs.CLIENTS:
        async for outcome in programs.played(client, door):
            yield outcome
        return
    for scenario in transports.of(transports.TRANSPORTS[client]):
        yield Outcome(client, scenario, await _problem(client, scenario, door))


async def _problem(client: str, scenario: str, door: Door) -> str | None:
    try:
        await transports.SCENARIOS[scenario](transports.TRANSPORTS[client], door)
    except Exception:  # noqa: BLE001 - whatever it is, the table tells it
        return traceback.format_exc()
    return None


def _show(chosen: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    table = Table("scenario", *chosen)
    found = {(one.client, one.scenario): one for one in outcomes}
    for scenario in (*programs.SCENARIOS, "all"):
        cells = [_cell(found.get((client, scenario))) for client in chosen]
        if any(cells):
            table.add_row(scenario, *cells)
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table)
    for one in outcomes:
        if one.problem:
            console.print(f"\n[bold]{escape(f'{one.client}: {one.scenario}')}[/]\n{escape(one.problem)}")


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return "[red]no[/]" if outcome.problem else "[green]yes[/]"


if __name__ == "__main__":
    sys.exit(main())
