"""Items, and what customers owe after all invoices are written."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from services.sandbox import goods
from services.sandbox.catalog import names
from services.sandbox.catalog.scene import Scene
from services.sandbox.stamps import written
from services.sandbox.totals import rounded


def items(scene: Scene) -> list[dict[str, Any]]:
    return [_item(scene, order, *row) for order, row in enumerate(names.GOODS)]


def _item(scene: Scene, order: int, name: str, rate: str, unit: str, product_type: str) -> dict[str, Any]:
    organization = scene.organization
    taxes = goods.taxes(organization.books_id, organization.currency_code)
    at = written(scene.day_at(0))
    return {
        "item_id": scene.books_id(),
        "name": name,
        "item_name": name,
        "description": f"{name}, per {unit}",
        "rate": goods.priced(Decimal(rate), organization.currency_code, organization.currency_code),
        "unit": unit,
        "sku": f"SKU-{order + 1:03d}",
        "status": "active",
        "product_type": product_type,
        "item_type": "sales_and_purchases",
        "source": "user",
        "is_linked_with_zohocrm": False,
        "zcrm_product_id": "",
        "is_taxable": True,
        **taxes[order % 5 == 4].on_line(),
        "created_time": at,
        "last_modified_time": at,
    }


def owe(contacts: Iterable[dict[str, Any]], invoices: Iterable[dict[str, Any]], base_currency: str) -> None:
    """Sets each customer's outstanding amount from the open balances of the invoices sent to them."""
    open_by_customer: dict[str, Decimal] = {}
    for invoice in invoices:
        if invoice["status"] in ("sent", "viewed", "overdue", "partially_paid"):
            customer = invoice["customer_id"]
            open_by_customer[customer] = open_by_customer.get(customer, Decimal(0)) + invoice["balance"]
    for contact in contacts:
        owed = open_by_customer.get(contact["contact_id"])
        if owed:
            rate = goods.exchange_rate(contact["currency_code"], base_currency)
            contact["outstanding_receivable_amount"] = owed
            contact["outstanding_receivable_amount_bcy"] = rounded(owed * rate)
            contact["has_transaction"] = True
