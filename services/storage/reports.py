"""The table of personalized reports."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.storage.models import Instant, Json, Table, new_id, now


class PersonalReport(Table, table=True):
    """A report that a member has made from a system one. `choice`: how it is adjusted, as `reports.values.Choice`.

    `shared`: everybody of the organization may run it, each within their own permissions.
    """

    __tablename__ = "personal_reports"
    __table_args__ = (
        UniqueConstraint("member_id", "name"),
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        ForeignKeyConstraint(["member_id"], ["members.id"]),
        Index(None, "organization_id", "name"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    organization_id: str
    member_id: str
    system_key: str
    name: str
    choice: Json = Field(default_factory=dict, sa_type=JSONB)
    shared: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = Field(default_factory=now, sa_type=Instant)
    changed_at: datetime = Field(default_factory=now, sa_type=Instant)
