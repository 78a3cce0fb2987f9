"""Trusted documents from the command line."""

from collections.abc import Sequence
from pathlib import Path

from gateway.settings import Settings
from gateway.trusted.manifest import read
from gateway.wiring.assembly import database_of
from gateway.wiring.upgrading import upgraded
from schema import schema
from services.trusted import Trusted


async def add(settings: Settings, paths: Sequence[Path]) -> tuple[dict[str, str], int]:
    """Take in what these files hold: the documents by id, and how many are new; raises `manifest.Untakable`."""
    documents = read(paths, schema._schema)  # noqa: SLF001  # Strawberry has no other way to it
    async with database_of(settings) as database:
        await upgraded(database)
        return documents, await Trusted(database).add(documents)


async def listed(settings: Settings) -> list[str]:
    """A line each."""
    async with database_of(settings) as database:
        found = await Trusted(database).all()
    return [f"{one.id}  {one.added_at:%Y-%m-%d}  {' '.join(one.text.split())[:60]}" for one in found]


async def remove(settings: Settings, ids: Sequence[str]) -> int:
    """Trust these no longer."""
    async with database_of(settings) as database:
        return await Trusted(database).remove(ids)
