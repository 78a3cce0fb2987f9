"""The tables about requests: how many each user has sent lately, and the documents that are trusted."""

from datetime import datetime

from sqlmodel import Field

from services.storage.models import Instant, Table, now


class Pace(Table, table=True):
    """How many requests a user sent in a minute (counted since the epoch). Not logged: a crash starts it anew."""

    __tablename__ = "paces"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    whose: str = Field(primary_key=True)
    minute: int = Field(primary_key=True)
    requests: int


class TrustedDocument(Table, table=True):
    """A GraphQL document that clients send by its id: the SHA-256 of its text in hex, or what their tool calls it."""

    __tablename__ = "trusted_documents"

    id: str = Field(primary_key=True)
    text: str
    added_at: datetime = Field(default_factory=now, sa_type=Instant)
