"""Whoever remembers viewers is told when something changes that decides about them."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NOTICE = r"""
CREATE FUNCTION access_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('gateway_events', E'access\n' || NEW.id);
    RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER access_told AFTER UPDATE ON organizations FOR EACH ROW
WHEN (OLD.access_version <> NEW.access_version) EXECUTE FUNCTION access_told()
"""


def upgrade() -> None:
    op.execute(NOTICE)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER access_told ON organizations")
    op.execute("DROP FUNCTION access_told()")
