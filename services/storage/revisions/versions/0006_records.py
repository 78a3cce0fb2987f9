"""The copy of the products' records, and the history of subscriptions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "record_bases",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("rates", JSONB(), nullable=False),
        sa.Column("read_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_record_bases_organization_id")
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_record_bases")),
    )
    op.create_table(
        "records",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("module", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("party_id", sa.String(), nullable=True),
        sa.Column("party_name", sa.String(), nullable=True),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("contact_id", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("balance", sa.Numeric(), nullable=True),
        sa.Column("rate", sa.Numeric(), nullable=True),
        sa.Column("base_amount", sa.Numeric(), nullable=True),
        sa.Column("base_balance", sa.Numeric(), nullable=True),
        sa.Column("base_mrr", sa.Numeric(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("activated_on", sa.Date(), nullable=True),
        sa.Column("trial_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("plan_code", sa.String(), nullable=True),
        sa.Column("plan_name", sa.String(), nullable=True),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("modified_time", INSTANT, nullable=True),
        sa.Column("read_at", INSTANT, nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_records_organization_id")),
        sa.PrimaryKeyConstraint("organization_id", "module", "id", name=op.f("pk_records")),
    )
    op.create_index("ix_records_account", "records", ["organization_id", "module", "account_id"])
    op.create_index("ix_records_contact", "records", ["organization_id", "module", "contact_id"])
    op.create_index(op.f("ix_records_organization_id_module_day"), "records", ["organization_id", "module", "day"])
    op.create_index(
        op.f("ix_records_organization_id_module_due_on"), "records", ["organization_id", "module", "due_on"]
    )
    op.create_index(
        op.f("ix_records_organization_id_module_modified_time"),
        "records",
        ["organization_id", "module", "modified_time"],
    )
    op.create_index(
        op.f("ix_records_organization_id_module_party_id"), "records", ["organization_id", "module", "party_id"]
    )
    op.create_index(
        op.f("ix_records_organization_id_module_status"), "records", ["organization_id", "module", "status"]
    )
    op.create_table(
        "subscription_history",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("recurring", sa.Boolean(), nullable=False),
        sa.Column("party_id", sa.String(), nullable=True),
        sa.Column("plan_code", sa.String(), nullable=True),
        sa.Column("plan_name", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("rate", sa.Numeric(), nullable=True),
        sa.Column("base_mrr", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("before_status", sa.String(), nullable=True),
        sa.Column("before_plan_code", sa.String(), nullable=True),
        sa.Column("before_base_mrr", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.CheckConstraint("source IN ('OBSERVED', 'REPORTED')", name=op.f("ck_subscription_history_source")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_subscription_history_organization_id")
        ),
        sa.PrimaryKeyConstraint("organization_id", "subscription_id", "sequence", name=op.f("pk_subscription_history")),
    )
    op.create_index(
        op.f("ix_subscription_history_organization_id_day"), "subscription_history", ["organization_id", "day"]
    )
    op.create_index(
        op.f("ix_subscription_history_organization_id_plan_code_day"),
        "subscription_history",
        ["organization_id", "plan_code", "day"],
    )
    op.create_table(
        "record_pulls",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("module", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cursor", JSONB(), nullable=False),
        sa.Column("as_of", INSTANT, nullable=True),
        sa.Column("full_read_at", INSTANT, nullable=True),
        sa.Column("checked_at", INSTANT, nullable=True),
        sa.Column("drift", JSONB(), nullable=False),
        sa.Column("rows", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("calls", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('IDLE', 'READING', 'PULLING')", name=op.f("ck_record_pulls_state")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_record_pulls_organization_id")
        ),
        sa.PrimaryKeyConstraint("organization_id", "module", name=op.f("pk_record_pulls")),
    )
    op.create_table(
        "record_spending",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("minute", INSTANT, nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_record_spending_organization_id")
        ),
        sa.PrimaryKeyConstraint("organization_id", "product", name=op.f("pk_record_spending")),
    )


def downgrade() -> None:
    for table in ("record_spending", "record_pulls", "subscription_history", "records", "record_bases"):
        op.drop_table(table)
