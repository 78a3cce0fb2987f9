"""What `serve` prints once it answers."""

import os
import sys
from pathlib import Path

from gateway.demo.sandbox import PEOPLE
from gateway.settings import Settings


def welcome(settings: Settings, address: str) -> str:
    """Where to go, and in the demo, as whom."""
    page = "; open it in a browser to try queries" if settings.http.has_page(demo=settings.demo) else ""
    lines = [f"Serving {address}/graphql{page}."]
    if settings.demo:
        lines += ["", "The sandbox stands in for Zoho. Sign in as one of its people with a token:", ""]
        lines += [f"  {_python()} -m gateway token --as {name:10} # {role}" for name, role in PEOPLE.items()]
        lines += ["", "A first query:", "", _query(address)]
        if not settings.mail.host:
            directory = settings.mail.directory or settings.data / "mail"
            lines += ["", f"No mail is sent: messages to users are kept as files in {directory}/."]
    return "\n".join([*lines, "", f"Ctrl-C stops everything. Data are kept in {_kept(settings)}.", ""])


def _kept(settings: Settings) -> str:
    """Where what this has written is still found after its end."""
    if not settings.database_url:
        return f"{settings.data}/"
    return f"the database, the sandbox's in {settings.data}/" if settings.demo else "the database"


def _query(address: str) -> str:
    return (
        f"  curl {address}/graphql -H 'Content-Type: application/json' \\\n"
        f'    -H "Authorization: Bearer $({_python()} -m gateway token --as staff)" \\\n'
        """    -d '{"query": "{ viewer { name email permissions } }"}'"""
    )


def _python() -> str:
    """The interpreter, as short as it can be written from here."""
    path = os.path.relpath(sys.executable)
    return path if len(path) < len(sys.executable) else str(Path(sys.executable))
