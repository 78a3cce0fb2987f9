"""The queries that the tests send, on both executors: every one of them has to be no slower when it is compiled.

They are kept while the tests run (`COLLECT`), and replayed against a gateway whose products answer from memory.
Mutations are left out: they cannot be repeated.
"""

import asyncio
import json
import re
import tempfile
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from time import monotonic, process_time
from typing import Any

import httpx
from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from strawberry.types.graphql import OperationType as Allowed

from gateway.app import create_app
from gateway.http.endpoint import Endpoint
from gateway.http.operation import Operation
from resolvers import ids
from services.errand import Errand
from services.errors import GatewayError
from services.policy import Viewer
from services.sandbox import Sandbox
from services.storage.embedded import Embedded
from tests.bench.effort import Effort
from tests.bench.processes import ROOT
from tests.bench.table import Row, at_least, milliseconds
from tests.harness import Demo, set_up

KEPT = ROOT / "var" / "bench" / "operations"
COLLECT = "make test ARGS='-p tests.bench.recorder --operations var/bench/operations'"
SUSPECTS = 20
"""The slowest that are measured again, and longer."""
TIMES = 4
_ID = re.compile(r"[A-Za-z0-9_-]{24,}")


@dataclass(frozen=True)
class Asked:
    """An operation as a test sent it."""

    person: str
    operation: Operation


class Remembered(httpx.AsyncBaseTransport):
    """The sandbox, asked once for each thing."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = sandbox.transport()
        self._known: dict[tuple[str, str], tuple[int, list[tuple[bytes, bytes]], bytes]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        key = str(request.url), request.headers.get("authorization", "")
        if request.method != "GET":
            return await self._inner.handle_async_request(request)
        if key not in self._known:
            response = await self._inner.handle_async_request(request)
            self._known[key] = response.status_code, response.headers.raw, await response.aread()
        status, headers, content = self._known[key]
        return httpx.Response(status, headers=headers, content=content)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Ratio:
    """How many times as long graphql-core takes, in rounds."""

    asked: Asked
    compiled: list[float] = field(default_factory=list)
    core: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        return median(self.core) / median(self.compiled)


def collected() -> list[Asked]:
    """The different queries of the tests, as `tests.bench.recorder` has kept them."""
    lines = {line for path in sorted(KEPT.glob("*.jsonl")) for line in path.read_text().splitlines()}
    found = [json.loads(line) for line in sorted(lines)]
    different = {(one["person"], one["query"], json.dumps(_shape(one.get("variables")))): one for one in found}
    return [one for one in map(_asked, different.values()) if _is_query(one.operation)]


def _shape(variables: Any) -> Any:
    """Which variables there are, whatever they hold: operations that differ in values only are one."""
    return sorted(variables) if isinstance(variables, dict) else None


def _asked(told: Mapping[str, Any]) -> Asked:
    return Asked(told["person"], Operation(told["query"], told.get("variables"), told.get("operationName")))


def _is_query(operation: Operation) -> bool:
    try:
        definitions = parse(operation.query, max_tokens=10_000).definitions
    except (GraphQLError, RecursionError):
        return False
    operations = [one for one in definitions if isinstance(one, OperationDefinitionNode)]
    return len(operations) == 1 and operations[0].operation is OperationType.QUERY


def here(asked: Asked, organization_id: str) -> Asked:
    """The same with global ids of another organization than the one that the test ran in."""

    def moved(text: str) -> str:
        return _ID.sub(lambda found: _moved(found[0], organization_id), text)

    variables = asked.operation.variables and json.loads(moved(json.dumps(asked.operation.variables)))
    return replace(asked, operation=replace(asked.operation, query=moved(asked.operation.query), variables=variables))


def _moved(text: str, organization_id: str) -> str:
    try:
        kind, tag, record = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").split(":")
    except ValueError:
        return text
    return ids.encode(organization_id, kind, record) if len(tag) == 8 else text


@dataclass(frozen=True)
class Replay:
    """One gateway, its operations compiled and not."""

    compiled: Endpoint
    core: Endpoint

    async def viewer(self, asked: Asked) -> Viewer | None:
        """Who asks; None for somebody who would not be let in."""
        try:
            return await self.core.services.identity.viewer(asked.person)
        except GatewayError:
            return None

    async def measured(self, asked: Asked, viewer: Viewer, times: int) -> Ratio:
        """Both ways, in turns; what the first ones fetch is known afterwards."""
        ratio, here_ = Ratio(asked), here(asked, viewer.organization_id).operation
        for _ in range(2):
            await _timed(self.core, here_, viewer)
            await _timed(self.compiled, here_, viewer)
        for _ in range(times):
            ratio.core.append(await _timed(self.core, here_, viewer))
            ratio.compiled.append(await _timed(self.compiled, here_, viewer))
        return ratio


async def _timed(endpoint: Endpoint, operation: Operation, viewer: Viewer) -> float:
    """CPU seconds of one execution."""
    before = process_time()
    await endpoint.executed(operation, Errand(viewer, "bench", monotonic() + 60), {Allowed.QUERY})
    return process_time() - before


async def ratios(asked: list[Asked], server: str, directory: Path) -> list[Ratio]:
    """Of all operations, the worst first; the worst are measured again."""
    async with _replay(server, directory) as replay:
        found = [
            await replay.measured(one, viewer, TIMES)
            for one in asked
            if (viewer := await replay.viewer(one)) is not None
        ]
        found.sort(key=lambda ratio: ratio.value)
        for place, one in enumerate(found[:SUSPECTS]):
            viewer = await replay.viewer(one.asked)
            assert viewer
            found[place] = await replay.measured(one.asked, viewer, 5 * TIMES)
    return sorted(found, key=lambda ratio: ratio.value)


@asynccontextmanager
async def _replay(server: str, directory: Path) -> AsyncIterator[Replay]:
    demo = Demo(server, "operations", directory / "operations" / "sandbox.db")
    await set_up(demo)
    async with demo.gateway() as gateway:
        app = create_app(gateway.settings, sandbox=gateway.sandbox, transport=Remembered(gateway.sandbox))
        async with app.router.lifespan_context(app):
            endpoint: Endpoint = app.state.endpoint
            yield Replay(endpoint, replace(endpoint, plans=None))


def rows(effort: Effort) -> list[Row]:
    """One row: the operation that gains least."""
    known = collected()
    asked = known[:: max(1, len(known) // effort.operations)]
    work = f"executing: any of {len(asked)} of the tests' {len(known)} queries"
    if not asked:
        return [Row(work, "graphql-core", target=at_least(1), note=f"first: {COLLECT}")]
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        Path(directory).chmod(0o755)
        with Embedded(Path(directory) / "postgres", durable=False).running() as embedded:
            worst = asyncio.run(ratios(asked, embedded.url(), Path(directory)))[0]
    query = " ".join(worst.asked.operation.query.split())
    return [
        Row(
            work=f"{work}; the one that gains least: {query[:200]} (as {worst.asked.person.partition('@')[0]})",
            against="graphql-core",
            ours=milliseconds(median(worst.compiled)),
            theirs=milliseconds(median(worst.core)),
            ratio=worst.value,
            target=at_least(1),
        )
    ]
