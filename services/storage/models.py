"""The tables. Texts that the products send as ids stay texts; times are UTC instants; JSON columns say their shape."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, MetaData, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from services.storage.clock import now as now  # noqa: PLC0414 - whoever keeps rows says when

Json = dict[str, Any]


class Instant(TIMESTAMP):
    """A point in time, never a wall clock's reading."""

    cache_ok = True

    def __init__(self) -> None:
        super().__init__(timezone=True)


def new_id() -> str:
    """A fresh primary key: 32 hex digits."""
    return uuid4().hex


def fold(email: str) -> str:
    """An e-mail address as it is stored and compared."""
    return email.strip().casefold()


class Table(
    SQLModel,
    registry=registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        )
    ),
):
    """Rows of the gateway's own database, apart from every other SQLModel metadata."""


class Organization(Table, table=True):
    """A company that uses the integration.

    `delegation`: users who are not migrated yet work under the owner's access. `acting_user_field` and
    `reference_field` are the API names of the products' custom fields that take the acting integration user and the
    reference by which a lost write is found again. `capability_set` is what integration users may hold at most. The
    window is the time in which users may still be migrated by hand; `auto_migrated_at`: when its end added the
    remaining ones. `access_version` grows with every change of who may do what
    (by triggers, see the first revision).
    """

    __tablename__ = "organizations"
    __table_args__ = (UniqueConstraint("data_center", "crm_org_id"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    name: str
    data_center: str
    edition: str
    crm_org_id: str
    delegation: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})
    acting_user_field: str = "cf_acting_user"
    reference_field: str = "cf_gateway_reference"
    access_version: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    capability_set: str = Field(
        default="ALL_FINANCE_MODULES", sa_column_kwargs={"server_default": text("'ALL_FINANCE_MODULES'")}
    )
    integration_user_limit: int = Field(default=1000, sa_column_kwargs={"server_default": text("1000")})
    freshness_seconds: int = Field(default=30, sa_column_kwargs={"server_default": text("30")})
    """How old answers may be where an operation does not say it."""
    window_opens_at: datetime | None = Field(default=None, sa_type=Instant)
    window_closes_at: datetime | None = Field(default=None, sa_type=Instant)
    auto_migrated_at: datetime | None = Field(default=None, sa_type=Instant)
    synced_at: datetime | None = Field(default=None, sa_type=Instant)
    created_at: datetime = Field(default_factory=now, sa_type=Instant)


