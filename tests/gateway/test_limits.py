"""What is refused before anything is executed, and how much one may ask."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from gateway.settings import Http, Limits, Settings
from services.errors import LimitReached
from services.pace import Pace
from services.sandbox.faults import Fault
from services.storage.engine import Database
from tests.harness import Gateway, running

GRAPHQL, JSON = "application/graphql-response+json", "application/json"
SMALL = Limits(
    characters=5_000,
    tokens=400,
    depth=4,
    root_fields=3,
    aliases=4,
    fields=12,
    directives=3,
    repetitions=9,
    points=60,
    calls=15,
    values=9,
    entries=3,
    given=20,
    operations=2,
)


def refusal(response: httpx.Response) -> dict[str, Any]:
    errors = response.json()["errors"]
    assert "data" not in response.json()
    assert len(errors) == 1, errors
    extensions: dict[str, Any] = errors[0]["extensions"]
    return extensions


def changed(gateway: Gateway, **groups: Any) -> Settings:
    return gateway.settings.model_copy(update=groups)


BROKEN: Mapping[str, tuple[str, dict[str, Any]]] = {
    "characters": ("{ viewer { id } } #" + "#" * 5_000, {}),
    "tokens": ("{ viewer { id } }" + " #\n" * 400, {}),
    "depth": ("{ invoices { nodes { customer { account { name } } } } }", {}),
    "root_fields": ("{ a: __typename b: __typename c: __typename d: __typename }", {}),
    "aliases": ("{ viewer { a: id b: id c: id d: id e: id } }", {}),
    "fields": ("{ viewer { ...A name } node { ...A } } fragment A on Viewer { a b c d e f }", {}),
    "directives": (f"{{ viewer {{ id {'@skip(if: false) ' * 4} }} }}", {}),
    "repetitions": ("{ viewer { id id id id id } }", {}),
    "values": ('{ nodes(ids: ["1" "2" "3" "4" "5" "6" "7" "8" "9"]) { id } }', {}),
    "entries": ("{ invoices(where: { a: 1, b: 2, c: 3, d: 4 }) { nodes { id } } }", {}),
    "given": ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["1"] * 20}),
    "operations": ("query A { __typename } query B { __typename } query C { __typename }", {}),
    "points": ("query($n: Int) { invoices(first: $n) { nodes { number } } }", {"n": 70}),
    "calls": ("query($n: Int) { invoices(first: $n) { nodes { notes } } }", {"n": 20}),
    "name_characters": ("{ " + "a" * 201 + " }", {}),
}


async def test_an_operation_over_a_limit_is_refused_with_the_limit_the_value_and_what_to_do(
    own_gateway: Gateway,
) -> None:
    async with running(changed(own_gateway, limits=SMALL), own_gateway.sandbox) as gateway:
        for limit, (query, variables) in BROKEN.items():
            body = {"query": query, "variables": variables}
            response = await gateway.post("staff", body, accept=GRAPHQL)
            told = refusal(response)
            assert (response.status_code, told["code"], told["limit"]) == (400, "COST_EXCEEDED", limit)
            assert told["value"] > told["allowed"]
            assert told["hint"]
            assert (await gateway.post("staff", body, accept=JSON)).status_code == 200
        assert [call for call in gateway.sandbox.calls() if call.product == "books"] == []
        fewer = await gateway.ask("staff", BROKEN["points"][0], n=3)
        assert len(fewer["data"]["invoices"]["nodes"]) == 3


REPEATING: Mapping[str, str] = {
    "another operation": "query A { __typename } query B { viewer { id id id id id } }",
    "a fragment that is not used": "query A { __typename } fragment F on Viewer { id id id id id }",
    "fields within fields": "query A { viewer { id } viewer { id } viewer { id } viewer { id } }",
    "fragments in one place": "query A { viewer { ...F0 ...F1 ...F2 ...F3 ...F4 } } "
    + " ".join(f"fragment F{n} on Viewer {{ id{n}: id }}" for n in range(5)),
    "fragments in one another": "query A { viewer { ...F0 } } fragment F5 on Viewer { id } "
    + " ".join(f"fragment F{n} on Viewer {{ ...F{n + 1} }}" for n in range(5)),
}


@pytest.mark.parametrize("query", REPEATING.values(), ids=REPEATING)
async def test_what_validation_has_to_compare_is_counted_wherever_it_stands(own_gateway: Gateway, query: str) -> None:
    few = changed(own_gateway, limits=Limits(repetitions=9))
    async with running(few, own_gateway.sandbox) as gateway:
        response = await gateway.post("staff", {"query": query, "operationName": "A"}, accept=GRAPHQL)
        assert (refusal(response)["limit"], refusal(response)["value"] >= 10) == ("repetitions", True)


async def test_validation_ends_after_some_mistakes_and_none_is_told_at_length(gateway: Gateway) -> None:
    query = "{ viewer { " + " ".join(f"nobody{n}" for n in range(100)) + " } }"
    errors = (await gateway.post("staff", {"query": query})).json()["errors"]
    assert len(errors) == gateway.settings.limits.errors + 1
    assert "Too many validation errors" in errors[-1]["message"]
    more = await gateway.post("staff", {"query": "{ viewer { " + " ".join(f"nobody{n}" for n in range(101)) + " } }"})
    assert (refusal(more)["limit"], refusal(more)["value"], refusal(more)["allowed"]) == ("unknown_fields", 101, 100)
    long = (await gateway.post("staff", {"query": "{ " + "a" * 5_000 + " }"})).json()["errors"]
    assert all(len(error["message"]) < 1_100 for error in long)


async def test_a_user_who_asks_too_often_is_told_when_to_come_back_and_others_are_not_kept_waiting(
    own_gateway: Gateway,
) -> None:
    async with running(changed(own_gateway, limits=Limits(per_minute=5)), own_gateway.sandbox) as gateway:
        answers = [await gateway.post("staff", {"query": "{ viewer { id } }"}) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert refusal(answers[-1])["code"] == "LIMIT_REACHED"
        assert 0 < int(answers[-1].headers["retry-after"]) == refusal(answers[-1])["retryAfter"]
        assert (await gateway.post("owner", {"query": "{ viewer { id } }"})).status_code == 200


async def test_requests_are_counted_over_all_processes(own_gateway: Gateway) -> None:
    now = 60_000_000.0
    assert own_gateway.settings.database_url
    databases = [Database(own_gateway.settings.database_url.get_secret_value(), pool_size=1) for _ in range(2)]
    here, there = (Pace(database, 10, beat=3600, clock=lambda: now) for database in databases)
    for _ in range(6):
        here.spend("somebody")
    await here.settle()
    there.spend("somebody")
    await there.settle()
    for _ in range(3):
        there.spend("somebody")
    with pytest.raises(LimitReached):
        there.spend("somebody")
    there.spend("somebody else")
    now += 60 + 31  # half of the minute before counts
    for _ in range(5):
        there.spend("somebody")
    with pytest.raises(LimitReached):
        there.spend("somebody")
    for pace, database in zip((here, there), databases, strict=True):
        await pace.aclose()
        await database.close()


async def test_requests_at_once_are_bounded_per_user(own_gateway: Gateway) -> None:
    few = changed(own_gateway, limits=Limits(at_once_per_user=2))
    async with running(few, own_gateway.sandbox) as gateway:
        gateway.sandbox.fault(Fault("delay", product="books", seconds=0.5))
        query = {"query": "query @fresh(within: 0) { invoices(first: 1) { nodes { id } } }"}
        answers = await asyncio.gather(*(gateway.post("staff", query) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429]
        assert (await gateway.post("staff", {"query": "{ viewer { id } }"})).status_code == 200


SIMPLE = [
    ("GET", {}, None),
    ("GET", {"content-type": "text/plain"}, None),
    ("POST", {"content-type": "text/plain"}, b'{"query": "{ viewer { id } }"}'),
    ("POST", {"content-type": "application/x-www-form-urlencoded"}, b"query={viewer{id}}"),
    ("POST", {"content-type": "multipart/form-data; boundary=x"}, b"--x--"),
]
"""What a page may have a browser send to another site without asking there first."""


async def test_nothing_that_a_browser_sends_unasked_is_executed(gateway: Gateway) -> None:
    for method, headers, body in SIMPLE:
        url = "/graphql?query={viewer{id}}" if method == "GET" else "/graphql"
        response = await gateway.send(None, method, url, headers=headers, content=body)
        assert response.status_code == 401
        assert "data" not in response.json()


async def test_a_foreign_page_is_refused_even_where_something_on_the_way_signs_in(gateway: Gateway) -> None:
    foreign = [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
    own = [
        {"origin": "http://gateway.example"},
        {"sec-fetch-site": "same-origin"},
        {"origin": gateway.settings.public_url},
    ]
    for headers, status in [(one, 403) for one in foreign] + [(one, 200) for one in own]:
        got = await gateway.send("staff", "GET", "/graphql?query={viewer{id}}", headers=headers)
        posted = await gateway.post("staff", {"query": "{ viewer { id } }"}, **headers)
        streamed = await gateway.post("staff", {"query": "{ viewer { id } }"}, **headers, accept="text/event-stream")
        assert (got.status_code, posted.status_code, streamed.status_code) == (status,) * 3, headers


async def test_get_can_be_switched_off(own_gateway: Gateway) -> None:
    async with running(changed(own_gateway, http=Http(get=False)), own_gateway.sandbox) as gateway:
        response = await gateway.send("staff", "GET", "/graphql?query={viewer{id}}")
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_a_length_beside_pieces_is_refused(gateway: Gateway) -> None:
    headers = {"content-type": JSON, "content-length": "30", "transfer-encoding": "chunked"}
    body = b'{"query": "{ viewer { id } }"}'
    response = await gateway.send("staff", "POST", "/graphql", content=body, headers=headers)
    assert (response.status_code, refusal(response)["code"]) == (400, "BAD_USER_INPUT")


async def test_every_answer_tells_browsers_to_be_careful(gateway: Gateway) -> None:
    for method, path in (("POST", "/graphql"), ("GET", "/healthz"), ("GET", "/nowhere")):
        headers = (await gateway.send("staff", method, path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
    page = await gateway.send(None, "GET", "/graphql", headers={"accept": "text/html"})
    assert "unpkg.com" in page.headers["content-security-policy"]


async def test_the_schema_is_told_to_those_who_are_meant(own_gateway: Gateway) -> None:
    ask = {"query": "{ ...F } fragment F on Query { s: __schema { queryType { name } } }"}
    hidden = {"query": "{ viewr { id } }"}
    for audience, owner, staff in (("everyone", 200, 200), ("administrators", 200, 400), ("nobody", 400, 400)):
        settings = changed(own_gateway, http=Http(introspection=audience, graphiql=False))
        async with running(settings, own_gateway.sandbox) as gateway:
            assert [(await gateway.post(person, ask)).status_code for person in ("owner", "staff")] == [owner, staff]
            told = (await gateway.post("staff", hidden)).json()["errors"][0]["message"]
            assert ("Did you mean" in told) is (staff == 200)
            assert "Cannot query field 'viewr'" in told
            page = await gateway.send(None, "GET", "/graphql", headers={"accept": "text/html, */*"})
            assert "graphiql" not in page.text.lower()
            assert json.loads((await gateway.post("staff", {"query": "{ __typename }"})).text)["data"]


@pytest.mark.parametrize(
    ("input_", "said", "extra"),
    [
        ({"customerId": {}, "lineItems": []}, "Variable '$input' has invalid value at .customerId: ID cannot", set()),
        ({}, "Variable '$input' has invalid value: Expected value of type 'EstimateCreateInput'", set()),
        (None, "Variable '$input' has invalid value: Expected", set()),
        (
            {"customerId": "x", "lineItems": [{"name": "Work"}, {"rate": "1.5.0"}]},
            "Variable '$input' has invalid value at .lineItems[1].rate: '1.5.0' is not an amount.",
            {"hint"},
        ),
    ],
)
async def test_a_variable_at_fault_is_named_with_the_place_in_it(
    gateway: Gateway, input_: Any, said: str, extra: set[str]
) -> None:
    query = 'mutation($input: EstimateCreateInput!) { estimateCreate(input: $input, idempotencyKey: "k") { outcome } }'
    for person in ("staff", "owner"):
        error = (await gateway.post(person, {"query": query, "variables": {"input": input_}})).json()["errors"][0]
        assert error["message"].startswith(said)
        assert set(error["extensions"]) == {"code"} | extra
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
