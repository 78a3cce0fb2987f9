"""Billing: products, plans, addons, customers, subscriptions in every status, and what happened to them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.sandbox import customers, goods, subscriptions
from services.sandbox.catalog import names
from services.sandbox.catalog.scene import Scene
from services.sandbox.stamps import Stamp, written
from services.sandbox.subscriptions import ENDED, Shelf
from services.sandbox.words import words

Body = dict[str, Any]

_PRODUCTS = ("Workspace", "Telemetry")
_PLANS = (
    ("ws-basic-m", "Basic", "19.00", 1, "months", 0, 0),
    ("ws-team-m", "Team", "49.00", 1, "months", 14, 0),
    ("ws-team-y", "Team Yearly", "490.00", 1, "years", 14, 0),
    ("ws-company-y", "Company Yearly", "1990.00", 1, "years", 0, 0),
    ("ws-company-q", "Company Quarterly", "540.00", 3, "months", 0, 0),
    ("tm-start-w", "Start Weekly", "9.90", 1, "weeks", 7, 1),
    ("tm-plus-m", "Plus", "89.50", 1, "months", 0, 1),
    ("tm-plus-y", "Plus Yearly", "895.00", 1, "years", 0, 1),
)
"""Code, name, price in the base currency, interval, unit, trial days, product."""
_ADDONS = (
    ("ad-storage", "Extra Storage", "5.00"),
    ("ad-support", "Priority Support", "29.00"),
    ("ad-seat", "Seat", "7.45"),
)
_SHARES = (40, 6, 4, 4, 6, 10, 2, 4, 6, 4, 4, 4)
"""Of a hundred subscriptions, in the order of `subscriptions.STATUSES`; two more are live."""


def records(scene: Scene, contacts: Sequence[Body], count: int) -> dict[str, list[Body]]:
    products = [_product(scene, name) for name in _PRODUCTS]
    plans = [_plan(scene, products, row) for row in _PLANS]
    addons = [_addon(scene, products, *row) for row in _ADDONS]
    known = [_customer(scene, contact) for contact in contacts]
    shelf = _shelf(scene, plans, addons)
    made = [_subscription(scene, known, plans, shelf, order) for order in range(count)]
    happened = [_activities(scene, body) for body in made]
    return {
        "products": products,
        "plans": plans,
        "addons": addons,
        "customers": known,
        "subscriptions": made,
        "activities": happened,
    }


def _shelf(scene: Scene, plans: Sequence[Body], addons: Sequence[Body]) -> Shelf:
    organization = scene.organization
    return Shelf(
        organization.billing_id,
        organization.currency_code,
        {plan["plan_code"]: plan for plan in plans}.get,
        {addon["addon_code"]: addon for addon in addons}.get,
    )


def _times(scene: Scene) -> dict[str, str]:
    at = written(scene.day_at(0))
    return {"created_time": at, "updated_time": at}


def _product(scene: Scene, name: str) -> Body:
    return {
        "product_id": scene.billing_id(),
        "name": name,
        "description": f"{name}, by subscription",
        "email_ids": "",
        "redirect_url": "",
        "status": "active",
        **_times(scene),
    }


def _plan(scene: Scene, products: Sequence[Body], row: tuple[str, str, str, int, str, int, int]) -> Body:
    code, name, price, interval, unit, trial, of = row
    return {
        "plan_code": code,
        "name": name,
        "description": f"{products[of]['name']} {name}",
        "recurring_price": _price(scene, price),
        "unit": "seat",
        "interval": interval,
        "interval_unit": unit,
        "billing_cycles": -1,
        "trial_period": trial,
        "setup_fee": Decimal("0.00"),
        **dict.fromkeys(_BLANK_PLAN, ""),
        "product_id": products[of]["product_id"],
        "product_name": products[of]["name"],
        "product_type": "service",
        "item_tax_preferences": [],
        "status": "active",
        "addons": [{"addon_code": addon, "name": title} for addon, title, _ in _ADDONS],
        **_times(scene),
    }


_BLANK_PLAN = words("""setup_fee_account_id setup_fee_account_name tax_id hsn_or_sac sat_item_key_code unitkey_code
    store_markup_description""")


def _price(scene: Scene, price: str) -> Decimal:
    return goods.priced(Decimal(price), scene.organization.currency_code, scene.organization.currency_code)


def _addon(scene: Scene, products: Sequence[Body], code: str, name: str, price: str) -> Body:
    return {
        "addon_code": code,
        "name": name,
        "unit": "seat",
        "unit_name": "seat",
        "pricing_scheme": "unit",
        "price_brackets": [{"start_quantity": 1, "end_quantity": -1, "price": _price(scene, price)}],
        "type": "recurring",
        "interval_unit": "monthly",
        "tags": [],
        "custom_fields": [],
        "applicable_to_all_plans": True,
        "status": "active",
        "product_id": products[0]["product_id"],
        "description": f"{name}, added to a plan",
        "store_markup_description": "",
        "product_type": "service",
        **dict.fromkeys(words("hsn_or_sac sat_item_key_code unitkey_code tax_id"), ""),
        "item_tax_preferences": [],
        **_times(scene),
    }


def _customer(scene: Scene, contact: Body) -> Body:
    """The same record as in Books where both products share the organization, else one with an id of its own."""
    shared = scene.organization.billing_id == scene.organization.books_id
    return customers.of_contact(contact, contact["contact_id"] if shared else scene.billing_id())


def _statuses(order: int) -> str:
    spread = [status for status, share in zip(subscriptions.STATUSES, _SHARES, strict=True) for _ in range(share)]
    return spread[order * 37 % len(spread)]


def _subscription(scene: Scene, known: Sequence[Body], plans: Sequence[Body], shelf: Shelf, order: int) -> Body:
    dice = scene.dice
    plan = dice.choice(plans)
    status = _statuses(order)
    age = dice.randrange(1, 5) if status in ("trial", "future") else dice.randrange(40, 700)
    day = scene.today - timedelta(days=age)
    stamp = scene.stamp(scene.owner, scene.at(day, order * 7))
    given: Body = {
        "plan": {
            "plan_code": plan["plan_code"],
            "quantity": dice.choice((1, 1, 2, 5)),
            "exclude_trial": status != "trial",
        },
        "addons": [{"addon_code": dice.choice(_ADDONS)[0], "quantity": dice.choice((1, 3))}]
        if dice.random() < 0.4
        else [],
        "auto_collect": dice.random() < 0.5,
        "reference_id": f"SUB-{order + 1:06d}",
        "custom_fields": [{"api_name": "cf_region", "value": dice.choice(names.REGIONS)}],
    }
    if status == "trial":
        given["plan"]["trial_days"] = 14
    if status == "future":
        given["starts_at"] = (scene.today + timedelta(days=dice.randrange(5, 40))).isoformat()
    body = subscriptions.create(
        given, dice.choice(known), scene.billing_id(), f"SUB-{order + 1:06d}", _own(scene, stamp), shelf
    )
    _live_through(scene, body, status, day)
    return body


def _own(scene: Scene, stamp: Stamp) -> Stamp:
    """Billing knows the owner by another user id than Books."""
    return Stamp(scene.owner.billing_user_id or stamp.user_id, stamp.name, stamp.email, stamp.at)


def _live_through(scene: Scene, body: Body, status: str, start: date) -> None:
    """Moves the terms up to today, and gives the end that the status implies."""
    body["status"] = status
    if status in ("trial", "future"):
        return
    ends = min(start + timedelta(days=scene.dice.randrange(30, 400)), scene.today)
    first, last = _term(body, start, ends if status in ENDED else scene.today)
    subscriptions.set_term(body, first, last)
    body["last_billing_at"] = first.isoformat()
    if status in ENDED:
        body.update(expires_at=ends.isoformat(), next_billing_at="")
    if status in ("cancelled", "cancelled_from_dunning"):
        body["cancelled_at"] = ends.isoformat()
    if status == "non_renewing":
        body.update(expires_at=last.isoformat(), next_billing_at="")
    if status == "paused":
        body.update(pause_date=first.isoformat(), next_billing_at="")
    if status in ("trial_expired", "creation_failed"):
        body.update(activated_at="", last_billing_at="")
    body["updated_time"] = written(scene.at(max(first, start), 400)) if first > start else body["updated_time"]


def _term(body: Mapping[str, Any], start: date, until: date) -> tuple[date, date]:
    """The term in which `until` lies."""
    interval, unit = int(body["interval"]), body["interval_unit"]
    while (end := subscriptions.after_term(start, interval, unit)) <= until:
        start = end
    return start, end


def _activities(scene: Scene, body: Body) -> Body:
    """Newest first, as the product answers them."""
    events = [("Subscription created", body["created_time"])]
    if body["activated_at"]:
        events.append(("Subscription activated", body["created_time"]))
    if body["last_billing_at"]:
        events.append(("Invoice created", body["updated_time"]))
    if body["cancelled_at"]:
        events.append(("Subscription cancelled", body["updated_time"]))
    return {
        "subscription_id": body["subscription_id"],
        "activities": [
            {
                "activity_id": scene.billing_id(),
                "description": f"{text} - {body['subscription_number']}",
                "activity_time": at,
                "commented_by": scene.owner.name,
            }
            for text, at in reversed(events)
        ],
    }
