"""Gateways whose telemetry is looked at."""

import gzip
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.harness import Gateway, running

INVOICES = "{ invoices(first: 5) { nodes { id lineItems { name } customer { name email } } } }"
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


async def home(gateway: Gateway) -> str:
    """The id of the demo's organization."""
    owners = await gateway.app.state.endpoint.services.credentials.owners()
    found: str = next(one.organization_id for one in owners if one.email == "owner@demo.example")
    return found
