"""The front door, without a network."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette

Heard = Callable[[str], None]
"""Is given an answer's head, and then its body as it comes."""


async def posted(app: Starlette, token: str, body: bytes, heard: Heard, accept: bytes = b"*/*") -> None:
    """One request, as a server gives it to the application."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"gateway.example"),
            (b"accept", accept),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"authorization", f"Bearer {token}".encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    coming = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return coming.pop() if coming else await asyncio.Future()

    async def send(message: Any) -> None:
        for name, value in message.get("headers", ()):
            heard(f"{name.decode('latin-1')}: {value.decode('latin-1')}\n")
        heard(message.get("body", b"").decode())

    await app(scope, receive, send)
