"""`extensions.cost` through the front door."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness import Gateway

QUERY = "{ invoices(first: 5) { nodes { number lineItems { name } } } }"
ASKING = {"cost": True}


async def told(gateway: Gateway, person: str, query: str, **more: Any) -> dict[str, Any]:
    response = await gateway.post(person, {"query": query, "extensions": ASKING, **more})
    cost: dict[str, Any] = response.json()["extensions"]["cost"]
    return cost


async def test_an_operation_tells_what_it_took_to_who_asks(own_gateway: Gateway) -> None:
    cost = await told(own_gateway, "staff", QUERY)
    assert cost["points"] == 1 + 5 * (1 + 10)
    assert cost["calls"] == {"made": 6, "saved": 0, "by": {"BOOKS": 6}}
    books = next(left for left in cost["budget"] if left["product"] == "BOOKS")
    allowed = own_gateway.settings.upstream.calls_per_minute
    assert allowed - 20 < books["leftThisMinute"] <= allowed - 5
    assert books["leftToday"] > 0


async def test_it_is_told_to_nobody_else(gateway: Gateway) -> None:
    for extensions in ({}, {"cost": False}, {"tracing": True}, None):
        response = await gateway.post("staff", {"query": QUERY, "extensions": extensions})
        assert "extensions" not in response.json()


async def test_it_is_told_by_get_as_well(gateway: Gateway) -> None:
    url = f"/graphql?query={quote('{ viewer { name } }')}&extensions={quote(json.dumps(ASKING))}"
    response = await gateway.send("staff", "GET", url)
    assert response.json()["extensions"]["cost"]["points"] == 1
    assert response.json()["extensions"]["cost"]["calls"] == {"made": 0, "saved": 0, "by": {}}


async def test_calls_are_counted_by_product(gateway: Gateway) -> None:
    lists = (f"{name}(first: 1) {{ nodes {{ id }} }}" for name in ("invoices", "subscriptions", "accounts"))
    query = f"{{ {' '.join(lists)} }}"
    cost = await told(gateway, "owner", query)
    assert cost["calls"]["made"] == 3
    assert cost["calls"]["by"] == {"BILLING": 1, "BOOKS": 1, "CRM": 1}
    assert {left["product"]: left["leftThisMinute"] is None for left in cost["budget"]} == {
        "BILLING": False,
        "BOOKS": False,
        "CRM": True,
    }


async def test_who_uses_no_product_has_no_budget(gateway: Gateway) -> None:
    assert (await told(gateway, "outsider", "{ viewer { name } }"))["budget"] == []


async def test_points_are_those_of_the_operation_that_is_named(gateway: Gateway) -> None:
    query = "query A { viewer { name } } query B($n: Int) { invoices(first: $n) { nodes { id } } }"
    assert (await told(gateway, "staff", query, operationName="B", variables={"n": 7}))["points"] == 8


@pytest.mark.parametrize("query", ["{", "query A { viewer { name } } query B { viewer { id } }"])
async def test_what_cannot_be_executed_has_no_points(gateway: Gateway, query: str) -> None:
    assert (await told(gateway, "staff", query))["points"] is None


async def test_anything_but_true_or_false_is_refused(gateway: Gateway) -> None:
    response = await gateway.post("staff", {"query": QUERY, "extensions": {"cost": "yes"}})
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["field"] == ["extensions", "cost"]


async def test_calls_that_were_not_needed_are_told_as_saved(own_gateway: Gateway) -> None:
    services = own_gateway.app.state.endpoint.services
    viewer = await services.identity.viewer("staff@demo.example")
    await services.copy.pull(viewer.organization_id, "invoices")
    query = "query @fresh(within: 3600) { invoices(first: 5) { nodes { number } } }"
    assert (await told(own_gateway, "staff", query))["calls"] == {"made": 0, "saved": 1, "by": {}}
