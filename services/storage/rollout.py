"""The tables of rollout and migration."""

from datetime import date, datetime

from sqlalchemy import ARRAY, CheckConstraint, ForeignKeyConstraint, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.storage.models import Instant, Json, Table, new_id, now


class RolloutPhase(Table, table=True):
    """Where a feature is available, and since when: a data centre and the editions there (`*`: all)."""

    __tablename__ = "rollout_phases"
    __table_args__ = (UniqueConstraint("feature", "data_center", "starts_at"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    feature: str
    data_center: str
    editions: list[str] = Field(sa_type=ARRAY(String))
    starts_at: datetime = Field(sa_type=Instant)
    note: str | None = None


class Migration(Table, table=True):
    """A run that moves members of an organization to another access. Its progress is counted from its items.

    `purpose`: USERS, CAPABILITIES or WINDOW_CLOSED; `worked_seconds`: how long it has been running, pauses left out,
    up to `resumed_at`.
    """

    __tablename__ = "migrations"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        Index(None, "organization_id", "created_at", "id"),
        Index(
            "uq_migrations_window",
            "organization_id",
            unique=True,
            postgresql_where=text("purpose = 'WINDOW_CLOSED'"),
        ),
        CheckConstraint(
            "state IN ('PREVIEW', 'QUEUED', 'RUNNING', 'PAUSED', 'COMPLETED', 'CANCELLED', 'ROLLED_BACK')", name="state"
        ),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    organization_id: str
    purpose: str
    state: str
    requested_by: str | None = None
    capability_set: str
    created_at: datetime = Field(default_factory=now, sa_type=Instant)
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    resumed_at: datetime | None = Field(default=None, sa_type=Instant)
    worked_seconds: float = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    finished_at: datetime | None = Field(default=None, sa_type=Instant)


class MigrationItem(Table, table=True):
    """One member in a migration. A pending one is not tried before `due_at`.

    `undo` is what rolling back restores: {migrated_at, grants: [{product, capability_set, grants, created_at}]};
    `mattered`: [{coordinate, permission, operations}], what the member used lately and could not any more.
    """

    __tablename__ = "migration_items"
    __table_args__ = (
        UniqueConstraint("migration_id", "member_id"),
        ForeignKeyConstraint(["migration_id"], ["migrations.id"]),
        ForeignKeyConstraint(["member_id"], ["members.id"]),
        Index(None, "migration_id", "state", "position"),
        Index(None, "member_id"),
        CheckConstraint("state IN ('PENDING', 'MIGRATED', 'SKIPPED', 'FAILED', 'ROLLED_BACK')", name="state"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    migration_id: str
    member_id: str
    position: int
    from_access: str
    to_access: str
    state: str
    reason: str | None = None
    message: str | None = None
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    permissions_gained: list[str] = Field(default_factory=list, sa_type=JSONB)
    permissions_lost: list[str] = Field(default_factory=list, sa_type=JSONB)
    mattered: list[Json] = Field(default_factory=list, sa_type=JSONB)
    undo: Json = Field(default_factory=dict, sa_type=JSONB)
    due_at: datetime = Field(default_factory=now, sa_type=Instant)
    settled_at: datetime | None = Field(default=None, sa_type=Instant)
    emailed_at: datetime | None = Field(default=None, sa_type=Instant)


class Usage(Table, table=True):
    """How often a member's operations touched a coordinate (`Invoice.balance`) on a day (UTC)."""

    __tablename__ = "usage"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        ForeignKeyConstraint(["member_id"], ["members.id"]),
        Index(None, "organization_id", "day"),
    )

    organization_id: str
    member_id: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    coordinate: str = Field(primary_key=True)
    permission: str
    operations: int


class Mail(Table, table=True):
    """A message to be sent: one a member and event for ever. `message_id` stays the same however often it is tried.

    `state`: WAITING, SENT, or GIVEN_UP after a refusal that no repetition mends.
    """

    __tablename__ = "mails"
    __table_args__ = (
        UniqueConstraint("member_id", "event"),
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        ForeignKeyConstraint(["member_id"], ["members.id"]),
        Index("ix_mails_waiting", "due_at", postgresql_where=text("state = 'WAITING'")),
        CheckConstraint("state IN ('WAITING', 'SENT', 'GIVEN_UP')", name="state"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    organization_id: str
    member_id: str
    event: str
    migration_item_id: str | None = None
    recipient: str
    template: str
    values: Json = Field(default_factory=dict, sa_type=JSONB)
    message_id: str
    state: str = "WAITING"
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    last_error: str | None = None
    created_at: datetime = Field(default_factory=now, sa_type=Instant)
    due_at: datetime = Field(default_factory=now, sa_type=Instant)
    sent_at: datetime | None = Field(default=None, sa_type=Instant)
