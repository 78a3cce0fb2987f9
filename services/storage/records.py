"""The tables of the copy: what the products' lists said, how far each was read, and what became of subscriptions.

Days are calendar days in the organization's own time zone. Amounts named `base_…` are in its base currency.
"""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Numeric, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.storage.models import Instant, Json, Table, now


class Base(Table, table=True):
    """What an organization counts in: its base currency and time zone (`Europe/Berlin`).

    `rates`: currency → units of the base currency for one of it, as text, exact; the product's table of currencies.
    """

    __tablename__ = "record_bases"
    __table_args__ = (ForeignKeyConstraint(["organization_id"], ["organizations.id"]),)

    organization_id: str = Field(primary_key=True)
    currency: str
    time_zone: str
    rates: Json = Field(default_factory=dict, sa_type=JSONB)
    read_at: datetime = Field(default_factory=now, sa_type=Instant)


class Record(Table, table=True):
    """A record of a product as last read: `body` as it was sent, the rest taken from it so that SQL need not.

    `module`: subscriptions, plans, addons, customers, contacts (of Books), invoices, … `complete`: the body is the
    full record, not a list row. `deleted_at`: when it was found missing. `day`: created (subscriptions, customers,
    contacts), date of the document. `due_on`: next billing (subscriptions), due date. `ends_on`: expires
    (subscriptions). `rate`: units of the base currency for one of the record's; with invoices their own, with
    subscriptions that of their first sight, kept since.
    """

    __tablename__ = "records"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        Index("ix_records_newest_by_created_at", "organization_id", "module", text("created_at DESC NULLS LAST"), "id"),
        Index("ix_records_newest_by_day", "organization_id", "module", text("day DESC NULLS LAST"), "id"),
        Index(None, "organization_id", "module", "modified_time"),
        Index(None, "organization_id", "module", "party_id"),
        Index(None, "organization_id", "module", "status"),
        Index(None, "organization_id", "module", "day"),
        Index(None, "organization_id", "module", "due_on"),
        Index("ix_records_account", "organization_id", "module", "account_id"),
        Index("ix_records_contact", "organization_id", "module", "contact_id"),
    )

    organization_id: str = Field(primary_key=True)
    module: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    number: str | None = None
    status: str | None = None
    party_id: str | None = None
    party_name: str | None = None
    account_id: str | None = None
    """The CRM account of a customer, where the product says so; `contact_id` likewise."""
    contact_id: str | None = None
    currency: str | None = None
    amount: Decimal | None = Field(default=None, sa_type=Numeric)
    balance: Decimal | None = Field(default=None, sa_type=Numeric)
    rate: Decimal | None = Field(default=None, sa_type=Numeric)
    base_amount: Decimal | None = Field(default=None, sa_type=Numeric)
    base_balance: Decimal | None = Field(default=None, sa_type=Numeric)
    base_mrr: Decimal | None = Field(default=None, sa_type=Numeric)
    """Subscriptions: `revenue.mrr` at `rate`, rounded to the base currency's digits; None while it does not recur."""
    day: date | None = None
    activated_on: date | None = None
    trial_on: date | None = None
    """The first day of the trial, as far as the product's answers tell."""
    due_on: date | None = None
    ends_on: date | None = None
    paid_on: date | None = None
    """Invoices: the day of the last payment."""
    created_at: datetime | None = Field(default=None, sa_type=Instant)
    number_key: str | None = None
    """The number and the party's name as lists are sorted by them (`listing.collated`)."""
    party_key: str | None = None
    plan_code: str | None = None
    plan_name: str | None = None
    body: Json = Field(default_factory=dict, sa_type=JSONB)
    modified_time: datetime | None = Field(default=None, sa_type=Instant)
    read_at: datetime = Field(default_factory=now, sa_type=Instant)
    complete: bool = False
    deleted_at: datetime | None = Field(default=None, sa_type=Instant)


class SubscriptionChange(Table, table=True):
    """A state that a subscription was in, from `at` until the next one; `sequence` counts from 1 in their order.

    At the end of day D the state is the one row with `day <= D AND (until_day IS NULL OR until_day > D)`. `before_…`
    repeat the row before (None in the first), so that sums of `base_mrr - before_base_mrr` up to D are the MRR of D.
    `base_mrr` is 0 unless `recurring` (status in `revenue.RECURRING`). `source`: OBSERVED between two readings, or
    REPORTED by the record's own dates and activities when it was first read; a REPORTED amount is that of the first
    reading, since the product does not tell earlier ones.
    """

    __tablename__ = "subscription_history"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        Index(None, "organization_id", "day"),
        Index(None, "organization_id", "plan_code", "day"),
        CheckConstraint("source IN ('OBSERVED', 'REPORTED')", name="source"),
    )

    organization_id: str = Field(primary_key=True)
    subscription_id: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    day: date
    until_day: date | None = None
    status: str
    recurring: bool
    party_id: str | None = None
    plan_code: str | None = None
    plan_name: str | None = None
    currency: str | None = None
    amount: Decimal | None = Field(default=None, sa_type=Numeric)
    rate: Decimal | None = Field(default=None, sa_type=Numeric)
    base_mrr: Decimal = Field(default=Decimal(0), sa_type=Numeric, sa_column_kwargs={"server_default": text("0")})
    before_status: str | None = None
    before_plan_code: str | None = None
    before_base_mrr: Decimal = Field(
        default=Decimal(0), sa_type=Numeric, sa_column_kwargs={"server_default": text("0")}
    )
    source: str


class RecordPull(Table, table=True):
    """How far a module's list was read. `as_of`: the moment its rows were true, None until first read in full.

    `state`: IDLE, READING (a full read goes on), PULLING (an increment goes on). `cursor`: {page, began, since} of
    what goes on, enough to resume. `drift`: what the last check found: {missing, surplus, stale} as lists of ids.
    `generation` grows with every change of the module's rows. Until `claimed_until` somebody is asking for changes.
    """

    __tablename__ = "record_pulls"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        CheckConstraint("state IN ('IDLE', 'READING', 'PULLING')", name="state"),
    )

    organization_id: str = Field(primary_key=True)
    module: str = Field(primary_key=True)
    state: str = "IDLE"
    cursor: Json = Field(default_factory=dict, sa_type=JSONB)
    as_of: datetime | None = Field(default=None, sa_type=Instant)
    full_read_at: datetime | None = Field(default=None, sa_type=Instant)
    checked_at: datetime | None = Field(default=None, sa_type=Instant)
    drift: Json = Field(default_factory=dict, sa_type=JSONB)
    rows: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    calls: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    last_error: str | None = None
    generation: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    tried_at: datetime | None = Field(default=None, sa_type=Instant)
    """When a job last went on with it, whatever came of that."""
    claimed_until: datetime | None = Field(default=None, sa_type=Instant)


class RecordSpending(Table, table=True):
    """The calls that the copy has made in a minute (UTC), in one product of an organization."""

    __tablename__ = "record_spending"
    __table_args__ = (ForeignKeyConstraint(["organization_id"], ["organizations.id"]),)

    organization_id: str = Field(primary_key=True)
    product: str = Field(primary_key=True)
    minute: datetime = Field(sa_type=Instant)
    calls: int
