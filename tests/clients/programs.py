"""Clients that run on Node: a process each, which tells how it went and asks for what only the server's side can do."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any

import msgspec

from tests.clients.door import Door

HOME = Path(__file__).parent / "node"
CLIENTS: Mapping[str, str] = {
    "Apollo Client": "apollo",
    "urql": "urql",
    "Relay": "relay",
    "graphql-ws": "graphql-ws",
    "graphql-sse": "graphql-sse",
}
"""Each by the name of its program in `node/`."""
SCENARIOS = (
    "document by id",
    "query",
    "unknown id, then text",
    "mutation, userErrors",
    "error, code and path",
    "pages",
    "node, read again",
    "Subscription records",
    "live, WebSocket",
    "live, SSE",
    "server restarts, WebSocket",
    "server restarts, SSE",
    "token ends, WebSocket",
    "token ends, SSE",
)
SECONDS = 180
"""That one client may take for everything."""


class Absent(RuntimeError):
    """What the clients need is not installed."""


@dataclass(frozen=True)
class Outcome:
    """How a client fared in a scenario; `problem` is None when all went well."""

    client: str
    scenario: str
    problem: str | None = None


def check_installed() -> None:
    """Raises `Absent`, which says how to install what is missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Absent("Node 20 or newer is not installed: https://nodejs.org/en/download")
    if not (HOME / "node_modules").is_dir():
        raise Absent(f"The clients are not installed: run `npm ci` in {HOME}")


async def compiled() -> None:
    """Have Relay's compiler read our schema; raises `Absent` with its words when it does not like it."""
    shutil.rmtree(HOME / "relay" / "__generated__", ignore_errors=True)  # the manifest gets what is compiled anew
    (HOME / "persisted.json").write_text("{}")
    compiler = HOME / "node_modules" / ".bin" / "relay-compiler"
    made = await asyncio.create_subprocess_exec(
        compiler, "relay.config.json", cwd=HOME, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    words, _ = await made.communicate()
    if made.returncode:
        raise Absent(words.decode())


async def played(client: str, door: Door) -> AsyncIterator[Outcome]:
    """How a client fares, scenario by scenario; one that breaks down has a problem in "all"."""
    process = await asyncio.create_subprocess_exec(
        "node",
        f"{CLIENTS[client]}.mjs",
        cwd=HOME,
        env=environ | {"GATEWAY_URL": door.url},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            async for told in _told(process, door):
                yield Outcome(client, told["scenario"], told["problem"])
            if code := await process.wait():
                yield Outcome(client, "all", f"ended with {code}")
    except TimeoutError:
        yield Outcome(client, "all", f"took more than {SECONDS} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _told(process: asyncio.subprocess.Process, door: Door) -> AsyncIterator[dict[str, Any]]:
    """What a client says of itself; what it asks for is done on the way."""
    assert process.stdin
    assert process.stdout
    async for line in process.stdout:
        said = msgspec.json.decode(line)
        if "ask" not in said:
            yield said
            continue
        answer = await _ANSWERS[said["ask"]](door, said)
        process.stdin.write(msgspec.json.encode(answer or {}) + b"\n")


async def _begin(door: Door, _: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"token": door.token(), "estimate": door.draft, "missing": door.missing}


async def _token(door: Door, said: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"token": door.token(said["seconds"])}


_ANSWERS: Mapping[str, Callable[[Door, Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]]] = {
    "begin": _begin,
    "token": _token,
    "change": lambda door, _: door.change(),
    "restart": lambda door, _: door.restart(),
    "trust": lambda door, said: door.trust(said["documents"]),
}
