"""What organizations may spend in the products, shared by all processes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "purses",
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("product_organization_id", sa.String(), nullable=False),
        sa.Column("state", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("product", "product_organization_id", name=op.f("pk_purses")),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    op.drop_table("purses")
