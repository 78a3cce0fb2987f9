"""What the products post when a record has changed: to whom, how signed, and only when it has."""

import hmac
import json
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Any

import httpx
import pytest

from services.sandbox import Sandbox

BOOKS, BILLING = "https://www.zohoapis.eu/books/v3", "https://www.zohoapis.eu/billing/v1"
OWNER = "owner@demo.example"
TOKEN = "abcDEF123456"
Head = Callable[..., dict[str, str]]


class Listener:
    """Notes what is posted to it."""

    def __init__(self) -> None:
        self.heard: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._take)

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.heard.append(request)
        return httpx.Response(202)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.heard]


@pytest.fixture
async def listener(sandbox: Sandbox) -> AsyncIterator[Listener]:
    listener = Listener()
    place = "20098765001"
    url = "https://listener.example/hooks?organization=abc&b=2"
    for product in ("books", "billing"):
        sandbox.webhooks_to(product, place, url, TOKEN, listener.transport)
    yield listener
    await sandbox.hooks.aclose()


async def first(http: httpx.AsyncClient, head: dict[str, str], plural: str, status: str) -> str:
    rows = (await http.get(f"{BOOKS}/{plural}", params={"status": status}, headers=head)).json()[plural]
    return str(rows[0][f"{plural[:-1]}_id"])


async def test_a_change_is_posted_once_with_the_record_and_a_signature(
    sandbox: Sandbox, http: httpx.AsyncClient, bearing: Head, listener: Listener
) -> None:
    head = bearing(OWNER)
    estimate_id = await first(http, head, "estimates", "draft")
    assert listener.heard == []
    await http.put(f"{BOOKS}/estimates/{estimate_id}", json={"notes": "new"}, headers=head)
    await sandbox.hooks.settled()
    (request,) = listener.heard
    (body,) = listener.bodies
    assert (body["estimate"]["estimate_id"], body["estimate"]["notes"]) == (estimate_id, "new")
    signed = b"b2" + b"organizationabc" + request.content
    assert request.headers["x-zoho-webhook-signature"] == hmac.new(TOKEN.encode(), signed, sha256).hexdigest()


async def test_a_refused_change_is_not_posted(
    sandbox: Sandbox, http: httpx.AsyncClient, bearing: Head, listener: Listener
) -> None:
    head = bearing(OWNER)
    estimate_id = await first(http, head, "estimates", "draft")
    refused = await http.put(f"{BOOKS}/estimates/{estimate_id}", json={"line_items": []}, headers=head)
    await sandbox.hooks.settled()
    assert refused.status_code == 400
    assert listener.heard == []


async def test_billing_posts_events(
    sandbox: Sandbox, http: httpx.AsyncClient, bearing: Head, listener: Listener
) -> None:
    head = bearing(OWNER) | {"X-com-zoho-subscriptions-organizationid": "20098765001"}
    rows = (await http.get(f"{BILLING}/subscriptions", headers=head)).json()["subscriptions"]
    live = next(row["subscription_id"] for row in rows if row["status"] == "live")
    await http.post(f"{BILLING}/subscriptions/{live}/cancel", params={"cancel_at_end": "false"}, headers=head)
    await sandbox.hooks.settled()
    (body,) = listener.bodies
    assert body["event_type"] == "subscription_cancelled"
    assert body["data"]["subscription"]["subscription_id"] == live
    assert body["data"]["subscription"]["status"] == "cancelled"


async def test_other_organizations_are_not_told(sandbox: Sandbox, http: httpx.AsyncClient, listener: Listener) -> None:
    head = {"Authorization": f"Zoho-oauthtoken {sandbox.access_token('owner@west.example')}"}
    root = "https://www.zohoapis.com/books/v3"
    rows = (await http.get(f"{root}/estimates", headers=head)).json()["estimates"]
    changed = await http.put(f"{root}/estimates/{rows[0]['estimate_id']}", json={"notes": "x"}, headers=head)
    await sandbox.hooks.settled()
    assert changed.status_code in (200, 400)
    assert listener.heard == []


async def test_the_stand_alone_sandbox_is_told_where_to_post(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://sandbox.example") as http:
        hook = {"product": "books", "organization_id": "1", "url": "http://listener.example/", "secret": TOKEN}
        told = await http.post("/sandbox/webhooks", json=hook)
        assert (told.status_code, told.json()) == (200, {"url": "http://listener.example/"})
        assert (await http.post("/sandbox/webhooks", json={"product": "books"})).status_code == 400
    await sandbox.hooks.aclose()
