"""The products as a static server in a process of its own: it fills templates in, joins bytes, and counts."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import uvloop
from msgspec import msgpack

from tests.bench.company import Company, empty, number_of
from tests.bench.processes import python, running

LARGEST_PAGE = 200
COPIED_DAYS = 100
"""Of a list that is not narrowed to a day, the days it tells."""
COUNT = "/count"
"""What has been asked for since this was asked last."""


class Answers(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, answer: Callable[[str], bytes]) -> None:
        self._answer = answer
        self._buffer = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, rest = self._buffer[:end], self._buffer[end + 4 :]
            length = _length(head)
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._reply(self._answer(head.split(b" ", 2)[1].decode()))

    def _reply(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )


def _length(head: bytes) -> int:
    """Of a request's body."""
    _, named, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if named else 0


@dataclass(frozen=True)
class Products:
    """Everything that is asked for, by its address."""

    company: Company
    counted: Counter[str]

    def answer(self, target: str) -> bytes:
        """The body for the target of a request."""
        path, _, query = target.partition("?")
        if path == COUNT:
            return self._told()
        if path in self.company.fixed:
            return self.company.fixed[path]
        if path.endswith("/oauth/v2/token"):
            return b'{"access_token":"static","expires_in":3600,"token_type":"Bearer"}'
        what, _, record = path[path.index("/v") + 4 :].partition("/")
        self.counted[f"{what}/id" if record else what] += 1
        return self._record(what, record) if record else self._page(what, dict(parse_qsl(query)))

    def _record(self, what: str, record: str) -> bytes:
        number = int(record)
        return self.company.customer(number) if what == "contacts" else self.company.invoice(number)

    def _page(self, what: str, asked: dict[str, str]) -> bytes:
        pages = {"invoices": self.company.invoices, "contacts": self.company.contacts}
        if what not in pages:
            return empty(what)
        size = min(LARGEST_PAGE, int(asked.get("per_page", LARGEST_PAGE)))
        day = number_of(asked["date_end"]) if "date_end" in asked else COPIED_DAYS - 1
        return pages[what](day, (int(asked.get("page", 1)) - 1) * size, size)

    def _told(self) -> bytes:
        body = json.dumps(self.counted).encode()
        self.counted.clear()
        return body


def counted(origin: str) -> dict[str, int]:
    """The calls since this was asked last, by what was asked for."""
    told: dict[str, int] = httpx.get(origin + COUNT).json()
    return told


@contextmanager
def served(company: Company, port: int, directory: Path) -> Iterator[None]:
    """The products on a port, in a process that lives as long as the block."""
    kept = directory / "company.msgpack"
    kept.write_bytes(msgpack.encode(company))
    with running(python("tests.bench.upstream", port, kept), port, path=COUNT):
        yield


async def _serve(port: int, company: Company) -> None:
    products = Products(company, Counter())
    server = await asyncio.get_running_loop().create_server(lambda: Answers(products.answer), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), msgpack.decode(Path(sys.argv[2]).read_bytes(), type=Company)))
