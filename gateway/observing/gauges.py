"""What is looked up when Prometheus asks, instead of being counted all the time."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.live.operations import Live
from gateway.observing.readiness import OK, Checks
from gateway.plans import Plans
from services.records.memory import Memory
from services.storage.engine import Pool
from services.storage.queues import Queues
from services.upstream.budget import Budget

Sample = tuple[tuple[str, ...], float]


@dataclass(eq=False)
class Gauges(Collector):
    """How the parts of a process stand. `queues` and `checks` were read just before; the rest is read from memory."""

    budget: Budget
    memories: Mapping[str, Memory[Any, Any]]
    pools: Mapping[str, Callable[[], Pool]]
    plans: Plans | None = None
    live: Live | None = None
    queues: Queues | None = None
    checks: Checks = field(default_factory=dict)

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        yield from self._stored()
        yield from self._remembered()
        yield _gauge("upstream_budget_left", "Calls left to whom has least.", ("product", "window"), self._budget())
        yield _gauge("pool_connections", "Connections to the database.", ("pool", "state"), self._pools())
        if self.plans is not None:
            yield from _compiled(self.plans)
        if self.live is not None:
            opened = {"sockets": self.live.sockets.total, "operations": self.live.operations.total}
            yield _gauge("live_open", "Connections and operations that stay open.", ("what",), _one_label(opened))

    def _stored(self) -> Iterator[Metric]:
        ready = {check: float(word == OK) for check, word in self.checks.items()}
        yield _gauge("ready", "1: well.", ("check",), _one_label(ready))
        if self.queues is None:
            return
        yield _gauge("jobs", "Jobs on the database.", ("state",), _one_label(self.queues.jobs))
        yield _gauge("mails", "Messages on the database.", ("state",), _one_label(self.queues.mails))
        yield _gauge("mail_oldest_seconds", "How long the oldest waits.", (), [((), self.queues.oldest_mail)])

    def _remembered(self) -> Iterator[Metric]:
        held = self.memories.items()
        asked = [((name, "hit"), one.hits) for name, one in held] + [((name, "miss"), one.misses) for name, one in held]
        yield _counter("cache_reads", "Keys asked for.", ("cache", "outcome"), asked)
        yield _gauge("cache_entries", "Entries kept.", ("cache",), [((name,), len(one)) for name, one in held])
        yield _gauge("cache_bytes", "As estimated.", ("cache",), [((name,), one.taken) for name, one in held])

    def _budget(self) -> Iterator[Sample]:
        for product, left in self.budget.least().items():
            for window, calls in (("minute", left.minute), ("day", left.day)):
                if calls is not None:
                    yield (product, window), calls

    def _pools(self) -> Iterator[Sample]:
        for name, pool in self.pools.items():
            stood = pool()
            yield (name, "in_use"), stood.in_use
            yield (name, "waiting"), stood.waiting
            yield (name, "most"), stood.most


def _compiled(plans: Plans) -> Iterator[Metric]:
    counts, (operations, variants) = plans.counts, plans.kept()
    ran = {"straight": counts.straight, "exact": counts.exact, "graphql-core": counts.core}
    yield _counter("plan_runs", "Operations by the way they ran.", ("way",), _one_label(ran))
    kept = {"operations": operations, "variants": variants}
    yield _gauge("plans_kept", "Compiled operations kept.", ("what",), _one_label(kept))


def _one_label(values: Mapping[str, float]) -> list[Sample]:
    return [((label,), value) for label, value in values.items()]


def _gauge(name: str, about: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    return _filled(GaugeMetricFamily(f"gateway_{name}", about, labels=labels), samples)


def _counter(name: str, about: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    return _filled(CounterMetricFamily(f"gateway_{name}", about, labels=labels), samples)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Iterable[Sample]) -> Metric:
    for labels, value in samples:
        family.add_metric(labels, value)
    return family
