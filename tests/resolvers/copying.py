"""The copy of the products' records, read as a worker reads it."""

from gateway.wiring.assembly import assembled
from tests.harness import Gateway


async def read_copy(gateway: Gateway, *modules: str) -> None:
    """Bring these modules, or all, up to date in another process's stead."""
    async with assembled(gateway.settings, gateway.sandbox.transport()) as assembly:
        organization_id = (await assembly.services.identity.viewer("owner@demo.example")).organization_id
        for source in assembly.services.copy.sources:
            if not modules or source.module in modules:
                await assembly.services.copy.pull(organization_id, source.module)
