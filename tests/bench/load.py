"""Requests over connections that stay open, and what a server spent on each by its own account."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from typing import Any

import uvloop

from tests.bench.processes import Process

AT_ONCE = 8
MOST = 3000
LEAST = 40
"""Requests of a round."""

Body = Callable[[int], dict[str, Any]]
"""The GraphQL request of a number: no two ask for the same."""


class Wrong(AssertionError):
    """A server's answer is not what was asked for."""


@dataclass(frozen=True)
class Contestant:
    """A server, or several that share the work, what it is asked, and with which headers."""

    name: str
    processes: Sequence[Process]
    body: Body
    headers: Mapping[str, str] = field(default_factory=dict)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def run(self, requests: int) -> float:
        """CPU seconds a request of so many."""
        before = sum(process.cpu for process in self.processes)
        uvloop.run(self._asked(requests))
        return (sum(process.cpu for process in self.processes) - before) / requests

    def answer(self) -> Any:
        """One answer, decoded; raises `Wrong` when it is not a 200."""
        return json.loads(uvloop.run(self._asked(1))[0])

    def requests(self, seconds: float) -> int:
        """How many requests take about so many seconds of CPU; measured after as many to warm up."""
        first = self._fitting(seconds, self.run(LEAST))
        return self._fitting(seconds, self.run(first))

    @staticmethod
    def _fitting(seconds: float, spent: float) -> int:
        return max(LEAST, min(MOST, round(seconds / spent)))

    async def _asked(self, requests: int) -> list[bytes]:
        """The answers of the first lane's last requests."""
        shares = [requests // AT_ONCE + (lane < requests % AT_ONCE) for lane in range(AT_ONCE)]
        lanes = (self._lane(self.processes[lane % len(self.processes)], share) for lane, share in enumerate(shares))
        return list(await asyncio.gather(*lanes))

    async def _lane(self, process: Process, requests: int) -> bytes:
        """One connection's requests, one after the other; the last answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
        body = b""
        for _ in range(requests):
            writer.write(self._request(next(self.numbers)))
            body = await answered(reader)
        writer.close()
        return body

    def _request(self, number: int) -> bytes:
        content = json.dumps(self.body(number)).encode()
        named = {"Host": "127.0.0.1", "Content-Type": "application/json", "Accept": "application/json", **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return f"POST /graphql HTTP/1.1\r\n{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def answered(reader: asyncio.StreamReader) -> bytes:
    """The body of the next answer; raises `Wrong` when it is not a 200."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    body = await reader.readexactly(length)
    if b" 200 " not in head[:16]:
        raise Wrong((head + body)[:1000].decode())
    return body


def interleaved(contestants: Sequence[Contestant], *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """CPU seconds a request of each contestant in each round: A B C, A B C, …; a round takes each about `seconds`."""
    requests = {one.name: one.requests(seconds) for one in contestants}
    spent: dict[str, list[float]] = {one.name: [] for one in contestants}
    for _ in range(rounds):
        for one in contestants:
            spent[one.name].append(one.run(requests[one.name]))
    return spent


def times(ours: Sequence[float], against: Sequence[float]) -> float:
    """How many times ours the other's is: the median of the rounds."""
    return median(other / mine for mine, other in zip(ours, against, strict=True))
