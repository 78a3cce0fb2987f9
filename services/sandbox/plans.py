"""What Billing's subscriptions refer to: plans, addons, products, customers, and its invoices and transactions."""

from collections.abc import Mapping

from sqlmodel import col, select
from starlette.responses import Response

from services.sandbox import listing, lists
from services.sandbox.desk import Body, Desk, Work, success
from services.sandbox.documents import invalid
from services.sandbox.errors import refused
from services.sandbox.listing import Listing
from services.sandbox.store import Record

_LISTS: Mapping[str, Listing] = {
    "plans": lists.PLANS,
    "addons": lists.ADDONS,
    "products": lists.PRODUCTS,
    "customers": lists.CUSTOMERS,
}


def many(module: str) -> Work:
    def work(desk: Desk) -> Response:
        return listing.list_all(_LISTS[module], desk, module)

    return work


def one(module: str) -> Work:
    singular = module.removesuffix("s")

    def work(desk: Desk) -> Response:
        desk.allow(module, "view")
        body = desk.require(module, desk.path["id"], f"The {singular} does not exist.")
        return success(**{singular: desk.shown(module, body)})

    return work


def customer_of_crm(desk: Desk) -> Response:
    """The first customer of a CRM account or contact, by the CRM record's id."""
    desk.allow("customers", "view")
    crm_id = desk.path["id"]
    linked = select(Record.id).where(
        Record.organization_id == desk.organization_id,
        Record.kind == "customers",
        (col(Record.crm_account_id) == crm_id) | (col(Record.crm_contact_id) == crm_id),
    )
    found = desk.session.connection().execute(linked.order_by(col(Record.id))).scalar()
    if found is None:
        raise refused(1002, "The customer does not exist.")
    body = desk.require("customers", found, "The customer does not exist.")
    return success(customer=desk.shown("customers", body))


def invoices(desk: Desk) -> Response:
    return listing.list_all(lists.DOCUMENTS["invoices"], desk, "invoices")


def invoice(desk: Desk) -> Response:
    desk.allow("invoices", "view")
    body = desk.require("invoices", desk.path["id"], "The invoice does not exist.")
    return success(invoice=desk.shown("invoices", body))


_TYPES = {"TransactionType.All", "TransactionType.INVOICE", "TransactionType.PAYMENT"}
_ABSENT = {"TransactionType.CREDIT", "TransactionType.REFUND"}


def transactions(desk: Desk) -> Response:
    """Invoices and the payments made for them, newest first."""
    desk.allow("transactions", "view")
    chosen = desk.query.get("filter_by") or "TransactionType.All"
    if chosen not in _TYPES | _ABSENT:
        raise invalid("filter_by")
    at = listing.page(lists.TRANSACTIONS, desk)
    rows = [row for row in _entries(desk) if chosen.endswith((".All", "." + row["type"].upper()))]
    start = (at.number - 1) * at.size
    context = listing.context(lists.TRANSACTIONS, at, len(rows) > start + at.size)
    return success(transactions=rows[start : start + at.size], page_context=context)


def _entries(desk: Desk) -> list[Body]:
    where = [col(Record.organization_id) == desk.organization_id, col(Record.kind) == "invoices"]
    if customer := desk.query.get("customer_id"):
        where.append(col(Record.customer_id) == customer)
    found = desk.session.exec(
        select(Record.body).where(*where).order_by(col(Record.date).desc(), col(Record.id).desc())
    )
    return [entry for body in found for entry in _of_invoice(dict(body))]


def _of_invoice(body: Body) -> list[Body]:
    common = {
        "reference_id": body["reference_number"],
        "customer_id": body["customer_id"],
        "customer_name": body["customer_name"],
        "currency_code": body["currency_code"],
        "currency_symbol": body["currency_symbol"],
    }
    billed = common | {
        "transaction_id": body["invoice_id"],
        "date": body["date"],
        "type": "invoice",
        "status": body["status"],
        "amount": body["total"],
    }
    paid = common | {
        "transaction_id": f"{body['invoice_id']}1",
        "date": body["last_payment_date"],
        "type": "payment",
        "status": "success",
        "amount": body["payment_made"],
    }
    return [billed, paid] if body["payment_made"] else [billed]
