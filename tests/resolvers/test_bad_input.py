"""Bad input is refused with a code and a hint and reaches no product; a product's bad answer costs only its part."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.sandbox import Fault, records
from tests.harness import Demo, Gateway
from tests.resolvers.copying import read_copy
from tests.resolvers.reading import called, data, kept, only_error

HUGE = "9" * 400
INVOICES = "invoices(where: {%s}) { nodes { id } }"

LITERALS = {
    "impossible day": 'date: {on: "2026-02-30"}',
    "no day": 'date: {since: "soon"}',
    "a moment for a day": 'date: {on: "2026-02-01T00:00:00Z"}',
    "day as number": "date: {on: 20260201}",
    "month 13": 'dueDate: {before: "2026-13-01"}',
    "moment without offset": 'lastModifiedSince: "2026-02-01T00:00:00"',
    "no moment": 'lastModifiedSince: "yesterday"',
    "NaN": 'total: {equals: "NaN"}',
    "infinity": 'total: {atLeast: "Infinity"}',
    "exponent": 'total: {atLeast: "1e999999"}',
    "exponent as number": "total: {atLeast: 1e999999}",
    "huge": f'total: {{atLeast: "{HUGE}"}}',
    "huge as number": f"total: {{atLeast: {HUGE}}}",
    "float": "total: {atLeast: 1.5}",
    "boolean": "total: {atLeast: true}",
    "digits of another script": 'total: {atLeast: "٣"}',
    "underscores": 'total: {atLeast: "1_000"}',
    "spaces": 'total: {atLeast: " 1"}',
    "unknown status": "status: FORGOTTEN",
    "status as text": 'status: "paid"',
    "unknown condition": 'colour: "red"',
    "unknown operator": 'number: {like: "x"}',
    "text as number": "search: 7",
}


@pytest.mark.parametrize("condition", LITERALS.values(), ids=LITERALS)
async def test_a_value_that_is_none_is_refused_at_its_place_without_a_call(gateway: Gateway, condition: str) -> None:
    answer, calls = await called(gateway, "owner", f"{{ viewer {{ id }} {INVOICES % condition} }}")
    assert "data" not in answer
    for error in answer["errors"]:
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["locations"][0]["line"] == 1
        assert len(error["message"]) < 1000
    assert calls == []


VARIABLES: list[tuple[str, str, Any]] = [
    ("Date", "date: {on: $v}", "2026-02-30"),
    ("Date", "date: {on: $v}", 7),
    ("Date", "date: {on: $v}", "0000-01-01"),
    ("Date", "date: {on: $v}", "٢٠٢٦-٠١-٠١"),
    ("DateTime", "lastModifiedSince: $v", "2026-02-30T00:00:00Z"),
    ("DateTime", "lastModifiedSince: $v", 1),
    ("DateTime", "lastModifiedSince: $v", "9999-12-31T23:59:59-10:00"),
    ("DateTime", "lastModifiedSince: $v", "2026-02-01"),
    ("Decimal", "total: {equals: $v}", "NaN"),
    ("Decimal", "total: {equals: $v}", "-Infinity"),
    ("Decimal", "total: {equals: $v}", "sNaN"),
    ("Decimal", "total: {equals: $v}", "1e999999"),
    ("Decimal", "total: {equals: $v}", 1.1),
    ("Decimal", "total: {equals: $v}", HUGE),
    ("Decimal", "total: {equals: $v}", "0.1234567"),
    ("Decimal", "total: {equals: $v}", []),
]


@pytest.mark.parametrize(("kind", "condition", "value"), VARIABLES, ids=lambda v: str(v)[:20])
async def test_so_is_a_variable_with_a_hint(gateway: Gateway, kind: str, condition: str, value: Any) -> None:
    query = f"query($v: {kind}) {{ {INVOICES % condition} }}"
    answer, calls = await called(gateway, "owner", query, v=value)
    error = only_error(answer)
    assert (error["code"], calls) == ("BAD_USER_INPUT", [])
    assert error["hint"].startswith(("Write it as", "Send a string"))
    assert len(error["message"]) < 300


async def test_amounts_are_echoed_only_in_part(gateway: Gateway) -> None:
    answer = await gateway.ask("owner", f"query($v: Decimal) {{ {INVOICES % 'total: {equals: $v}'} }}", v="9" * 100_000)
    assert len(str(answer)) < 1000


GIVEN_WELL = {
    "where.search": ("invoices(where: {search: $v}) { nodes { id } }", ["invoices"]),
    "where.number.contains": ("estimates(where: {number: {contains: $v}}) { nodes { id } }", ["estimates"]),
    "where.customerName.startsWith": (
        "salesOrders(where: {customerName: {startsWith: $v}}) { nodes { id } }",
        ["salesOrders"],
    ),
    "where.referenceNumber.contains": (
        "subscriptions(where: {referenceNumber: {contains: $v}}) { nodes { id } }",
        ["subscriptions"],
    ),
    "search": ("accounts(search: $v) { nodes { id } }", ["accounts"]),
    "search ": ("contacts(search: $v) { nodes { id } }", ["contacts"]),
}


@pytest.mark.parametrize("text", ["", "x" * 101, "x" * 200_000], ids=["empty", "too long", "giant"])
@pytest.mark.parametrize(("field", "asked"), GIVEN_WELL.items(), ids=GIVEN_WELL)
async def test_a_text_to_search_for_has_bounds(gateway: Gateway, field: str, asked: Any, text: str) -> None:
    selection, path = asked
    answer, calls = await called(gateway, "owner", f"query($v: String) {{ {selection} }}", v=text)
    error = only_error(answer)
    assert (error["code"], error["path"], calls) == ("BAD_USER_INPUT", path, [])
    assert error["field"] == field.strip().split(".")
    assert error["hint"]


@pytest.mark.parametrize(
    "text", ["%", "_", "'", '"', "\\", "*", "(a or b)", "a:b", "a,b", "&per_page=1", "é", "日本", "😀"]
)
async def test_any_text_within_the_bounds_is_searched_for_as_it_is(gateway: Gateway, text: str) -> None:
    query = """query($v: String, $w: String) { invoices(first: 2, where: {search: $v}) { nodes { id } }
        accounts(search: $w) { nodes { name } } }"""
    found = await data(gateway, "owner", query, v=text, w=f"{text}{text}")
    assert len(found["invoices"]["nodes"]) <= 2


IDS = [
    'invoices(where: {customerId: "%s"})',
    'invoices(where: {itemId: "%s"})',
    'purchaseOrders(where: {vendorId: "%s"})',
    'documents(modules: [INVOICES], where: {customerId: "%s"})',
    'auditTrail(where: {actorId: "%s"})',
    'auditTrail(where: {subjectId: "%s"})',
    'invoices(view: "%s")',
    'invoices(after: "%s")',
    'documents(after: "%s")',
    'accounts(after: "%s")',
    'auditTrail(after: "%s")',
]


@pytest.mark.parametrize("value", ["", "x", "123", "W10", "bnVsbA", "e30", "WzEsMiwzLDQsNV0", "A" * 20_000])
@pytest.mark.parametrize("field", IDS)
async def test_ids_and_cursors_that_are_none_are_refused_wherever_they_stand(
    gateway: Gateway, field: str, value: str
) -> None:
    answer, calls = await called(gateway, "owner", f"{{ {field % value} {{ nodes {{ id }} }} }}")
    assert calls == []
    for error in answer["errors"]:
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["extensions"]["hint"]
        assert error["extensions"]["field"]
        assert error.get("path") or error["extensions"]["coordinate"]
        assert len(error["message"]) < 200


@pytest.fixture(scope="module")
async def copied(demo: Demo) -> AsyncIterator[Gateway]:
    """A gateway that answers from a copy."""
    async with demo.gateway() as gateway:
        await read_copy(gateway, "invoices")
        yield gateway


@pytest.mark.parametrize("within", [0, 600])
@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "2000-01-01T00:00:00+20:00", "2000-01-01T00:00:00-05:30:15"]
)
async def test_any_moment_that_there_is_can_be_asked_for(copied: Gateway, moment: str, within: int) -> None:
    listed = "invoices(first: 1, where: {lastModifiedSince: $v}) { nodes { id } }"
    query = f"query($v: DateTime) @fresh(within: {within}) {{ {listed} }}"
    assert (await data(copied, "owner", query, v=moment))["invoices"]["nodes"]


async def test_an_unknown_locale_is_refused_where_it_was_asked_for(gateway: Gateway) -> None:
    for locale in ("xx_yy", "../etc", "x" * 10_000):
        query = "query($l: String) { invoices(first: 1) { nodes { total { formatted(locale: $l) } } } }"
        answer = await gateway.ask("owner", query, l=locale)
        assert only_error(answer)["path"] == ["invoices", "nodes", 0, "total", "formatted"]
        assert (only_error(answer)["code"], only_error(answer)["field"]) == ("BAD_USER_INPUT", ["locale"])


async def test_too_many_nodes_are_refused(gateway: Gateway) -> None:
    answer, calls = await called(gateway, "owner", "query($i: [ID!]!) { nodes(ids: $i) { id } }", i=["x"] * 101)
    error = only_error(answer)
    assert (error["code"], error["field"], bool(error["hint"]), calls) == ("BAD_USER_INPUT", ["ids"], True, [])


BROKEN = {
    "cut": (Fault("cut", path="/invoices*"), "UPSTREAM_UNAVAILABLE"),
    "garbage": (Fault("garbage", path="/invoices*"), "UPSTREAM_REJECTED"),
    "html": (Fault("html", path="/invoices*", status=200), "UPSTREAM_REJECTED"),
    "html of a proxy": (Fault("html", path="/invoices*", status=502), "UPSTREAM_UNAVAILABLE"),
    "lacks its rows": (Fault("missing_field", path="/invoices*", field="invoices"), "UPSTREAM_REJECTED"),
    "rows lack their id": (Fault("missing_field", path="/invoices*", field="invoice_id"), "UPSTREAM_REJECTED"),
    "rows lack their status": (Fault("missing_field", path="/invoices*", field="status"), "UPSTREAM_REJECTED"),
    "code in a 200": (Fault("code", path="/invoices*", code=9999), "UPSTREAM_REJECTED"),
    "error": (Fault("status", path="/invoices*", status=500), "UPSTREAM_UNAVAILABLE"),
    "nobody there": (Fault("refuse", path="/invoices*"), "UPSTREAM_UNAVAILABLE"),
    "refused by the product": (Fault("status", path="/invoices*", status=400, code=4), "UPSTREAM_REJECTED"),
    "day's budget spent": (Fault("rate_limit", path="/invoices*", code=45), "UPSTREAM_RATE_LIMITED"),
}


@pytest.mark.parametrize(("fault", "code"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_answer_is_a_coded_error_and_the_rest_is_answered(
    own_gateway: Gateway, fault: Fault, code: str
) -> None:
    own_gateway.sandbox.fault(fault)
    query = "{ invoices(first: 2) { nodes { id } } subscriptions(first: 2) { nodes { id } } viewer { email } }"
    answer, calls = await called(own_gateway, "owner", query)
    error = only_error(answer)
    assert (error["code"], error["path"], error["product"]) == (code, ["invoices"], "BOOKS")
    assert answer["data"]["invoices"] is None
    assert len(answer["data"]["subscriptions"]["nodes"]) == 2
    assert answer["data"]["viewer"] == {"email": "owner@demo.example"}
    assert "Traceback" not in str(answer)
    if fault.kind != "refuse":
        assert any(call.path.endswith("/invoices") for call in calls)


@pytest.mark.parametrize("kind", ["html", "cut", "missing_field"])
async def test_a_full_record_that_cannot_be_read_costs_only_the_fields_it_has(own_gateway: Gateway, kind: Any) -> None:
    own_gateway.sandbox.fault(Fault(kind, path="/invoices/*", status=200, field="invoice_id"))
    answer = await own_gateway.ask("staff", "{ invoices(first: 2) { nodes { number notes lineItems { name } } } }")
    nodes = answer["data"]["invoices"]["nodes"]
    assert all(node["number"] and node["notes"] is None and node["lineItems"] is None for node in nodes)
    assert {error["extensions"]["code"] for error in answer["errors"]} <= {"UPSTREAM_REJECTED", "UPSTREAM_UNAVAILABLE"}
    assert [error["path"] for error in answer["errors"]]


async def test_a_status_of_tomorrow_is_told_in_the_products_own_word(own_gateway: Gateway) -> None:
    sandbox = own_gateway.sandbox
    body = max(kept(sandbox, "invoices"), key=lambda one: one["created_time"])
    with sandbox.store.session() as session:
        records.put(session, "20098765001", "invoices", {**body, "status": "quantum"})
    query = "query($n: String) { invoices(where: {number: {equals: $n}}) { nodes { status rawStatus } } }"
    found = await data(own_gateway, "owner", query, n=body["invoice_number"])
    assert found["invoices"]["nodes"] == [{"status": None, "rawStatus": "quantum"}]
