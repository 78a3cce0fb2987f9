import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.sandbox import Fault, Limits, Sandbox

BOOKS = "https://www.zohoapis.eu/books/v3"
BILLING = "https://www.zohoapis.eu/billing/v1"
CRM = "https://www.zohoapis.eu/crm/v8"
Bearing = Callable[..., dict[str, str]]


async def ask(http: httpx.AsyncClient, headers: dict[str, str], times: int = 1) -> list[Any]:
    answers = [await http.get(f"{BOOKS}/organizations", headers=headers) for _ in range(times)]
    return [answer.json()["code"] for answer in answers]


async def test_the_hundred_and_first_call_of_a_minute_is_refused(
    http: httpx.AsyncClient, bearing: Bearing, clock: Any
) -> None:
    owner, staff = bearing("owner@demo.example"), bearing("staff@demo.example")
    assert await ask(http, owner, 60) + await ask(http, staff, 40) == [0] * 100
    refused = await http.get(f"{BOOKS}/organizations", headers=owner)
    assert (refused.status_code, refused.json()["code"]) == (429, 44)
    assert "retry-after" not in refused.headers
    clock.advance(61)
    assert await ask(http, owner) == [0]


async def test_organizations_do_not_spend_each_others_budget(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    sandbox.limit(Limits(minute=1))
    assert await ask(http, bearing("owner@demo.example"), 2) == [0, 44]
    west = await http.get("https://www.zohoapis.com/books/v3/organizations", headers=bearing("owner@west.example"))
    assert west.status_code == 200


async def test_the_day_has_its_own_limit_and_ends_at_midnight(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing, clock: Any
) -> None:
    sandbox.limit(Limits(day=2))
    headers = bearing("owner@demo.example")
    assert await ask(http, headers, 3) == [0, 0, 45]
    clock.advance(86_400)
    assert await ask(http, bearing("owner@demo.example")) == [0]


async def test_every_answer_tells_what_is_left_of_the_day(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    sandbox.limit(Limits(day=50))
    first = await http.get(f"{BOOKS}/organizations", headers=bearing("owner@demo.example"))
    second = await http.get(f"{BOOKS}/nothing", headers=bearing("owner@demo.example"))
    assert [answer.headers["x-rate-limit-remaining"] for answer in (first, second)] == ["49", "48"]
    assert second.headers["x-rate-limit-limit"] == "50"
    assert 0 < int(second.headers["x-rate-limit-reset"]) <= 86_400


async def test_the_eleventh_call_at_once_is_refused(http: httpx.AsyncClient, bearing: Bearing) -> None:
    headers = bearing("owner@demo.example")
    answers = await asyncio.gather(*(ask(http, headers) for _ in range(14)))
    assert sorted(code for (code,) in answers) == [0] * 10 + [1070] * 4
    assert await ask(http, headers) == [0]


async def test_a_call_counts_as_running_until_it_is_answered(
    http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing
) -> None:
    sandbox.limit(Limits(concurrent=1))
    sandbox.fault(Fault("lost_answer", path="/organizations", times=1))
    headers = bearing("owner@demo.example")
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(http, headers)
    assert await ask(http, headers) == [0]


async def test_crm_counts_calls_at_once(http: httpx.AsyncClient, bearing: Bearing) -> None:
    headers = bearing("owner@demo.example")
    answers = await asyncio.gather(*(http.get(f"{CRM}/org", headers=headers) for _ in range(21)))
    refused = [answer.json() for answer in answers if answer.status_code == 429]
    assert [answer["code"] for answer in refused] == ["TOO_MANY_REQUESTS"]


async def test_books_and_billing_are_counted_apart(http: httpx.AsyncClient, sandbox: Sandbox, bearing: Bearing) -> None:
    sandbox.limit(Limits(minute=1))
    headers = bearing("owner@demo.example")
    assert await ask(http, headers) == [0]
    named = {**headers, "X-com-zoho-subscriptions-organizationid": "20098765001"}
    assert (await http.get(f"{BILLING}/plans", headers=named)).status_code == 200
