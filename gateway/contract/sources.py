"""Where a version of the schema is taken from."""

import subprocess
import sys
from pathlib import Path

from gateway.commands.published import COMMITTED, sdl

PUBLISHED = "published"


class NoSuchSource(LookupError):
    """There is neither a file nor a git revision of that name."""


def read(source: str) -> str:
    """The text of a file, of `-` (standard input), of `published`, or of a git revision.

    A revision without a path (`main`, `HEAD~1`) means the committed schema in it; `HEAD~1:path` any file.
    Raises `NoSuchSource`.
    """
    if source == "-":
        return sys.stdin.read()
    if source == PUBLISHED:
        return sdl()
    path = Path(source)
    return path.read_text() if path.is_file() else _from_git(source)


def _from_git(revision: str) -> str:
    place = revision if ":" in revision else f"{revision}:{COMMITTED}"
    shown = subprocess.run(  # noqa: S603
        ["git", "show", "--end-of-options", place],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if shown.returncode:
        raise NoSuchSource(f"There is no file {revision}, and git says: {shown.stderr.strip()}")
    return shown.stdout
