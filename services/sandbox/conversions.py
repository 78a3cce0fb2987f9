"""Documents made from others: order from estimate, invoice from estimate or order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.sandbox import documents, totals
from services.sandbox.desk import Body, Desk
from services.sandbox.errors import WRONG_STATUS, refused
from services.sandbox.kinds import ESTIMATES, KINDS, SALES_ORDERS, Kind
from services.sandbox.words import words


@dataclass(frozen=True)
class Source:
    kind: Kind
    body: Body


_NAMED_BY = {("invoices", "invoiced_estimate_id"): "estimates", ("salesorders", "estimate_id"): "estimates"}
_BILLABLE: Mapping[str, frozenset[str]] = {
    "estimates": frozenset({"draft", "approved", "sent", "accepted", "expired"}),
    "salesorders": frozenset({"approved", "open", "overdue", "partially_invoiced"}),
}
_COPIED = words("""
    customer_id reference_number discount discount_type is_discount_before_tax is_inclusive_tax
    shipping_charge adjustment adjustment_description notes terms salesperson_id salesperson_name
    exchange_rate zcrm_potential_id zcrm_potential_name
""")
_COPIED_LINE = words("item_id name description unit rate quantity discount tax_id")


def source(kind: Kind, given: Mapping[str, Any], desk: Desk) -> Source | None:
    """The document that the body of a create names as the one it follows from."""
    for (name, key), of in _NAMED_BY.items():
        if name == kind.name and given.get(key):
            return fetched(KINDS[of], str(given[key]), desk)
    return None


def fetched(kind: Kind, record_id: str, desk: Desk) -> Source:
    """Raises Refusal for a document that may not become another in its present status."""
    desk.allow(kind.name, "view")
    body = desk.require(kind.name, record_id, kind.messages["missing"])
    if body["status"] not in _BILLABLE[kind.name]:
        raise refused(WRONG_STATUS, f"The {kind.singular} is {body['status']} and cannot be converted.")
    return Source(kind, body)


def continued(given: Mapping[str, Any], source: Source) -> Body:
    """The fields given, completed by those of the source."""
    copied = {key: source.body[key] for key in _COPIED if key in source.body}
    fields = [{key: field[key] for key in ("api_name", "value")} for field in source.body["custom_fields"]]
    lines = [{key: line[key] for key in _COPIED_LINE if line[key]} for line in source.body["line_items"]]
    return copied | {"custom_fields": fields, "line_items": lines} | dict(given)


def link(kind: Kind, body: Body, source: Source, desk: Desk) -> None:
    """Notes in both documents that one came from the other, and stores the source."""
    origin = source.body
    if kind is SALES_ORDERS:
        body["estimate_id"] = origin["estimate_id"]
        origin["salesorder_ids"] = [*origin["salesorder_ids"], body["salesorder_id"]]
        origin["is_transaction_created"] = True
        origin["status"] = "accepted"
    elif source.kind is ESTIMATES:
        body["estimate_id"] = origin["estimate_id"]
        origin["invoice_ids"] = [*origin["invoice_ids"], body["invoice_id"]]
        origin["is_transaction_created"] = True
        origin["status"] = "invoiced"
    else:
        _bill(body, origin)
    origin["current_sub_status"] = origin["status"]
    documents.touch(origin, desk.stamp)
    desk.put(source.kind.name, origin)


def _bill(invoice: Body, order: Body) -> None:
    invoice["salesorder_id"] = order["salesorder_id"]
    invoice["salesorder_number"] = order["salesorder_number"]
    invoice["salesorders"] = [{key: order[key] for key in ("salesorder_id", "salesorder_number")}]
    billed = {key: invoice[key] for key in ("invoice_id", "invoice_number", "status", "total")}
    order["invoices"] = [*order["invoices"], billed]
    order["total_invoiced_amount"] = totals.rounded(order["total_invoiced_amount"] + invoice["total"])
    whole = order["total_invoiced_amount"] >= order["total"]
    order["status"] = order["order_status"] = order["invoiced_status"] = "invoiced" if whole else "partially_invoiced"


def followed(body: Mapping[str, Any]) -> bool:
    """Whether other documents follow from this one, or money was paid for it."""
    return bool(
        body.get("invoice_ids")
        or body.get("salesorder_ids")
        or body.get("invoices")
        or body.get("payment_made")
        or body.get("billed_status") == "billed"
    )
