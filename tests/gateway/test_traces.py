"""Spans of requests, live operations, jobs and migrations, as a collector gets them."""

import hmac
import json
import socket
import time
from base64 import b64encode
from hashlib import sha256
from io import StringIO
from typing import Any

from gateway.http import webhooks
from gateway.observing.traces import Traces as SentTraces
from gateway.settings import Live, Traces
from resolvers.ids import decode
from services.policy import Product
from tests.gateway.live_harness import served
from tests.gateway.telemetry_harness import INVOICES, PARENT, TRACE, Collector, heads, home, watched
from tests.harness import Gateway

COUNT = "subscription { count(to: 2) }"


async def test_a_trace_goes_on_with_the_callers_from_request_to_statement(
    own_gateway: Gateway, collector: Collector
) -> None:
    async with watched(own_gateway, traces=Traces(endpoint=collector.endpoint, share=1)) as gateway:
        await gateway.post("staff", {"query": INVOICES}, traceparent=PARENT, tracestate="other=told")
    spans = [span for span in collector.spans if span["name"]]
    ours = [span for span in spans if collector.names(span)[0] == "POST /graphql"]
    paths = {tuple(collector.names(span)) for span in ours}
    assert ("POST /graphql", "operation") in paths
    assert any(path[:3] == ("POST /graphql", "operation", "fields") and path[-1] == "GET books" for path in paths)
    assert any(path[-1].startswith("SELECT ") for path in paths), paths
    went = heads(gateway)
    assert {head["traceparent"].split("-")[1] for head in went} == {TRACE}
    assert not any("tracestate" in head for head in went)
    assert {span["traceId"] for span in ours} == {b64encode(bytes.fromhex(TRACE)).decode()}


async def test_an_operation_over_a_websocket_is_a_request_of_its_own(
    own_gateway: Gateway, collector: Collector
) -> None:
    async with (
        watched(own_gateway, traces=Traces(endpoint=collector.endpoint, share=1)) as gateway,
        served(gateway, Live()) as live,
        live.connected(traceparent=PARENT) as client,
    ):
        await client.say("connection_init", payload={"token": live.token("staff")})
        await client.subscribe("1", COUNT)
        while (await client.hear())["type"] != "complete":
            pass
    ours = [span for span in collector.spans if collector.names(span)[0] == "WS /graphql"]
    assert [collector.names(span) for span in ours if span["name"] == "operation"] == [["WS /graphql", "operation"]] * 2
    assert {span["traceId"] for span in ours} == {b64encode(bytes.fromhex(TRACE)).decode()}


async def test_a_stream_belongs_to_its_request(own_gateway: Gateway, collector: Collector, log: StringIO) -> None:
    number = {"X-Request-Id": "request-of-a-test"}
    async with watched(own_gateway, traces=Traces(endpoint=collector.endpoint, share=1)) as gateway:
        await gateway.post("staff", {"query": INVOICES}, accept="text/event-stream", **number)
    assert any(collector.names(span) == ["POST /graphql", "operation"] for span in collector.spans)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    ended = next(line for line in lines if line["event"] == "live operation")
    assert ended["request_id"] == number["X-Request-Id"]
    assert ended["trace_id"]


async def test_a_job_tells_its_kind_attempt_and_outcome_and_is_linked_to_the_request_that_ordered_it(
    own_gateway: Gateway, collector: Collector
) -> None:
    async with watched(own_gateway, traces=Traces(endpoint=collector.endpoint, share=1)) as gateway:
        organization_id, product = await home(gateway), Product.BOOKS
        body = json.dumps({"invoice": {"invoice_id": "46"}}).encode()
        key = webhooks.secret(gateway.settings.keys[0], product, organization_id)
        signed = hmac.new(key.encode(), f"organization{organization_id}".encode() + body, sha256).hexdigest()
        url = f"{webhooks.PATHS[product]}?organization={organization_id}"
        taken = await gateway.client.post(
            url, content=body, headers={webhooks.SIGNATURE: signed, "traceparent": PARENT}
        )
        assert taken.status_code == 202
        await gateway.app.state.webhooks.jobs.sync_soon("nobody's")
        await gateway.app.state.webhooks.jobs.work_off()
    refresh, sync = (job_of(collector, kind) for kind in ("refresh", "sync"))
    asked = next(span for span in collector.spans if span["name"] == "POST /webhooks/books")
    assert told(refresh) == {"gateway.job.kind": "refresh", "gateway.job.attempt": 1, "gateway.job.outcome": "done"}
    assert [(link["traceId"], link["spanId"]) for link in refresh["links"]] == [(asked["traceId"], asked["spanId"])]
    assert refresh["traceId"] != asked["traceId"]
    assert told(sync)["gateway.job.outcome"] == "failed"
    assert told(sync)["error.type"]
    assert any(collector.names(span)[0] == "job refresh" and span is not refresh for span in collector.spans)