class Member(Table, table=True):
    """A CRM user of an organization, with what the products say of them.

    `email` is case-folded. `status` and `books_status` are the products' words (`active`, `disabled`, `inactive`, …),
    `deleted` when the product no longer lists the person. `assigned_only`: Books shows them only the customers assigned
    to them. `migrated_at` is set once they work under their own access.
    """

    __tablename__ = "members"
    __table_args__ = (
        UniqueConstraint("organization_id", "crm_user_id"),
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        Index(None, "email"),
        Index(None, "zuid"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    organization_id: str
    crm_user_id: str
    zuid: str | None = None
    email: str
    name: str
    profile_id: str | None = None
    status: str
    confirmed: bool
    books_user_id: str | None = None
    books_role: str | None = None
    books_status: str | None = None
    assigned_only: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    billing_role: str | None = None
    migrated_at: datetime | None = Field(default=None, sa_type=Instant)


class ProductUser(Table, table=True):
    """A user of a product, whether or not the CRM knows them; `status` is the product's word."""

    __tablename__ = "product_users"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        ForeignKeyConstraint(["member_id"], ["members.id"]),
    )

    organization_id: str = Field(primary_key=True)
    product: str = Field(primary_key=True)
    user_id: str = Field(primary_key=True)
    member_id: str | None = None
    email: str | None = None
    name: str | None = None
    role: str | None = None
    status: str | None = None
    assigned_only: bool = False


class Connection(Table, table=True):
    """A person's consent to act for them in a product.

    `email` is the case-folded address of the account that consented, `member_id` the CRM user it belongs to, once
    known. Tokens are sealed (`sealing.Seal`).
    """

    __tablename__ = "connections"
    __table_args__ = (
        UniqueConstraint("organization_id", "product", "email"),
        UniqueConstraint("organization_id", "product", "member_id"),
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        ForeignKeyConstraint(["member_id"], ["members.id"]),
        Index("uq_connections_owner", "organization_id", "product", unique=True, postgresql_where=text("is_owner")),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    organization_id: str
    member_id: str | None = None
    email: str
    product: str
    product_organization_id: str
    data_center: str
    accounts_url: str
    api_domain: str
    scopes: list[str] = Field(default_factory=list, sa_type=JSONB)
    is_owner: bool = False
    refresh_token: bytes = Field(sa_type=LargeBinary)
    access_token: bytes | None = Field(default=None, sa_type=LargeBinary)
    expires_at: datetime | None = Field(default=None, sa_type=Instant)
    last_error: str | None = None
    connected_at: datetime = Field(default_factory=now, sa_type=Instant)


class Invitation(Table, table=True):
    """A link under which somebody connects an access, once.

    Without a member it is an owner's, without an organization a new one's. `state_hash` is SHA-256 of what the link
    carries, `verifier` PKCE's secret, sealed; `chosen`: product → the organization's id there.
    """

    __tablename__ = "invitations"
    __table_args__ = (
        UniqueConstraint("state_hash"),
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        ForeignKeyConstraint(["member_id"], ["members.id"]),
        Index(None, "expires_at"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    state_hash: bytes = Field(sa_type=LargeBinary)
    verifier: bytes = Field(sa_type=LargeBinary)
    organization_id: str | None = None
    member_id: str | None = None
    data_center: str
    redirect_uri: str
    scopes: list[str] = Field(default_factory=list, sa_type=JSONB)
    products: list[str] = Field(default_factory=list, sa_type=JSONB)
    chosen: Json = Field(default_factory=dict, sa_type=JSONB)
    migrate: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    used_at: datetime | None = Field(default=None, sa_type=Instant)


class Profile(Table, table=True):
    """A CRM profile. `grants`: module → {actions, hidden, read_only, assigned_only} (`policy.ModuleGrant`)."""

    __tablename__ = "profiles"
    __table_args__ = (ForeignKeyConstraint(["organization_id"], ["organizations.id"]),)

    organization_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    name: str
    administers: bool = False
    grants: Json = Field(default_factory=dict, sa_type=JSONB)


class Role(Table, table=True):
    """What a product's role allows, by its case-folded name; `grants` as in `Profile`.

    The products have no endpoint that tells (facts §1.6), so administrators of the integration keep these.
    """

    __tablename__ = "roles"
    __table_args__ = (ForeignKeyConstraint(["organization_id"], ["organizations.id"]),)

    organization_id: str = Field(primary_key=True)
    product: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    grants: Json = Field(default_factory=dict, sa_type=JSONB)


class IntegrationGrant(Table, table=True):
    """A member without a licence in a product who was made an integration user there.

    `grants` as in `Profile`, narrowed by the capability set; None grants the whole set.
    """

    __tablename__ = "integration_grants"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        ForeignKeyConstraint(["member_id"], ["members.id"]),
    )

    organization_id: str
    member_id: str = Field(primary_key=True)
    product: str = Field(primary_key=True)
    capability_set: str
    grants: Json | None = Field(default=None, sa_type=JSONB)
    created_at: datetime = Field(default_factory=now, sa_type=Instant)


class AuditEvent(Table, table=True):
    """One action and what became of it. Settled events never change (a trigger refuses it).

    Names and addresses are those of the moment. `changes`: [{field, before, after}]; `calls`: [{product, method, path,
    status, duration_ms, actor}]; `outcome` is an `outcomes.State`.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        Index(None, "organization_id", "at", "id"),
        Index(None, "organization_id", "actor_id", "at"),
        Index(None, "organization_id", "subject_module", "subject_id", "at"),
        CheckConstraint("outcome IN ('INTENT', 'APPLIED', 'REJECTED', 'UNCERTAIN')", name="outcome"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    organization_id: str
    at: datetime = Field(default_factory=now, sa_type=Instant)
    actor_id: str
    actor_name: str
    actor_email: str
    credential_email: str | None = None
    access: str | None = None
    product: str | None = None
    action: str
    permission: str | None = None
    subject_module: str | None = None
    subject_id: str | None = None
    subject_number: str | None = None
    outcome: str
    changes: list[Json] = Field(default_factory=list, sa_type=JSONB)
    user_errors: list[Json] = Field(default_factory=list, sa_type=JSONB)
    calls: list[Json] = Field(default_factory=list, sa_type=JSONB)
    request_id: str
    settled_at: datetime | None = Field(default=None, sa_type=Instant)


class Outcome(Table, table=True):
    """A write under an idempotency key: the intent before the call, the outcome after it.

    `digest` tells whether the same key came with the same input; `details` is what looking up a lost answer needs.
    """

    __tablename__ = "outcomes"
    __table_args__ = (
        UniqueConstraint("organization_id", "member_id", "key"),
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        ForeignKeyConstraint(["member_id"], ["members.id"]),
        ForeignKeyConstraint(["audit_event_id"], ["audit_events.id"], deferrable=True, initially="DEFERRED"),
        Index("ix_outcomes_open", "started_at", postgresql_where=text("state IN ('INTENT', 'UNCERTAIN')")),
        CheckConstraint("state IN ('INTENT', 'APPLIED', 'REJECTED', 'UNCERTAIN')", name="state"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    organization_id: str
    member_id: str
    key: str
    digest: str
    action: str
    product: str | None = None
    state: str
    record_module: str | None = None
    record_id: str | None = None
    user_errors: list[Json] = Field(default_factory=list, sa_type=JSONB)
    details: Json = Field(default_factory=dict, sa_type=JSONB)
    audit_event_id: str
    started_at: datetime = Field(default_factory=now, sa_type=Instant)
    settled_at: datetime | None = Field(default=None, sa_type=Instant)
    looked_up_at: datetime | None = Field(default=None, sa_type=Instant)
