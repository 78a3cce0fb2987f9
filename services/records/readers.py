"""Who may be answered from the copy, and how old the answer is."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlmodel import col, func, select

from services.errors import Forbidden
from services.policy import NOTHING, Action, Source, Viewer
from services.records.sources import SOURCES
from services.storage.engine import Database
from services.storage.records import Record, RecordPull


def withheld(viewer: Viewer, module: str) -> tuple[Source, ...]:
    """What keeps the copy of a module from this viewer: permissions that are missing, or a record scope.

    One who sees the records of some customers only is always answered by the product. So is one who owes the
    permission, or some of its fields, to another product than the one that was copied: this one tells less.
    """
    source = SOURCES[module]
    name = source.permission.partition(".")[0]
    decision, access = viewer.decide(source.permission), viewer.access_to(source.product)
    told = access.grants.get(name, NOTHING)
    if decision.granted and (Action.VIEW not in told.actions or not told.hidden <= viewer.grant(name).hidden):
        return (access.source,)
    return (*decision.missing_from, *((Source.RECORD_SCOPE,) if told.assigned_only else ()))


def tells_all(viewer: Viewer, module: str) -> bool:
    """Whether what the product answers this viewer is the whole of every record: the same for all who may see it."""
    source = SOURCES[module]
    grant = viewer.access_to(source.product).grants.get(source.permission.partition(".")[0])
    return grant is not None and not grant.hidden and not withheld(viewer, module)


def require(viewer: Viewer, *modules: str) -> None:
    """Raise `Forbidden` unless the viewer sees every record of the modules; fields are the caller's to filter."""
    for module in modules:
        if missing := withheld(viewer, module):
            raise Forbidden(
                f"Totals over {module} are for those who may see all of them.",
                required=SOURCES[module].permission,
                missingFrom=[source.name for source in missing],
                grantedBy="; ".join(source.value for source in missing),
            )


class Readers:
    """Small answers from the copy; larger ones are SQL on its tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def as_of(self, organization_id: str, modules: Collection[str]) -> datetime | None:
        """The moment at which the copies of all the modules were true; None while one is not there yet."""
        asked = select(RecordPull.as_of).where(
            RecordPull.organization_id == organization_id, col(RecordPull.module).in_(modules)
        )
        async with self._database.session() as session:
            known = [at for at in await session.exec(asked) if at is not None]
        return min(known) if len(known) == len(set(modules)) else None

    async def count(self, viewer: Viewer, module: str, party_ids: Sequence[str]) -> int | None:
        """How many records of the parties there are; None where the copy may not or cannot answer."""
        if module not in SOURCES or withheld(viewer, module):
            return None
        if await self.as_of(viewer.organization_id, [module]) is None:
            return None
        asked = select(func.count()).where(
            Record.organization_id == viewer.organization_id,
            Record.module == module,
            col(Record.party_id).in_(party_ids),
            col(Record.deleted_at).is_(None),
        )
        async with self._database.session() as session:
            return (await session.exec(asked)).one()
