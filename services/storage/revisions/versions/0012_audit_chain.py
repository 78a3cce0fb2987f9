"""The audit's chain: a link for every fact, made by the database at commit, and the boundaries of what was pruned."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)

LINK = """
CREATE FUNCTION audit_link(recorded audit_events, moment timestamptz) RETURNS void LANGUAGE plpgsql
SET timezone = 'UTC' AS $$
DECLARE
    last record;
    earlier bigint;
    body text;
BEGIN
    -- The lock that changes of access take as well, so that no two transactions take two in different orders.
    PERFORM FROM organizations WHERE id = recorded.organization_id FOR NO KEY UPDATE;
    SELECT sequence, hash, at INTO last FROM audit_links
    WHERE organization_id = recorded.organization_id ORDER BY sequence DESC LIMIT 1;
    IF NOT FOUND THEN
        SELECT sequence, hash, links_until AS at INTO last FROM audit_anchors
        WHERE organization_id = recorded.organization_id ORDER BY sequence DESC LIMIT 1;
    END IF;
    SELECT max(sequence) INTO earlier FROM audit_links WHERE event_id = recorded.id;
    moment := greatest(moment, last.at);
    body := jsonb_build_object(
        'sequence', coalesce(last.sequence, 0) + 1, 'previous', last.hash, 'follows', earlier,
        'at', moment, 'event', to_jsonb(recorded)
    )::text;
    INSERT INTO audit_links (organization_id, sequence, event_id, at, hash, entry) VALUES (
        recorded.organization_id, coalesce(last.sequence, 0) + 1, recorded.id, moment,
        encode(sha256(convert_to(body, 'UTF8')), 'hex'), body
    );
END $$
"""
CHAINED = """
CREATE FUNCTION audit_chained() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $$
BEGIN
    PERFORM audit_link(NEW, clock_timestamp());
    RETURN NULL;
END $$
"""
CHAIN_EVENTS = """
CREATE CONSTRAINT TRIGGER audit_chained AFTER INSERT OR UPDATE ON audit_events
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_chained()
"""
CHAIN_KEPT = """
CREATE FUNCTION audit_chain_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_links' AND OLD.sequence <= (
        SELECT max(sequence) FROM audit_anchors WHERE organization_id = OLD.organization_id
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the chain of the audit is kept as it is' USING ERRCODE = 'restrict_violation';
END $$
"""
EVENTS_KEPT = """
CREATE OR REPLACE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
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
    {pruning}
    RAISE EXCEPTION 'audit events are kept as they are' USING ERRCODE = 'restrict_violation';
END $$
"""
PRUNING = """
    IF TG_OP = 'DELETE' AND (SELECT max(sequence) FROM audit_links WHERE event_id = OLD.id) <= (
        SELECT max(sequence) FROM audit_anchors WHERE organization_id = OLD.organization_id
    ) THEN
        RETURN OLD;
    END IF;
"""
FILL = """
DO $$
DECLARE
    recorded audit_events;
BEGIN
    FOR recorded IN SELECT * FROM audit_events ORDER BY coalesce(settled_at, at), id LOOP
        PERFORM audit_link(recorded, coalesce(recorded.settled_at, recorded.at));
    END LOOP;
END $$
"""
"""What was there before the chain: at the moments that the rows state."""


def upgrade() -> None:
    _tables()
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(LINK)
    op.execute("REVOKE EXECUTE ON FUNCTION audit_link FROM PUBLIC")
    op.execute(CHAINED.format(schema=schema))
    op.execute(FILL)
    op.execute(CHAIN_EVENTS)
    op.execute(CHAIN_KEPT)
    op.execute(EVENTS_KEPT.format(pruning=PRUNING))
    for table in ("audit_links", "audit_anchors"):
        op.execute(
            f"CREATE TRIGGER audit_chain_kept BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION audit_chain_kept()"
        )
        op.execute(
            f"CREATE TRIGGER audit_chain_kept_whole BEFORE TRUNCATE ON {table} EXECUTE FUNCTION audit_chain_kept()"
        )


def _tables() -> None:
    op.create_table(
        "audit_links",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("entry", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "sequence", name=op.f("pk_audit_links")),
    )
    op.create_index(op.f("ix_audit_links_event_id_sequence"), "audit_links", ["event_id", "sequence"])
    op.create_table(
        "audit_anchors",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("links_until", INSTANT, nullable=False),
        sa.Column("export_digest", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "sequence", name=op.f("pk_audit_anchors")),
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_chained ON audit_events")
    op.execute(EVENTS_KEPT.format(pruning=""))
    for table in ("audit_anchors", "audit_links"):
        op.drop_table(table)
    op.execute("DROP FUNCTION audit_chained()")
    op.execute("DROP FUNCTION audit_link(audit_events, timestamptz)")
    op.execute("DROP FUNCTION audit_chain_kept()")
