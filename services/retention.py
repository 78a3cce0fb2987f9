"""Removing what is older than it has to be kept: exported first, with a boundary from which the rest still verifies."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from services import audit
from services.audit import Action, FieldChange, State
from services.chain import Place
from services.errand import Errand
from services.errors import Conflict
from services.migration.moves import gateway
from services.proof import PRUNE
from services.storage.engine import Database, unhurried

_ENDED = """
SELECT id FROM audit_events e WHERE organization_id = :organization
AND (SELECT max(sequence) FROM audit_links WHERE event_id = e.id) <= :sequence
"""
"""Events of which the links that are removed say all."""
_ANCHOR = """
INSERT INTO audit_anchors (organization_id, sequence, hash, links_until, export_digest, at)
SELECT organization_id, sequence, hash, at, :export, now() FROM audit_links
WHERE organization_id = :organization AND sequence = :sequence AND hash = :hash
ON CONFLICT DO NOTHING RETURNING sequence
"""
_REMOVALS = tuple(
    text(removal)
    for removal in (
        f"DELETE FROM outcomes WHERE audit_event_id IN ({_ENDED})",  # noqa: S608 - all of it is written here
        f"DELETE FROM audit_events WHERE id IN ({_ENDED})",  # noqa: S608 - likewise
        "DELETE FROM audit_links WHERE organization_id = :organization AND sequence <= :sequence",
    )
)


@dataclass(frozen=True)
class Boundary:
    """The last link of an organization that is to go."""

    organization_id: str
    last: Place


async def remove(database: Database, boundaries: Sequence[Boundary], export_digest: str) -> None:
    """Remove everything up to these links, all or nothing; the export of it has to be safe by now.

    Raises `Conflict` when a link is no longer there, because somebody else has pruned.
    """
    async with database.session() as session:
        connection = await session.connection()
        await unhurried(connection)
        for boundary in boundaries:
            of = {"organization": boundary.organization_id, "sequence": boundary.last.sequence}
            anchor = text(_ANCHOR).bindparams(**of, hash=boundary.last.hash, export=export_digest)
            if (await connection.execute(anchor)).first() is None:
                raise Conflict("The audit has been pruned meanwhile.")
            for removal in _REMOVALS:
                await connection.execute(removal.bindparams(**of))
            _tell(session, boundary, export_digest)


def _tell(session: AsyncSession, boundary: Boundary, export_digest: str) -> None:
    """An event of its own says what was removed."""
    errand = Errand(gateway(boundary.organization_id), f"prune-{export_digest[:12]}", monotonic())
    told = {"sequence": boundary.last.sequence, "hash": boundary.last.hash, "export": export_digest}
    changes = [FieldChange(name, None, value) for name, value in told.items()]
    audit.append(session, errand, Action(name=PRUNE), State.APPLIED, changes=changes)
