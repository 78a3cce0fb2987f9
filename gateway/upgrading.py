"""The database's schema, brought up to date by every process that starts."""

from alembic.util import CommandError
from sqlalchemy.exc import OperationalError

from gateway.console import CannotStart
from services.storage.engine import Database

NEWER = "The database was upgraded by a later version of the gateway than this one"
GO_BACK = "Start that version, or restore the backup from before the upgrade: docs/operating.md says how."


class CannotUpgrade(CannotStart):
    """The database is not one to work on."""


async def upgraded(database: Database) -> None:
    """Bring the schema up to date; raises `CannotUpgrade` when it is newer than ours, or not to be reached."""
    try:
        await database.upgrade()
    except CommandError as error:
        raise CannotUpgrade(f"{NEWER} ({error}). {GO_BACK}") from error
    except OperationalError as error:
        told = str(error.orig or error).splitlines()[0]
        raise CannotUpgrade(f"The database does not answer: {told}. Check DATABASE_URL.") from error
