"""Trusted documents: operations that were taken in beforehand, found by their ids."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from time import monotonic

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.errors import Conflict
from services.storage.engine import Database
from services.storage.requests import TrustedDocument

CHARACTERS = 4_000_000
"""Of all documents at hand."""


def digest(text: str) -> str:
    """A document's id."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


class Trusted:
    """What was taken in; what was asked for lately is at hand."""

    def __init__(self, database: Database, *, remembered: int = 1000, seconds: float = 60) -> None:
        """At most so many are at hand, each for so long."""
        self._database, self._most, self._seconds = database, remembered, seconds
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._characters = 0

    async def text(self, document_id: str) -> str | None:
        """The document of an id; None where there is none."""
        known = self._known.get(document_id)
        if known and known[1] > monotonic():
            self._known.move_to_end(document_id)
            return known[0]
        async with self._database.session() as session:
            found = await session.get(TrustedDocument, document_id)
        self._forget(document_id)
        if found:
            self._remember(document_id, found.text)
        return found.text if found else None

    async def add(self, documents: Mapping[str, str]) -> int:
        """Take in texts by their ids, all or none; how many are new. Raises `Conflict` for an id with another text."""
        if not documents:
            return 0
        rows = [{"id": key, "text": text} for key, text in sorted(documents.items())]
        async with self._database.session() as session:
            new = await session.exec(
                insert(TrustedDocument).values(rows).on_conflict_do_nothing().returning(col(TrustedDocument.id))
            )
            added = len(new.all())
            found = await session.exec(select(TrustedDocument).where(col(TrustedDocument.id).in_(documents)))
            if other := sorted(one.id for one in found if one.text != documents[one.id]):
                raise Conflict(f"There is another document under {', '.join(other)}.", hint="Remove it first.")
        return added

    async def all(self) -> Sequence[TrustedDocument]:
        """All of them, the oldest first."""
        async with self._database.session() as session:
            return (await session.exec(select(TrustedDocument).order_by(col(TrustedDocument.added_at)))).all()

    async def remove(self, ids: Sequence[str]) -> int:
        """Trust these no longer; how many there were."""
        gone = delete(TrustedDocument).where(col(TrustedDocument.id).in_(ids)).returning(col(TrustedDocument.id))
        async with self._database.session() as session:
            return len((await session.exec(gone)).all())

    def _remember(self, document_id: str, text: str) -> None:
        self._known[document_id] = text, monotonic() + self._seconds
        self._characters += len(text)
        while len(self._known) > self._most or self._characters > CHARACTERS:
            self._forget(next(iter(self._known)))

    def _forget(self, document_id: str) -> None:
        if known := self._known.pop(document_id, None):
            self._characters -= len(known[0])
