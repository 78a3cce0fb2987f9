import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.settings import Http
from services.sandbox.faults import Fault
from tests.harness import Gateway, running

NAME = "{ __typename }"
GRAPHQL, JSON = "application/graphql-response+json", "application/json"


def error(response: httpx.Response) -> dict[str, Any]:
    errors: list[dict[str, Any]] = response.json()["errors"]
    assert len(errors) == 1, errors
    return errors[0]


async def test_a_query_is_answered_in_graphqls_own_media_type_unless_json_is_preferred(gateway: Gateway) -> None:
    for accept, media in {
        "": GRAPHQL,
        "*/*": GRAPHQL,
        GRAPHQL: GRAPHQL,
        JSON: JSON,
        f"{JSON}, {GRAPHQL};q=0.5": JSON,
        f"{GRAPHQL}, {JSON};q=0.9": GRAPHQL,
        "application/*": GRAPHQL,
        f"{GRAPHQL};q=0, */*": JSON,
        f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8": GRAPHQL,
        f"{JSON}; charset=utf-8": JSON,
        f"text/plain, {JSON}": JSON,
    }.items():
        response = await gateway.post("staff", {"query": NAME}, accept=accept)
        assert (response.status_code, response.headers["content-type"]) == (200, f"{media}; charset=utf-8"), accept
        assert response.json() == {"data": {"__typename": "Query"}}


async def test_without_a_wish_the_answer_is_in_graphqls_own_media_type(gateway: Gateway) -> None:
    request = gateway.client.build_request("POST", "/graphql", json={"query": NAME})
    request.headers["authorization"] = f"Bearer {gateway.token('staff@demo.example')}"
    del request.headers["accept"]
    response = await gateway.client.send(request)
    assert (response.status_code, response.headers["content-type"]) == (200, f"{GRAPHQL}; charset=utf-8")


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_null_is_as_good_as_nothing_where_nothing_is_needed(gateway: Gateway, accept: str) -> None:
    body = {"query": NAME, "variables": None, "operationName": None, "extensions": None}
    response = await gateway.post("staff", body, accept=accept)
    assert (response.status_code, response.json()) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize("kind", [JSON, f"{JSON}; charset=utf-8", 'Application/JSON;Charset="UTF-8"'])
async def test_json_is_read_however_its_type_is_written(gateway: Gateway, kind: str) -> None:
    response = await gateway.post("staff", b'{"query": "{ __typename } # \xc3\xa9"}', **{"content-type": kind})
    assert response.status_code == 200


async def test_an_operation_whose_field_fails_is_200_with_what_there_is(gateway: Gateway) -> None:
    for accept in (GRAPHQL, JSON):
        response = await gateway.post("staff", {"query": '{ __typename node(id: "nobody") { id } }'}, accept=accept)
        answer = response.json()
        assert (response.status_code, answer["data"]) == (200, {"__typename": "Query", "node": None})


async def test_an_answer_in_another_media_type_cannot_be_had(gateway: Gateway) -> None:
    for accept in ("text/plain", "application/xml", f"{JSON};q=0", "text/plain," * 50 + JSON):
        response = await gateway.post("staff", {"query": NAME}, accept=accept)
        assert (response.status_code, error(response)["extensions"]["code"]) == (406, "BAD_USER_INPUT"), accept


