"""What operators get to see: metrics, readiness and the log."""

import json
import re
import signal
import time
from collections import defaultdict
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import make_url

from gateway.settings import Metrics, Traces
from services.sandbox.faults import Fault
from tests.bench.processes import free_port
from tests.gateway.telemetry_harness import INVOICES, PARENT, TRACE, Collector, heads, watched
from tests.gateway.test_serving import started
from tests.harness import SEALING_KEY, Gateway

DOCKER = Path(__file__).parents[2] / "docker"


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
        body: dict[str, Any] = {"query": MAIL, "variables": {"id": record, "input": canaries, "key": "a-key-of-a-test"}}
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
