"""A document from what a client sent: its fields checked, its party copied, its sums computed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.sandbox import custom_fields, goods, shapes, stamps, totals
from services.sandbox.errors import Refusal, refused
from services.sandbox.kinds import Kind
from services.sandbox.stamps import Stamp
from services.sandbox.words import words

_TEXTS = words("""
    reference_number notes terms adjustment_description salesperson_id salesperson_name gst_no gst_treatment
    tax_treatment place_of_supply vat_treatment template_id zcrm_potential_id zcrm_potential_name
""")
_OWN_TEXTS: Mapping[str, tuple[str, ...]] = {
    "estimates": (),
    "invoices": ("payment_terms_label", "recurring_invoice_id"),
    "salesorders": ("delivery_method", "crm_owner_id", "crm_custom_reference_id", "merchant_id", "pricebook_id"),
    "purchaseorders": ("ship_via", "attention", "delivery_customer_id", "delivery_org_address_id", "crm_owner_id"),
}
_FLAGS = ("is_discount_before_tax", "is_inclusive_tax", "is_reverse_charge_applied")
_AMOUNTS = ("shipping_charge", "adjustment", "exchange_rate")
_LINE_TEXTS = words("""
    item_id name description unit sku product_type hsn_or_sac tax_treatment_code account_id location_id
    project_id header_name
""")


@dataclass(frozen=True)
class Surroundings:
    """What a document of one organization refers to."""

    organization_id: str
    base_currency: str
    new_id: Callable[[], str]
    item: Callable[[str], Mapping[str, Any] | None]


def invalid(field: str) -> Refusal:
    return refused(2, f"Invalid value passed for {field}")


def create(
    kind: Kind, given: Mapping[str, Any], party: Mapping[str, Any], number: str, stamp: Stamp, around: Surroundings
) -> dict[str, Any]:
    body = shapes.blank(kind.name)
    body[kind.id_key] = around.new_id()
    body[kind.number_key] = number
    body["status"] = body["current_sub_status"] = "draft"
    body["date"] = stamp.day
    body.update(_origin(stamp))
    body.update(_from_party(kind, party, around))
    body["custom_fields"] = custom_fields.merged(around.organization_id, kind.name, (), ())
    if kind.name == "invoices":
        body.update(payment_terms=party["payment_terms"], payment_terms_label=party["payment_terms_label"])
        body["created_by"] = stamp.name
    change(kind, body, given, stamp, around)
    return body


def _origin(stamp: Stamp) -> dict[str, str]:
    return {
        "created_by_id": stamp.user_id,
        "created_by_name": stamp.name,
        "created_time": stamp.time,
        "created_date": stamp.day,
    }


def _from_party(kind: Kind, party: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
    code = party["currency_code"]
    copied = {
        kind.party_id_key: party["contact_id"],
        kind.party_name_key: party["contact_name"],
        "company_name": party["company_name"],
        "billing_address": dict(party["billing_address"]),
        "exchange_rate": goods.exchange_rate(code, around.base_currency),
        "price_precision": goods.precision(code),
        **goods.currency(around.organization_id, code),
    }
    if kind.party == "customer":
        copied["shipping_address"] = dict(party["shipping_address"])
        copied["email"] = party["email"]
    copied["contact_persons_associated"] = [_associated(person) for person in party["contact_persons"][:1]]
    return copied


def hand_over(kind: Kind, body: dict[str, Any], party: Mapping[str, Any], around: Surroundings) -> None:
    """Gives the document another party, with that party's addresses and currency."""
    body.update(_from_party(kind, party, around))


def _associated(person: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "contact_person_id": person["contact_person_id"],
        "contact_person_name": f"{person['first_name']} {person['last_name']}".strip(),
        "first_name": person["first_name"],
        "last_name": person["last_name"],
        "contact_person_email": person["email"],
        "phone": person["phone"],
        "mobile": person["mobile"],
        "communication_preference": {
            "is_email_enabled": True,
            "is_sms_enabled": False,
            "is_whatsapp_enabled": False,
        },
    }


def change(kind: Kind, body: dict[str, Any], given: Mapping[str, Any], stamp: Stamp, around: Surroundings) -> None:
    """Applies the given fields in place; raises Refusal and may leave `body` half changed."""
    readers: list[tuple[Callable[[Any, str], Any], Iterable[str]]] = [
        (_text, (*_TEXTS, *_OWN_TEXTS[kind.name])),
        (_flag, _FLAGS),
        (_amount, _AMOUNTS),
        (_day, ("date", kind.due_key)),
    ]
    for read, names in readers:
        body.update({name: read(given[name], name) for name in names if name in given})
    _change_discount(body, given)
    if "line_items" in given:
        body["line_items"] = _lines(given["line_items"], body["line_items"], around)
    if "custom_fields" in given:
        body["custom_fields"] = custom_fields.merged(
            around.organization_id, kind.name, body["custom_fields"], given["custom_fields"]
        )
    _change_terms(kind, body, given)
    settle(kind, body, stamp)


