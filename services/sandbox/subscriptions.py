"""A subscription: its plan and addons priced, its terms counted, its status moved."""

import calendar
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.sandbox import custom_fields, goods, stamps, totals
from services.sandbox.documents import invalid, later
from services.sandbox.errors import WRONG_STATUS, refused
from services.sandbox.stamps import Stamp
from services.sandbox.words import words

Body = dict[str, Any]

STATUSES = words("""
    live trial dunning unpaid non_renewing cancelled creation_failed cancelled_from_dunning expired
    trial_expired future paused
""")
ENDED = frozenset({"cancelled", "creation_failed", "cancelled_from_dunning", "expired", "trial_expired"})

_BLANK: Mapping[str, Any] = {
    **dict.fromkeys(
        words("""
            subscription_id subscription_number name status created_at activated_at current_term_starts_at
            current_term_ends_at last_billing_at next_billing_at expires_at interval interval_unit
            created_time updated_time reference_id salesperson_id salesperson_name child_invoice_id
            unbilled_charge_id currency_code currency_symbol product_id product_name plan_name customer_id
            customer_name email trial_starts_at trial_ends_at cancelled_at pause_date resume_date
            payment_terms_label pricebook_id created_by_id created_by_name last_modified_by_id
        """),
        "",
    ),
    "amount": Decimal("0.00"),
    "auto_collect": False,
    "end_of_term": False,
    "is_metered_billing": False,
    "can_add_bank_account": False,
    "payment_terms": 0,
    "plan": {},
    "addons": [],
    "coupon": {},
    "card": {},
    "customer": {},
    "custom_fields": [],
    "taxes": [],
    "contactpersons": [],
    "notes": [],
    "payment_gateways": [],
}


@dataclass(frozen=True)
class Shelf:
    """What a subscription of one organization may hold: plans and addons by their codes."""

    organization_id: str
    base_currency: str
    plan: Callable[[str], Mapping[str, Any] | None]
    addon: Callable[[str], Mapping[str, Any] | None]


def create(
    given: Mapping[str, Any], customer: Mapping[str, Any], subscription_id: str, number: str, stamp: Stamp, shelf: Shelf
) -> Body:
    body = deepcopy(dict(_BLANK))
    body.update(_belonging_to(customer, shelf))
    body.update(
        subscription_id=subscription_id,
        subscription_number=number,
        created_at=stamp.day,
        created_time=stamp.time,
        created_by_id=stamp.user_id,
        created_by_name=stamp.name,
        custom_fields=custom_fields.merged(shelf.organization_id, "subscriptions", (), ()),
    )
    if not given.get("plan"):
        raise invalid("plan")
    change(body, given, stamp, shelf)
    start = _day(given["starts_at"], "starts_at") if given.get("starts_at") else stamp.at.date()
    _begin(body, given["plan"], start, stamp.at.date())
    return body


def _belonging_to(customer: Mapping[str, Any], shelf: Shelf) -> Body:
    named = words("customer_id display_name first_name last_name email company_name")
    money = goods.currency(shelf.organization_id, customer["currency_code"])
    return {
        "customer_id": customer["customer_id"],
        "customer_name": customer["display_name"],
        "email": customer["email"],
        "currency_code": money["currency_code"],
        "currency_symbol": money["currency_symbol"],
        "payment_terms": customer["payment_terms"],
        "payment_terms_label": customer["payment_terms_label"],
        "customer": {name: customer[name] for name in (*named, "billing_address", "shipping_address")},
    }


def _begin(body: Body, plan: Mapping[str, Any], start: date, today: date) -> None:
    """Future, on trial or live, by the day it starts and the trial of its plan."""
    trial = 0 if plan.get("exclude_trial") else int(body["plan"]["trial_days"])
    if start > today:
        body.update(status="future", next_billing_at=start.isoformat())
        return
    if trial:
        ends = start + timedelta(days=trial)
        body.update(status="trial", trial_starts_at=start.isoformat(), trial_ends_at=ends.isoformat())
        set_term(body, start, ends)
        return
    body.update(status="live", activated_at=start.isoformat(), last_billing_at=start.isoformat())
    set_term(body, start, after_term(start, int(body["interval"]), body["interval_unit"]))


def set_term(body: Body, start: date, end: date) -> None:
    body.update(
        current_term_starts_at=start.isoformat(), current_term_ends_at=end.isoformat(), next_billing_at=end.isoformat()
    )


def after_term(start: date, interval: int, unit: str) -> date:
    if unit == "weeks":
        return start + timedelta(weeks=interval)
    months = start.month - 1 + interval * (12 if unit == "years" else 1)
    year, month = start.year + months // 12, months % 12 + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


