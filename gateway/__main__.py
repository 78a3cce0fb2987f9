"""The command line. Each command brings its own imports, so that `token` does not wait for what only `serve` needs."""
# ruff: noqa: PLC0415

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from pydantic import ValidationError

from gateway import logs
from gateway.settings import Settings

if TYPE_CHECKING:
    from services.consent import Consents
    from services.records.copy import Copy
    from services.storage.records import RecordPull

cli = typer.Typer(
    help="The finance gateway.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


connect = typer.Typer(help="Print the link under which a person connects his own access to Zoho.", no_args_is_help=True)
cli.add_typer(connect, name="connect")
records = typer.Typer(help="The gateway's own copy of the products' records.", no_args_is_help=True)
cli.add_typer(records, name="records")
Migrate = Annotated[bool, typer.Option("--migrate", help="The person works under this access from then on.")]
Organization = Annotated[str | None, typer.Option(help="The id of a connected organization.")]


@cli.command()
def serve() -> None:
    """Serve GraphQL; with the sandbox as Zoho unless GATEWAY_ZOHO__CLIENT_ID is set."""
    from gateway.serving import CannotListen
    from gateway.serving import serve as run

    try:
        run(_settings())
    except CannotListen as error:
        _fail(str(error))


@cli.command()
def worker() -> None:
    """Work on jobs; start as many as needed on the same database."""
    from gateway.serving import work

    work(_settings())


@cli.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 9000,
    host: str = "127.0.0.1",
    scale: Annotated[int, typer.Option(min=1, max=100, help="How many times the records.")] = 1,
) -> None:
    """Run Zoho's stand-in alone."""
    from services.sandbox import run

    settings = _settings()
    (settings.data / "alone").mkdir(parents=True, exist_ok=True)
    run(host, port, settings.data / "alone" / "sandbox.db", scale)


@cli.command()
def token(
    person: Annotated[str, typer.Option("--as", help="A demo person, such as staff, or an address.")] = "owner",
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 365)] = 12,
) -> None:
    """Print an ID token of a demo person, and nothing else."""
    from gateway.demo import UnknownPerson, id_token

    settings = _settings(quiet=True)
    if not settings.demo:
        _fail("These settings use real Zoho organizations: tokens come from the sign-in provider, not from here.")
    try:
        typer.echo(id_token(settings, person, lifetime=round(hours * 3600)))
    except UnknownPerson as error:
        _fail(str(error))


@cli.command()
def upgrade() -> None:
    """Bring the database's schema up to date."""
    from gateway.serving import upgrade as run

    run(_settings())


@cli.command()
def schema(
    check: Annotated[bool, typer.Option("--check", help="Only compare it with the committed one.")] = False,
) -> None:
    """Print the published schema."""
    from gateway.published import difference, sdl

    if not check:
        typer.echo(sdl(), nl=False)
    elif lines := difference(Path("schema/schema.graphql")):
        typer.echo("\n".join(lines))
        _fail("The published schema differs from schema/schema.graphql; if that is meant: make schema")


@cli.command()
def doctor() -> None:
    """Check settings, database, keys, clocks and connections; say what to do about each fault."""
    from gateway.doctor import examine, shown

    sys.exit(not shown(asyncio.run(examine(_settings()))))


@connect.command()
def owner(
    data_center: Annotated[str, typer.Option(help="Where the organization lives: com, eu, in, com.au, jp …")],
    organization: Organization = None,
    books: Annotated[str | None, typer.Option(help="The Books organization, when not the default one.")] = None,
    billing: Annotated[str | None, typer.Option(help="The Billing organization, when not the default one.")] = None,
    migrate: Migrate = False,
) -> None:
    """For an administrator, whose organization becomes known; with an organization he replaces its owner."""
    from services.policy import Product

    chosen = {product: place for product, place in ((Product.BOOKS, books), (Product.BILLING, billing)) if place}
    _print_link(
        lambda consents: consents.begin_owner(data_center, organization_id=organization, chosen=chosen, migrate=migrate)
    )


@connect.command()
def user(
    email: Annotated[str, typer.Option(help="The address that the CRM knows.")],
    organization: Organization = None,
    migrate: Migrate = False,
) -> None:
    """For a CRM user of a connected organization."""
    _print_link(lambda consents: consents.begin_user(email, organization_id=organization, migrate=migrate))


@records.command()
def rebuild(
    organization: Organization = None,
    history: Annotated[bool, typer.Option("--history", help="Begin the history of subscriptions anew, too.")] = False,
) -> None:
    """Forget the copy and read it from nothing, inside its share of the budget."""
    from gateway.recording import rebuild as work

    _keep_records(organization, lambda copy, one: work(copy, one, history=history))


@records.command()
def check(organization: Organization = None) -> None:
    """Compare the copy with the products, mend it, and say what had drifted."""
    from gateway.recording import check as work

    _keep_records(organization, work)


@records.command()
def status(organization: Organization = None) -> None:
    """Say how far each module has been read."""
    _keep_records(organization, lambda copy, one: copy.states(one))


def _keep_records(organization: str | None, work: Callable[["Copy", str], Awaitable[list["RecordPull"]]]) -> None:
    from gateway.recording import lines
    from gateway.serving import on_records
    from services.errors import GatewayError

    try:
        for name, states in on_records(_settings(quiet=True), organization, work):
            typer.echo("\n".join([name, *(f"  {line}" for line in lines(states))]))
    except GatewayError as error:
        _fail(" ".join(filter(None, (error.message, error.hint))))


def _print_link(begin: Callable[["Consents"], Awaitable[str]]) -> None:
    from gateway.connecting import link
    from gateway.serving import with_database
    from services.errors import GatewayError

    settings = _settings(quiet=True)
    if settings.demo:
        _fail(
            "The sandbox inside the demo has no page to consent on, and its people are connected already. To try this,"
            " run `python -m gateway sandbox --port 9000` and set GATEWAY_ZOHO__ORIGIN; the README says how."
        )
    try:
        with with_database(settings) as complete:
            typer.echo(asyncio.run(link(complete, begin)))
    except GatewayError as error:
        _fail(" ".join(filter(None, (error.message, error.hint))))


def _settings(*, quiet: bool = False) -> Settings:
    try:
        settings = Settings()
    except ValidationError as error:
        _fail("\n".join(_explained(error)))
    logs.configure(settings.logs.model_copy(update={"level": "error"}) if quiet else settings.logs)
    return settings


def _explained(error: ValidationError) -> list[str]:
    return [
        f"GATEWAY_{'__'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}".replace("GATEWAY_: ", "")
        for fault in error.errors(include_input=False)
    ]


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    cli()
