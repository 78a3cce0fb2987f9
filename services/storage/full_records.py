"""The table of full records: what list rows leave out, kept until a list row says that it has changed."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint
from sqlmodel import Field

from services.storage.models import Instant, Table


class FullRecord(Table, table=True):
    """A document as it was last fetched in full by somebody who sees all of it.

    `body` is our own value as JSON, `shape` the form that the value had then: of another one it is not read.
    """

    __tablename__ = "full_records"
    __table_args__ = (ForeignKeyConstraint(["organization_id"], ["organizations.id"]),)

    organization_id: str = Field(primary_key=True)
    module: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    shape: str
    body: str
    read_at: datetime = Field(sa_type=Instant)
