"""What queries need to be answered from the copy: full records, how old answers may be, and how lists are sorted."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)


def collated(text: str | None) -> str | None:
    """As the lists compare texts."""
    if text is None:
        return None
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


def upgrade() -> None:
    op.create_table(
        "full_records",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("module", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("shape", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("read_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_full_records_organization_id_organizations")
        ),
        sa.PrimaryKeyConstraint("organization_id", "module", "id", name=op.f("pk_full_records")),
    )
    op.add_column(
        "organizations", sa.Column("freshness_seconds", sa.Integer(), server_default=sa.text("30"), nullable=False)
    )
    op.execute(
        "CREATE TRIGGER freshness_changed BEFORE UPDATE OF freshness_seconds ON organizations "
        "FOR EACH ROW EXECUTE FUNCTION delegation_changed()"
    )
    op.add_column("records", sa.Column("created_at", INSTANT, nullable=True))
    op.add_column("records", sa.Column("number_key", sa.String(), nullable=True))
    op.add_column("records", sa.Column("party_key", sa.String(), nullable=True))
    fill()
    for column in ("created_at", "day"):
        op.create_index(
            f"ix_records_newest_by_{column}",
            "records",
            ["organization_id", "module", sa.text(f"{column} DESC NULLS LAST"), "id"],
        )


def fill() -> None:
    """What the rows so far say."""
    op.execute(
        "UPDATE records SET created_at = CAST(NULLIF(body ->> 'created_time', '') AS timestamptz) "
        "WHERE body ->> 'created_time' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T'"
    )
    connection = op.get_bind()
    named = connection.execute(
        sa.text(
            "SELECT organization_id, module, id, number, party_name FROM records "
            "WHERE coalesce(number, party_name) IS NOT NULL"
        )
    )
    keyed = [
        {"o": row[0], "m": row[1], "i": row[2], "n": collated(row[3]), "p": collated(row[4])} for row in named.all()
    ]
    if keyed:
        connection.execute(
            sa.text(
                "UPDATE records SET number_key = :n, party_key = :p "
                "WHERE organization_id = :o AND module = :m AND id = :i"
            ),
            keyed,
        )


def downgrade() -> None:
    for column in ("day", "created_at"):
        op.drop_index(f"ix_records_newest_by_{column}", "records")
    for column in ("party_key", "number_key", "created_at"):
        op.drop_column("records", column)
    op.execute("DROP TRIGGER freshness_changed ON organizations")
    op.drop_column("organizations", "freshness_seconds")
    op.drop_table("full_records")
