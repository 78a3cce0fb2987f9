"""Stored tokens under the newest sealing key, so that older ones can be taken away."""

from gateway.settings import Settings
from gateway.wiring.assembly import database_of
from services.credentials import Credentials
from services.storage.sealing import Seal


async def resealed(settings: Settings) -> int:
    """How many connections an older key had sealed; raises `Unsealable` for one that none of the keys opens."""
    async with database_of(settings) as database:
        return await Credentials(database, Seal(settings.keys)).reseal()
