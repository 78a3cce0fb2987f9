"""The tables that prove the audit. The database alone writes links, when a transaction commits (revision 0012)."""

from datetime import datetime

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from services.storage.models import Instant, Table, now

SETTLING = frozenset(
    {"outcome", "changes", "user_errors", "calls", "subject_id", "subject_number", "credential_email", "settled_at"}
)
"""The columns of an event that settling it fills in; nothing else ever changes, and these not once it is settled."""


class AuditLink(Table, table=True):
    """A fact about an audit event: that it was recorded, or that it was settled.

    `entry` is JSON text: {sequence, at, event, follows, previous}; `event` is the event's row as of the fact, `follows`
    the sequence of the event's earlier link, `previous` the hash of the organization's link before this one. `hash` is
    SHA-256 of the entry in UTF-8, as hex digits.
    """

    __tablename__ = "audit_links"
    __table_args__ = (Index(None, "event_id", "sequence"),)

    organization_id: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    event_id: str
    at: datetime = Field(sa_type=Instant)
    hash: str
    entry: str


class AuditAnchor(Table, table=True):
    """Where the chain begins since older links were exported and removed: the last of these, its hash and moment.

    `export_digest` is SHA-256 of the file that they are in.
    """

    __tablename__ = "audit_anchors"

    organization_id: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    hash: str
    links_until: datetime = Field(sa_type=Instant)
    export_digest: str
    at: datetime = Field(default_factory=now, sa_type=Instant)
