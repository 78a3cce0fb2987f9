"""Records of Books and Billing in the store: the derived columns, reading, writing."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Integer, Text, cast, func, insert, type_coerce
from sqlmodel import Session, col, select

from services.sandbox import exact, shapes
from services.sandbox.stamps import sortable
from services.sandbox.store import Record

_DOCUMENT = {
    "reference": "reference_number",
    "status": "status",
    "date": "date",
    "total": "total",
    "created_time": "created_time",
    "modified_time": "last_modified_time",
}
_SALE = _DOCUMENT | {"name": "customer_name", "customer_id": "customer_id"}
_PLANNED = {"status": "status", "name": "name", "reference": "product_id"}
_BILLED = {"created_time": "created_time", "modified_time": "updated_time"}

_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "estimates": _SALE | {"id": "estimate_id", "number": "estimate_number", "due_date": "expiry_date"},
    "invoices": _SALE | {"id": "invoice_id", "number": "invoice_number", "due_date": "due_date"},
    "salesorders": _SALE | {"id": "salesorder_id", "number": "salesorder_number", "due_date": "shipment_date"},
    "purchaseorders": _DOCUMENT
    | {
        "id": "purchaseorder_id",
        "number": "purchaseorder_number",
        "due_date": "delivery_date",
        "name": "vendor_name",
        "customer_id": "vendor_id",
    },
    "contacts": {
        "id": "contact_id",
        "number": "contact_number",
        "name": "contact_name",
        "status": "status",
        "total": "outstanding_receivable_amount",
        "customer_id": "contact_id",
        "created_time": "created_time",
        "modified_time": "last_modified_time",
        "crm_account_id": "zcrm_account_id",
        "crm_contact_id": "zcrm_contact_id",
    },
    "items": {
        "id": "item_id",
        "name": "name",
        "status": "status",
        "total": "rate",
        "created_time": "created_time",
        "modified_time": "last_modified_time",
    },
    "subscriptions": _BILLED
    | {
        "id": "subscription_id",
        "number": "subscription_number",
        "name": "name",
        "status": "status",
        "date": "created_at",
        "due_date": "next_billing_at",
        "total": "amount",
        "reference": "reference_id",
        "customer_id": "customer_id",
    },
    "customers": _BILLED
    | {
        "id": "customer_id",
        "name": "display_name",
        "status": "status",
        "customer_id": "customer_id",
        "crm_account_id": "zcrm_account_id",
        "crm_contact_id": "zcrm_contact_id",
    },
    "plans": _PLANNED | _BILLED | {"id": "plan_code", "total": "recurring_price"},
    "addons": _PLANNED | _BILLED | {"id": "addon_code"},
    "products": _BILLED | {"id": "product_id", "name": "name", "status": "status"},
    "activities": {"id": "subscription_id"},
    "comments": {"id": "transaction_id"},
    "mails": {"id": "transaction_id"},
    "crm_accounts": {"id": "id", "name": "Account_Name"},
    "crm_contacts": {"id": "id", "name": "Full_Name"},
}


def columns(organization_id: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Every column of the record, ready for an insert."""
    values = {column: body.get(key) or "" for column, key in _COLUMNS[kind].items()}
    for column in ("created_time", "modified_time"):
        values[column] = sortable(values[column]) if values.get(column) else ""
    total = values.pop("total", None)
    row = exact.encode(shapes.row(kind, body)) if kind in shapes.ROWS else exact.encode(body)
    return {
        "organization_id": organization_id,
        "kind": kind,
        "body": body,
        "row": row,
        "total": None if total is None else float(total or 0),
        "customer_id": values.pop("customer_id", None),
        **dict.fromkeys(("number", "reference", "name", "status", "date", "due_date"), ""),
        **dict.fromkeys(("crm_account_id", "crm_contact_id"), ""),
        **values,
    }


def add_all(session: Session, organization_id: str, kind: str, bodies: Iterable[dict[str, Any]]) -> None:
    rows = [columns(organization_id, kind, body) for body in bodies]
    if rows:
        session.connection().execute(insert(Record), rows)


def put(session: Session, organization_id: str, kind: str, body: dict[str, Any]) -> None:
    """Inserts the record or replaces it."""
    session.merge(Record(**columns(organization_id, kind, body)))
    session.flush()


def read(session: Session, organization_id: str, kind: str, record_id: str) -> dict[str, Any] | None:
    text = read_text(session, organization_id, kind, record_id)
    return None if text is None else exact.decode(text)


def read_text(session: Session, organization_id: str, kind: str, record_id: str) -> str | None:
    """The full record as stored, not decoded."""
    found = session.connection().execute(
        select(type_coerce(col(Record.body), Text)).where(
            Record.organization_id == organization_id, Record.kind == kind, Record.id == record_id
        )
    )
    text: str | None = found.scalar()
    return text


def drop(session: Session, organization_id: str, kind: str, record_id: str) -> None:
    record = session.get(Record, (organization_id, kind, record_id))
    if record is not None:
        session.delete(record)


def taken(session: Session, organization_id: str, kind: str, column: str, value: str, *, but: str = "") -> bool:
    """Whether another record than `but` has the value in that column."""
    found = session.connection().execute(
        select(Record.id).where(
            Record.organization_id == organization_id,
            Record.kind == kind,
            getattr(Record, column) == value,
            Record.id != but,
        )
    )
    return found.first() is not None


def next_number(session: Session, organization_id: str, kind: str, prefix: str) -> str:
    """One more than the highest number in use: ``EST-000042``."""
    digits = cast(func.substr(Record.number, len(prefix) + 1), Integer)
    highest = session.connection().execute(
        select(func.max(digits)).where(
            Record.organization_id == organization_id, Record.kind == kind, col(Record.number).startswith(prefix)
        )
    )
    return f"{prefix}{(highest.scalar() or 0) + 1:06d}"
