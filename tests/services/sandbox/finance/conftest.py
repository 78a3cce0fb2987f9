"""Ways to ask Books and Billing of the demo organization as one of its people."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

ORGANIZATION = "20098765001"


@pytest.fixture
def books(http: httpx.AsyncClient, bearing: Callable[..., dict[str, str]]) -> Callable[..., Awaitable[httpx.Response]]:
    async def ask(method: str, path: str, who: str = "owner", json: Any = None, **query: Any) -> httpx.Response:
        return await http.request(
            method,
            f"https://www.zohoapis.eu/books/v3{path}",
            params={"organization_id": ORGANIZATION, **query},
            headers=bearing(f"{who}@demo.example"),
            json=json,
        )

    return ask


@pytest.fixture
def billing(
    http: httpx.AsyncClient, bearing: Callable[..., dict[str, str]]
) -> Callable[..., Awaitable[httpx.Response]]:
    async def ask(method: str, path: str, who: str = "owner", json: Any = None, **query: Any) -> httpx.Response:
        return await http.request(
            method,
            f"https://www.zohoapis.eu/billing/v1{path}",
            params=query,
            headers=bearing(f"{who}@demo.example") | {"X-com-zoho-subscriptions-organizationid": ORGANIZATION},
            json=json,
        )

    return ask
