"""What is hidden from a viewer is not told by what can be found with it."""

import json
import re
from base64 import b64decode, urlsafe_b64encode

import psycopg
import pytest

from tests.harness import Gateway
from tests.resolvers.reading import data


def hide(gateway: Gateway, module: str, *fields: str) -> None:
    """Hide fields from everybody, in every CRM profile."""
    statement = "UPDATE profiles SET grants = jsonb_set(grants, ARRAY[%s, 'hidden'], CAST(%s AS jsonb))"
    with psycopg.connect(gateway.environment()["GATEWAY_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement, (module, json.dumps(fields)))


async def required(gateway: Gateway, query: str) -> list[str]:
    """The permissions that "staff" lacks for it."""
    answer = await gateway.ask("staff", query)
    return [error["extensions"]["required"] for error in answer.get("errors", ())]


@pytest.mark.parametrize("field", ["number", "referenceNumber", "customer"])
async def test_a_search_through_a_hidden_field_is_refused(own_gateway: Gateway, field: str) -> None:
    hide(own_gateway, "invoices", field)
    for root in ("invoices", "documents"):
        asked = f'{{ {root}(first: 1, where: {{search: "INV-0000"}}) {{ nodes {{ id }} }} }}'
        assert f"invoices.view.{field}" in await required(own_gateway, asked)
    assert await required(own_gateway, '{ estimates(where: {search: "Q"}) { nodes { id } } }') == []


async def test_a_custom_view_tells_no_hidden_status(own_gateway: Gateway) -> None:
    views = (await data(own_gateway, "owner", "{ customViews(module: INVOICES) { id } }"))["customViews"]
    hide(own_gateway, "invoices", "status")
    asked = f'{{ invoices(first: 1, view: "{views[1]["id"]}") {{ nodes {{ id }} }} }}'
    assert await required(own_gateway, asked) == ["invoices.view.status"]


async def test_a_cursor_does_not_tell_what_the_list_is_ordered_by(own_gateway: Gateway) -> None:
    hide(own_gateway, "invoices", "createdAt", "date")
    for root in ("invoices", "documents"):
        answer = await own_gateway.ask("staff", f"{{ {root}(first: 3) {{ edges {{ cursor }} }} }}")
        edges = answer["data"][root]["edges"]
        read = b"".join(b64decode(edge["cursor"] + "==", altchars=b"-_") for edge in edges)
        assert not re.search(rb"20\d\d", read)
        assert b"invoices" not in read


async def test_a_cursor_cannot_be_made(own_gateway: Gateway) -> None:
    place = ["2026-01-01T00:00:00+00:00", 0, "460000000000005000", {}]
    for made in (place, ["", *place]):
        text = urlsafe_b64encode(json.dumps(made).encode()).decode().rstrip("=")
        answer = await own_gateway.ask("staff", f'{{ invoices(after: "{text}") {{ nodes {{ id }} }} }}')
        told = answer["errors"][0]
        assert (told["extensions"]["code"], told["extensions"]["field"]) == ("BAD_USER_INPUT", ["after"])


async def test_what_may_be_done_does_not_name_a_hidden_status(own_gateway: Gateway) -> None:
    query = "{ invoices(first: 50) { nodes { rawStatus availableActions { name available reason } } } }"
    rows = (await data(own_gateway, "owner", query))["invoices"]["nodes"]
    hide(own_gateway, "invoices", "status", "rawStatus")
    hidden = (await data(own_gateway, "staff", query.replace("rawStatus", "")))["invoices"]["nodes"]
    words = {row["rawStatus"].replace("_", " ") for row in rows}
    reasons = {action["reason"] or "" for row in hidden for action in row["availableActions"]}
    assert "Not in its present status." in reasons
    assert not [reason for reason in reasons for word in words if f"is {word}" in reason]


@pytest.mark.parametrize(("module", "field"), [("accounts", "phone"), ("contacts", "email")])
async def test_the_directory_is_not_searched_through_a_hidden_field(
    own_gateway: Gateway, module: str, field: str
) -> None:
    hide(own_gateway, module, field)
    asked = f'{{ {module}(search: "Wi") {{ nodes {{ id }} }} }}'
    assert await required(own_gateway, asked) == [f"{module}.view.{field}"]
    assert await required(own_gateway, f"{{ {module} {{ nodes {{ id }} }} }}") == []
