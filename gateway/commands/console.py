"""What every command does: read the settings, reach the database, say what is wrong."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from pydantic import ValidationError

from gateway.commands.configuration import PREFIX, names
from gateway.observing import logs
from gateway.settings import Settings
from services.errors import GatewayError

Answer = TypeVar("Answer")
Organization = Annotated[str | None, typer.Option(help="The id of a connected organization.")]
Check = Annotated[bool, typer.Option("--check", help="Only compare it with the committed one.")]


class CannotStart(RuntimeError):
    """The process cannot do its work; the message says why, for operators."""


def on_database(work: Callable[[Settings], Coroutine[None, None, Answer]]) -> Answer:
    """Do this on a running database; what it refuses ends the command."""
    from gateway.serving import with_database  # noqa: PLC0415  # settings are read without it

    try:
        with with_database(read_settings(quiet=True)) as complete:
            return asyncio.run(work(complete))
    except GatewayError as error:
        fail(" ".join(filter(None, (error.message, error.hint))))


def print_or_compare(text: str, committed: Path, *, check: bool) -> None:
    """Print what is published; with `check` end the command unless the committed file says the same."""
    from gateway.commands.published import difference  # noqa: PLC0415  # most commands publish nothing

    if not check:
        typer.echo(text, nl=False)
    elif lines := difference(committed, text):
        typer.echo("\n".join(lines))
        fail(f"What is published differs from {committed}; if that is meant: make schema configuration")


def read_settings(*, quiet: bool = False) -> Settings:
    """The settings, and logging as they say, or errors only; a mistake in them ends the command and is named."""
    if unknown := list(_unknown(os.environ)):
        fail("\n".join(unknown))
    try:
        settings = Settings()
    except ValidationError as error:
        fail("\n".join(_explained(error)))
    logs.configure(settings.logs.model_copy(update={"level": "error"}) if quiet else settings.logs)
    return settings


def _unknown(variables: Iterable[str]) -> Iterator[str]:
    """What to say of each that looks like a setting and is none; pydantic reads over them."""
    known = set(names())
    groups = {name.partition("__")[0] for name in known}  # as JSON
    for name in sorted(variables):
        if name.upper().startswith(PREFIX) and name.upper() not in known | groups:
            nearest = get_close_matches(name.upper(), known, n=1, cutoff=0)[0]
            yield f"{name}: there is no such setting; the nearest is {nearest}. docs/configuration.md has them all."


def _explained(error: ValidationError) -> list[str]:
    faults = error.errors(include_input=False)
    names = ["__".join(str(part) for part in fault["loc"]).upper().removeprefix(PREFIX) for fault in faults]
    told = [fault["msg"].removeprefix("Value error, ") for fault in faults]  # pydantic's words before ours
    return [f"{PREFIX}{name}: {what}" if name else what for name, what in zip(names, told, strict=True)]


def fail(message: str, *, code: int = 1) -> NoReturn:
    """End the command with this."""
    typer.echo(message, err=True)
    raise typer.Exit(code)
