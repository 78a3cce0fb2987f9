"""Webhooks: what the products post to others when a record has changed.

Signed as Zoho's knowledge base tells of Billing (https://www.zoho.com/billing/kb/webhooks/securing-webhooks.html); that
Books does alike, and that the signature is hexadecimal, are assumptions.
"""

import asyncio
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from services.sandbox import exact

_NAMES: Mapping[str, str] = {
    "estimates": "estimate",
    "invoices": "invoice",
    "salesorders": "salesorder",
    "purchaseorders": "purchaseorder",
    "contacts": "contact",
    "subscriptions": "subscription",
}
"""The kinds whose changes are told, and the name of a record in the payload."""
_EVENTS: Mapping[str, str] = {
    "subscriptions": "subscription_created",
    "cancel": "subscription_cancelled",
    "reactivate": "subscription_reactivated",
    "postpone": "billing_date_changed",
}
"""Billing's event by the end of the path that led to it."""
_INTERNAL = "scheduled_changes"


@dataclass(frozen=True)
class Hook:
    """Where one product of one organization posts to; `product` is `books` or `billing`, the id the product's own."""

    product: str
    organization_id: str
    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Changed:
    """A record that was put or dropped."""

    kind: str
    body: dict[str, Any]


class Hooks:
    """The webhooks that are set up; each change is posted once, whatever the answer."""

    def __init__(self) -> None:
        self._hooks: dict[Hook, httpx.AsyncClient] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def add(self, hook: Hook, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` stands for the network."""
        self._hooks[hook] = httpx.AsyncClient(transport=transport, timeout=10)

    async def aclose(self) -> None:
        """Drop all hooks, and what is under way."""
        for task in self._under_way:
            task.cancel()
        await self.settled()
        clients, self._hooks = list(self._hooks.values()), {}
        for client in clients:
            await client.aclose()

    async def settled(self) -> None:
        """Wait until everything has been posted."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def tell(self, product: str, organization_id: str, path: str, changes: Iterable[Changed]) -> None:
        """Post the changes that a request to `path` has made; does not wait."""
        for hook, client in self._hooks.items():
            if (hook.product, hook.organization_id) == (product, organization_id):
                for change in changes:
                    if change.kind in _NAMES:
                        self._post(client, hook, _payload(product, path, change))

    def _post(self, client: httpx.AsyncClient, hook: Hook, body: bytes) -> None:
        task = asyncio.create_task(_sent(client, hook, body))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


async def _sent(client: httpx.AsyncClient, hook: Hook, body: bytes) -> None:
    headers = {"Content-Type": "application/json", "X-Zoho-Webhook-Signature": signature(hook, body)}
    try:
        await client.post(hook.url, content=body, headers=headers)
    except httpx.HTTPError:
        return  # the products list it as failed; nobody here does


def signature(hook: Hook, body: bytes) -> str:
    """Over the query's names and values, sorted by name, and the body, with nothing in between."""
    pairs = sorted(parse_qsl(urlsplit(hook.url).query))
    signed = "".join(name + value for name, value in pairs).encode() + body
    return hmac.new(hook.secret.encode(), signed, sha256).hexdigest()


def _payload(product: str, path: str, change: Changed) -> bytes:
    record = {_NAMES[change.kind]: {key: value for key, value in change.body.items() if key != _INTERNAL}}
    if product == "books":
        return exact.encode(record).encode()
    event = {
        "created_date": str(change.body.get("updated_time", ""))[:10],
        "event_id": change.body["subscription_id"] + "1",
        "event_type": _EVENTS.get(path.rpartition("/")[2], "subscription_upgraded"),
        "data": record,
    }
    return exact.encode(event).encode()
