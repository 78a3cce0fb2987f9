"""The sandbox's own records: SQLModel on SQLite, in a file or in memory."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import JSON, Column, Engine, Index, event
from sqlalchemy.orm import registry
from sqlalchemy.pool import StaticPool
from sqlmodel import Field, Session, SQLModel, create_engine, select

from services.sandbox import exact


class Table(SQLModel, registry=registry()):
    """Apart from the default metadata, so that no other schema ever meets these tables."""


class Record(Table, table=True):
    """One record of a product.

    `organization_id` is the product's own (Books, Billing, or the zgid for `crm_accounts` and `crm_contacts`), `body`
    the full record in Zoho's field names with Decimals for money, `customer_id` the vendor for purchase orders.
    Changes of `body` are seen only when it is assigned anew.
    """

    __table_args__ = tuple(
        Index(f"ix_record_{column}", "organization_id", "kind", column, "id")
        for column in (
            "created_time",
            "modified_time",
            "customer_id",
            "date",
            "number",
            "name",
            "status",
            "crm_account_id",
        )
    )

    organization_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    created_time: str = ""
    modified_time: str = ""
    customer_id: str | None = None
    row: str = ""
    """The list row as JSON text, for kinds that are listed; this and the columns below are derived from `body`."""
    number: str = ""
    reference: str = ""
    name: str = ""
    status: str = ""
    date: str = ""
    due_date: str = ""
    total: float | None = None
    crm_account_id: str = ""
    crm_contact_id: str = ""
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class Organization(Table, table=True):
    """A company: one CRM organization with its Books and its Billing organization."""

    crm_id: str = Field(primary_key=True)
    books_id: str = Field(index=True)
    billing_id: str = Field(index=True)
    key: str
    """`demo`, `west` or `south`; the people's addresses are @<key>.example."""
    data_centre: str
    name: str
    edition: str
    currency_code: str
    currency_symbol: str
    country_code: str
    time_zone: str

    def id_in(self, product: str) -> str:
        """The organization's id in `books`, `billing` or `crm`."""
        return {"books": self.books_id, "billing": self.billing_id, "crm": self.crm_id}[product]


class Person(Table, table=True):
    """Somebody with a Zoho account; in a product when the product's user id is set."""

    zuid: str = Field(primary_key=True)
    crm_id: str = Field(index=True)
    email: str = Field(index=True)
    first_name: str = ""
    last_name: str = ""
    crm_user_id: str = ""
    crm_email: str = ""
    """Differs from `email` in case for one person."""
    crm_status: str = "active"
    crm_confirmed: bool = True
    crm_modified_time: str = ""
    profile: str = "Standard"
    books_user_id: str | None = None
    books_role: str | None = None
    books_status: str = "active"
    billing_user_id: str | None = None
    billing_role: str | None = None
    billing_status: str = "active"

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def id_in(self, product: str) -> str | None:
        return {"books": self.books_user_id, "billing": self.billing_user_id, "crm": self.crm_user_id}[product]

    def role_in(self, product: str) -> str | None:
        """The role's name in `books` or `billing`."""
        return {"books": self.books_role, "billing": self.billing_role}[product]

    def status_in(self, product: str) -> str:
        return {"books": self.books_status, "billing": self.billing_status, "crm": self.crm_status}[product]


class Assignment(Table, table=True):
    """A customer that a Books or Billing user with an assigned-customers role may see."""

    organization_id: str = Field(primary_key=True)
    user_id: str = Field(primary_key=True)
    customer_id: str = Field(primary_key=True)


class Sequence(Table, table=True):
    organization_id: str = Field(primary_key=True)
    prefix: str
    value: int = 0


class SigningKey(Table, table=True):
    kid: str = Field(primary_key=True)
    pem: str
    position: int
    published: bool = True


class AuthorizationCode(Table, table=True):
    code: str = Field(primary_key=True)
    zuid: str
    client_id: str
    redirect_uri: str
    scopes: str
    offline: bool
    challenge: str = ""
    nonce: str = ""
    expires_at: float


class RefreshToken(Table, table=True):
    token: str = Field(primary_key=True)
    zuid: str = Field(index=True)
    client_id: str
    scopes: str
    data_centre: str
    number: int


class AccessToken(Table, table=True):
    token: str = Field(primary_key=True)
    refresh_token: str = Field(default="", index=True)
    zuid: str = Field(index=True)
    client_id: str
    scopes: str
    expires_at: float
    number: int


class Store:
    """`path` None keeps everything in memory. Sessions are never nested nor held over an `await`."""

    def __init__(self, path: Path | None = None) -> None:
        self.engine = _engine(path)
        Table.metadata.create_all(self.engine)
        self._load_sequences()

    @classmethod
    def copy_of(cls, path: Path) -> "Store":
        """The records of a file, in memory; changes stay there."""
        store = cls()
        with closing(sqlite3.connect(path)) as source, store.engine.connect() as target:
            source.backup(cast(sqlite3.Connection, target.connection.dbapi_connection))
        store._load_sequences()
        return store

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Committed at the end, rolled back by an exception."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session
            self._save_sequences(session)
            session.commit()

    def open_sequence(self, organization_id: str, prefix: str) -> None:
        """Ids of the organization start with `prefix`, three digits."""
        self._sequences.setdefault(
            organization_id, Sequence(organization_id=organization_id, prefix=prefix, value=1000)
        )
        self._advanced.add(organization_id)

    def next_id(self, organization_id: str) -> str:
        """18 digits; the same sequence of ids for the same sequence of calls."""
        sequence = self._sequences[organization_id]
        sequence.value += 1
        self._advanced.add(organization_id)
        return f"{sequence.prefix}{sequence.value:015d}"

    def close(self) -> None:
        self.engine.dispose()

    def _load_sequences(self) -> None:
        self._advanced: set[str] = set()
        with Session(self.engine, expire_on_commit=False) as session:
            self._sequences = {row.organization_id: row for row in session.exec(select(Sequence))}
            session.expunge_all()

    def _save_sequences(self, session: Session) -> None:
        for organization_id in self._advanced:
            session.merge(self._sequences[organization_id])
        self._advanced.clear()


def _engine(path: Path | None) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}" if path else "sqlite://",
        json_serializer=exact.encode,
        json_deserializer=exact.decode,
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    """A committed write survives the end of the process, not that of the machine."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
