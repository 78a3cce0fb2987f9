"""Connections to PostgreSQL that notice when nobody is there any more: a network that is cut says nothing."""

from collections.abc import AsyncGenerator, Mapping
from math import inf
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout  # it has no other name
from sqlalchemy import URL

from services.storage.clock import Clock

T = TypeVar("T")
CONNECT_SECONDS = 3
HELLO_SECONDS = 2.0
"""What a server may take to say that it is there."""
STATEMENT_SECONDS = 30.0
SILENCE_SECONDS = 5.0
"""Beyond the time a statement may take by its own server's clock, after which the server is lost."""
_CLIENT = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 6000,
}
"""The kernel gives up what is not acknowledged for six seconds, and asks after whom it has not heard for five."""
SERVER = {
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 6000,
}
"""The same of the server, which keeps a lost client's locks until it notices."""
_TIME = "SELECT extract(epoch FROM clock_timestamp())::float8"


def arguments(url: URL, name: str, statement_timeout: float = STATEMENT_SECONDS) -> dict[str, Any]:
    """What libpq is told beside the address; what that says of the network itself is the operator's.

    `statement_timeout` is in seconds.
    """
    network = {name: value for name, value in _CLIENT.items() if name not in url.query}
    ours: Mapping[str, Any] = SERVER | {"statement_timeout": round(statement_timeout * 1000), "timezone": "UTC"}
    options = [url.query.get("options", ""), *(f"-c {name}={value}" for name, value in ours.items())]
    return {**network, "application_name": name, "options": " ".join(map(str, options)).strip()}


class Attended(psycopg.AsyncConnection[Any]):
    """Given up as lost when an answer takes longer than `patience` seconds, whatever was asked; None: never."""

    patience: float | None = STATEMENT_SECONDS + SILENCE_SECONDS
    heard_at = -inf
    """When the server said something last, by `monotonic`."""

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:  # noqa: ASYNC109
        """As ever; raises `psycopg.OperationalError` when the server is lost."""
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            found = await super().wait(gen, interval, self.patience)
        except _WaitTimeout as error:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server has said nothing for {self.patience} seconds") from error
        self.heard_at = monotonic()
        return found

    async def notifies(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        stop_after: int | None = None,
    ) -> AsyncGenerator[psycopg.Notify]:
        """As ever: that nothing is told is no sign of anything."""
        usual, self.patience = self.patience, None
        try:
            async for notification in super().notifies(timeout=timeout, stop_after=stop_after):
                yield notification
        finally:
            self.patience = usual

    async def greet(self, clock: Clock | None = None) -> None:
        """See that the server is there, and what time it is; raises `psycopg.Error`. Outside of any transaction."""
        alone, asked = self.autocommit, monotonic()
        self.patience = HELLO_SECONDS
        try:
            await self.set_autocommit(True)
            row = await (await self.execute(_TIME)).fetchone()
            await self.set_autocommit(alone)
        finally:
            self.patience = type(self).patience
        if clock is not None and row is not None:
            clock.told(row[0], asked)


class Brief(Attended):
    """Asked nothing that takes long."""

    patience = 8.0
