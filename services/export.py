"""The chain as a file that anybody can verify with SHA-256 alone (docs/audit.md)."""

import csv
import json
import os
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO

from services.storage.chain import AuditLink


class Format(StrEnum):
    """How a link is written."""

    JSONL = "jsonl"
    CSV = "csv"


PROVED = ("organization", "sequence", "hash", "entry")
"""What a line says that can be verified; a line of CSV repeats columns of the event beside it, for reading."""
READABLE = ("at", "actor_name", "actor_email", "credential_email", "action", "product", "subject_number", "outcome")
_FORMULA = tuple("=+-@\t\r")
"""How a cell begins that a spreadsheet would work out."""


@dataclass(frozen=True)
class Exported:
    """A file that was written: how many links, and SHA-256 of its bytes as hex digits."""

    links: int
    digest: str


async def write(links: AsyncIterable[AuditLink], path: Path, form: Format = Format.JSONL) -> Exported:
    """Write links into a new file, link by link, and have it on the disk. Raises `FileExistsError`."""
    count, line, digest = 0, _LINES[form], sha256()
    with _new(path) as file:
        for head in _HEADS[form]:
            digest.update(head)
            file.write(head)
        async for link in links:
            piece = line(link)
            digest.update(piece)
            file.write(piece)
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return Exported(count, digest.hexdigest())


def _new(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _proved(link: AuditLink) -> dict[str, Any]:
    return dict(zip(PROVED, (link.organization_id, link.sequence, link.hash, link.entry), strict=True))


def _json_line(link: AuditLink) -> bytes:
    return json.dumps(_proved(link)).encode() + b"\n"


def _csv_line(link: AuditLink) -> bytes:
    event, proved = json.loads(link.entry)["event"], _proved(link)
    readable = [_harmless(event.get(name)) for name in READABLE]
    return _row([*(proved[name] for name in PROVED[:-1]), *readable, proved["entry"]])


def _harmless(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: list[Any]) -> bytes:
    line = StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


_LINES: dict[Format, Callable[[AuditLink], bytes]] = {Format.JSONL: _json_line, Format.CSV: _csv_line}
_HEADS = {Format.JSONL: (), Format.CSV: (_row([*PROVED[:-1], *READABLE, PROVED[-1]]),)}
