"""How often the copy of a module has changed, who brings it up to date, and when that was last tried."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.add_column("record_pulls", sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("record_pulls", sa.Column("tried_at", INSTANT, nullable=True))
    op.add_column("record_pulls", sa.Column("claimed_until", INSTANT, nullable=True))


def downgrade() -> None:
    for column in ("claimed_until", "tried_at", "generation"):
        op.drop_column("record_pulls", column)
