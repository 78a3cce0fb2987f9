from collections.abc import Callable

import httpx
import pytest

from services.sandbox import Sandbox

Bearing = Callable[..., dict[str, str]]
LOCAL = "http://127.0.0.1:9000"
ACCOUNTS = {
    "com": "accounts.zoho.com",
    "eu": "accounts.zoho.eu",
    "in": "accounts.zoho.in",
    "com.au": "accounts.zoho.com.au",
    "jp": "accounts.zoho.jp",
    "ca": "accounts.zohocloud.ca",
    "sa": "accounts.zoho.sa",
    "com.cn": "accounts.zoho.com.cn",
    "uk": "accounts.zoho.uk",
}


@pytest.mark.parametrize(("name", "host"), ACCOUNTS.items())
async def test_every_data_centre_has_its_accounts_and_its_products(
    http: httpx.AsyncClient, name: str, host: str
) -> None:
    about = (await http.get(f"https://{host}/.well-known/openid-configuration")).json()
    assert about["issuer"] == f"https://{host}"
    books = await http.get(f"https://www.zohoapis.{name}/books/v3/estimates")
    assert (books.status_code, books.json()["code"]) == (401, 57)


async def test_on_another_host_the_path_names_the_data_centre(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    asked = {
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret",
        "grant_type": "refresh_token",
        "refresh_token": sandbox.refresh_token("owner@demo.example"),
    }
    tokens = (await http.post(f"{LOCAL}/eu/accounts/oauth/v2/token", data=asked)).json()
    assert tokens["api_domain"] == f"{LOCAL}/eu/api"
    headers = {"Authorization": f"Zoho-oauthtoken {tokens['access_token']}"}
    assert (await http.get(f"{tokens['api_domain']}/crm/v8/org", headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["", "/eu", "/eu/api", "/eu/api/desk/v1/tickets", "/mars/api/books/v3/estimates"])
async def test_nothing_is_served_elsewhere(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(f"{LOCAL}{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, 5)


@pytest.mark.parametrize("scheme", ["Zoho-oauthtoken", "Bearer", "bearer"])
async def test_both_authorization_schemes_are_accepted(http: httpx.AsyncClient, sandbox: Sandbox, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {sandbox.access_token('owner@demo.example')}"}
    assert (await http.get("https://www.zohoapis.eu/books/v3/organizations", headers=headers)).status_code == 200


async def test_a_trailing_slash_changes_nothing(http: httpx.AsyncClient, bearing: Bearing) -> None:
    url = "https://www.zohoapis.eu/books/v3/organizations/"
    assert (await http.get(url, headers=bearing("owner@demo.example"))).status_code == 200


async def test_an_organization_is_reached_in_its_own_data_centre_only(
    http: httpx.AsyncClient, bearing: Bearing
) -> None:
    headers = bearing("owner@west.example")
    for product, code in (("books/v3/estimates", 6041), ("crm/v8/org", "INVALID_TOKEN")):
        answer = await http.get(f"https://www.zohoapis.eu/{product}", headers=headers)
        assert answer.json()["code"] == code
        assert (await http.get(f"https://www.zohoapis.com/{product}", headers=headers)).status_code == 200


async def test_a_foreign_organization_is_refused(http: httpx.AsyncClient, bearing: Bearing) -> None:
    headers = bearing("owner@demo.example")
    url = "https://www.zohoapis.eu/books/v3/estimates"
    foreign = await http.get(url, params={"organization_id": "60012000001"}, headers=headers)
    assert (foreign.status_code, foreign.json()["code"]) == (400, 6041)
    assert (await http.get(url, params={"organization_id": "20098765001"}, headers=headers)).status_code == 200


@pytest.mark.parametrize("organization", [{}, {"X-com-zoho-subscriptions-organizationid": "60012000002"}])
async def test_billing_wants_its_own_organization_in_the_header(
    http: httpx.AsyncClient, bearing: Bearing, organization: dict[str, str]
) -> None:
    url = "https://www.zohoapis.eu/billing/v1/subscriptions"
    answer = await http.get(url, headers={**bearing("owner@demo.example"), **organization})
    assert (answer.status_code, answer.json()["code"]) == (400, 6041)


@pytest.mark.parametrize("email", ["sales@demo.example", "billing@demo.example", "booksinactive@demo.example"])
async def test_who_is_not_in_books_is_not_of_its_organization(
    http: httpx.AsyncClient, bearing: Bearing, email: str
) -> None:
    answer = await http.get("https://www.zohoapis.eu/books/v3/estimates", headers=bearing(email))
    assert answer.json()["code"] == 6041


async def test_unknown_urls_and_methods_are_told_apart(http: httpx.AsyncClient, bearing: Bearing) -> None:
    headers = bearing("owner@demo.example")
    unknown = await http.get("https://www.zohoapis.eu/books/v3/unicorns", headers=headers)
    assert (unknown.status_code, unknown.json()["code"]) == (404, 5)
    method = await http.delete("https://www.zohoapis.eu/books/v3/estimates", headers=headers)
    assert (method.status_code, method.json()["code"]) == (405, 37)
    crm = await http.get("https://www.zohoapis.eu/crm/v8/settings/unicorns/1", headers=headers)
    assert crm.status_code == 404
