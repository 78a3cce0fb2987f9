"""`schema`: the published contract, what has changed in it, and who may use what."""
# ruff: noqa: PLC0415

from typing import Annotated

import typer

from gateway.commands.console import Check, fail, print_or_compare, read_settings

published = typer.Typer(help="The published schema: what it is, what has changed in it, who may use what.")


@published.callback(invoke_without_command=True)
def schema(context: typer.Context, check: Check = False) -> None:
    """Print the published schema."""
    from gateway.commands.published import COMMITTED, sdl

    if context.invoked_subcommand is None:
        print_or_compare(sdl(), COMMITTED, check=check)


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
def matrix(check: Check = False) -> None:
    """Print which person of the demo may use which field."""
    from gateway.commands.published import sdl
    from gateway.contract.matrix import COMMITTED
    from gateway.contract.matrix import matrix as table
    from gateway.contract.people import demo_people

    read_settings(quiet=True)
    print_or_compare(table(sdl(), demo_people()), COMMITTED, check=check)
