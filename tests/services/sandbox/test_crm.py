from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.sandbox import Sandbox

Bearing = Callable[..., dict[str, str]]
CRM = "https://www.zohoapis.eu/crm/v8"
FINANCE = [
    "Finance_Estimates",
    "Finance_Invoices",
    "Finance_Sales_Orders",
    "Finance_Purchase_Orders",
    "Finance_Subscriptions",
]


class Desk:
    """CRM as one person sees it."""

    def __init__(self, http: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self._http = http
        self._headers = headers

    async def get(self, path: str, *, since: str = "", **params: Any) -> httpx.Response:
        headers = {**self._headers, **({"If-Modified-Since": since} if since else {})}
        return await self._http.get(f"{CRM}/{path}", params=params, headers=headers)

    async def rows(self, path: str, key: str = "data", **params: Any) -> list[dict[str, Any]]:
        answer = await self.get(path, **params)
        assert answer.status_code in (200, 204), answer.text
        found: list[dict[str, Any]] = answer.json()[key] if answer.content else []
        return found


@pytest.fixture
def owner(http: httpx.AsyncClient, bearing: Bearing) -> Desk:
    return Desk(http, bearing("owner@demo.example"))


@pytest.fixture
def staff(http: httpx.AsyncClient, bearing: Bearing) -> Desk:
    return Desk(http, bearing("staff@demo.example"))


async def test_users_carry_status_confirmation_role_and_profile(owner: Desk) -> None:
    users = {user["email"]: user for user in await owner.rows("users", "users")}
    assert len(users) >= 25
    assert users["owner@demo.example"]["profile"]["name"] == "Administrator"
    assert users["readonly@demo.example"]["profile"]["name"] == "Read Only Finance"
    assert users["inactive@demo.example"]["status"] == "disabled"
    assert users["unconfirmed@demo.example"]["confirm"] is False
    assert "MixedCase@demo.example" in users
    assert {"id", "zuid", "full_name", "first_name", "last_name", "role", "created_time", "Modified_Time"} <= set(
        users["staff@demo.example"]
    )


@pytest.mark.parametrize(
    ("kind", "email", "listed"),
    [
        ("ActiveUsers", "inactive@demo.example", False),
        ("DeactiveUsers", "inactive@demo.example", True),
        ("ActiveConfirmedUsers", "unconfirmed@demo.example", False),
        ("NotConfirmedUsers", "unconfirmed@demo.example", True),
        ("CurrentUser", "owner@demo.example", True),
        ("CurrentUser", "staff@demo.example", False),
    ],
)
async def test_users_are_listed_by_type(owner: Desk, kind: str, email: str, listed: bool) -> None:
    users = await owner.rows("users", "users", type=kind)
    assert (email in [user["email"] for user in users]) is listed


async def test_users_are_paged_and_fetched_by_ids(owner: Desk) -> None:
    first = (await owner.get("users", per_page=10)).json()
    assert first["info"] == {"per_page": 10, "count": 10, "page": 1, "more_records": True}
    last = (await owner.get("users", per_page=10, page=3)).json()
    assert last["info"]["more_records"] is False
    assert (await owner.get("users", page=9)).status_code == 204
    ids = [user["id"] for user in first["users"][:2]]
    assert [user["id"] for user in await owner.rows("users", "users", ids=",".join(ids))] == ids
    (one,) = await owner.rows(f"users/{ids[0]}", "users")
    assert one["id"] == ids[0]
    assert (await owner.get("users/1")).status_code == 204


async def test_only_users_changed_since_are_told(owner: Desk, sandbox: Sandbox) -> None:
    since = "2026-01-01T00:00:00+00:00"
    assert (await owner.get("users", since=since)).status_code == 304
    sandbox.change("staff@demo.example", profile="No Finance")
    changed = (await owner.get("users", since=since)).json()["users"]
    assert [(user["email"], user["profile"]["name"]) for user in changed] == [("staff@demo.example", "No Finance")]


async def permissions(desk: Desk, name: str) -> dict[str, bool]:
    ids = {profile["name"]: profile["id"] for profile in await desk.rows("settings/profiles", "profiles")}
    (profile,) = await desk.rows(f"settings/profiles/{ids[name]}", "profiles")
    return {detail["name"]: detail["enabled"] for detail in profile["permissions_details"]}


async def test_profiles_say_what_is_enabled_in_each_finance_module(owner: Desk) -> None:
    administrator = await permissions(owner, "Administrator")
    assert all(administrator.values())
    standard = await permissions(owner, "Standard")
    assert standard["Crm_Implied_Approve_Finance_Invoices"]
    assert not standard["Crm_Implied_Manage_Zoho_Finance"]
    readonly = await permissions(owner, "Read Only Finance")
    outsider = await permissions(owner, "No Finance")
    for module in FINANCE:
        assert readonly[f"Crm_Implied_View_{module}"]
        assert not readonly[f"Crm_Implied_Edit_{module}"]
        assert not outsider[f"Crm_Implied_View_{module}"]


async def test_others_profiles_are_for_administrators(owner: Desk, staff: Desk) -> None:
    assert (await staff.get("settings/profiles")).json()["code"] == "NO_PERMISSION"
    ids = {profile["name"]: profile["id"] for profile in await owner.rows("settings/profiles", "profiles")}
    assert (await staff.get(f"settings/profiles/{ids['Standard']}")).status_code == 200
    assert (await staff.get(f"settings/profiles/{ids['Administrator']}")).status_code == 403


async def test_fields_carry_the_permission_of_every_profile(owner: Desk) -> None:
    fields = {field["api_name"]: field for field in await owner.rows("settings/fields", "fields", module=FINANCE[1])}
    types = {name: _types(field) for name, field in fields.items()}
    assert types["balance"]["Read Only Finance"] == "hidden"
    assert types["total"]["Read Only Finance"] == "read_only"
    assert types["balance"]["Standard"] == "read_write"
    assert fields["balance"]["visible"] is True


def _types(field: dict[str, Any]) -> dict[str, str]:
    return {profile["name"]: profile["permission_type"] for profile in field["profiles"]}


async def test_fields_want_a_known_module(owner: Desk) -> None:
    missing = await owner.get("settings/fields")
    assert (missing.status_code, missing.json()["code"]) == (400, "REQUIRED_PARAM_MISSING")
    assert (await owner.get("settings/fields", module="Unicorns")).json()["code"] == "INVALID_MODULE"


async def test_modules_and_related_lists_name_the_finance_suite(owner: Desk) -> None:
    modules = [module["api_name"] for module in await owner.rows("settings/modules", "modules")]
    assert modules == ["Accounts", "Contacts", *FINANCE]
    related = await owner.rows("settings/related_lists", "related_lists", module="Accounts")
    assert [one["api_name"] for one in related] == ["Contacts", *FINANCE]
    (one,) = await owner.rows("settings/modules/Finance_Invoices", "modules")
    assert one["viewable"] is True


async def test_the_organization_tells_its_edition(owner: Desk, http: httpx.AsyncClient, bearing: Bearing) -> None:
    (demo,) = await owner.rows("org", "org")
    assert (demo["zgid"], demo["license_details"]["paid_type"]) == ("20077000001", "enterprise")
    south = await http.get("https://www.zohoapis.in/crm/v8/org", headers=bearing("owner@south.example"))
    assert south.json()["org"][0]["license_details"]["paid_type"] == "standard"


async def test_a_list_wants_its_fields_and_gives_only_these(owner: Desk) -> None:
    missing = await owner.get("Accounts")
    assert (missing.status_code, missing.json()["code"]) == (400, "REQUIRED_PARAM_MISSING")
    assert set(missing.json()) == {"code", "details", "message", "status"}
    (row, *_) = await owner.rows("Accounts", fields="Account_Name,Phone,Unknown")
    assert set(row) == {"id", "Account_Name", "Phone"}


async def test_all_pages_together_are_all_records(owner: Desk) -> None:
    ids: list[str] = []
    page, more = 1, True
    while more:
        answer = (await owner.get("Contacts", fields="Email", per_page=50, page=page)).json()
        ids += [row["id"] for row in answer["data"]]
        page, more = page + 1, answer["info"]["more_records"]
    assert len(ids) == len(set(ids)) >= 120
    assert (await owner.get("Contacts/actions/count")).json() == {"count": len(ids)}


@pytest.mark.parametrize("params", [{"page": "0"}, {"per_page": "201"}, {"per_page": "x"}, {"sort_by": "Phone"}])
async def test_impossible_pages_are_refused(owner: Desk, params: dict[str, str]) -> None:
    answer = await owner.get("Accounts", fields="Phone", **params)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_DATA")


async def test_records_are_sorted(owner: Desk) -> None:
    rows = await owner.rows("Accounts", fields="Modified_Time", sort_by="Modified_Time", sort_order="asc")
    times = [row["Modified_Time"] for row in rows]
    assert times == sorted(times)


async def test_records_are_fetched_by_ids_and_one_by_one(owner: Desk) -> None:
    rows = await owner.rows("Accounts", fields="Account_Name", per_page=3)
    ids = ",".join(row["id"] for row in rows)
    assert await owner.rows("Accounts", fields="Account_Name", ids=ids) == rows
    (one,) = await owner.rows(f"Accounts/{rows[0]['id']}")
    assert one["Account_Name"] == rows[0]["Account_Name"]
    assert one["Owner"]["id"]
    assert (await owner.get("Accounts/1")).json()["code"] == "INVALID_DATA"


async def test_an_account_has_its_contacts(owner: Desk) -> None:
    (contact, *_) = [row for row in await owner.rows("Contacts", fields="Account_Name") if row["Account_Name"]]
    account_id = contact["Account_Name"]["id"]
    related = await owner.rows(f"Accounts/{account_id}/Contacts", fields="Account_Name")
    assert contact["id"] in [row["id"] for row in related]
    assert {row["Account_Name"]["id"] for row in related} == {account_id}


async def test_records_are_found_by_word_email_and_criteria(owner: Desk) -> None:
    (account, other, *_) = await owner.rows("Accounts", fields="Account_Name,Website")
    name = account["Account_Name"]
    by_word = await owner.rows("Accounts/search", word=name.upper())
    assert account["id"] in [row["id"] for row in by_word]
    (exact,) = await owner.rows("Accounts/search", criteria=f"(Website:equals:{account['Website']})", fields="Website")
    assert exact == {"id": account["id"], "Website": account["Website"]}
    both = f"((Account_Name:equals:{name})or(id:equals:{other['id']}))"
    assert {row["id"] for row in await owner.rows("Accounts/search", criteria=both)} == {account["id"], other["id"]}
    neither = f"((Account_Name:equals:{name})and(id:equals:{other['id']}))"
    assert (await owner.get("Accounts/search", criteria=neither)).status_code == 204
    (contact, *_) = await owner.rows("Contacts", fields="Email")
    assert contact in await owner.rows("Contacts/search", email=contact["Email"].upper(), fields="Email")


@pytest.mark.parametrize("criteria", ["Phone:equals:1", "(Phone:near:1)", "((Phone:equals:1)", "(Phone:equals:1)and"])
async def test_malformed_criteria_are_refused(owner: Desk, criteria: str) -> None:
    answer = await owner.get("Accounts/search", criteria=criteria)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_QUERY")


async def test_only_records_modified_since_are_told(owner: Desk) -> None:
    times = sorted(row["Modified_Time"] for row in await owner.rows("Accounts", fields="Modified_Time"))
    recent = (await owner.get("Accounts", since=times[-2], fields="Modified_Time")).json()["data"]
    assert [row["Modified_Time"] for row in recent] == times[-1:]
    assert (await owner.get("Accounts", since=times[-1], fields="Modified_Time")).status_code == 304
    assert (await owner.get("Accounts", since="yesterday", fields="Modified_Time")).status_code == 400


async def test_a_profile_without_accounts_sees_none(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    sandbox.change("sales1@demo.example", profile="No Access")
    answer = await Desk(http, bearing("sales1@demo.example")).get("Accounts", fields="Phone")
    assert (answer.status_code, answer.json()["code"]) == (403, "NO_PERMISSION")
    assert answer.json()["details"] == {"permissions": ["Crm_Implied_View_Accounts"]}


@pytest.mark.parametrize("email", ["inactive@demo.example", "unconfirmed@demo.example"])
async def test_who_is_no_active_user_is_turned_away(http: httpx.AsyncClient, bearing: Bearing, email: str) -> None:
    answer = await Desk(http, bearing(email)).get("users", type="CurrentUser")
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTHENTICATION_FAILURE")


async def test_an_unknown_module_is_refused(owner: Desk) -> None:
    assert (await owner.get("Unicorns", fields="Horn")).json()["code"] == "INVALID_MODULE"
