"""What the gateway counts, as Prometheus reads it. Labels are of closed sets: never what a client has sent."""

from collections.abc import Iterable
from functools import cache, partial

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.registry import Collector

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds; 0.3 is what 99 of 100 requests are to be answered in."""
PATHS = frozenset(
    ("/graphql", "/healthz", "/readyz", "/oauth/callback", "/webhooks/books", "/webhooks/billing"),
)
OTHER = "other"


def known_path(path: str) -> str:
    """A path of ours, or `other`."""
    return path if path in PATHS else OTHER


class Metrics:
    """Counters of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        counter = partial(Counter, namespace="gateway", registry=self.registry)
        seconds = partial(Histogram, namespace="gateway", registry=self.registry, buckets=BUCKETS)
        requests = counter("http_requests", "Requests answered.", ["path", "status"])
        begun = seconds("http_request_seconds", "Until an answer began.", ["path"])
        operations = seconds("operation_seconds", "Operations executed.", ["kind"])
        errors = counter("errors", "Errors told to clients.", ["code"])
        calls = counter("upstream_calls", "Calls to products; status 0: no answer.", ["product", "status"])
        spent = seconds("upstream_call_seconds", "One call to a product.", ["product"])
        # finding a child by its labels costs more than counting
        self._requests, self._begun = cache(requests.labels), cache(begun.labels)
        self._operations, self._errors = cache(operations.labels), cache(errors.labels)
        self._calls, self._spent = cache(calls.labels), cache(spent.labels)

    def add(self, collector: Collector) -> None:
        """Have something more be collected."""
        self.registry.register(collector)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """A request has an answer, which began after so many seconds."""
        known = known_path(path)
        self._requests(known, status).inc()
        self._begun(known).observe(seconds)

    def executed(self, kind: str, seconds: float) -> None:
        """An operation has been executed; `kind` as `Prepared.kind` tells it."""
        self._operations(kind).observe(seconds)

    def failed(self, codes: Iterable[str]) -> None:
        """Errors with these codes have been told to a client."""
        for code in codes:
            self._errors(code).inc()

    def called(self, product: str, status: int | None, seconds: float) -> None:
        """A product was called."""
        self._calls(product, status or 0).inc()
        self._spent(product).observe(seconds)
