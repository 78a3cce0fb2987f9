"""Users, organizations, currencies, taxes and items of Books."""

from collections.abc import Iterable
from typing import Any

from sqlmodel import select
from starlette.responses import Response

from services.sandbox import goods, listing, lists, stamps
from services.sandbox.desk import Body, Desk, success
from services.sandbox.documents import invalid
from services.sandbox.errors import refused
from services.sandbox.roles import BOOKS_ROLES
from services.sandbox.store import Organization, Person

_STATES = {"Status.All": "", "Status.Active": "active", "Status.Inactive": "inactive"}
_NO_ONE = ("Status.Invited", "Status.Deleted")
_SORTS = ("name", "email", "user_role", "status")


def users(desk: Desk) -> Response:
    desk.allow("users", "view")
    chosen, column = desk.query.get("filter_by") or "Status.All", desk.query.get("sort_column") or "name"
    if chosen not in (*_STATES, *_NO_ONE):
        raise invalid("filter_by")
    if column not in _SORTS:
        raise invalid("sort_column")
    rows = [_row(person, desk) for person in _people(desk)] if chosen in _STATES else []
    wanted = [row for row in rows if _STATES.get(chosen, "") in ("", row["status"])]
    wanted.sort(key=lambda row: str(row[column]), reverse=desk.query.get("sort_order") == "D")
    at = listing.page(lists.USERS, desk)
    start = (at.number - 1) * at.size
    more = len(wanted) > start + at.size
    return success(users=wanted[start : start + at.size], page_context=listing.context(lists.USERS, at, more))


def _people(desk: Desk) -> Iterable[Person]:
    people = desk.session.exec(select(Person).where(Person.crm_id == desk.organization.crm_id))
    return [person for person in people if person.books_user_id]


def _common(person: Person, desk: Desk) -> Body:
    role = BOOKS_ROLES[person.books_role or ""]
    return {
        "user_id": person.books_user_id,
        "role_id": goods.code_id(desk.organization_id, 500 + list(BOOKS_ROLES).index(role.name)),
        "name": person.name,
        "user_role": role.user_role,
        "user_type": "zoho",
        "status": person.books_status,
        "photo_url": "",
        "is_employee": False,
    }


def _row(person: Person, desk: Desk) -> Body:
    role = BOOKS_ROLES[person.books_role or ""]
    return _common(person, desk) | {
        "email": person.email,
        "is_current_user": person.books_user_id == desk.caller.product_user_id,
        "is_customer_segmented": role.assigned_customers_only,
        "is_vendor_segmented": role.assigned_customers_only,
        "invitation_type": "",
        "is_super_admin": role.user_role == "admin",
        "mobile": "",
    }


def _full(person: Person, desk: Desk) -> Body:
    role = BOOKS_ROLES[person.books_role or ""]
    founded = stamps.written(stamps.moment(1_640_995_200, desk.organization.time_zone))
    return _common(person, desk) | {
        "email": person.email,
        "email_ids": [{"email": person.email, "is_selected": True}],
        "cost_rate": 0,
        "is_customer_segmented": role.assigned_customers_only,
        "is_vendor_segmented": role.assigned_customers_only,
        "created_time": founded,
        "custom_fields": "",
    }


def me(desk: Desk) -> Response:
    if not desk.caller.product_user_id:
        raise refused(57)
    return success(user=_full(desk.caller.person, desk))


def user(desk: Desk) -> Response:
    if desk.path["id"] != desk.caller.product_user_id:
        desk.allow("users", "view")
    for person in _people(desk):
        if person.books_user_id == desk.path["id"]:
            return success(user=_full(person, desk))
    raise refused(1002, "User does not exist.")


def organizations(desk: Desk) -> Response:
    """Those of which the caller is an active user; Books and Billing answer alike."""
    mine = [_organization(desk.organization, desk.organization_id)] if desk.caller.product_user_id else []
    return success(organizations=mine)


def organization(desk: Desk) -> Response:
    if desk.path["id"] != desk.organization.books_id:
        raise refused(6041)
    return success(organization=_organization(desk.organization, desk.organization_id))


def _organization(organization: Organization, organization_id: str) -> dict[str, Any]:
    code = organization.currency_code
    return {
        "organization_id": organization_id,
        "name": organization.name,
        "contact_name": "Owner",
        "email": f"owner@{organization.key}.example",
        "is_default_org": True,
        "plan_type": 12,
        "tax_group_enabled": True,
        "zi_migration_status": 0,
        "plan_name": organization.edition.upper(),
        "plan_period": "yearly",
        "language_code": "en",
        "fiscal_year_start_month": "january",
        "account_created_date": "2022-01-01",
        "account_created_date_formatted": "01 Jan 2022",
        "time_zone": organization.time_zone,
        "is_org_active": True,
        "currency_id": goods.currency(organization.books_id, code)["currency_id"],
        "currency_code": code,
        "currency_symbol": organization.currency_symbol,
        "currency_format": "###,##0.00",
        "price_precision": goods.precision(code),
        "country_code": organization.country_code,
    }


def currencies(desk: Desk) -> Response:
    return success(currencies=goods.currencies(desk.organization_id, desk.organization.currency_code))


def taxes(desk: Desk) -> Response:
    found = goods.taxes(desk.organization_id, desk.organization.currency_code)
    return success(taxes=[tax.on_line() for tax in found])


def items(desk: Desk) -> Response:
    return listing.list_all(lists.ITEMS, desk, "items")


def item(desk: Desk) -> Response:
    desk.allow("items", "view")
    return success(item=desk.shown("items", desk.require("items", desk.path["id"], "Item does not exist.")))


def item_details(desk: Desk) -> Response:
    """``GET /itemdetails?item_ids=a,b``: the full records; unknown ids are left out."""
    desk.allow("items", "view")
    ids = [each for each in desk.query.get("item_ids", "").split(",") if each]
    if not 1 <= len(ids) <= listing.PER_PAGE:
        raise invalid("item_ids")
    return success(items=[found for each in ids if (found := desk.find("items", each))])