def settle(kind: Kind, body: dict[str, Any], stamp: Stamp) -> None:
    """Recomputes what follows from the other fields, and marks the change."""
    if body["exchange_rate"] <= 0:
        raise invalid("exchange_rate")
    if body["date"] and body[kind.due_key] and body[kind.due_key] < body["date"]:
        raise invalid(kind.due_key)
    totals.settle(body)
    if kind.name == "invoices":
        body["balance"] = totals.open_balance(body)
    body["custom_field_hash"] = custom_fields.hashed(body["custom_fields"])
    touch(body, stamp)


def touch(body: dict[str, Any], stamp: Stamp, key: str = "last_modified_time") -> None:
    """`last_modified_time` always grows, by a second where the clock stands still."""
    body[key] = later(body[key], stamp)
    if "last_modified_by_id" in body:
        body["last_modified_by_id"] = stamp.user_id


def later(before: str, stamp: Stamp) -> str:
    if not before or stamps.sortable(stamp.time) > stamps.sortable(before):
        return stamp.time
    return stamps.written(stamps.following(before))


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str | int) or len(str(value)) > 10_000:
        raise invalid(name)
    return str(value)


def _flag(value: Any, name: str) -> bool:
    if value not in (True, False, "true", "false"):
        raise invalid(name)
    return value in (True, "true")


def _amount(value: Any, name: str) -> Decimal:
    try:
        return totals.number(value)
    except ValueError as error:
        raise invalid(name) from error


def _day(value: Any, name: str) -> str:
    if value in (None, "") and name != "date":
        return ""
    try:
        return stamps.day(value).isoformat()
    except ValueError as error:
        raise invalid(name) from error


def _discount(value: Any) -> Decimal | str:
    """An amount, or a percentage from 0% to 100%."""
    if isinstance(value, str) and value.endswith("%"):
        share = _amount(value[:-1], "discount")
        if not 0 <= share <= 100:
            raise invalid("discount")
        return f"{share.normalize():f}%"
    amount = _amount(value, "discount")
    if amount < 0:
        raise invalid("discount")
    return amount


def _change_discount(body: dict[str, Any], given: Mapping[str, Any]) -> None:
    if "discount_type" in given:
        if given["discount_type"] not in ("item_level", "entity_level"):
            raise invalid("discount_type")
        body["discount_type"] = given["discount_type"]
    if "discount" in given:
        body["discount"] = _discount(given["discount"])


def _change_terms(kind: Kind, body: dict[str, Any], given: Mapping[str, Any]) -> None:
    """An invoice is due as many days after its date as its terms say, unless a due date is given."""
    if kind.name != "invoices":
        return
    if "payment_terms" in given:
        body["payment_terms"] = int(_amount(given["payment_terms"], "payment_terms"))
    if "due_date" not in given and ({"payment_terms", "date"} & given.keys() or not body["due_date"]):
        body["due_date"] = stamps.days_after(body["date"], max(body["payment_terms"], 0))


def _lines(given: Any, current: list[dict[str, Any]], around: Surroundings) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(line, dict) for line in given):
        raise invalid("line_items")
    known = {line["line_item_id"]: line for line in current}
    return [_line(line, known, order, around) for order, line in enumerate(given, start=1)]


def _line(
    given: Mapping[str, Any], known: Mapping[str, dict[str, Any]], order: int, around: Surroundings
) -> dict[str, Any]:
    line_id = str(given.get("line_item_id") or "")
    if line_id and line_id not in known:
        raise refused(6, "The line item does not belong to this document.")
    line = dict(known[line_id]) if line_id else {**shapes.LINE, "line_item_id": around.new_id()}
    if given.get("item_id") and str(given["item_id"]) != line["item_id"]:
        line.update(_from_item(str(given["item_id"]), around))
    line.update({name: _text(given[name], name) for name in _LINE_TEXTS if name in given})
    line.update({name: _amount(given[name], name) for name in ("rate", "quantity") if name in given})
    if "discount" in given:
        line["discount"] = _discount(given["discount"])
    if "tax_id" in given:
        line.update(_tax(given["tax_id"], around))
    if line["quantity"] <= 0:
        raise invalid("quantity")
    if not line["name"] and not line["description"]:
        raise invalid("name")
    return line | {"item_order": order}


def _from_item(item_id: str, around: Surroundings) -> dict[str, Any]:
    item = around.item(item_id)
    if item is None:
        raise refused(6, "The item does not exist.")
    copied = words("item_id name description rate unit sku product_type tax_id tax_name tax_percentage tax_type")
    return {key: item[key] for key in copied}


def _tax(tax_id: Any, around: Surroundings) -> dict[str, Any]:
    if not tax_id:
        return {"tax_id": "", "tax_name": "", "tax_percentage": 0, "tax_type": ""}
    for tax in goods.taxes(around.organization_id, around.base_currency):
        if tax.tax_id == str(tax_id):
            return tax.on_line()
    raise invalid("tax_id")
