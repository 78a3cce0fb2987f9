"""What operators get to see: metrics, traces, readiness and the log."""

import gzip
import hmac
import json
import logging
import re
import signal
import socket
import sys
import threading
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import make_url

from gateway import logs, webhooks
from gateway.settings import Live, Logs, Metrics, Traces
from gateway.traces import Traces as SentTraces
from resolvers.ids import decode
from services.policy import Product
from services.sandbox.faults import Fault
from tests.gateway.live_harness import served
from tests.gateway.test_serving import started
from tests.harness import SEALING_KEY, Gateway, running

INVOICES = "{ invoices(first: 5) { nodes { id lineItems { name } customer { name email } } } }"
COUNT = "subscription { count(to: 2) }"
DOCKER = Path(__file__).parents[2] / "docker"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Collector:
    """Stands in for OpenTelemetry's: keeps the spans that were sent to it."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.authorizations: set[str | None] = set()
        kept, authorizations = self.spans, self.authorizations

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                authorizations.add(self.headers.get("Authorization"))
                sent = MessageToDict(ExportTraceServiceRequest.FromString(body))
                for resource in sent["resourceSpans"]:
                    for scope in resource["scopeSpans"]:
                        kept.extend(scope["spans"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def names(self, span: dict[str, Any]) -> list[str]:
        """The names of the spans around one, the outermost first."""
        by_id = {one["spanId"]: one for one in self.spans}
        names = []
        while span:
            names.append(span["name"])
            span = by_id.get(span.get("parentSpanId", ""), {})
        return names[::-1]


class Heard(httpx.AsyncBaseTransport):
    """The way to the products, which keeps the heads of what goes there."""

    def __init__(self, way: httpx.AsyncBaseTransport) -> None:
        self._way = way
        self.heads: list[httpx.Headers] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.heads.append(request.headers)
        return await self._way.handle_async_request(request)

    async def aclose(self) -> None:
        await self._way.aclose()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@asynccontextmanager
async def watched(own: Gateway, **settings: Any) -> AsyncIterator[Gateway]:
    """A second gateway on the same database and sandbox, with telemetry as set."""
    async with running(own.settings.model_copy(update=settings), own.sandbox) as gateway:
        gateway.witness.way = Heard(gateway.witness.way)
        yield gateway


def heads(gateway: Gateway) -> list[httpx.Headers]:
    """Those of all calls to products' interfaces, without those for tokens."""
    heard = gateway.witness.way
    assert isinstance(heard, Heard)
    return [head for head in heard.heads if "authorization" in head]


