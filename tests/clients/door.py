"""The demo's gateway as clients reach it: a port that stays while the gateway behind it ends and comes back."""

import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gateway.live.routes import live_on
from gateway.settings import Http
from gateway.trusted.taking import add
from resolvers.ids import encode
from tests.gateway.live_harness import serving
from tests.harness import Gateway, demo_of_its_own, set_up

OWNER = "owner@demo.example"
LEEWAY_SECONDS = 30
"""For which a token is good after its end."""
UPDATE = """mutation ($id: ID!, $notes: String!, $key: ID!) {
  estimateUpdate(id: $id, input: {notes: $notes}, idempotencyKey: $key) { outcome }
}"""


@dataclass
class Door:
    """What a client may ask for while it goes through its scenarios."""

    gateway: Gateway
    draft: str
    """The global id of an estimate that may be changed."""
    missing: str
    """The global id of an invoice that there is not."""
    port: int = 0
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def url(self) -> str:
        """Where clients send everything."""
        return f"http://127.0.0.1:{self.port}/graphql"

    def token(self, seconds: float = 3600) -> str:
        """A token for so long."""
        return self.gateway.token(OWNER, lifetime=seconds - LEEWAY_SECONDS)

    async def change(self) -> None:
        """Change the draft, as somebody else's client does."""
        word = secrets.token_hex(8)
        answer = await self.gateway.ask("staff", UPDATE, id=self.draft, notes=word, key=word)
        assert answer["data"]["estimateUpdate"]["outcome"] == "APPLIED", answer

    async def trust(self, documents: Mapping[str, str]) -> None:
        """Take in a client's manifest."""
        if not documents:
            return
        with tempfile.TemporaryDirectory(prefix="manifest-") as directory:
            manifest = Path(directory) / "manifest.json"
            manifest.write_bytes(msgspec.json.encode(documents))
            await add(self.gateway.settings, [manifest])

    async def restart(self) -> None:
        """End, as when a new version is rolled out, and come back on the same port."""
        await self.close()
        await self.open()

    async def open(self) -> None:
        """Begin to serve."""
        state = self.gateway.app.state
        state.live = live_on(state.endpoint, state.live.limits)
        self.port = await self._open.enter_async_context(serving(self.gateway.app, Http(), self.port))

    async def close(self) -> None:
        """Serve no longer."""
        await self._open.aclose()


@asynccontextmanager
async def opened(gateway: Gateway) -> AsyncIterator[Door]:
    """A gateway behind a door, with the copy that tells what has changed."""
    services = gateway.app.state.endpoint.services
    organization_id = next(one.organization_id for one in await services.credentials.owners() if one.email == OWNER)
    await services.copy.pull(organization_id, "estimates")
    drafts = await gateway.ask("staff", "{ estimates(first: 1, where: {status: DRAFT}) { nodes { id } } }")
    missing = encode(organization_id, "invoices", "460000000000000000")
    door = Door(gateway, drafts["data"]["estimates"]["nodes"][0]["id"], missing)
    await door.open()
    try:
        yield door
    finally:
        await door.close()


@asynccontextmanager
async def demonstrated() -> AsyncIterator[Gateway]:
    """The demo on a database of its own, for those who run without pytest."""
    with demo_of_its_own() as demo:
        await set_up(demo)
        async with demo.gateway() as gateway:
            yield gateway
