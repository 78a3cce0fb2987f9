"""The way to PostgreSQL over a network that can be cut: what is sent then is lost, and nobody is told."""

import asyncio
import ctypes
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import make_url

from services.storage.connection import SERVER

ATTACH_FILTER, DETACH_FILTER = 26, 27
"""Linux's SO_ATTACH_FILTER and SO_DETACH_FILTER, which Python does not name."""
DROP = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
"""BPF's program of one instruction: let nothing through. Not even an acknowledgement is sent then."""
KEEPALIVES = {
    socket.TCP_KEEPIDLE: "tcp_keepalives_idle",
    socket.TCP_KEEPINTVL: "tcp_keepalives_interval",
    socket.TCP_KEEPCNT: "tcp_keepalives_count",
    socket.TCP_USER_TIMEOUT: "tcp_user_timeout",
}
"""PostgreSQL sets them as its clients ask for it; its socket in the file system has none, so that this end has them."""
PIECE = 1 << 16


@dataclass
class Hole:
    """A server on TCP that passes everything on to PostgreSQL's socket in the file system."""

    socket_path: str
    server: asyncio.Server = field(init=False)
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    """The clients' side of each connection."""

    @property
    def port(self) -> int:
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """From now on nothing arrives, and nobody can connect."""
        for one in self._sockets():
            one.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(DROP)))

    def mend(self, *, forgetting: bool = False) -> None:
        """Let everything pass again; `forgetting`: but nothing of what was connected, as after a firewall's restart."""
        for one in self.server.sockets if forgetting else self._sockets():
            with suppress(OSError):  # it is newer than the cut
                one.setsockopt(socket.SOL_SOCKET, DETACH_FILTER, 0)

    def _sockets(self) -> list[Any]:
        return [*self.server.sockets, *(one.get_extra_info("socket") for one in self.open)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        for option, name in KEEPALIVES.items():
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, SERVER[name])
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            behind, ahead = await asyncio.open_unix_connection(self.socket_path)
            there, back = asyncio.create_task(_pass(reader, ahead)), asyncio.create_task(_pass(behind, writer))
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            ahead.transport.abort()
        finally:
            self.open.discard(writer)
            writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()


@asynccontextmanager
async def hole(url: str) -> AsyncIterator[tuple[Hole, str]]:
    """A way to the database at `url`, and the address of it by that way."""
    address = make_url(url)
    found = Hole(f"{address.query['host']}/.s.PGSQL.{address.query.get('port', 5432)}")
    found.server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    try:
        by_tcp = address.set(host="127.0.0.1", port=found.port, query={})
        yield found, by_tcp.render_as_string(hide_password=False)
    finally:
        found.server.close()
        for one in list(found.open):
            one.transport.abort()