async def scraped(gateway: Gateway) -> dict[str, dict[tuple[str, ...], float]]:
    """What Prometheus would keep: name → label values → value."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{gateway.app.state.metrics_port}/metrics")
    assert answer.status_code == 200
    found: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name][tuple(sample.labels.values())] = sample.value
    return found


async def test_metrics_tell_operations_errors_calls_budgets_caches_plans_jobs_and_pools(own_gateway: Gateway) -> None:
    async with watched(own_gateway, metrics=Metrics(port=0)) as gateway:
        await gateway.ask("staff", INVOICES)
        await gateway.ask("staff", INVOICES)
        await gateway.post("staff", {"query": "{ nothingLikeIt }"})
        await gateway.post(None, {"query": "{ viewer { email } }"})
        await gateway.send("staff", "GET", "/no/such/path")
        found = await scraped(gateway)
    assert found["gateway_operation_seconds_count"][("query",)] == 2
    assert found["gateway_errors_total"] == {("BAD_USER_INPUT",): 1, ("UNAUTHENTICATED",): 1}
    assert found["gateway_http_requests_total"][("/graphql", "200")] == 2
    assert found["gateway_http_requests_total"][("other", "404")] == 1
    assert found["gateway_upstream_calls_total"][("BOOKS", "200")] >= 1
    assert found["gateway_upstream_call_seconds_count"][("BOOKS",)] >= 1
    assert 0 < found["gateway_upstream_budget_left"][("BOOKS", "minute")] < 10**6
    assert sum(found["gateway_cache_reads_total"].values()) > 0
    assert found["gateway_plan_runs_total"][("straight",)] == 2
    assert found["gateway_plans_kept"][("operations",)] >= 1
    assert found["gateway_jobs"].keys() == {("waiting",), ("scheduled",), ("doing",), ("failed",)}
    assert found["gateway_pool_connections"][("sessions", "most")] == 20
    assert found["gateway_pool_connections"][("sessions", "waiting")] == 0
    assert found["gateway_live_open"] == {("sockets",): 0, ("operations",): 0}
    assert found["gateway_ready"] == {("database",): 1, ("schema",): 1, ("process",): 1}


async def test_no_label_of_a_metric_is_what_a_client_sent(own_gateway: Gateway) -> None:
    async with watched(own_gateway, metrics=Metrics(port=0)) as gateway:
        for index in range(5):
            query = f"query Canary{index} {{ canary{index}: viewer {{ email }} }}"
            await gateway.post("staff", {"query": query, "operationName": f"Canary{index}"})
            await gateway.send("staff", "GET", f"/canary/{index}")
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{gateway.app.state.metrics_port}/metrics")).text
    assert "anary" not in text
    assert "demo.example" not in text


async def test_who_operates_sees_which_way_each_operation_runs_and_why(own_gateway: Gateway) -> None:
    async with watched(own_gateway, metrics=Metrics(port=0)) as gateway, httpx.AsyncClient() as client:
        await gateway.ask("owner", "query Mine { viewer { email } }")
        await gateway.ask("owner", "query Late { viewer { ... @defer { email } } }")
        told = (await client.get(f"http://127.0.0.1:{gateway.app.state.metrics_port}/plans")).json()
    ways = {row["name"]: (row["straight"], row["why"]) for row in told}
    assert ways["Mine"] == (1, None)
    assert ways["Late"][0] == 0
    assert ways["Late"][1]


async def test_metrics_are_not_served_to_users_and_not_at_all_unless_wanted(own_gateway: Gateway) -> None:
    assert own_gateway.app.state.metrics_port is None
    async with watched(own_gateway, metrics=Metrics(port=0)) as gateway:
        assert (await gateway.send("owner", "GET", "/metrics")).status_code == 404


async def test_a_failing_product_and_a_write_are_counted_as_they_went(own_gateway: Gateway) -> None:
    async with watched(own_gateway, metrics=Metrics(port=0)) as gateway:
        own_gateway.sandbox.fault(Fault("status", path="/invoices*", status=503))
        answer = await gateway.ask("staff", INVOICES)
        found = await scraped(gateway)
    assert answer["errors"][0]["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
    assert found["gateway_upstream_calls_total"][("BOOKS", "503")] >= 1
    assert found["gateway_errors_total"] == {("UPSTREAM_UNAVAILABLE",): 1}


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


async def home(gateway: Gateway) -> str:
    """The id of the demo's organization."""
    owners = await gateway.app.state.endpoint.services.credentials.owners()
    return next(one.organization_id for one in owners if one.email == "owner@demo.example")


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
    assert time.monotonic() - began < 4


async def test_readiness_tells_what_is_wrong_and_liveness_does_not_depend_on_it(own_gateway: Gateway) -> None:
    well = await own_gateway.send(None, "GET", "/readyz")
    assert (well.status_code, well.json()) == (
        200,
        {"status": "ready", "checks": {"database": "ok", "schema": "ok", "process": "ok"}},
    )
    own_gateway.app.state.live.leaving.set()
    ending = await own_gateway.send(None, "GET", "/readyz")
    assert (ending.status_code, ending.json()["checks"]["process"]) == (503, "ending")
    assert (await own_gateway.send(None, "GET", "/healthz")).status_code == 200


async def test_a_database_that_is_away_is_not_ready_and_its_address_is_not_told(own_gateway: Gateway) -> None:
    async with watched(own_gateway, metrics=Metrics(port=0)) as gateway:
        own_gateway.lose_database()
        away = await gateway.send(None, "GET", "/readyz")
        found = await scraped(gateway)
    assert (away.status_code, away.json()["checks"]) == (
        503,
        {"database": "unreachable", "schema": "unknown", "process": "ok"},
    )
    assert found["gateway_ready"][("database",)] == 0
    assert "gateway_jobs" not in found
    assert own_gateway.settings.database_url
    assert str(make_url(own_gateway.settings.database_url.get_secret_value()).database) not in away.text


@pytest.mark.parametrize(("revision", "status"), [("0001", 503), ("9999", 200)], ids=["older", "newer"])
async def test_an_older_schema_is_not_ready_and_a_newer_one_is(
    own_gateway: Gateway, revision: str, status: int
) -> None:
    assert own_gateway.settings.database_url
    url = make_url(own_gateway.settings.database_url.get_secret_value()).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])
    assert (await own_gateway.send(None, "GET", "/readyz")).status_code == status


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """The log of a run, as the process would write it."""
    root, written = logging.getLogger(), StringIO()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure(Logs(format="json", level="debug"))
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)


