"""What is watched while the gateway works: metrics, traces, both or nothing."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Self

import structlog
from strawberry.types import ExecutionResult

from gateway.http.answer import code_of
from gateway.observing.metrics import Metrics
from gateway.plans import Prepared
from gateway.settings import Settings
from services.observing import Observing, Span

if TYPE_CHECKING:  # imported by those alone who trace
    from gateway.observing.traces import Traces


@dataclass(slots=True)
class About:
    """An operation, as far as one may tell."""

    prepared: Prepared | None = None

    @property
    def kind(self) -> str:
        """As `Prepared.kind` tells it; `other` when it was not compiled."""
        return self.prepared.kind if self.prepared else "other"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The watchers; None of those that are switched off."""

    metrics: Metrics | None = None
    traces: "Traces | None" = None

    @classmethod
    def of(cls, settings: Settings) -> "Telemetry | None":
        """As the settings want it; None when they want nothing."""
        metrics = Metrics() if settings.metrics.port is not None else None
        traces = _traces(settings) if settings.traces.endpoint else None
        return cls(metrics, traces) if metrics or traces else None

    @property
    def observing(self) -> Observing:
        """The same, for services."""
        return Observing(self.metrics, self.traces)

    @contextmanager
    def message(self, path: str, parent: str | None) -> Iterator[None]:
        """An operation that is asked for over a WebSocket is answered within the block."""
        if self.traces is None:
            yield
            return
        with self.traces.message(path, parent) as span:
            structlog.contextvars.bind_contextvars(trace_id=self.traces.id_of(span))
            yield

    @contextmanager
    def operation(self) -> Iterator["About"]:
        """An operation is executed within the block, which says what it was."""
        about, began = About(), perf_counter()
        try:
            with self.traces.span("operation", {}) if self.traces else nullcontext() as span:
                try:
                    yield about
                finally:
                    if span is not None:
                        _describe(span, about)
        finally:
            if self.metrics:
                self.metrics.executed(about.kind, perf_counter() - began)

    def failed(self, codes: Iterable[str]) -> None:
        """Errors with these codes are told to a client."""
        if self.metrics:
            self.metrics.failed(codes)

    def answered(self, result: ExecutionResult) -> None:
        """An operation has an answer, perhaps with errors."""
        if self.metrics and result.errors:
            self.metrics.failed(map(code_of, result.errors))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.traces:
            await asyncio.to_thread(self.traces.close)


def _describe(span: Span, about: About) -> None:
    span.set_attribute("graphql.operation.type", about.kind)
    if about.prepared is not None:
        span.set_attribute("graphql.document.hash", about.prepared.digest)
        span.set_attribute("gateway.runs", about.prepared.runs)


def _traces(settings: Settings) -> "Traces":
    from gateway.observing.traces import Traces  # noqa: PLC0415

    return Traces(settings.traces)
