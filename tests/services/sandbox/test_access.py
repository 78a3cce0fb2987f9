from collections.abc import Callable

import httpx
import pytest

from services.sandbox import Sandbox

Bearing = Callable[..., dict[str, str]]
ROOT = "https://www.zohoapis.eu"
ORGANIZATION = {"X-com-zoho-subscriptions-organizationid": "20098765001"}


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("books/v3/estimates", "ZohoBooks.estimates.READ"),
        ("books/v3/invoices", "ZohoBooks.invoices.ALL"),
        ("books/v3/contacts", "ZohoBooks.contacts.READ"),
        ("books/v3/users/me", "ZohoBooks.settings.READ"),
        ("billing/v1/subscriptions", "ZohoSubscriptions.subscriptions.READ"),
        ("billing/v1/customers", "ZohoSubscriptions.customers.READ"),
        ("crm/v8/Accounts?fields=Account_Name", "ZohoCRM.modules.accounts.READ"),
        ("crm/v8/settings/profiles", "ZohoCRM.settings.profiles.READ"),
        ("crm/v8/users", "ZohoCRM.users.READ"),
    ],
)
async def test_a_module_wants_its_scope(http: httpx.AsyncClient, bearing: Bearing, path: str, scope: str) -> None:
    granted = {**bearing("owner@demo.example", scope), **ORGANIZATION}
    assert (await http.get(f"{ROOT}/{path}", headers=granted)).status_code == 200
    other = {**bearing("owner@demo.example", "ZohoBooks.banking.READ"), **ORGANIZATION}
    refused = await http.get(f"{ROOT}/{path}", headers=other)
    assert (refused.status_code, refused.json()["code"]) in [(401, 57), (401, "OAUTH_SCOPE_MISMATCH")]


async def test_reading_does_not_allow_writing(http: httpx.AsyncClient, bearing: Bearing) -> None:
    headers = bearing("owner@demo.example", "ZohoBooks.estimates.READ")
    refused = await http.post(f"{ROOT}/books/v3/estimates", headers=headers, json={})
    assert (refused.status_code, refused.json()["code"]) == (401, 57)


async def test_the_rejection_of_a_purchase_order_wants_update(http: httpx.AsyncClient, bearing: Bearing) -> None:
    url = f"{ROOT}/books/v3/purchaseorders/1/reject"
    create = await http.post(url, headers=bearing("owner@demo.example", "ZohoBooks.purchaseorders.CREATE"))
    update = await http.post(url, headers=bearing("owner@demo.example", "ZohoBooks.purchaseorders.UPDATE"))
    assert (create.json()["code"], update.json()["code"]) == (57, 1002)


async def test_a_changed_role_is_in_force_with_the_next_call(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    headers = bearing("staff@demo.example")
    assert (await http.get(f"{ROOT}/books/v3/invoices", headers=headers)).status_code == 200
    sandbox.change("staff@demo.example", books_role="Timesheet Staff")
    refused = await http.get(f"{ROOT}/books/v3/invoices", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, 57)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic eA=="}, {"Authorization": "Zoho-oauthtoken 1000.no"}])
async def test_without_a_good_token_there_is_nothing(http: httpx.AsyncClient, header: dict[str, str]) -> None:
    books = await http.get(f"{ROOT}/books/v3/estimates", headers=header)
    assert (books.status_code, books.json()["code"]) == (401, 57)
    crm = await http.get(f"{ROOT}/crm/v8/users", headers=header)
    assert (crm.status_code, crm.json()["code"]) == (401, "INVALID_TOKEN")
