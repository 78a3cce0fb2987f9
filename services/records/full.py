"""Full records, validated and not aged: a list row tells whether the one that is known still holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256

from msgspec import json
from msgspec.json import Decoder

from services.documents import Document
from services.errand import Errand
from services.kinds import Kind
from services.policy import Viewer
from services.records.memory import Memory
from services.records.readers import tells_all, withheld
from services.records.sources import instant
from services.storage.models import now
from services.storage.statements import Statements
from services.upstream.client import encode

SETTLED = timedelta(seconds=15)
"""After its change a record must have been read: the products' times have whole seconds, so that a later change may
bear the same, and an answer may be ten seconds old when it comes."""
APART = timedelta(seconds=2)
"""The same where an older answer will do: a change after that, such as a write of ours, bears another second."""

_FIND = """
    SELECT id, body, read_at FROM full_records
    WHERE organization_id = %(organization)s AND module = %(module)s AND shape = %(shape)s AND id = ANY(%(ids)s)
"""
_KEEP = """
    INSERT INTO full_records AS known (organization_id, module, id, shape, body, read_at)
    SELECT %(organization)s, %(module)s, id, %(shape)s, body, %(read_at)s
    FROM unnest(%(ids)s::text[], %(bodies)s::text[]) AS made (id, body) ORDER BY id
    ON CONFLICT (organization_id, module, id) DO UPDATE
    SET shape = excluded.shape, body = excluded.body, read_at = excluded.read_at
    WHERE known.read_at < excluded.read_at
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A full record and when it was read."""

    document: Document
    read_at: datetime

    def holds(self, row: Document, oldest: datetime | None = None) -> bool:
        """Whether it is the record that the list row, which was read just now, is about.

        Statuses turn with the calendar, and balances with payments, without the record being changed itself. One that
        was read since `oldest`, and is not older than the row, is as good as one that is read again, unless the record
        may have been changed once more within the same second.
        """
        mine, theirs = instant(self.document.last_modified_time), instant(row.last_modified_time)
        if mine is None or theirs is None or mine < theirs:
            return False
        fresh = oldest is not None and self.read_at >= oldest
        if mine > theirs:
            return fresh
        return self.read_at >= mine + (APART if fresh else SETTLED) and _turning(self.document) == _turning(row)


def _turning(document: Document) -> tuple[object, ...]:
    return document.status, document.total, getattr(document, "balance", None)


class FullRecords:
    """Kept in the database for all processes, and in this one's memory."""

    def __init__(self, statements: Statements, memory: Memory[tuple[str, str, str], Known]) -> None:
        self._statements = statements
        self._memory = memory

    async def holding(self, errand: Errand, kind: Kind, rows: Mapping[str, Document]) -> dict[str, Document]:
        """Of the records that the rows (by id) are about, those that are known; nothing for who may not see all."""
        viewer = errand.viewer
        if not rows or withheld(viewer, kind.module):
            return {}
        oldest = now() - timedelta(seconds=errand.within) if errand.within > 0 else None
        known = {id: self._memory.get((viewer.organization_id, kind.module, id)) for id in rows}  # noqa: A001
        missed = [id for id, one in known.items() if one is None or not one.holds(rows[id], oldest)]  # noqa: A001
        found = known | (await self._read(viewer.organization_id, kind, missed) if missed else {})
        return {id: one.document for id, one in found.items() if one and one.holds(rows[id], oldest)}  # noqa: A001

    async def keep(self, viewer: Viewer, kind: Kind, documents: Iterable[Document], read_at: datetime) -> None:
        """Take over what the product has just answered this viewer, if that is all of it."""
        if not tells_all(viewer, kind.module):
            return
        made = {one.id: encode(one).decode() for one in documents}
        if not made:
            return
        given = {"organization": viewer.organization_id, "module": kind.module.value, "shape": _shape(kind.type)}
        written = {"ids": list(made), "bodies": list(made.values()), "read_at": read_at}
        await self._statements.run(_KEEP, given | written)

    async def _read(self, organization_id: str, kind: Kind, ids: list[str]) -> dict[str, Known]:
        given = {"organization": organization_id, "module": kind.module.value, "shape": _shape(kind.type), "ids": ids}
        found: dict[str, Known] = {}
        for record_id, body, read_at in await self._statements.rows(_FIND, given):
            known = found[record_id] = Known(_decoder(kind.type).decode(body), read_at)
            self._memory.put((organization_id, kind.module, record_id), known, len(body))
        return found


@cache
def _decoder(made: type[Document]) -> Decoder[Document]:
    return Decoder(made)


@cache
def _shape(made: type[Document]) -> str:
    """Changes with the fields of our value, and of those inside it."""
    return sha256(json.encode(json.schema(made), order="sorted")).hexdigest()[:16]
