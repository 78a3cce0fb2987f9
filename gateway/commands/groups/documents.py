"""`documents`: the operations of clients, taken in so that they can be sent by their ids."""
# ruff: noqa: PLC0415

from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.console import fail, on_database

documents = typer.Typer(help="Trusted documents, which clients send by their ids.", no_args_is_help=True)


@documents.command()
def add(
    files: Annotated[list[Path], typer.Argument(help="GraphQL documents, or manifests of a client's tools (.json).")],
) -> None:
    """Take in a client's operations; prints their ids."""
    from gateway.trusted import taking
    from gateway.trusted.manifest import Untakable

    try:
        taken, new = on_database(lambda settings: taking.add(settings, files))
    except Untakable as error:
        fail(str(error))
    typer.echo("\n".join(taken))
    typer.echo(f"{new} of {len(taken)} are new", err=True)


@documents.command(name="list")
def list_() -> None:
    """Print the ids, the days on which they came, and how the documents begin."""
    from gateway.trusted import taking

    typer.echo("\n".join(on_database(taking.listed)))


@documents.command()
def remove(ids: Annotated[list[str], typer.Argument(help="Ids of documents that are not trusted any more.")]) -> None:
    """Trust documents no longer; other processes know within a minute."""
    from gateway.trusted import taking

    typer.echo(f"{on_database(lambda settings: taking.remove(settings, ids))} removed")
