"""Addresses to serve on."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.commands.console import CannotStart


class CannotListen(CannotStart):
    """Another process has the port."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket to serve on, taken before anything else is started; raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(
            f"Cannot listen on {host}:{port}: {error.strerror}. Is it being served already?"
            " Another address: GATEWAY_HOST, GATEWAY_PORT (of metrics: GATEWAY_METRICS__PORT)."
        ) from error
    with listener:
        yield listener
