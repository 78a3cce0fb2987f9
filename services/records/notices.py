"""What all processes are told when the copy changes, and not told when the change is rolled back."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, json
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from services.events import PAYLOAD_BYTES, notify

MOST_NAMED = 50
"""Ids in one notice; of more changes at once only their number is told."""
_CHANGED = text("""
    UPDATE record_pulls SET generation = generation + 1
    WHERE organization_id = :organization_id AND module = :module RETURNING generation, as_of
""")


class Change(StrEnum):
    """What became of a record. SEVERAL is said of a module: more records than are named, or some that were missed."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"
    SEVERAL = "SEVERAL"


class Notice(Struct, omit_defaults=True, kw_only=True):
    """How a module's copy is now: as in `record_pulls`, where it is `None` until first read in full.

    `changed`: rows that this change was about. `ids` names them, unless there are too many; then it is empty.
    """

    module: str
    generation: int
    as_of: datetime | None = None
    changed: int = 0
    ids: dict[str, Change] = {}


read = json.Decoder(Notice).decode
"""A notice's payload."""


def topic(organization_id: str) -> str:
    """Where the changes of an organization's copy are told."""
    return f"records/{organization_id}"


async def changed(session: AsyncSession, organization_id: str, module: str, changes: Mapping[str, Change]) -> None:
    """Count and tell that rows of the module have changed, when the transaction commits."""
    if not changes:
        return
    given = {"organization_id": organization_id, "module": module}
    generation, as_of = (await (await session.connection()).execute(_CHANGED, given)).one()
    named = dict(changes) if len(changes) <= MOST_NAMED else {}
    notice = Notice(module=module, generation=generation, as_of=as_of, changed=len(changes), ids=named)
    await tell(session, organization_id, notice)


async def tell(session: AsyncSession, organization_id: str, notice: Notice) -> None:
    """Tell it when the transaction commits."""
    about = topic(organization_id)
    payload: Any = json.encode(notice).decode()
    if len(payload) + len(about) >= PAYLOAD_BYTES:
        notice.ids = {}
        payload = json.encode(notice).decode()
    await notify(session, about, payload)
