"""`audit`: the trail proved, exported and pruned."""
# ruff: noqa: PLC0415

import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from gateway.commands.console import Organization, fail, on_database
from gateway.settings import Settings

audit = typer.Typer(help="The audit trail: proved, exported, pruned.", no_args_is_help=True)
Answer = TypeVar("Answer")


@audit.command()
def verify(
    organization: Organization = None,
    head: Annotated[
        str | None, typer.Option(help="What was the head earlier, as printed or its hash: that nothing was cut off.")
    ] = None,
) -> None:
    """Prove that every event is as it was recorded, or name the first one that is not; exit code 1 then."""
    from gateway.commands import auditing

    verdict = _audited(lambda settings: auditing.verify(settings, organization, head))
    typer.echo("\n".join(verdict.lines))
    sys.exit(not verdict.holds)


@audit.command()
def export(
    file: Annotated[Path, typer.Argument(help="A new file.")],
    organization: Organization = None,
    since: Annotated[datetime | None, typer.Option(help="From this moment on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before this moment.")] = None,
    form: Annotated[
        Literal["jsonl", "csv"], typer.Option("--format", help="JSON lines, or for spreadsheets.")
    ] = "jsonl",
) -> None:
    """Write the trail into a new file that anybody can verify with SHA-256 alone (docs/audit.md)."""
    from gateway.commands import auditing

    done = _audited(lambda settings: auditing.export(settings, file, organization, (since, until), form))
    typer.echo(f"{done.links} facts in {file}, SHA-256 {done.digest}")


@audit.command()
def prune(
    before: Annotated[datetime, typer.Option(help="What was recorded before this day (UTC) goes.")],
    file: Annotated[Path, typer.Option("--export", help="A new file for what goes.")],
    organization: Organization = None,
) -> None:
    """Export what is older than it has to be kept, then remove it; the rest still verifies."""
    from gateway.commands import auditing

    done, gone = _audited(lambda settings: auditing.prune(settings, file, organization, before))
    typer.echo(f"{done.links} facts in {file}, SHA-256 {done.digest}")
    for one in gone:
        typer.echo(f"{one.organization_id}: removed up to {one.last}")


def _audited(work: Callable[[Settings], Coroutine[None, None, Answer]]) -> Answer:
    try:
        return on_database(work)
    except FileExistsError as error:
        fail(f"{error.filename} is there already: nothing is written over.")
