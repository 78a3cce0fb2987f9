from collections.abc import Callable

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from services.sandbox import Fault, Sandbox

Bearing = Callable[..., dict[str, str]]
LOCAL = "http://127.0.0.1:9000"
CRM = "https://www.zohoapis.eu/crm/v8"


async def test_every_call_is_logged_with_the_person_whose_access_it_used(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    headers = {**bearing("staff@demo.example"), "User-Agent": "probe/1"}
    await http.get(f"{CRM}/users", params={"type": "CurrentUser"}, headers=headers)
    (call,) = sandbox.calls()
    assert (call.product, call.data_centre, call.method, call.path) == ("crm", "eu", "GET", "/crm/v8/users")
    assert (call.query, call.status, call.code) == ({"type": "CurrentUser"}, 200, 0)
    assert (call.email, call.organization_id, call.user_agent) == ("staff@demo.example", "20077000001", "probe/1")


async def test_a_token_is_known_by_its_fingerprint_only(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    first, second = bearing("staff@demo.example"), bearing("staff@demo.example")
    for headers in (first, first, second):
        await http.get(f"{CRM}/org", headers=headers)
    one, same, other = (call.token for call in sandbox.calls())
    assert one == same != other
    assert one not in first["Authorization"]


async def test_refusals_and_lost_answers_are_logged_too(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    await http.get("https://www.zohoapis.eu/books/v3/estimates")
    sandbox.fault(Fault("black_hole"))
    try:
        await http.get(f"{CRM}/org", headers=bearing("owner@demo.example"), timeout=0.01)
    except httpx.ReadTimeout:
        refused, lost = sandbox.calls()
    assert (refused.status, refused.code, refused.email) == (401, 57, "")
    assert (lost.status, lost.fault, lost.email) == (0, "black_hole", "owner@demo.example")


async def test_the_log_is_filtered_and_cleared(http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing) -> None:
    for email in ("owner@demo.example", "staff@demo.example"):
        for path in ("org", "users"):
            await http.get(f"{CRM}/{path}", headers=bearing(email))
    assert len(sandbox.calls(path="*/org")) == 2
    assert [call.path for call in sandbox.calls(email="staff@demo.example", path="*users")] == ["/crm/v8/users"]
    sandbox.clear_calls()
    assert sandbox.calls() == []


async def test_the_log_can_be_read_over_http(http: httpx.AsyncClient, bearing: Bearing) -> None:
    await http.get(f"{CRM}/org", headers=bearing("owner@demo.example"))
    await http.get(f"{CRM}/nothing", headers=bearing("owner@demo.example"))
    listed = (await http.get(f"{LOCAL}/sandbox/calls", params={"status": "200"})).json()["calls"]
    assert [call["path"] for call in listed] == ["/crm/v8/org"]
    assert (await http.get(f"{LOCAL}/sandbox/calls", params={"mood": "good"})).status_code == 400
    await http.delete(f"{LOCAL}/sandbox/calls")
    assert (await http.get(f"{LOCAL}/sandbox/calls")).json() == {"calls": []}


async def test_the_people_and_their_access_are_listed(http: httpx.AsyncClient) -> None:
    people = (await http.get(f"{LOCAL}/sandbox/people")).json()["people"]
    by_email = {person["email"]: person for person in people}
    assert by_email["assigned@demo.example"]["books_role"] == "Staff (Assigned Customers Only)"
    assert by_email["outsider@demo.example"]["crm_profile"] == "No Finance"
    assert by_email["owner@south.example"]["data_centre"] == "in"


async def test_an_id_token_is_given_by_the_short_name(http: httpx.AsyncClient) -> None:
    answer = (await http.get(f"{LOCAL}/sandbox/token", params={"as": "staff"})).json()
    published = KeySet.import_key_set((await http.get(f"{LOCAL}/eu/accounts/oauth/v2/keys")).json())
    claims = jwt.decode(answer["id_token"], published, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["email"]) == (f"{LOCAL}/eu/accounts", "staff@demo.example")
    assert (await http.get(f"{LOCAL}/sandbox/token", params={"as": "nobody"})).status_code == 404
    assert (await http.post(f"{LOCAL}/sandbox/keys", params={"keep_old": "0"})).json() == {"keys": 1}
