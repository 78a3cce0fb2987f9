"""Alembic's environment: runs inside the transaction of `Database.upgrade`."""

from typing import Any

from alembic import context

from services.storage import (  # noqa: F401 - their tables count as well
    budget,
    chain,
    full_records,
    records,
    reports,
    requests,
    rollout,
)
from services.storage.models import Table


def ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave the job queue's own tables alone."""
    return kind != "table" or not (name or "").startswith("procrastinate_")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    include_name=ours,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
