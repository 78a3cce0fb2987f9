"""The command line. Each command brings its own imports, so that `token` does not wait for what only `serve` needs."""
# ruff: noqa: PLC0415

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from gateway import VERSION
from gateway.commands.console import CannotStart, fail, on_database, read_settings
from gateway.settings import Settings
from gateway.trusted.documents import documents

if TYPE_CHECKING:
    from services.consent import Consents
    from services.records.copy import Copy
    from services.storage.records import RecordPull

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


connect = typer.Typer(help="Print the link under which a person connects their Zoho account.", no_args_is_help=True)
cli.add_typer(connect, name="connect")
records = typer.Typer(help="The gateway's own copy of the products' records.", no_args_is_help=True)
cli.add_typer(records, name="records")
published = typer.Typer(help="The published schema: what it is, what has changed in it, who may use what.")
cli.add_typer(published, name="schema")
audit = typer.Typer(help="The audit trail: proved, exported, pruned.", no_args_is_help=True)
cli.add_typer(audit, name="audit")
cli.add_typer(documents, name="documents")
Migrate = Annotated[bool, typer.Option("--migrate", help="The person works under this access from then on.")]
Organization = Annotated[str | None, typer.Option(help="The id of a connected organization.")]
Answer = TypeVar("Answer")


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
def configuration(
    check: Annotated[bool, typer.Option("--check", help="Only compare it with the committed one.")] = False,
) -> None:
    """Print the reference of all settings."""
    from gateway.commands.configuration import COMMITTED, reference

    _print_or_compare(reference(), COMMITTED, check=check)


@published.callback(invoke_without_command=True)
def schema(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Only compare it with the committed one.")] = False,
) -> None:
    """Print the published schema."""
    from gateway.commands.published import COMMITTED, sdl

    if context.invoked_subcommand is None:
        _print_or_compare(sdl(), COMMITTED, check=check)


@published.command()
def diff(
    old: Annotated[str, typer.Argument(help="A file, `-`, or a git revision such as `main` or `HEAD~1:PATH`.")],
    new: Annotated[str, typer.Argument(help="The same, or `published`.")] = "published",
    allow: Annotated[str, typer.Option(help="What is meant: `breaking`, `loosening`, or both with a comma.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what has changed; fails for what breaks clients or gives somebody more, unless it is allowed."""
    from graphql import GraphQLError

    from gateway.contract import report
    from gateway.contract.diff import changes
    from gateway.contract.sources import NoSuchSource, read

    try:
        allowed, found = report.verdicts(allow), changes(read(old), read(new))
    except (GraphQLError, NoSuchSource, report.UnknownVerdict) as error:
        fail(str(error), code=2)
    typer.echo(report.as_json(found, allowed) if as_json else "\n".join(report.lines(found)))
    if left := report.refused(found, allowed):
        words = ",".join(sorted({change.verdict for change in left} | allowed))
        fail(f"{len(left)} of these changes must be allowed, if meant: --allow {words}")


@published.command()
def matrix(
    check: Annotated[bool, typer.Option("--check", help="Only compare it with the committed one.")] = False,
) -> None:
    """Print which person of the demo may use which field."""
    from gateway.commands.published import sdl
    from gateway.contract.matrix import COMMITTED
    from gateway.contract.matrix import matrix as table
    from gateway.contract.people import demo_people

    read_settings(quiet=True)
    _print_or_compare(table(sdl(), demo_people()), COMMITTED, check=check)


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


@connect.command()
def owner(
    data_center: Annotated[str, typer.Option(help="Where the organization lives: com, eu, in, com.au, jp …")],
    organization: Organization = None,
    books: Annotated[str | None, typer.Option(help="The Books organization, when not the default one.")] = None,
    billing: Annotated[str | None, typer.Option(help="The Billing organization, when not the default one.")] = None,
    migrate: Migrate = False,
) -> None:
    """For an administrator, whose organization becomes known, or who replaces the owner of a known one."""
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


def _audited(work: Callable[[Settings], Coroutine[None, None, Answer]]) -> Answer:
    try:
        return on_database(work)
    except FileExistsError as error:
        fail(f"{error.filename} is there already: nothing is written over.")


def _keep_records(organization: str | None, work: Callable[["Copy", str], Awaitable[list["RecordPull"]]]) -> None:
    from gateway.serving import on_records
    from gateway.wiring.recording import lines
    from services.errors import GatewayError

    try:
        for name, states in on_records(read_settings(quiet=True), organization, work):
            typer.echo("\n".join([name, *(f"  {line}" for line in lines(states))]))
    except GatewayError as error:
        fail(" ".join(filter(None, (error.message, error.hint))))


def _print_or_compare(text: str, committed: Path, *, check: bool) -> None:
    from gateway.commands.published import difference

    if not check:
        typer.echo(text, nl=False)
    elif lines := difference(committed, text):
        typer.echo("\n".join(lines))
        fail(f"What is published differs from {committed}; if that is meant: make schema configuration")


def _print_link(begin: Callable[["Consents"], Awaitable[str]]) -> None:
    from gateway.http.connecting import link
    from gateway.serving import with_database
    from services.errors import GatewayError

    settings = read_settings(quiet=True)
    if settings.demo:
        fail(
            "The sandbox inside the demo has no page to consent on, and its people are connected already. To try this,"
            " run `python -m gateway sandbox --port 9000` and set GATEWAY_ZOHO__ORIGIN; the README says how."
        )
    try:
        with with_database(settings) as complete:
            typer.echo(asyncio.run(link(complete, begin)))
    except GatewayError as error:
        fail(" ".join(filter(None, (error.message, error.hint))))


def main() -> None:
    """Run a command; what keeps it from its work is said in words."""
    try:
        cli()
    except CannotStart as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
