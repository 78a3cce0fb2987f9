"""`records`: the copy of the products' records, looked at and read anew."""
# ruff: noqa: PLC0415

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.console import Organization, fail, read_settings

if TYPE_CHECKING:
    from services.records.copy import Copy
    from services.storage.records import RecordPull

records = typer.Typer(help="The gateway's own copy of the products' records.", no_args_is_help=True)


@records.command()
def rebuild(
    organization: Organization = None,
    history: Annotated[bool, typer.Option("--history", help="Begin the history of subscriptions anew, too.")] = False,
) -> None:
    """Forget the copy and read it from nothing, inside its share of the budget."""
    from gateway.wiring.recording import rebuild as work

    _keep_records(organization, lambda copy, one: work(copy, one, history=history))


@records.command()
def check(organization: Organization = None) -> None:
    """Compare the copy with the products, mend it, and say what had drifted."""
    from gateway.wiring.recording import check as work

    _keep_records(organization, work)


@records.command()
def status(organization: Organization = None) -> None:
    """Say how far each module has been read."""
    _keep_records(organization, lambda copy, one: copy.states(one))


def _keep_records(organization: str | None, work: Callable[["Copy", str], Awaitable[list["RecordPull"]]]) -> None:
    from gateway.serving import on_records
    from gateway.wiring.recording import lines
    from services.errors import GatewayError

    try:
        for name, states in on_records(read_settings(quiet=True), organization, work):
            typer.echo("\n".join([name, *(f"  {line}" for line in lines(states))]))
    except GatewayError as error:
        fail(" ".join(filter(None, (error.message, error.hint))))
