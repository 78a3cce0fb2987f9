"""The database's schema, brought up to date by every process that starts."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy.exc import OperationalError

from gateway.commands.console import CannotStart
from services.storage.engine import Database
from services.storage.failures import is_away

NEWER = "The database was upgraded by a later version of the gateway than this one"
GO_BACK = "Start that version, or restore the backup from before the upgrade: docs/operating.md says how."


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
        told = str(error.orig or error).splitlines()[0]
        raise CannotStart(f"The database does not answer: {told}. Check DATABASE_URL.") from error


async def upgraded(database: Database) -> None:
    """Bring the schema up to date; raises `CannotUpgrade` when it is newer than ours, as `reached` when it is away."""
    try:
        with reached():
            await database.upgrade()
    except CommandError as error:
        raise CannotUpgrade(f"{NEWER} ({error}). {GO_BACK}") from error
