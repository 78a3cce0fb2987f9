from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.sandbox import Limits, Sandbox

EU = "https://accounts.zoho.eu"
BOOKS = "https://www.zohoapis.eu/books/v3"
BACK = "http://127.0.0.1:8000/back"
CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
ASKED = {
    "response_type": "code",
    "client_id": "sandbox-client",
    "redirect_uri": BACK,
    "scope": "openid,email,ZohoBooks.fullaccess.all",
    "access_type": "offline",
    "state": "s t/1",
    "login_hint": "staff@demo.example",
}


async def consent(http: httpx.AsyncClient, **changes: str) -> dict[str, str]:
    answer = await http.get(f"{EU}/oauth/v2/auth", params={**ASKED, **changes})
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


async def redeem(http: httpx.AsyncClient, code: str, **more: str) -> dict[str, Any]:
    form = {**CLIENT, "grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **more}
    answer: dict[str, Any] = (await http.post(f"{EU}/oauth/v2/token", data=form)).json()
    return answer


async def renew(http: httpx.AsyncClient, refresh_token: str, host: str = EU) -> httpx.Response:
    asked = {**CLIENT, "grant_type": "refresh_token", "refresh_token": refresh_token}
    return await http.post(f"{host}/oauth/v2/token", params=asked)


async def me(http: httpx.AsyncClient, token: str) -> int:
    return (await http.get(f"{BOOKS}/organizations", headers={"Authorization": f"Bearer {token}"})).status_code


async def keys(http: httpx.AsyncClient) -> KeySet:
    return KeySet.import_key_set((await http.get(f"{EU}/oauth/v2/keys")).json())


async def test_consent_brings_back_code_state_location_and_accounts_server(http: httpx.AsyncClient) -> None:
    answer = await consent(http)
    assert answer["code"]
    assert (answer["location"], answer["accounts-server"], answer["state"]) == ("eu", EU, "s t/1")


async def test_without_a_hint_a_page_offers_the_people_of_the_data_centre(http: httpx.AsyncClient) -> None:
    asked = {key: value for key, value in ASKED.items() if key != "login_hint"}
    page = await http.get(f"{EU}/oauth/v2/auth", params=asked)
    assert page.headers["content-type"].startswith("text/html")
    assert "staff@demo.example" in page.text
    assert "staff@west.example" not in page.text


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://elsewhere.example/back"},
        {"response_type": "token"},
        {"scope": ""},
        {"login_hint": "nobody@demo.example"},
        {"code_challenge": "x", "code_challenge_method": "plain"},
    ],
)
async def test_a_mistaken_request_is_told_on_a_page_and_not_redirected(
    http: httpx.AsyncClient, change: Mapping[str, str]
) -> None:
    answer = await http.get(f"{EU}/oauth/v2/auth", params={**ASKED, **change})
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_code_is_redeemed_once_for_tokens_of_its_person(http: httpx.AsyncClient) -> None:
    code = (await consent(http))["code"]
    tokens = await redeem(http, code)
    assert tokens["api_domain"] == "https://www.zohoapis.eu"
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    assert {"access_token", "refresh_token", "id_token"} <= tokens.keys()
    assert (await redeem(http, code))["error"] == "invalid_code"


async def test_consent_that_is_not_for_offline_access_gives_no_refresh_token(http: httpx.AsyncClient) -> None:
    tokens = await redeem(http, (await consent(http, access_type="online"))["code"])
    assert "refresh_token" not in tokens


async def test_a_code_dies_after_two_minutes(http: httpx.AsyncClient, clock: Any) -> None:
    code = (await consent(http))["code"]
    clock.advance(121)
    assert (await redeem(http, code))["error"] == "invalid_code"


async def test_a_challenged_code_wants_its_verifier(http: httpx.AsyncClient) -> None:
    verifier = "v" * 64
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    proof = {"code_challenge": challenge, "code_challenge_method": "S256"}
    code = (await consent(http, **proof))["code"]
    assert (await redeem(http, code, code_verifier="w" * 64))["error"] == "invalid_code"
    assert "access_token" in await redeem(http, code, code_verifier=verifier)


async def test_errors_come_inside_http_200(http: httpx.AsyncClient) -> None:
    answer = await renew(http, "unknown")
    assert (answer.status_code, answer.json()["error"]) == (200, "invalid_code")
    wrong = await http.post(f"{EU}/oauth/v2/token", data={**CLIENT, "client_secret": "guess"})
    assert (wrong.status_code, wrong.json()["error"]) == (200, "invalid_client")
    other = await http.post(f"{EU}/oauth/v2/token", data={**CLIENT, "grant_type": "password"})
    assert other.json()["error"] == "unsupported_grant_type"


