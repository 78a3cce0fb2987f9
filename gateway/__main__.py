"""The command line. Each command brings its own imports, so that `token` does not wait for what only `serve` needs."""
# ruff: noqa: PLC0415

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway import VERSION
from gateway.commands.console import CannotStart, Check, fail, print_or_compare, read_settings
from gateway.commands.groups.audit import audit
from gateway.commands.groups.connect import connect
from gateway.commands.groups.documents import documents
from gateway.commands.groups.records import records
from gateway.commands.groups.schema import published

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for group, name in (
    (connect, "connect"),
    (records, "records"),
    (published, "schema"),
    (audit, "audit"),
    (documents, "documents"),
):
    cli.add_typer(group, name=name)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Say which this is.")]


@cli.callback()
def gateway(version: Version = False) -> None:
    """The finance gateway."""


@cli.command()
def serve() -> None:
    """Serve GraphQL; with the sandbox as Zoho unless GATEWAY_ZOHO__CLIENT_ID is set."""
    from gateway.serving import serve as run

    run(read_settings())


@cli.command()
def worker() -> None:
    """Work on jobs; start as many as needed on the same database."""
    from gateway.serving import work

    work(read_settings())


@cli.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 9000,
    host: str = "127.0.0.1",
    scale: Annotated[int, typer.Option(min=1, max=100, help="How many times the records.")] = 1,
) -> None:
    """Run Zoho's stand-in alone."""
    from services.sandbox import run

    settings = read_settings()
    (settings.data / "alone").mkdir(parents=True, exist_ok=True)
    run(host, port, settings.data / "alone" / "sandbox.db", scale)


@cli.command()
def token(
    person: Annotated[str, typer.Option("--as", help="A demo person, such as staff, or an address.")] = "owner",
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 365)] = 12,
) -> None:
    """Print an ID token of a demo person, and nothing else."""
    from gateway.demo.sandbox import UnknownPerson, id_token

    settings = read_settings(quiet=True)
    if not settings.demo:
        fail("These settings use real Zoho organizations: tokens come from the sign-in provider, not from here.")
    try:
        typer.echo(id_token(settings, person, lifetime=round(hours * 3600)))
    except UnknownPerson as error:
        fail(str(error))


@cli.command()
def upgrade(
    grant_to: Annotated[str | None, typer.Option(help="The database role that serves; it gets its rights.")] = None,
) -> None:
    """Bring the database's schema up to date."""
    from gateway.serving import upgrade as run
    from services.storage.rights import NotBound

    try:
        run(read_settings(), grant_to)
    except NotBound as error:
        fail(str(error))


@cli.command()
def reseal() -> None:
    """Seal all stored tokens under the first of the sealing keys, so that the others can go."""
    from gateway.commands.resealing import resealed
    from gateway.demo.sandbox import completed
    from gateway.serving import with_database
    from services.storage.sealing import Unsealable

    try:
        with with_database(completed(read_settings(quiet=True))) as complete:
            typer.echo(f"{asyncio.run(resealed(complete))} connections are sealed under another key now")
    except Unsealable as error:
        fail(f"None of GATEWAY_SEALING_KEYS opens {error}: put the earlier key back, or connect that person again.")


@cli.command()
def configuration(check: Check = False) -> None:
    """Print the reference of all settings."""
    from gateway.commands.configuration import COMMITTED, reference

    print_or_compare(reference(), COMMITTED, check=check)


@cli.command()
def pack(
    directory: Annotated[Path, typer.Argument(help="Made when it is not there; what is in it stays.")],
) -> None:
    """Write what a client's team needs to test against the gateway."""
    from gateway.contract.pack import write

    try:
        typer.echo("\n".join(str(path) for path in write(directory)))
    except OSError as error:
        fail(f"{directory} cannot be written: {error.strerror}.")


@cli.command()
def plan(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A GraphQL document.")],
    operation: Annotated[str | None, typer.Option(help="Its name, where there are several.")] = None,
    without: Annotated[list[str], typer.Option(help="A permission that is not granted; can be repeated.")] = [],  # noqa: B006
) -> None:
    """Print the Python that an operation runs as; or why it runs on graphql-core."""
    from gateway.commands.planning import Unplanned, shown

    read_settings(quiet=True)
    try:
        typer.echo(shown(file.read_text(), operation, without))
    except Unplanned as error:
        fail(str(error))


@cli.command()
def doctor() -> None:
    """Check settings, database, keys, clocks and connections; say what to do about each fault."""
    from gateway.commands.doctor import examine, shown

    sys.exit(not shown(asyncio.run(examine(read_settings()))))


@cli.command()
def webhooks() -> None:
    """Print what to enter in the products so that they say at once when a record has changed."""
    from gateway.commands.hooking import instructions
    from gateway.demo.sandbox import completed
    from gateway.serving import with_database

    settings = read_settings(quiet=True)
    with with_database(completed(settings)) as complete:
        typer.echo("\n".join(asyncio.run(instructions(complete))))


def main() -> None:
    """Run a command; what keeps it from its work is said in words."""
    try:
        cli()
    except CannotStart as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
