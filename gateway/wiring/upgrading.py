"""The database's schema, brought up to date by every process that starts."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, OperationalError

from gateway.commands.console import CannotStart
from services.storage.engine import Database
from services.storage.failures import first_line, is_away, is_forbidden

NEWER = "The database was upgraded by a later version of the gateway than this one"
GO_BACK = "Start that version, or restore the backup from before the upgrade: docs/operating.md says how."
FORBIDDEN = "The database's schema is not up to date, and this role may not upgrade it"


class CannotUpgrade(CannotStart):
    """The database is not one to work on."""


@contextmanager
def reached() -> Iterator[None]:
    """Raises `CannotStart` with the driver's first line, which holds no password, when the database is away."""
    try:
        yield
    except OperationalError as error:
        if not is_away(error):
            raise
        raise CannotStart(f"The database does not answer: {first_line(error)}. Check DATABASE_URL.") from error


async def upgraded(database: Database) -> None:
    """Bring the schema up to date; raises `CannotUpgrade` when it is newer than ours or another's, or as `reached`."""
    try:
        with reached():
            await database.upgrade()
    except CommandError as error:
        raise CannotUpgrade(f"{NEWER} ({error}). {GO_BACK}") from error
    except DBAPIError as error:
        if not is_forbidden(error):
            raise
        raise CannotUpgrade(f"{FORBIDDEN} ({first_line(error)}). {as_owner(database)}") from error


def as_owner(database: Database) -> str:
    """What to do where this role may not upgrade."""
    role = database.url.username or "ROLE"
    return f"As the owner of the tables: python -m gateway upgrade --grant-to {role}"