async def test_a_refresh_token_is_known_in_its_data_centre_only(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    refresh_token = sandbox.refresh_token("staff@demo.example")
    assert (await renew(http, refresh_token, "https://accounts.zoho.com")).json()["error"] == "invalid_code"
    assert "access_token" in (await renew(http, refresh_token)).json()


async def test_the_eleventh_token_in_ten_minutes_is_refused_until_they_are_over(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: Any
) -> None:
    refresh_token = sandbox.refresh_token("staff@demo.example")
    for _ in range(10):
        assert "access_token" in (await renew(http, refresh_token)).json()
    refused = await renew(http, refresh_token)
    assert (refused.status_code, refused.json()["error"]) == (400, "Access Denied")
    assert "access_token" in (await renew(http, sandbox.refresh_token("staff@demo.example"))).json()
    clock.advance(601)
    assert "access_token" in (await renew(http, refresh_token)).json()


async def test_of_eleven_active_tokens_the_oldest_is_dropped(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.limit(Limits(tokens_per_10_minutes=20))
    refresh_token = sandbox.refresh_token("staff@demo.example")
    tokens = [(await renew(http, refresh_token)).json()["access_token"] for _ in range(11)]
    assert [await me(http, token) for token in tokens] == [401] + [200] * 10


async def test_the_twenty_first_refresh_token_drops_the_first(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    first, second, *_ = [sandbox.refresh_token("staff@demo.example") for _ in range(21)]
    assert (await renew(http, first)).json()["error"] == "invalid_code"
    assert "access_token" in (await renew(http, second)).json()


async def test_an_access_token_dies_after_its_hour(http: httpx.AsyncClient, sandbox: Sandbox, clock: Any) -> None:
    token = sandbox.access_token("staff@demo.example")
    assert await me(http, token) == 200
    clock.advance(3601)
    assert await me(http, token) == 401


async def test_a_revoked_refresh_token_takes_its_access_tokens_along(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    refresh_token = sandbox.refresh_token("staff@demo.example")
    token = (await renew(http, refresh_token)).json()["access_token"]
    assert await me(http, token) == 200
    revoked = await http.post(f"{EU}/oauth/v2/token/revoke", params={"token": refresh_token})
    assert revoked.json() == {"status": "success"}
    assert await me(http, token) == 401
    assert (await renew(http, refresh_token)).json()["error"] == "invalid_code"


async def test_user_info_names_the_person_behind_the_token(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    token = sandbox.access_token("sales@demo.example", "AaaServer.profile.READ")
    answer = await http.get(f"{EU}/oauth/user/info", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {
        "ZUID": int(sandbox.person("sales@demo.example").zuid),
        "Email": "sales@demo.example",
        "First_Name": "Demo",
        "Last_Name": "Sales",
        "Display_Name": "Demo Sales",
    }
    narrow = {"Authorization": f"Bearer {sandbox.access_token('sales@demo.example', 'ZohoCRM.org.READ')}"}
    assert (await http.get(f"{EU}/oauth/user/info", headers=narrow)).status_code == 401


async def test_an_id_token_is_signed_by_a_published_key(http: httpx.AsyncClient) -> None:
    about = (await http.get(f"{EU}/.well-known/openid-configuration")).json()
    assert about["jwks_uri"] == f"{EU}/oauth/v2/keys"
    tokens = await redeem(http, (await consent(http, nonce="n-1"))["code"])
    claims = jwt.decode(tokens["id_token"], await keys(http), algorithms=["RS256"]).claims
    assert claims["iss"] == about["issuer"] == EU
    assert (claims["aud"], claims["email"], claims["nonce"]) == ("sandbox-client", "staff@demo.example", "n-1")
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("keep_old", [True, False])
async def test_after_a_rotation_old_tokens_hold_as_long_as_their_key_is_published(
    http: httpx.AsyncClient, sandbox: Sandbox, keep_old: bool
) -> None:
    old = sandbox.id_token("staff@demo.example")
    sandbox.rotate_keys(keep_old=keep_old)
    published = await keys(http)
    assert len(published.keys) == (2 if keep_old else 1)
    jwt.decode(sandbox.id_token("staff@demo.example"), published, algorithms=["RS256"])
    if keep_old:
        jwt.decode(old, published, algorithms=["RS256"])
    else:
        with pytest.raises((JoseError, ValueError)):
            jwt.decode(old, published, algorithms=["RS256"])


async def test_id_tokens_can_be_made_for_strangers_and_with_other_claims(sandbox: Sandbox) -> None:
    token = sandbox.id_token("stranger@elsewhere.example", audience="another", lifetime=-5, email_verified=False)
    published = KeySet.import_key_set(sandbox.keys.published())
    claims = jwt.decode(token, published, algorithms=["RS256"]).claims
    assert (claims["aud"], claims["email_verified"]) == ("another", False)
    assert claims["exp"] < claims["iat"]
