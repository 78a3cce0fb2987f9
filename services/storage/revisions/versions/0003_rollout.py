"""Rollout phases, migrations with their items, what users use, and mail; the announcement's phases filled in."""

import datetime as dt

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
EVERYWHERE = ("com", "eu", "in", "com.au", "jp", "ca", "sa", "com.cn", "uk")
BELOW_ENTERPRISE = ["Free", "Standard", "Professional"]
FEATURES = {
    "INTEGRATION_USERS": dt.datetime(2025, 4, 1, tzinfo=dt.UTC),
    "ALL_FINANCE_MODULES": dt.datetime(2025, 5, 15, tzinfo=dt.UTC),
}
"""Since when; the day of the second is the announcement's, of the first ours, since it names none."""


def upgrade() -> None:
    phases = op.create_table(
        "rollout_phases",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("feature", sa.String(), nullable=False),
        sa.Column("data_center", sa.String(), nullable=False),
        sa.Column("editions", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollout_phases")),
        sa.UniqueConstraint(
            "feature", "data_center", "starts_at", name=op.f("uq_rollout_phases_feature_data_center_starts_at")
        ),
    )
    op.create_table(
        "migrations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=True),
        sa.Column("capability_set", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("resumed_at", INSTANT, nullable=True),
        sa.Column("worked_seconds", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state IN ('PREVIEW', 'QUEUED', 'RUNNING', 'PAUSED', 'COMPLETED', 'CANCELLED', 'ROLLED_BACK')",
            name=op.f("ck_migrations_state"),
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_migrations_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_migrations")),
    )
    op.create_index(
        op.f("ix_migrations_organization_id_created_at_id"),
        "migrations",
        ["organization_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "uq_migrations_window",
        "migrations",
        ["organization_id"],
        unique=True,
        postgresql_where=sa.text("purpose = 'WINDOW_CLOSED'"),
    )
    op.create_table(
        "mails",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("migration_item_id", sa.String(), nullable=True),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("values", JSONB(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.CheckConstraint("state IN ('WAITING', 'SENT', 'GIVEN_UP')", name=op.f("ck_mails_state")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_mails_member_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_mails_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("member_id", "event", name=op.f("uq_mails_member_id_event")),
    )
    op.create_index(
        "ix_mails_waiting", "mails", ["due_at"], unique=False, postgresql_where=sa.text("state = 'WAITING'")
    )
    op.create_table(
        "migration_items",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("migration_id", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("from_access", sa.String(), nullable=False),
        sa.Column("to_access", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("permissions_gained", JSONB(), nullable=False),
        sa.Column("permissions_lost", JSONB(), nullable=False),
        sa.Column("mattered", JSONB(), nullable=False),
        sa.Column("undo", JSONB(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.Column("emailed_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state IN ('PENDING', 'MIGRATED', 'SKIPPED', 'FAILED', 'ROLLED_BACK')",
            name=op.f("ck_migration_items_state"),
        ),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_migration_items_member_id")),
        sa.ForeignKeyConstraint(["migration_id"], ["migrations.id"], name=op.f("fk_migration_items_migration_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_migration_items")),
        sa.UniqueConstraint("migration_id", "member_id", name=op.f("uq_migration_items_migration_id_member_id")),
    )
    op.create_index(op.f("ix_migration_items_member_id"), "migration_items", ["member_id"], unique=False)
    op.create_index(
        op.f("ix_migration_items_migration_id_state_position"),
        "migration_items",
        ["migration_id", "state", "position"],
        unique=False,
    )
    op.create_table(
        "usage",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("coordinate", sa.String(), nullable=False),
        sa.Column("permission", sa.String(), nullable=False),
        sa.Column("operations", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_usage_member_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_usage_organization_id")),
        sa.PrimaryKeyConstraint("member_id", "day", "coordinate", name=op.f("pk_usage")),
    )
    op.create_index(op.f("ix_usage_organization_id_day"), "usage", ["organization_id", "day"], unique=False)
    op.add_column(
        "organizations",
        sa.Column("capability_set", sa.String(), server_default=sa.text("'ALL_FINANCE_MODULES'"), nullable=False),
    )
    op.add_column(
        "organizations",
        sa.Column("integration_user_limit", sa.Integer(), server_default=sa.text("1000"), nullable=False),
    )
    op.add_column("organizations", sa.Column("window_opens_at", INSTANT, nullable=True))
    op.add_column("organizations", sa.Column("window_closes_at", INSTANT, nullable=True))
    op.add_column("organizations", sa.Column("auto_migrated_at", INSTANT, nullable=True))
    op.bulk_insert(phases, [_phase(feature, center) for feature in FEATURES for center in EVERYWHERE])


def _phase(feature: str, center: str) -> dict[str, object]:
    american = center == "com"
    return {
        "id": f"{feature.lower()}-{center}",
        "feature": feature,
        "data_center": center,
        "editions": BELOW_ENTERPRISE if american else ["*"],
        "starts_at": FEATURES[feature],
        "note": "Enterprise and above follow in a later phase." if american else None,
    }


def downgrade() -> None:
    op.drop_column("organizations", "auto_migrated_at")
    op.drop_column("organizations", "window_closes_at")
    op.drop_column("organizations", "window_opens_at")
    op.drop_column("organizations", "integration_user_limit")
    op.drop_column("organizations", "capability_set")
    op.drop_table("usage")
    op.drop_table("migration_items")
    op.drop_table("mails")
    op.drop_table("migrations")
    op.drop_table("rollout_phases")
