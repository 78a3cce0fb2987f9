"""OpenTelemetry's traces, sent to a collector over OTLP."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import Thread

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.settings import Traces as Options
from services.observing import Attributes

NAME = "finance-gateway"
PARENT = "traceparent"
EXPORT_SECONDS, CLOSE_SECONDS = 5.0, 3.0
"""What one export may take, and all that are left when the process ends, whether the collector answers or not."""


class Traces:
    """A `services.observing.Tracer`. Errors are told by their type alone: their texts may quote what users wrote."""

    def __init__(self, options: Options, exporter: SpanExporter | None = None) -> None:
        """`exporter` stands in for the collector at `options.endpoint`."""
        sampler = TraceIdRatioBased(options.share)
        self._provider = TracerProvider(sampler, Resource({SERVICE_NAME: NAME}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or _exporter(options)))
        self._tracer = self._provider.get_tracer(NAME)
        self._context = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Send what has not been sent; blocks for `CLOSE_SECONDS` at most, then what is left is given up."""
        last = Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(CLOSE_SECONDS)

    def span(
        self, name: str, attributes: Attributes, *, kind: SpanKind = SpanKind.INTERNAL, parent: str | None = None
    ) -> AbstractContextManager[trace.Span]:
        """See `Tracer`; `parent` is the header of a caller whose trace this goes on with."""
        return self._begun(name, self._context.extract({PARENT: parent}) if parent else None, kind, attributes)

    def afresh(self, name: str, attributes: Attributes, cause: str | None) -> AbstractContextManager[trace.Span]:
        """See `Tracer`."""
        led = trace.get_current_span(self._context.extract({PARENT: cause or ""}, Context())).get_span_context()
        links = [trace.Link(led)] if led.is_valid else []
        return self._begun(name, Context(), SpanKind.CONSUMER, attributes, links)

    @contextmanager
    def _begun(
        self, name: str, context: Context | None, kind: SpanKind, about: Attributes, links: Sequence[trace.Link] = ()
    ) -> Iterator[trace.Span]:
        with self._tracer.start_as_current_span(
            name, context, kind, about, links, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    def request(self, method: str, path: str, parent: str | None) -> AbstractContextManager[trace.Span]:
        """The span of a request that is answered; `parent` as in `span`."""
        asked = {"http.request.method": method, "http.route": path}
        return self.span(f"{method} {path}", asked, kind=SpanKind.SERVER, parent=parent)

    def message(self, path: str, parent: str | None) -> AbstractContextManager[trace.Span]:
        """The span of an operation that is asked for over a WebSocket; `parent` is its handshake's."""
        asked = {"network.protocol.name": "websocket", "http.route": path}
        return self.span(f"WS {path}", asked, kind=SpanKind.SERVER, parent=parent)

    def id_of(self, span: trace.Span) -> str:
        """The number under which the collector knows the trace."""
        return trace.format_trace_id(span.get_span_context().trace_id)

    def inner(self, name: str, attributes: Attributes) -> trace.Span | None:
        """See `Tracer`."""
        if not trace.get_current_span().get_span_context().is_valid:
            return None
        return self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    def outgoing(self) -> Mapping[str, str]:
        """See `Tracer`: `traceparent` alone, since `tracestate` is what other systems told us."""
        carrier: dict[str, str] = {}
        self._context.inject(carrier)
        return {PARENT: carrier[PARENT]} if PARENT in carrier else {}


def _exporter(options: Options) -> SpanExporter:
    authorization = options.authorization
    headers = {"authorization": authorization.get_secret_value()} if authorization else {}
    return OTLPSpanExporter(options.endpoint, headers=headers, timeout=EXPORT_SECONDS)
