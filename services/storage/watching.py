"""SQL statements as spans: by name, without their text and values."""

import re
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from services.observing import Tracer

SYSTEM = {"db.system": "postgresql"}
VERB = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|WITH|LISTEN|NOTIFY|SET)\b", re.IGNORECASE)
TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE)\s+"?([a-z_][a-z_0-9]*)', re.IGNORECASE)
_OPEN = "spans"


@lru_cache(maxsize=1024)
def named(statement: str) -> str:
    """`SELECT members`: the verb and the first table."""
    verb, table = VERB.search(statement), TABLE.search(statement)
    return " ".join([verb[1].upper() if verb else "OTHER", *([table[1]] if table else [])])


def watch(engine: Engine, tracer: Tracer) -> None:
    """Make a span of every statement of the engine that belongs to a trace."""

    def began(connection: Connection, _cursor: object, statement: str, *_rest: Any) -> None:
        connection.info.setdefault(_OPEN, []).append(tracer.inner(named(statement), SYSTEM))

    def ended(connection: Connection, *_rest: Any) -> None:
        _end(connection, None)

    def failed(context: ExceptionContext) -> None:
        if context.connection is not None:
            _end(context.connection, type(context.original_exception).__name__)

    event.listen(engine, "before_cursor_execute", began)
    event.listen(engine, "after_cursor_execute", ended)
    event.listen(engine, "handle_error", failed)


def _end(connection: Connection, error: str | None) -> None:
    spans = connection.info.get(_OPEN)
    span = spans.pop() if spans else None
    if span is None:
        return
    if error:
        span.set_attribute("error.type", error)
    span.end()
