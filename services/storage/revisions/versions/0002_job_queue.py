"""The tables and functions of the job queue, as procrastinate brings them.

A later release of procrastinate that changes them brings migrations of its own; each becomes a revision like this.
"""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(SchemaManager.get_schema(), execution_options={"no_parameters": True})


def downgrade() -> None:
    raise NotImplementedError("Restore a backup: the job queue has no way back")
