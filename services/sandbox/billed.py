"""Handlers of Billing's subscriptions."""

from copy import deepcopy
from datetime import date
from typing import Any

from starlette.responses import Response

from services.sandbox import custom_fields, listing, lists, records, subscriptions
from services.sandbox.desk import Body, Desk, created, done, success
from services.sandbox.documents import invalid
from services.sandbox.errors import WRONG_STATUS, refused
from services.sandbox.subscriptions import Shelf

MODULE = "subscriptions"
MISSING = "The subscription does not exist."
_SCHEDULED = "scheduled_changes"


def _shelf(desk: Desk) -> Shelf:
    return Shelf(
        desk.organization_id,
        desk.organization.currency_code,
        lambda code: desk.find("plans", code),
        lambda code: desk.find("addons", code),
    )


def _found(desk: Desk, action: str) -> Body:
    desk.allow(MODULE, action)
    return desk.require(MODULE, desk.path["id"], MISSING)


def _shown(body: Body, desk: Desk) -> Body:
    return desk.shown(MODULE, {key: value for key, value in body.items() if key != _SCHEDULED})


def many(desk: Desk) -> Response:
    return listing.list_all(lists.SUBSCRIPTIONS, desk, MODULE)


def one(desk: Desk) -> Response:
    return success(subscription=_shown(_found(desk, "view"), desk))


def create(desk: Desk) -> Response:
    desk.allow(MODULE, "create")
    desk.writable(MODULE, desk.given)
    customer = desk.find("customers", str(desk.given.get("customer_id") or ""))
    if customer is None:
        raise refused(1002, "The customer does not exist.") if desk.given.get("customer_id") else invalid("customer_id")
    desk.see(customer["customer_id"])
    number = records.next_number(desk.session, desk.organization_id, MODULE, "SUB-")
    body = subscriptions.create(desk.given, customer, desk.new_id(), number, desk.stamp, _shelf(desk))
    _keep(body, f"Subscription created - {number}", desk)
    return created("Subscription has been created successfully.", subscription=_shown(body, desk))


def update(desk: Desk) -> Response:
    """At once, or with ``end_of_term`` as a scheduled change."""
    body = _found(desk, "edit")
    desk.writable(MODULE, desk.given)
    if body["status"] in subscriptions.ENDED:
        raise refused(WRONG_STATUS, f"A subscription that is {body['status']} cannot be changed.")
    if desk.given.get("end_of_term") is True:
        later = deepcopy(body)
        subscriptions.change(later, desk.given, desk.stamp, _shelf(desk))
        body |= {_SCHEDULED: later, "end_of_term": True}
        subscriptions.touch(body, desk.stamp)
    else:
        subscriptions.change(body, desk.given, desk.stamp, _shelf(desk))
    _keep(body, "Subscription updated", desk)
    return done("Subscription has been updated successfully.", subscription=_shown(body, desk))


def cancel(desk: Desk) -> Response:
    body, at_end = _found(desk, "edit"), desk.query.get("cancel_at_end", "false")
    if at_end not in ("true", "false"):
        raise invalid("cancel_at_end")
    message = subscriptions.cancel(body, at_end=at_end == "true", stamp=desk.stamp)
    return _moved(body, message, "Subscription cancelled", desk)


def reactivate(desk: Desk) -> Response:
    body = _found(desk, "edit")
    return _moved(body, subscriptions.reactivate(body), "Subscription reactivated", desk)


def postpone(desk: Desk) -> Response:
    body = _found(desk, "edit")
    message = subscriptions.postpone(body, desk.given.get("renewal_at"), date.fromisoformat(desk.today))
    return _moved(body, message, "Renewal postponed", desk)


def set_reference(desk: Desk) -> Response:
    return _set(desk, "reference_id", "Subscription has been updated successfully.")


def set_salesperson(desk: Desk) -> Response:
    return _set(desk, "salesperson_name", "Sales Person has been updated successfully.")


def set_auto_collect(desk: Desk) -> Response:
    return _set(desk, "auto_collect", "Auto charge Status has been changed successfully.")


def _set(desk: Desk, name: str, message: str) -> Response:
    body = _found(desk, "edit")
    if name not in desk.given:
        raise invalid(name)
    given = {name: desk.given[name]}
    desk.writable(MODULE, given)
    subscriptions.change(body, given, desk.stamp, _shelf(desk))
    return _moved(body, message, f"{name} changed", desk)


def set_custom_fields(desk: Desk) -> Response:
    body, given = _found(desk, "edit"), desk.given.get("custom_fields")
    desk.writable(MODULE, {"custom_fields": given})
    if not isinstance(given, list):
        raise invalid("custom_fields")
    body["custom_fields"] = custom_fields.merged(desk.organization_id, MODULE, body["custom_fields"], given)
    return _moved(body, "Custom Fields Updated Successfully.", "Custom fields changed", desk)


def add_note(desk: Desk) -> Response:
    body, text, stamp = _found(desk, "edit"), desk.given.get("description"), desk.stamp
    if not isinstance(text, str) or not text.strip():
        raise invalid("description")
    note = {
        "note_id": desk.new_id(),
        "description": text,
        "commented_by": stamp.name,
        "commented_time": stamp.time,
    }
    body["notes"] = [*body["notes"], note]
    subscriptions.touch(body, stamp)
    _keep(body, "Note added", desk)
    return done("Notes added.", note=note)


def _moved(body: Body, message: str, event: str, desk: Desk) -> Response:
    subscriptions.touch(body, desk.stamp)
    _keep(body, event, desk)
    return done(message, subscription=_shown(body, desk))


def _keep(body: Body, event: str, desk: Desk) -> None:
    desk.put(MODULE, body)
    kept = _history(body, desk)
    entry: dict[str, Any] = {
        "activity_id": desk.new_id(),
        "description": event,
        "activity_time": desk.stamp.time,
        "commented_by": desk.stamp.name,
    }
    desk.put("activities", kept | {"activities": [entry, *kept["activities"]]})


def _history(body: Body, desk: Desk) -> Body:
    own = body["subscription_id"]
    return desk.find("activities", own) or {"subscription_id": own, "activities": []}


def activities(desk: Desk) -> Response:
    return success(activities=_history(_found(desk, "view"), desk)["activities"])


def scheduled_changes(desk: Desk) -> Response:
    body = _found(desk, "view")
    if _SCHEDULED not in body:
        raise refused(1002, "The subscription has no scheduled changes.")
    return success(subscription=_shown(body[_SCHEDULED], desk))
