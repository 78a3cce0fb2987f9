"""Whether this process should be sent requests."""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.storage.engine import Database
from services.storage.failures import FAILURES

PATIENCE_SECONDS = 2.0
"""What the database may take to answer."""
FRESH_SECONDS = 1.0
"""However often it is asked, the database is looked at once in this time: the question is open to everybody."""
Checks = Mapping[str, str]
"""What was looked at → `ok` or what is wrong, in words that tell strangers nothing."""
OK = "ok"
log = structlog.get_logger(__name__)


class Readiness:
    """Of a process on the database; `leaving` tells whether it is about to end."""

    def __init__(self, database: Database, leaving: Callable[[], bool]) -> None:
        self._database = database
        self._leaving = leaving
        self._looked_at = -FRESH_SECONDS
        self._stored: Checks = {}
        self._looking = asyncio.Lock()

    async def checks(self) -> Checks:
        """How things stand."""
        async with self._looking:
            if monotonic() >= self._looked_at + FRESH_SECONDS:
                self._stored = await self._look()
                self._looked_at = monotonic()
        return {**self._stored, "process": "ending" if self._leaving() else OK}

    async def _look(self) -> Checks:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                current = await self._database.is_current()
        except FAILURES as error:
            log.warning("the database does not answer", error=type(error).__name__)
            return {"database": "unreachable", "schema": "unknown"}
        return {"database": OK, "schema": OK if current else "behind"}


async def healthy(_: Request) -> Response:
    """The process is alive: it answers."""
    return JSONResponse({"status": OK})


async def ready(request: Request) -> Response:
    """200 when everything is well, otherwise 503."""
    readiness: Readiness = request.app.state.readiness
    checks = await readiness.checks()
    well = all(word == OK for word in checks.values())
    told = {"status": "ready" if well else "unavailable", "checks": checks}
    return JSONResponse(told, 200 if well else 503, headers={"Cache-Control": "no-store"})