@pytest.mark.parametrize(
    "body",
    [
        {"query": "{ thereIsNoSuchField }"},
        {"query": "{ viewer {"},
        {"query": "query ($id: ID!) { node(id: $id) { id } }"},
        {"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": {"id": {}}},
        {"query": "query A { __typename }", "operationName": "B"},
    ],
    ids=["validation", "syntax", "missing variable", "wrong variable", "unknown operation"],
)
async def test_a_request_that_cannot_be_executed_is_400_in_graphqls_media_type_and_never_has_data(
    gateway: Gateway, body: Any
) -> None:
    response = await gateway.post("staff", body, accept=GRAPHQL)
    assert response.status_code == 400
    assert "data" not in response.json()
    assert error(response)["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_request_that_cannot_be_executed_is_200_in_plain_json(gateway: Gateway) -> None:
    for body in ({"query": "{ thereIsNoSuchField }"}, {"query": "query A { __typename }", "operationName": "B"}):
        response = await gateway.post("staff", body, accept=JSON)
        assert response.status_code == 200
        assert "data" not in response.json()


async def test_of_several_operations_one_must_be_named(gateway: Gateway) -> None:
    query = "query A { a: __typename } query B { b: __typename }"
    named = await gateway.post("staff", {"query": query, "operationName": "B"})
    unnamed = await gateway.post("staff", {"query": query})
    assert named.json() == {"data": {"b": "Query"}}
    assert (unnamed.status_code, error(unnamed)["extensions"]["code"]) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b'"{ __typename }"',
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b"{}",
        b'{"query": null}',
        b'{"query": 7}',
        b'{"query": " "}',
        b'{"query": ["{ __typename }"]}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "variables": "{}"}',
        b'{"query": "{ __typename }", "operationName": 7}',
        b'{"query": "{ __typename }", "extensions": 7}',
        b'{"query": "{ __typename }", "query": "{ viewer { id } }"}',
        b'{"query": "{ __typename }", "variables": {"a": 1, "a": 2}}',
        b'{"query": "{ __typename }", "variables": {"a": NaN}}',
        b'{"query": "{ __typename }", "variables": {"a": 1e999}}',
        b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 10_000 + b"}}",
        b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 100 + b"]" * 100 + b"}}",
        b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
        b'{"query": "{ __typename }", "variables": {"a": "\\u0000"}}',
        b'{"query": "{ node(id: \\"\\\\u0000\\") { id } }"}',
        b'{"query": "{ __typename }", "variables": {"a": "\xff"}}',
        '{"query": "{ __typename }"}'.encode("utf-16"),
    ],
    ids=lambda body: body[:60].decode(errors="replace"),
)
async def test_a_body_that_is_no_request_is_refused_with_a_coded_error(gateway: Gateway, body: Any) -> None:
    for accept in (GRAPHQL, JSON):
        response = await gateway.post("staff", body, accept=accept, **{"content-type": JSON})
        assert response.status_code == 400, response.text
        assert error(response)["extensions"]["code"] == "BAD_USER_INPUT"
        assert "data" not in response.json()


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=latin-1",
        "application/jsonp",
        "application/graphql",
    ],
)
async def test_only_json_in_utf8_is_read(gateway: Gateway, kind: str) -> None:
    response = await gateway.post("staff", b'{"query": "{ __typename }"}', **{"content-type": kind})
    assert (response.status_code, error(response)["extensions"]["code"]) == (415, "BAD_USER_INPUT")


async def test_a_compressed_body_is_not_unpacked(gateway: Gateway) -> None:
    response = await gateway.post("staff", b"\x1f\x8b", **{"content-type": JSON, "content-encoding": "gzip"})
    assert response.status_code == 415


async def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not(gateway: Gateway) -> None:
    big = json.dumps({"query": NAME, "variables": {"a": "x" * gateway.settings.http.body_bytes}}).encode()

    async def streamed() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 65536):
            yield big[start : start + 65536]

    declared = await gateway.post("staff", big, **{"content-type": JSON})
    undeclared = await gateway.send("staff", "POST", "/graphql", content=streamed(), headers={"content-type": JSON})
    for response in (declared, undeclared):
        assert (response.status_code, error(response)["extensions"]["code"]) == (413, "LIMIT_REACHED")


async def test_a_query_can_be_sent_by_get(gateway: Gateway) -> None:
    query = "query Q($yes: Boolean!) { __typename @include(if: $yes) }"
    sent = {"query": query, "variables": '{"yes": true}', "operationName": "Q"}
    response = await gateway.send("staff", "GET", "/graphql", params=sent)
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_in_a_url_the_empty_name_is_none_and_null_is_a_name(gateway: Gateway) -> None:
    named = {"query": "query null { __typename }", "operationName": "null"}
    unnamed = {"query": "query A { __typename }", "operationName": ""}
    for sent in (named, unnamed):
        response = await gateway.send("staff", "GET", "/graphql", params=sent)
        assert (response.status_code, response.json()) == (200, {"data": {"__typename": "Query"}})


async def test_head_is_answered_like_get_and_executes_no_mutation(gateway: Gateway) -> None:
    mutation = 'mutation { invoiceVoid(id: "x", idempotencyKey: "k") { outcome } }'
    for query, status in ((NAME, 200), (mutation, 405)):
        sent = {"params": {"query": query}, "json": {"query": mutation}}
        response = await gateway.send("owner", "HEAD", "/graphql", **sent)
        assert response.status_code == status


