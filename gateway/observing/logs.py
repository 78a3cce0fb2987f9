"""Log lines of the gateway and its libraries in one shape: one line an event, with the request they belong to."""

import logging
import sys

import structlog
from structlog.typing import Processor

from gateway.settings import Logs

QUIET = (
    "alembic",
    "uvicorn",
    "procrastinate",
    "psycopg.pool",
    "asyncio",
    "httpx",
    "urllib3",
    "services.storage.engine.Connections",
)
"""Libraries that are heard only when something is wrong."""
SILENT = "strawberry.execution"
"""It logs every error of an execution, of which most are meant; the endpoint logs those that are not."""


def configure(logs: Logs) -> None:
    """Send everything to standard error, so that standard output belongs to the commands."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendered(logs.format))
    )
    logging.basicConfig(handlers=[handler], level=logs.level.upper(), force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.getLogger(SILENT).disabled = True


def _rendered(shape: str) -> list[Processor]:
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if shape == "json":
        return [meta, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [meta, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
