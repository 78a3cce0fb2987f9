"""The sandbox's own log: what was called, under whose access, and what became of it."""

from collections import deque
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """`status` 0: no answer was given. `code` is 0 for success. `token` is a fingerprint of the access token."""

    at: float
    product: str
    data_centre: str
    method: str
    path: str
    query: dict[str, str]
    status: int
    code: int | str
    email: str = ""
    organization_id: str = ""
    token: str = ""
    user_agent: str = ""
    fault: str = ""


def fingerprint(token: str) -> str:
    return sha256(token.encode()).hexdigest()[:12] if token else ""


class Log:
    """The last `size` calls, in the order in which they ended."""

    def __init__(self, size: int = 50_000) -> None:
        self._calls: deque[Call] = deque(maxlen=size)

    def add(self, call: Call) -> None:
        self._calls.append(call)

    def clear(self) -> None:
        self._calls.clear()

    def find(self, *, path: str = "*", **equal: Any) -> list[Call]:
        """`path` is a pattern with `*`; every other filter names an attribute that must be equal."""
        return [call for call in self._calls if fnmatchcase(call.path, path) and _matches(call, equal)]


def _matches(call: Call, equal: dict[str, Any]) -> bool:
    return all(getattr(call, name) == value for name, value in equal.items())
