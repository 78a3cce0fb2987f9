"""Servers in processes of their own, and what they have spent by their own accounts."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import environ
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic, sleep
from typing import IO

import httpx
import psutil

ROOT = Path(__file__).parents[2]
START_SECONDS = 90.0
END_SECONDS = 30.0


class NotStarted(RuntimeError):
    """A server that was to be measured does not answer."""


@dataclass(frozen=True)
class Process:
    """A server that answers on a port of 127.0.0.1."""

    port: int
    pid: int

    @property
    def cpu(self) -> float:
        """Seconds of user and system time so far, all threads together."""
        spent = psutil.Process(self.pid).cpu_times()
        return float(spent.user + spent.system)

    @property
    def memory(self) -> int:
        """Bytes of its resident set."""
        return int(psutil.Process(self.pid).memory_info().rss)


@contextmanager
def running(
    command: Sequence[str], port: int, environment: Mapping[str, str] | None = None, path: str = "/healthz"
) -> Iterator[Process]:
    """A server from its first answer at `path` until the block is left; ended by its process id."""
    with TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603 - our own servers
            command, cwd=ROOT, env={**environ, **(environment or {})}, stdout=log, stderr=log
        )
        try:
            _await(process, f"http://127.0.0.1:{port}{path}", log)
            yield Process(port, process.pid)
        finally:
            _end(process)


async def answering(process: "subprocess.Popen[bytes]", address: str, path: str = "/readyz") -> None:
    """Return when a process that has just been started answers well at `path`; raises `NotStarted`."""
    until = monotonic() + START_SECONDS
    async with httpx.AsyncClient(base_url=address) as client:
        while process.poll() is None and monotonic() < until:
            with suppress(httpx.HTTPError):
                (await client.get(path)).raise_for_status()
                return
            await asyncio.sleep(0.1)
    raise NotStarted(f"{process.args!r} does not answer at {address}{path}")


def free_port() -> int:
    """One that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def python(module: str, *arguments: object) -> list[str]:
    """The command for one of our own modules."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def _await(process: "subprocess.Popen[bytes]", url: str, log: IO[bytes]) -> None:
    until = monotonic() + START_SECONDS
    while process.poll() is None and monotonic() < until:
        with suppress(httpx.HTTPError):
            httpx.get(url, timeout=5)
            return
        sleep(0.1)
    log.seek(0)
    raise NotStarted(f"{' '.join(process.args)} does not answer:\n{log.read().decode()[-2000:]}")  # type: ignore[arg-type]


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
