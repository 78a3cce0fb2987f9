"""Work in a forked process, which may hang or ruin itself."""

import json
import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

Say = Callable[[Any], None]


class Hanging(Exception):
    """The process has said nothing for too long."""


def told(work: Callable[[Say], None], patience: Callable[[], float]) -> Iterator[Any]:
    """What the work says, in a process of its own; raises `Hanging` after so many seconds without a word."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _work(work, writing)
    os.close(writing)
    try:
        yield from _lines(reading, patience)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _work(work: Callable[[Say], None], writing: int) -> None:
    try:
        work(lambda what: _write(writing, f"{json.dumps(what)}\n".encode()))
    except BaseException:  # noqa: BLE001 - whatever it is, this process ends here
        os._exit(1)
    os._exit(0)


def _write(to: int, text: bytes) -> None:
    while text:
        text = text[os.write(to, text) :]


def _lines(reading: int, patience: Callable[[], float]) -> Iterator[Any]:
    rest = b""
    while select.select([reading], [], [], patience())[0]:
        if not (more := os.read(reading, 1 << 16)):
            return
        *lines, rest = (rest + more).split(b"\n")
        yield from map(json.loads, lines)
    raise Hanging
