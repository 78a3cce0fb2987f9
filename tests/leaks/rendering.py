"""Records as JSON, every value of them a canary."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tests.leaks import canaries, facts
from tests.leaks.canaries import ANY, Canary

SINGULAR = {
    "estimates": "estimate",
    "invoices": "invoice",
    "salesOrders": "salesorder",
    "purchaseOrders": "purchaseorder",
    "subscriptions": "subscription",
    "customers": "contact",
    "billed": "customer",
}
"""The products' names of modules."""
ORIGINS = {"salesOrders": "estimate_id", "invoices": "salesorder_id"}
"""Where a record names what it was made from."""
Body = dict[str, Any]


class Told:
    """Renders records for one access; what has been rendered once stays."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], bytes] = {}
        self.modified: dict[tuple[str, str, str], str] = {}
        """When records were changed last, by company, module and id."""

    def record(self, company: str, access: str, told: str, module: str, record: str, *, full: bool) -> bytes:
        """A record as JSON, as a list row or in full."""
        modified = self.modified.get((company, module, record), "")
        key = (company, access, told, module, record, modified, "full" if full else "row")
        if key not in self._known:
            speak = _Speaker(Canary(company, access, told, module, record, ""))
            body = RENDERED.get(module, _document)(speak, module, record, full)
            if modified:
                body["last_modified_time"] = body["updated_time"] = modified
            self._known[key] = msgspec.json.encode(body)
        return self._known[key]


class _Speaker:
    """Says the values of one record."""

    def __init__(self, about: Canary) -> None:
        self._about = about

    def text(self, field: str) -> str:
        return canaries.text(self._about._replace(field=field))

    def number(self, field: str) -> int:
        return canaries.number(self._about._replace(field=field))

    def common(self, field: str) -> int:
        """By which the gateway sees whether a record is still the same: one number for all."""
        return canaries.number(self._about._replace(access=ANY, told="a", field=field))


def _document(speak: _Speaker, module: str, record: str, full: bool) -> Body:
    one = facts.RECORDS[module][record]
    name, party = SINGULAR[module], "vendor" if module == "purchaseOrders" else "customer"
    body: Body = {
        f"{name}_id": record,
        f"{name}_number": speak.text("number"),
        "reference_number": speak.text("referenceNumber"),
        "status": "sent" if module in ("estimates", "invoices") else "open",
        "date": facts.day(one.place),
        "due_date": facts.day(one.place),
        "currency_code": "EUR",
        "exchange_rate": 1,
        "total": speak.common("total"),
        "balance": speak.common("balance"),
        f"{party}_id": one.party,
        f"{party}_name": speak.text(party),
        "created_time": facts.created(one.place),
        "last_modified_time": facts.created(one.place),
    }
    if full:
        body |= _in_full(speak)
        if module in ORIGINS:
            body[ORIGINS[module]] = one.origin
    return body


def _in_full(speak: _Speaker) -> Body:
    line = {"line_item_id": "1", "name": speak.text("lineItems"), "rate": speak.number("lineItems"), "quantity": 1}
    return {
        "line_items": [line | {"description": speak.text("lineItems"), "item_total": speak.number("lineItems")}],
        "notes": speak.text("notes"),
        "terms": speak.text("terms"),
        "salesperson_name": speak.text("salesperson"),
        "sub_total": speak.number("subTotal"),
        "tax_total": speak.number("taxTotal"),
        "discount_total": speak.number("discount"),
        "adjustment": speak.number("adjustment"),
        "payment_made": speak.number("paymentMade"),
        "created_by_id": "4711",
        "created_by_name": speak.text("createdBy"),
        "custom_fields": [{"api_name": "cf_one", "label": "One", "value": speak.text("customFields")}],
    }


def _subscription(speak: _Speaker, _module: str, record: str, full: bool) -> Body:
    one = facts.RECORDS["subscriptions"][record]
    body = {
        "subscription_id": record,
        "reference_id": speak.text("referenceNumber"),
        "name": speak.text("name"),
        "status": "live",
        "amount": speak.common("total"),
        "currency_code": "EUR",
        "interval": 1,
        "interval_unit": "months",
        "customer_id": one.party,
        "customer_name": speak.text("customer"),
        "created_at": facts.day(one.place),
        "created_time": facts.created(one.place),
        "updated_time": facts.created(one.place),
    }
    if full:
        body |= {"subscription_number": speak.text("number"), "plan": {"plan_code": "p", "name": speak.text("plan")}}
        body["activities"] = [{"activity_id": "1", "description": speak.text("activities")}]
    return body


def _customer(speak: _Speaker, module: str, record: str, _full: bool) -> Body:
    place = facts.PARTIES.index(record)
    return {
        f"{SINGULAR[module]}_id": record,
        "contact_name": speak.text("name"),
        "display_name": speak.text("name"),
        "company_name": speak.text("companyName"),
        "email": speak.text("email"),
        "phone": speak.text("phone"),
        "status": "active",
        "currency_code": "EUR",
        "contact_type": "vendor" if record in facts.VENDORS else "customer",
        "outstanding_receivable_amount": speak.number("outstanding"),
        "outstanding": speak.number("outstanding"),
        "zcrm_account_id": facts.account_of(record),
        "zcrm_contact_id": facts.contact_of(record),
        "created_time": facts.created(place),
        "last_modified_time": facts.created(place),
        "updated_time": facts.created(place),
    }


def _account(speak: _Speaker, _module: str, record: str, _full: bool) -> Body:
    return {
        "id": record,
        "Account_Name": speak.text("name"),
        "Phone": speak.text("phone"),
        "Website": speak.text("website"),
    }


def _contact(speak: _Speaker, _module: str, record: str, _full: bool) -> Body:
    return {
        "id": record,
        "Full_Name": speak.text("name"),
        "Email": speak.text("email"),
        "Phone": speak.text("phone"),
        "Account_Name": {"id": facts.ACCOUNTS[facts.CONTACTS.index(record)], "name": None},
    }


RENDERED: Mapping[str, Callable[[_Speaker, str, str, bool], Body]] = {
    "subscriptions": _subscription,
    "customers": _customer,
    "billed": _customer,
    "accounts": _account,
    "contacts": _contact,
}