def change(body: Body, given: Mapping[str, Any], stamp: Stamp, shelf: Shelf) -> None:
    """Applies the given fields in place; raises Refusal and may leave `body` half changed."""
    if "plan" in given:
        _take_plan(body, given["plan"], shelf)
    if "addons" in given:
        body["addons"] = [_addon(body, addon, shelf) for addon in _listed(given["addons"])]
    for name in ("reference_id", "salesperson_id", "salesperson_name", "payment_terms_label"):
        if name in given:
            body[name] = "" if given[name] is None else str(given[name])
    if "auto_collect" in given:
        body["auto_collect"] = given["auto_collect"] is True
    if "custom_fields" in given:
        body["custom_fields"] = custom_fields.merged(
            shelf.organization_id, "subscriptions", body["custom_fields"], given["custom_fields"]
        )
    body["amount"] = sum((addon["total"] for addon in body["addons"]), body["plan"]["total"])
    touch(body, stamp)


def touch(body: Body, stamp: Stamp) -> None:
    body["updated_time"] = later(body["updated_time"], stamp)
    body["last_modified_by_id"] = stamp.user_id


def _listed(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise invalid("addons")
    return value


def _take_plan(body: Body, given: Any, shelf: Shelf) -> None:
    code = given.get("plan_code") if isinstance(given, dict) else None
    plan = shelf.plan(str(code)) if code else None
    if plan is None or plan["status"] != "active":
        raise refused(1002, "The plan does not exist.") if code else invalid("plan_code")
    priced = _priced(body, given, plan["recurring_price"], shelf)
    body["plan"] = {
        "plan_code": plan["plan_code"],
        "name": plan["name"],
        "plan_description": plan["description"],
        "setup_fee": plan["setup_fee"],
        "trial_days": int(given.get("trial_days", plan["trial_period"])),
        "tax_id": "",
        "tags": [],
        "item_custom_fields": [],
        **priced,
    }
    body.update(
        name=f"{plan['product_name']}-{plan['name']}",
        plan_name=plan["name"],
        product_id=plan["product_id"],
        product_name=plan["product_name"],
        interval=str(plan["interval"]),
        interval_unit=plan["interval_unit"],
    )


def _addon(body: Body, given: Mapping[str, Any], shelf: Shelf) -> Body:
    addon = shelf.addon(str(given.get("addon_code", "")))
    if addon is None:
        raise refused(1002, "The addon does not exist.")
    return {
        "addon_code": addon["addon_code"],
        "name": addon["name"],
        "addon_description": addon["description"],
        "tax_id": "",
        "tags": [],
        "item_custom_fields": [],
        **_priced(body, given, addon["price_brackets"][0]["price"], shelf),
    }


def _priced(body: Body, given: Mapping[str, Any], price: Decimal, shelf: Shelf) -> Body:
    """Price, quantity and total in the customer's currency; amounts are without tax."""
    code = body["currency_code"]
    try:
        own = totals.number(given["price"]) if "price" in given else goods.priced(price, code, shelf.base_currency)
        quantity = totals.number(given.get("quantity", 1))
    except ValueError as error:
        raise invalid("price") from error
    if quantity < 1 or quantity != int(quantity):
        raise invalid("quantity")
    return {
        "price": own,
        "quantity": int(quantity),
        "discount": Decimal("0.00"),
        "total": totals.rounded(own * quantity, goods.precision(code)),
    }


def _day(text: Any, name: str) -> date:
    try:
        return stamps.day(text)
    except ValueError as error:
        raise invalid(name) from error


def cancel(body: Body, *, at_end: bool, stamp: Stamp) -> str:
    """Answers the product's message."""
    if body["status"] in ENDED or (at_end and body["status"] == "non_renewing"):
        raise refused(WRONG_STATUS, f"A subscription that is {body['status']} cannot be cancelled.")
    if at_end:
        body.update(status="non_renewing", expires_at=body["current_term_ends_at"], next_billing_at="")
        return "Your subscription will be canceled at the end of this term."
    body.update(status="cancelled", cancelled_at=stamp.day, expires_at=stamp.day, next_billing_at="")
    return "Your subscription has been cancelled."


def reactivate(body: Body) -> str:
    if body["status"] != "non_renewing":
        raise refused(WRONG_STATUS, f"A subscription that is {body['status']} cannot be reactivated.")
    body.update(status="live", expires_at="", next_billing_at=body["current_term_ends_at"])
    return "Subscription has been reactivated successfully."


def postpone(body: Body, renewal_at: Any, today: date) -> str:
    if body["status"] not in ("live", "trial", "future", "dunning", "unpaid"):
        raise refused(WRONG_STATUS, f"The renewal of a subscription that is {body['status']} cannot be postponed.")
    renewal = _day(renewal_at, "renewal_at")
    if renewal <= today or (body["current_term_starts_at"] and renewal.isoformat() <= body["current_term_starts_at"]):
        raise invalid("renewal_at")
    body.update(current_term_ends_at=renewal.isoformat(), next_billing_at=renewal.isoformat())
    return "Billing date of the subscription has been changed."
