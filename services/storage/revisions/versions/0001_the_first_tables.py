"""The first tables, and the triggers that count changes of access and keep the audit as it is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
ACCESS = {
    "members": "UPDATE",
    "profiles": "UPDATE",
    "roles": "UPDATE",
    "integration_grants": "UPDATE",
    "connections": "UPDATE OF member_id, is_owner, product",
}
"""The tables that decide who may do what, and which of their updates do."""

ACCESS_CHANGED = """
CREATE FUNCTION access_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE organizations SET access_version = access_version + 1
    WHERE id = COALESCE(NEW.organization_id, OLD.organization_id);
    RETURN NULL;
END $$
"""
DELEGATION_CHANGED = """
CREATE FUNCTION delegation_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.access_version := OLD.access_version + 1;
    RETURN NEW;
END $$
"""
AUDIT_KEPT = """
CREATE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    settling CONSTANT text[] := ARRAY[
        'outcome', 'changes', 'user_errors', 'calls', 'subject_id', 'subject_number', 'credential_email', 'settled_at'
    ];
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.outcome IN ('INTENT', 'UNCERTAIN')
        AND to_jsonb(OLD) - settling = to_jsonb(NEW) - settling
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit events are kept as they are' USING ERRCODE = 'restrict_violation';
END $$
"""


def upgrade() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("data_center", sa.String(), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("crm_org_id", sa.String(), nullable=False),
        sa.Column("delegation", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("acting_user_field", sa.String(), nullable=False),
        sa.Column("reference_field", sa.String(), nullable=False),
        sa.Column("access_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("synced_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("data_center", "crm_org_id", name=op.f("uq_organizations_data_center_crm_org_id")),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor_id", sa.String(), nullable=False),
        sa.Column("actor_name", sa.String(), nullable=False),
        sa.Column("actor_email", sa.String(), nullable=False),
        sa.Column("credential_email", sa.String(), nullable=True),
        sa.Column("access", sa.String(), nullable=True),
        sa.Column("product", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("permission", sa.String(), nullable=True),
        sa.Column("subject_module", sa.String(), nullable=True),
        sa.Column("subject_id", sa.String(), nullable=True),
        sa.Column("subject_number", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("changes", JSONB(), nullable=False),
        sa.Column("user_errors", JSONB(), nullable=False),
        sa.Column("calls", JSONB(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "outcome IN ('INTENT', 'APPLIED', 'REJECTED', 'UNCERTAIN')", name=op.f("ck_audit_events_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_audit_events_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index(
        op.f("ix_audit_events_organization_id_actor_id_at"),
        "audit_events",
        ["organization_id", "actor_id", "at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_audit_events_organization_id_at_id"), "audit_events", ["organization_id", "at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_audit_events_organization_id_subject_module_subject_id_at"),
        "audit_events",
        ["organization_id", "subject_module", "subject_id", "at"],
        unique=False,
    )
    op.create_table(
        "members",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("crm_user_id", sa.String(), nullable=False),
        sa.Column("zuid", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("profile_id", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("books_user_id", sa.String(), nullable=True),
        sa.Column("books_role", sa.String(), nullable=True),
        sa.Column("books_status", sa.String(), nullable=True),
        sa.Column("assigned_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("billing_role", sa.String(), nullable=True),
        sa.Column("migrated_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_members_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
        sa.UniqueConstraint("organization_id", "crm_user_id", name=op.f("uq_members_organization_id_crm_user_id")),
    )
    op.create_index(op.f("ix_members_email"), "members", ["email"], unique=False)
    op.create_index(op.f("ix_members_zuid"), "members", ["zuid"], unique=False)
    op.create_table(
        "profiles",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("administers", sa.Boolean(), nullable=False),
        sa.Column("grants", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_profiles_organization_id")),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_profiles")),
    )
    op.create_table(
        "roles",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("grants", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_roles_organization_id")),
        sa.PrimaryKeyConstraint("organization_id", "product", "name", name=op.f("pk_roles")),
    )
    op.create_table(
        "connections",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("product_organization_id", sa.String(), nullable=False),
        sa.Column("data_center", sa.String(), nullable=False),
        sa.Column("accounts_url", sa.String(), nullable=False),
        sa.Column("api_domain", sa.String(), nullable=False),
        sa.Column("scopes", JSONB(), nullable=False),
        sa.Column("is_owner", sa.Boolean(), nullable=False),
        sa.Column("refresh_token", sa.LargeBinary(), nullable=False),
        sa.Column("access_token", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("connected_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_connections_member_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_connections_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint(
            "organization_id", "product", "email", name=op.f("uq_connections_organization_id_product_email")
        ),
        sa.UniqueConstraint(
            "organization_id", "product", "member_id", name=op.f("uq_connections_organization_id_product_member_id")
        ),
    )
    op.create_index(
        "uq_connections_owner",
        "connections",
        ["organization_id", "product"],
        unique=True,
        postgresql_where=sa.text("is_owner"),
    )
    op.create_table(
        "product_users",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("assigned_only", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_product_users_member_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_product_users_organization_id")
        ),
        sa.PrimaryKeyConstraint("organization_id", "product", "user_id", name=op.f("pk_product_users")),
    )
    op.create_table(
        "integration_grants",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("capability_set", sa.String(), nullable=False),
        sa.Column("grants", JSONB(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_integration_grants_member_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_integration_grants_organization_id")
        ),
        sa.PrimaryKeyConstraint("member_id", "product", name=op.f("pk_integration_grants")),
    )
    op.create_table(
        "outcomes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("record_module", sa.String(), nullable=True),
        sa.Column("record_id", sa.String(), nullable=True),
        sa.Column("user_errors", JSONB(), nullable=False),
        sa.Column("details", JSONB(), nullable=False),
        sa.Column("audit_event_id", sa.String(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.Column("looked_up_at", INSTANT, nullable=True),
        sa.CheckConstraint("state IN ('INTENT', 'APPLIED', 'REJECTED', 'UNCERTAIN')", name=op.f("ck_outcomes_state")),
        sa.ForeignKeyConstraint(
            ["audit_event_id"],
            ["audit_events.id"],
            name=op.f("fk_outcomes_audit_event_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_outcomes_member_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_outcomes_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcomes")),
        sa.UniqueConstraint(
            "organization_id", "member_id", "key", name=op.f("uq_outcomes_organization_id_member_id_key")
        ),
    )
    op.create_index(
        "ix_outcomes_open",
        "outcomes",
        ["started_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('INTENT', 'UNCERTAIN')"),
    )
    for function in (ACCESS_CHANGED, DELEGATION_CHANGED, AUDIT_KEPT):
        op.execute(function)
    for table, update in ACCESS.items():
        op.execute(
            f"CREATE CONSTRAINT TRIGGER access_changed AFTER INSERT OR DELETE OR {update} ON {table} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION access_changed()"
        )
    op.execute(
        "CREATE TRIGGER delegation_changed BEFORE UPDATE OF delegation ON organizations "
        "FOR EACH ROW EXECUTE FUNCTION delegation_changed()"
    )
    op.execute(
        "CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_kept()"
    )
    op.execute("CREATE TRIGGER audit_kept_whole BEFORE TRUNCATE ON audit_events EXECUTE FUNCTION audit_kept()")


def downgrade() -> None:
    for table in (
        "outcomes",
        "product_users",
        "integration_grants",
        "connections",
        "roles",
        "profiles",
        "members",
        "audit_events",
        "organizations",
    ):
        op.drop_table(table)
    for function in ("access_changed", "delegation_changed", "audit_kept"):
        op.execute(f"DROP FUNCTION {function}()")
