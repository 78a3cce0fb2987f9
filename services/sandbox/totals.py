"""Sums of a document, exact: rate × quantity, discounts, taxes, shipping and adjustment.

A discount is an amount (``12.5``) or a percentage (``"12.5%"``). With ``discount_type`` ``item_level`` it stands on
the lines, with ``entity_level`` on the document, before or after tax.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

ZERO = Decimal(0)
HUNDRED = Decimal(100)
_SMALLEST = {0: Decimal(1), 2: Decimal("0.01"), 3: Decimal("0.001")}
_LARGEST = Decimal(10) ** 15


def number(value: Any) -> Decimal:
    """What a client may send for an amount; raises ValueError for text that is none, NaN and sizes past 10^15."""
    if value is None or value == "":
        return ZERO
    try:
        amount = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(str(value)) from error
    if not amount.is_finite() or abs(amount) >= _LARGEST:
        raise ValueError(str(value))
    return amount


def rounded(amount: Decimal, precision: int = 2) -> Decimal:
    return amount.quantize(_SMALLEST[precision], ROUND_HALF_UP)


def reduction(discount: Any, base: Decimal, precision: int) -> Decimal:
    """The amount that a discount takes from `base`."""
    if isinstance(discount, str) and discount.endswith("%"):
        return rounded(base * number(discount[:-1]) / HUNDRED, precision)
    return rounded(number(discount), precision)


def price(line: dict[str, Any], *, item_level: bool, exchange_rate: Decimal, precision: int) -> Decimal:
    """Sets the line's sums and answers its `item_total`."""
    rate, gross = number(line.get("rate")), _gross(line, precision)
    taken = reduction(line.get("discount"), gross, precision) if item_level else ZERO
    line["discount_amount"] = rounded(taken, precision)
    line["bcy_rate"] = rounded(rate * exchange_rate)
    line["item_total"] = rounded(gross - taken, precision)
    return gross - taken


def _gross(line: Mapping[str, Any], precision: int) -> Decimal:
    quantity = number(line.get("quantity", 1))
    return rounded(number(line.get("rate")) * quantity, precision)


def settle(document: dict[str, Any]) -> None:
    """Computes every sum of the document from its lines, in place."""
    precision = int(document["price_precision"])
    item_level = document["discount_type"] == "item_level"
    exchange = number(document["exchange_rate"])
    lines = document["line_items"]
    sub_total = sum(
        (price(line, item_level=item_level, exchange_rate=exchange, precision=precision) for line in lines), ZERO
    )
    discount = ZERO if item_level else reduction(document["discount"], sub_total, precision)
    before_tax = discount if document["is_discount_before_tax"] else ZERO
    taxes = tuple(_taxes(lines, sub_total, before_tax, bool(document["is_inclusive_tax"]), precision))
    tax_total = sum((tax["tax_amount"] for tax in taxes), ZERO)
    added = ZERO if document["is_inclusive_tax"] else tax_total
    extras = number(document["shipping_charge"]) + number(document["adjustment"])
    document.update(
        taxes=list(taxes),
        sub_total=rounded(sub_total, precision),
        tax_total=rounded(tax_total, precision),
        discount_total=rounded(discount or _line_discounts(lines), precision),
        total=rounded(sub_total - discount + added + extras, precision),
    )
    document.update(_in_base_currency(document, exchange))


def _line_discounts(lines: Iterable[Mapping[str, Any]]) -> Decimal:
    return sum((line["discount_amount"] for line in lines), ZERO)


def _taxes(
    lines: Iterable[Mapping[str, Any]], sub_total: Decimal, discount: Decimal, inclusive: bool, precision: int
) -> Iterable[dict[str, Any]]:
    """One row a tax, on the lines' totals less their share of a document discount taken before tax."""
    share = (sub_total - discount) / sub_total if sub_total else ZERO
    bases: dict[tuple[str, str, Decimal], Decimal] = {}
    for line in lines:
        percentage = number(line.get("tax_percentage"))
        if percentage:
            key = (str(line.get("tax_id", "")), str(line.get("tax_name", "")), percentage)
            bases[key] = bases.get(key, ZERO) + line["item_total"] * share
    for (tax_id, name, percentage), base in bases.items():
        divisor = HUNDRED + percentage if inclusive else HUNDRED
        amount = rounded(base * percentage / divisor, precision)
        yield {"tax_id": tax_id, "tax_name": f"{name} ({percentage}%)", "tax_amount": amount}


def _in_base_currency(document: Mapping[str, Any], exchange: Decimal) -> dict[str, Decimal]:
    return {
        f"bcy_{key}": rounded(document[key] * exchange) for key in ("sub_total", "tax_total", "discount_total", "total")
    }


def open_balance(invoice: Mapping[str, Any]) -> Decimal:
    """What is still to be paid; nothing on a void invoice."""
    if invoice["status"] == "void":
        return rounded(ZERO, int(invoice["price_precision"]))
    paid = sum((number(invoice[key]) for key in ("payment_made", "credits_applied", "write_off_amount")), ZERO)
    return rounded(invoice["total"] - paid, int(invoice["price_precision"]))