async def test_a_mutation_by_get_is_not_executed(gateway: Gateway) -> None:
    query = 'mutation { invoiceVoid(id: "x", idempotencyKey: "k") { outcome } }'
    response = await gateway.send("owner", "GET", "/graphql", params={"query": query})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert error(response)["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_url_with_bad_parameters_is_refused(gateway: Gateway) -> None:
    name = "?query={__typename}"
    twice, wrong = (
        f"{name}&query={{__typename}}",
        (f"{name}&variables=[]", f"{name}&variables={{", f"{name}&extensions=7"),
    )
    nul = '?query={node(id:"%00"){id}}'
    for url in ("?variables={}", "?query=", twice, *wrong, nul):
        response = await gateway.send("staff", "GET", f"/graphql{url}")
        assert (response.status_code, error(response)["extensions"]["code"]) == (400, "BAD_USER_INPUT"), url


async def test_a_browser_gets_a_page_to_try_queries_without_signing_in(gateway: Gateway) -> None:
    response = await gateway.send(None, "GET", "/graphql", headers={"accept": "text/html,*/*;q=0.8"})
    assert response.status_code == 200
    assert "text/html" in response.headers["content-type"]
    assert "graphiql" in response.text.lower()


async def test_other_methods_and_paths_answer_with_coded_errors(gateway: Gateway) -> None:
    methods = [(method, "/graphql", 405) for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")]
    for method, path, status in (*methods, ("GET", "/nowhere", 404)):
        response = await gateway.send("staff", method, path)
        assert response.status_code == status
        assert ("POST" in response.headers.get("allow", "")) is (status == 405)
        assert error(response)["extensions"]["code"] in ("BAD_USER_INPUT", "NOT_FOUND")


async def test_every_answer_carries_a_request_id_and_a_callers_own_is_kept(gateway: Gateway) -> None:
    given = await gateway.post("staff", {"query": NAME}, **{"x-request-id": "frontend-4711"})
    odd = await gateway.post("staff", {"query": NAME}, **{"x-request-id": "a b"})
    missing = await gateway.send(None, "GET", "/nowhere")
    assert given.headers["x-request-id"] == "frontend-4711"
    assert len({odd.headers["x-request-id"], missing.headers["x-request-id"], "a b"}) == 3


async def test_answers_are_not_to_be_stored_on_the_way(gateway: Gateway) -> None:
    response = await gateway.post("staff", {"query": NAME})
    assert response.headers["cache-control"] == "no-store"


async def test_health_is_answered_without_signing_in(gateway: Gateway) -> None:
    response = await gateway.send(None, "GET", "/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "query",
    [
        "{" + "viewer{" * 3000 + "id" + "}" * 3000 + "}",
        "query ($a: " + "[" * 3000 + "ID" + "]" * 3000 + ") { __typename }",
        '{ node(id: "' + "x" * 500_000 + '") { id } }',
        "{ __typename }" + "#" * 900_000,
        "{" + " ".join(f"a{number}: __typename" for number in range(20_000)) + "}",
    ],
    ids=["deep selection", "deep type", "long id", "long comment", "many aliases"],
)
async def test_an_enormous_operation_is_answered_quickly_and_without_a_fault(gateway: Gateway, query: str) -> None:
    async with asyncio.timeout(5):
        response = await gateway.post("staff", {"query": query})
    assert response.status_code in (200, 400)
    codes = {problem["extensions"]["code"] for problem in response.json().get("errors", ())}
    assert "INTERNAL" not in codes


async def test_what_nobody_foresaw_is_masked_and_found_again_by_its_request_id(own_gateway: Gateway) -> None:
    own_gateway.lose_table("members")
    response = await own_gateway.post("staff", {"query": NAME})
    extensions = error(response)["extensions"]
    assert (response.status_code, extensions["code"]) == (500, "INTERNAL")
    assert extensions["requestId"] == response.headers["x-request-id"]
    assert "psycopg" not in response.text


async def test_pages_of_other_origins_may_call_only_when_they_are_named(own_gateway: Gateway) -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    refused = await own_gateway.send(None, "OPTIONS", "/graphql", headers=asked)
    named = Http(origins=("https://app.example",))
    async with running(own_gateway.settings.model_copy(update={"http": named}), own_gateway.sandbox) as gateway:
        allowed = await gateway.send(None, "OPTIONS", "/graphql", headers=asked)
    assert "access-control-allow-origin" not in refused.headers
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"


async def test_an_operation_that_takes_too_long_is_ended(own_gateway: Gateway) -> None:
    hasty = own_gateway.settings.model_copy(update={"http": Http(deadline_seconds=0.2)})
    async with running(hasty, own_gateway.sandbox) as gateway:
        gateway.sandbox.fault(Fault("delay", product="books", seconds=10))
        async with asyncio.timeout(5):
            answer = await gateway.ask("staff", "{ invoices(first: 1) { nodes { id } } }")
    assert answer["errors"][0]["extensions"]["code"] in ("DEADLINE_EXCEEDED", "UPSTREAM_UNAVAILABLE")