MAIL = """mutation ($id: ID!, $input: EmailInput!, $key: ID!) {
  invoiceEmail(id: $id, input: $input, idempotencyKey: $key) { outcome }
}"""


async def test_log_lines_are_json_with_request_trace_and_viewer_and_nothing_secret(
    own_gateway: Gateway, collector: Collector, log: StringIO
) -> None:
    canaries = {"to": ["canary-address@customer.example"], "subject": "canary subject", "body": "canary body"}
    async with watched(own_gateway, traces=Traces(endpoint=collector.endpoint, share=1)) as gateway:
        signed = gateway.token("staff@demo.example")
        found = await gateway.ask("staff", INVOICES)
        record = found["data"]["invoices"]["nodes"][0]["id"]
        body = {"query": MAIL, "variables": {"id": record, "input": canaries, "key": "a-key-of-a-test"}}
        mailed = await gateway.post("staff", body, traceparent=PARENT, **{"X-Request-Id": "request-of-a-test"})
        own_gateway.lose_table("outcomes")
        body["variables"]["key"] = "another-key-of-a-test"
        lost = await gateway.post("staff", body)
    assert mailed.json()["data"]["invoiceEmail"]["outcome"] == "APPLIED"
    assert lost.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    ours = next(line for line in lines if line.get("request_id") == "request-of-a-test" and line["event"] == "request")
    assert (ours["trace_id"], ours["status"], ours["path"]) == (TRACE, 200, "/graphql")
    assert ours["viewer"]
    assert any("exception" in line for line in lines)
    tokens = {head["authorization"].rpartition(" ")[2] for head in heads(gateway)}
    assert tokens
    for secret in (signed, "Bearer ", "Zoho-oauthtoken", "canary", SEALING_KEY, *tokens):
        assert secret not in log.getvalue(), secret


def test_a_worker_serves_metrics_too_and_ends_in_time_while_the_collector_is_away(own_gateway: Gateway) -> None:
    ports = [free_port(), free_port()]
    watching = {
        "GATEWAY_METRICS__PORT": str(ports[0]),
        "GATEWAY_TRACES__ENDPOINT": f"http://127.0.0.1:{ports[1]}/v1/traces",
        "GATEWAY_TRACES__SHARE": "1",
    }
    process = started("worker", **own_gateway.environment() | watching)
    try:
        ready, text = (asked(f"http://127.0.0.1:{ports[0]}{path}") for path in ("/readyz", "/metrics"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=12) == 0, process.stdout.read()
    finally:
        if process.is_running():
            process.kill()
        said = process.stdout.read()
        process.stdout.close()
    assert ready.json()["status"] == "ready"
    assert 'gateway_jobs{state="failed"} 0.0' in text.text
    assert "Traceback" not in said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def asked(url: str) -> httpx.Response:
    """The answer of a process that is about to start."""
    until = time.monotonic() + 30
    while True:
        try:
            return httpx.get(url)
        except httpx.TransportError:
            assert time.monotonic() < until
            time.sleep(0.1)


async def test_dashboard_and_alerts_ask_for_metrics_that_there_are(own_gateway: Gateway) -> None:
    async with watched(own_gateway, metrics=Metrics(port=0)) as gateway:
        await gateway.ask("staff", INVOICES)
        await gateway.post(None, {"query": "{ viewer { email } }"})
        found = await scraped(gateway)
    dashboard = json.loads((DOCKER / "grafana/dashboards/gateway.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked.append((DOCKER / "prometheus/alerts.yaml").read_text())
    names = set(re.findall(r"\b(?:gateway|process)_[a-z_]+\b", " ".join(asked)))
    assert names
    assert names <= found.keys()


def test_every_alert_has_a_section_in_the_runbook() -> None:
    alerts = (DOCKER / "prometheus/alerts.yaml").read_text()
    anchors = re.findall(r"runbook: docs/runbook\.md#(\S+)", alerts)
    assert len(anchors) == alerts.count("- alert:")
    headings = re.findall(r"^#+ (.+)$", (DOCKER.parent / "docs/runbook.md").read_text(), re.MULTILINE)
    assert set(anchors) <= {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
