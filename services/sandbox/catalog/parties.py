"""Accounts and contacts of CRM, and the customers and vendors of Books that stand for them."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Any

from services.sandbox import goods, shapes
from services.sandbox.catalog import names
from services.sandbox.catalog.scene import Scene
from services.sandbox.stamps import Stamp, written

CRM = Mapping[str, Any]


@dataclass(frozen=True)
class Parties:
    accounts: list[dict[str, Any]]
    people: list[dict[str, Any]]
    contacts: list[dict[str, Any]]

    @property
    def customers(self) -> list[dict[str, Any]]:
        return [contact for contact in self.contacts if contact["contact_type"] == "customer"]

    @property
    def vendors(self) -> list[dict[str, Any]]:
        return [contact for contact in self.contacts if contact["contact_type"] == "vendor"]


def parties(scene: Scene, accounts: int, contacts: int) -> Parties:
    """One CRM contact in ten has no account; every account has at least one contact."""
    made = [_account(scene, name, order) for order, name in enumerate(islice(names.companies(), accounts))]
    alone = contacts // 10
    people = [_person(scene, made[order % accounts], order) for order in range(contacts - alone)]
    loners = [_person(scene, None, order) for order in range(alone)]
    books = [*_of_accounts(scene, made, people), *(_of_person(scene, person) for person in loners), *_unlinked(scene)]
    return Parties(made, people + loners, books)


def _owner(scene: Scene, order: int) -> dict[str, str]:
    person = scene.crm_owners[order % len(scene.crm_owners)]
    return {"id": person.crm_user_id, "name": person.name, "email": person.crm_email or person.email}


def _crm_times(scene: Scene, order: int) -> dict[str, str]:
    at = scene.day_at(order % 60).isoformat()
    return {"Created_Time": at, "Modified_Time": at}


def _account(scene: Scene, name: str, order: int) -> dict[str, Any]:
    city, code, country = scene.places[order % len(scene.places)]
    owner = _owner(scene, order)
    return {
        "id": scene.crm_id(),
        "Account_Name": name,
        "Account_Type": "Customer",
        "Industry": names.INDUSTRIES[order % len(names.INDUSTRIES)],
        "Phone": f"+00 555 {order:04d}",
        "Website": f"https://{names.domain(name)}",
        "Billing_Street": f"{order + 1} Market Street",
        "Billing_City": city,
        "Billing_Code": code,
        "Billing_Country": country,
        "Description": None,
        "Owner": owner,
        "Created_By": owner,
        "Modified_By": owner,
        **_crm_times(scene, order),
    }


def _person(scene: Scene, account: CRM | None, order: int) -> dict[str, Any]:
    desk = names.DESKS[order % len(names.DESKS)]
    company = account["Account_Name"] if account else f"Private Customer {order + 1}"
    owner = account["Owner"] if account else _owner(scene, order)
    return {
        "id": scene.crm_id(),
        "First_Name": desk,
        "Last_Name": company,
        "Full_Name": f"{desk} {company}",
        "Email": f"{desk.lower().replace(' ', '.')}@{names.domain(company)}",
        "Phone": f"+00 555 {order:04d}",
        "Mobile": None,
        "Title": desk,
        "Account_Name": {"id": account["id"], "name": company} if account else None,
        "Owner": owner,
        "Created_By": owner,
        "Modified_By": owner,
        **_crm_times(scene, order + 1),
    }


def _of_accounts(scene: Scene, accounts: Sequence[CRM], people: Sequence[CRM]) -> Iterator[dict[str, Any]]:
    """One account in twenty is unknown to Books; others are customer, vendor, both, or two customers."""
    first: dict[str, CRM] = {}
    for person in people:
        first.setdefault(person["Account_Name"]["id"], person)
    for order, account in enumerate(accounts):
        person = first[account["id"]]
        if order % 20 == 19:
            continue
        if order % 10 != 7:
            yield _linked(scene, account, person, "customer", order)
        if order % 10 in (3, 7):
            yield _linked(scene, account, person, "vendor", order)
        if order % 15 == 4:
            yield _linked(scene, account, person, "customer", order, suffix=" (Branch)")


def _linked(scene: Scene, account: CRM, person: CRM, side: str, order: int, suffix: str = "") -> dict[str, Any]:
    name = account["Account_Name"] + suffix
    contact = _contact(scene, name, side, person, order)
    contact["billing_address"] |= {
        "address": account["Billing_Street"],
        "city": account["Billing_City"],
        "zip": account["Billing_Code"],
        "country": account["Billing_Country"],
    }
    contact["shipping_address"] = dict(contact["billing_address"])
    return contact | {"zcrm_account_id": account["id"], "is_linked_with_zohocrm": True}


def _of_person(scene: Scene, person: CRM) -> dict[str, Any]:
    contact = _contact(scene, person["Full_Name"], "customer", person, len(person["Full_Name"]))
    return contact | {"company_name": "", "customer_sub_type": "individual", "is_linked_with_zohocrm": True}


def _unlinked(scene: Scene) -> Iterator[dict[str, Any]]:
    """Known to Books only."""
    for side in ("customer", "vendor"):
        yield _contact(scene, f"Walk-in {side.title()}", side, None, 0)


def _contact(scene: Scene, name: str, side: str, person: CRM | None, order: int) -> dict[str, Any]:
    organization = scene.organization
    stamp = Stamp(scene.owner.books_user_id or "", scene.owner.name, scene.owner.email, scene.day_at(order % 60))
    code = scene.currency(order)
    contact = deepcopy(dict(shapes.CONTACT)) | {
        "contact_id": scene.books_id(),
        "contact_name": name,
        "company_name": name,
        f"{side}_name": name,
        "contact_type": side,
        "contact_type_formatted": side.title(),
        "customer_sub_type": "business",
        "payment_terms": (15, 30, 45, 60)[order % 4],
        "owner_id": stamp.user_id,
        "language_code": "en",
        "source": "user" if person is None else "zohocrm",
        "portal_status": "disabled",
        "zcrm_contact_id": person["id"] if person else "",
        "created_time": written(stamp.at),
        "last_modified_time": written(stamp.at),
        "created_by_name": stamp.name,
        **goods.currency(organization.books_id, code),
    }
    contact["payment_terms_label"] = f"Net {contact['payment_terms']}"
    if person:
        _give_person(scene, contact, person)
    return contact


def _give_person(scene: Scene, contact: dict[str, Any], person: CRM) -> None:
    reached = {
        "first_name": person["First_Name"],
        "last_name": person["Last_Name"],
        "email": person["Email"],
        "phone": person["Phone"],
        "mobile": "",
    }
    contact.update(reached, primary_contact_id=scene.books_id())
    contact["contact_persons"] = [
        reached
        | {
            "contact_person_id": contact["primary_contact_id"],
            "salutation": "",
            "designation": person["Title"],
            "department": person["Title"],
            "skype": "",
            "is_primary_contact": True,
            "communication_preference": {"is_sms_enabled": False, "is_whatsapp_enabled": False},
            "enable_portal": False,
        }
    ]
