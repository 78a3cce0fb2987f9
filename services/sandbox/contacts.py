"""Customers and vendors of Books: list, one, create, update, import from CRM."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from sqlmodel import col, select
from starlette.responses import Response

from services.sandbox import customers, documents, goods, listing, lists, records, shapes
from services.sandbox.desk import Body, Desk, Work, created, done, success
from services.sandbox.documents import invalid
from services.sandbox.errors import refused
from services.sandbox.stamps import Stamp
from services.sandbox.store import Assignment, Record
from services.sandbox.words import words

MISSING = "Contact does not exist."
_TEXTS = words("""
    contact_name company_name website notes first_name last_name email phone mobile payment_terms_label gst_no
    gst_treatment tax_treatment vat_treatment place_of_contact customer_sub_type language_code facebook
    twitter
""")
_SIDES = ("customer", "vendor")


def many(desk: Desk) -> Response:
    return listing.list_all(lists.CONTACTS, desk, "contacts")


def one(desk: Desk) -> Response:
    desk.allow("contacts", "view")
    body = desk.require("contacts", desk.path["id"], MISSING)
    return success(contact=desk.shown("contacts", body))


def create(desk: Desk) -> Response:
    desk.allow("contacts", "create")
    desk.writable("contacts", desk.given)
    body = made(desk.given, desk)
    keep(body, desk)
    return created("The contact has been created", contact=desk.shown("contacts", body))


def update(desk: Desk) -> Response:
    desk.allow("contacts", "edit")
    body = desk.require("contacts", desk.path["id"], MISSING)
    desk.writable("contacts", desk.given)
    change(body, desk.given, desk)
    keep(body, desk)
    return done("Contact has been updated successfully", contact=desk.shown("contacts", body))


def delete(desk: Desk) -> Response:
    desk.allow("contacts", "delete")
    body = desk.require("contacts", desk.path["id"], MISSING)
    if _used(body["contact_id"], desk):
        raise refused(36)
    desk.drop("contacts", body["contact_id"], body)
    return done("The contact has been deleted.")


def _used(contact_id: str, desk: Desk) -> bool:
    used = select(Record.id).where(
        Record.organization_id == desk.organization_id,
        Record.customer_id == contact_id,
        col(Record.kind).not_in(("contacts", "customers")),
    )
    return desk.session.connection().execute(used).first() is not None


def mark(status: str) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow("contacts", "edit")
        body = desk.require("contacts", desk.path["id"], MISSING)
        body["status"] = status
        documents.touch(body, desk.stamp)
        keep(body, desk)
        return done(f"The contact has been marked as {status}.")

    return work


def made(given: Mapping[str, Any], desk: Desk) -> Body:
    side = given.get("contact_type") or "customer"
    if side not in _SIDES:
        raise invalid("contact_type")
    organization = desk.organization
    body = deepcopy(dict(shapes.CONTACT)) | {
        "contact_id": desk.new_id(),
        "contact_type": side,
        "contact_type_formatted": str(side).title(),
        "source": "api",
        "language_code": "en",
        "payment_terms_label": "Net 30",
        "portal_status": "disabled",
        "customer_sub_type": "business",
        **goods.currency(desk.organization_id, _currency(given, desk)),
        **_origin(desk.stamp),
    }
    if not given.get("contact_name"):
        raise invalid("contact_name")
    body["billing_address"]["country"] = organization.country_code
    change(body, given, desk)
    return body


def _origin(stamp: Stamp) -> dict[str, str]:
    return {"created_time": stamp.time, "created_by_name": stamp.name, "owner_id": stamp.user_id}


def _currency(given: Mapping[str, Any], desk: Desk) -> str:
    if not given.get("currency_id"):
        return desk.organization.currency_code
    for row in goods.currencies(desk.organization_id, desk.organization.currency_code):
        if row["currency_id"] == str(given["currency_id"]):
            return str(row["currency_code"])
    raise invalid("currency_id")


def change(body: Body, given: Mapping[str, Any], desk: Desk) -> None:
    for name in _TEXTS:
        if name in given:
            body[name] = "" if given[name] is None else str(given[name])
    if not body["contact_name"].strip() or len(body["contact_name"]) > 200:
        raise invalid("contact_name")
    if "payment_terms" in given:
        body["payment_terms"] = _terms(given["payment_terms"])
    for name in ("billing_address", "shipping_address"):
        if isinstance(given.get(name), dict):
            body[name] = body[name] | {key: str(value or "") for key, value in given[name].items()}
    if isinstance(given.get("contact_persons"), list):
        _introduce(body, given["contact_persons"], desk)
    _distinct(body, desk)
    body[f"{body['contact_type']}_name"] = body["contact_name"]
    documents.touch(body, desk.stamp)


def _terms(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 3650:
        raise invalid("payment_terms")
    return value


def _distinct(body: Body, desk: Desk) -> None:
    """A name serves one customer and one vendor."""
    same = select(Record.id).where(
        Record.organization_id == desk.organization_id,
        Record.kind == "contacts",
        Record.name == body["contact_name"],
        Record.id != body["contact_id"],
        listing.stored("contact_type") == body["contact_type"],
    )
    if desk.session.connection().execute(same).first() is not None:
        raise refused(4, f"The {body['contact_type']} {body['contact_name']} already exists.")


def _introduce(body: Body, given: list[Any], desk: Desk) -> None:
    people = [_person(person, desk) for person in given if isinstance(person, dict)]
    for person in people:
        person["is_primary_contact"] = person is people[0]
    body["contact_persons"] = people
    if people:
        body["primary_contact_id"] = people[0]["contact_person_id"]
        body.update({key: people[0][key] for key in ("first_name", "last_name", "email", "phone", "mobile")})


def _person(given: Mapping[str, Any], desk: Desk) -> Body:
    texts = words("salutation first_name last_name email phone mobile designation department skype")
    return {
        **{name: str(given.get(name) or "") for name in texts},
        "contact_person_id": str(given.get("contact_person_id") or desk.new_id()),
        "is_primary_contact": False,
        "communication_preference": {"is_sms_enabled": False, "is_whatsapp_enabled": False},
        "enable_portal": False,
    }


def keep(body: Body, desk: Desk) -> None:
    """Stores the contact, its Billing customer where the products share the organization, and who may see it."""
    new = desk.find("contacts", body["contact_id"]) is None
    desk.put("contacts", body)
    if body["contact_type"] == "customer" and desk.organization.billing_id == desk.organization_id:
        desk.put("customers", customers.of_contact(body, body["contact_id"]))
    if new and desk.caller.assigned is not None:
        mine = (desk.organization_id, desk.caller.product_user_id, body["contact_id"])
        keys = ("organization_id", "user_id", "customer_id")
        desk.session.merge(Assignment(**dict(zip(keys, mine, strict=True))))
        desk.access.forget()


_IMPORTED = {"account": ("crm_accounts", "zcrm_account_id"), "contact": ("crm_contacts", "zcrm_contact_id")}


def import_from_crm(what: str) -> Work:
    """Answers the contact that stands for the CRM record, made now if there was none."""
    kind, key = _IMPORTED[what]

    def work(desk: Desk) -> Response:
        desk.allow("contacts", "create")
        crm = records.read(desk.session, desk.organization.crm_id, kind, desk.path["id"])
        if crm is None:
            raise refused(1002, f"The CRM {what} does not exist.")
        contact_id = _linked(key, crm["id"], desk)
        if contact_id is None:
            body = made(_from_account(crm) if what == "account" else _from_person(crm), desk)
            body |= {key: crm["id"], "is_linked_with_zohocrm": True, "source": "zohocrm"}
            keep(body, desk)
            contact_id = body["contact_id"]
        return success(data={"contact_id": contact_id})

    return work


def _linked(key: str, crm_id: str, desk: Desk) -> str | None:
    column = col(Record.crm_account_id) if key == "zcrm_account_id" else col(Record.crm_contact_id)
    linked = select(Record.id).where(
        Record.organization_id == desk.organization_id,
        Record.kind == "contacts",
        column == crm_id,
        listing.stored("contact_type") == "customer",
    )
    found: str | None = desk.session.connection().execute(linked.order_by(col(Record.id))).scalar()
    return found


def _from_account(crm: Mapping[str, Any]) -> Body:
    address = {
        "address": crm.get("Billing_Street"),
        "city": crm.get("Billing_City"),
        "zip": crm.get("Billing_Code"),
        "country": crm.get("Billing_Country"),
    }
    name = crm["Account_Name"]
    return {
        "contact_name": name,
        "company_name": name,
        "phone": crm.get("Phone"),
        "website": crm.get("Website"),
        "billing_address": address,
        "shipping_address": address,
    }


def _from_person(crm: Mapping[str, Any]) -> Body:
    person = {
        "first_name": crm.get("First_Name"),
        "last_name": crm.get("Last_Name"),
        "email": crm.get("Email"),
        "phone": crm.get("Phone"),
    }
    return {"contact_name": crm["Full_Name"], "contact_persons": [person]}


def import_nothing(what: str) -> Work:
    """Vendors and products have no records in this CRM."""

    def work(desk: Desk) -> Response:
        desk.allow("contacts" if what == "vendor" else "settings", "create")
        raise refused(1002, f"The CRM {what} does not exist.")

    return work
