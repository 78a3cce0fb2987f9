"""The demo's people as the policy sees them."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from gateway.demo.people import set_up
from gateway.demo.sandbox import PEOPLE, completed
from gateway.settings import Settings
from gateway.wiring.assembly import assembled
from services.identity import Identity
from services.policy import Viewer
from services.sandbox import Sandbox
from services.storage.embedded import Embedded

DATABASE = "matrix"


def demo_people() -> Mapping[str, Viewer]:
    """The viewer that each demo person is, on a demo made for this alone, in which nothing was tried out."""
    with tempfile.TemporaryDirectory(prefix="gateway-", ignore_cleanup_errors=True) as directory:
        data = Path(directory)
        with Embedded(data / "postgres", durable=False).running() as embedded:
            url = SecretStr(embedded.ensure_database(DATABASE))
            return asyncio.run(_on(completed(Settings(data=data, database_url=url, zoho=None))))


async def people(identity: Identity) -> Mapping[str, Viewer]:
    """The viewer that each demo person is, by name."""
    return {name: await identity.viewer(f"{name}@demo.example") for name in PEOPLE}


async def _on(settings: Settings) -> Mapping[str, Viewer]:
    sandbox = Sandbox()
    async with assembled(settings, sandbox.transport()) as assembly:
        await set_up(assembly.services.credentials, assembly.services.directory, sandbox)
        return await people(assembly.services.identity)
