"""The row that says how far a module was read; whoever changes records of the module locks it first."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.records.notices import Notice, tell
from services.storage.records import RecordPull

_LOCK = text("SELECT 1 FROM record_pulls WHERE organization_id = :organization_id AND module = :module FOR UPDATE")
_BEGIN_ANEW = text("""
    UPDATE record_pulls
    SET state = 'IDLE', cursor = '{}', as_of = NULL, full_read_at = NULL, checked_at = NULL, tried_at = NULL,
        drift = '{}', rows = 0, calls = 0, last_error = NULL, generation = generation + 1
    WHERE organization_id = :organization_id RETURNING module, generation
""")


async def lock(session: AsyncSession, organization_id: str, module: str) -> None:
    """Let one transaction at a time change records of the module."""
    await _make(session, organization_id, module)
    given = {"organization_id": organization_id, "module": module}
    await (await session.connection()).execute(_LOCK, given)


async def held(session: AsyncSession, organization_id: str, module: str) -> RecordPull:
    """The module's reading, locked until the transaction ends; made when there is none."""
    await _make(session, organization_id, module)
    return await session.get_one(RecordPull, (organization_id, module), with_for_update=True, populate_existing=True)


async def begin_anew(session: AsyncSession, organization_id: str) -> None:
    """Nothing has been read any more; that is told. Generations go on growing."""
    connection = await session.connection()
    reset: Sequence[Any] = (await connection.execute(_BEGIN_ANEW, {"organization_id": organization_id})).all()
    for module, generation in reset:
        await tell(session, organization_id, Notice(module=module, generation=generation))


async def _make(session: AsyncSession, organization_id: str, module: str) -> None:
    fresh = RecordPull(organization_id=organization_id, module=module).model_dump()
    await session.exec(insert(RecordPull).values(fresh).on_conflict_do_nothing())