async def test_each_member_of_a_migration_is_told_beneath_the_job_that_moves_him(
    own_gateway: Gateway, collector: Collector
) -> None:
    begin = "mutation ($users: [ID!]) { usersMigrate(input: {userIds: $users, dryRun: false}) { migration { id } } }"
    async with watched(own_gateway, traces=Traces(endpoint=collector.endpoint, share=1)) as gateway:
        found = await gateway.ask("owner", "{ migrationCandidates(first: 2) { nodes { user { id } } } }")
        users = [node["user"]["id"] for node in found["data"]["migrationCandidates"]["nodes"]]
        migration = (await gateway.ask("owner", begin, users=users))["data"]["usersMigrate"]["migration"]
        jobs = gateway.app.state.webhooks.jobs
        await jobs.migrate_soon(decode(await home(gateway), migration["id"])[1])
        await jobs.work_off()
    moved = [span for span in collector.spans if span["name"] == "move member"]
    assert moved
    assert {tuple(collector.names(span)) for span in moved} == {("job migrate", "move member")}
    assert {told(span)["gateway.migration.attempt"] for span in moved} == {1}
    assert {told(span)["gateway.migration.outcome"] for span in moved} <= {"MIGRATED", "SKIPPED"}


def job_of(collector: Collector, kind: str) -> dict[str, Any]:
    return next(span for span in collector.spans if span["name"] == f"job {kind}")


def told(span: dict[str, Any]) -> dict[str, Any]:
    """What a span says of itself."""
    read = {"stringValue": str, "intValue": int}
    values = ((one["key"], *one["value"].items()) for one in span["attributes"])
    return {name: read[kind](value) for name, (kind, value) in values}


async def test_spans_tell_nothing_of_people_values_and_tokens(own_gateway: Gateway, collector: Collector) -> None:
    traces = Traces(endpoint=collector.endpoint, share=1, authorization="Basic the-collectors-secret")
    async with watched(own_gateway, traces=traces) as gateway:
        found = await gateway.ask("staff", INVOICES)
        signed = gateway.token("staff@demo.example")
        await gateway.ask(
            "staff", "query ($id: ID!) { node(id: $id) { id } }", id=found["data"]["invoices"]["nodes"][0]["id"]
        )
    told = json.dumps(collector.spans)
    node = found["data"]["invoices"]["nodes"][0]
    for secret in (signed, "Bearer", "Zoho-oauthtoken", "@", node["customer"]["name"], node["id"], "the-collectors"):
        assert secret not in told, secret
    assert collector.authorizations == {"Basic the-collectors-secret"}


async def test_nothing_is_traced_beyond_the_share(own_gateway: Gateway, collector: Collector) -> None:
    async with watched(own_gateway, traces=Traces(endpoint=collector.endpoint, share=0)) as gateway:
        await gateway.post("staff", {"query": INVOICES}, traceparent=PARENT)
    assert collector.spans == []


def test_a_collector_that_never_answers_does_not_hold_up_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        traces = SentTraces(Traces(endpoint=endpoint, share=1))
        for _ in range(1200):  # several batches
            with traces.span("something", {}):
                pass
        began = time.monotonic()
        traces.close()
    assert time.monotonic() - began < 8
