"""Setting webhooks up: what an administrator enters in the products, and the demo's sandbox, which is told."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx
from sqlmodel import select
from starlette.applications import Starlette

from gateway.http.webhooks import ORGANIZATION, PATHS, secret
from gateway.settings import Settings
from gateway.wiring.assembly import database_of
from gateway.wiring.upgrading import upgraded
from services.credentials import NAMES, Credentials
from services.policy import Product
from services.sandbox import Sandbox
from services.storage.engine import Database
from services.storage.models import Organization
from services.storage.sealing import Seal

_STEPS = {
    Product.BOOKS: (
        "Settings → Automation → Workflow Actions → Webhooks → New Webhook: one for each of the modules Quotes,",
        "Invoices, Sales Orders, Purchase Orders, Customers and Vendors, secured with the token. Then, for each,",
        "Settings → Automation → Workflow Rules → New Rule: when a record is created, edited or deleted, send it.",
    ),
    Product.BILLING: (
        "Settings → Automation → Webhooks → New Webhook, for all events of subscriptions;",
        "mark “I want to secure this webhook” and give the token.",
    ),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a product posts to, and the token with which it signs."""

    product: Product
    organization_id: str
    product_organization_id: str
    url: str
    secret: str = field(repr=False)


async def addresses(settings: Settings, credentials: Credentials) -> list[Address]:
    """One for each product that an organization has connected."""
    key = settings.keys[0]
    return [
        Address(
            owner.product,
            owner.organization_id,
            owner.product_organization_id,
            f"{settings.public_url}{PATHS[owner.product]}?{urlencode({ORGANIZATION: owner.organization_id})}",
            secret(key, owner.product, owner.organization_id),
        )
        for owner in await credentials.owners()
        if owner.product in PATHS
    ]


@asynccontextmanager
async def hooked(app: Starlette, settings: Settings, credentials: Credentials, sandbox: Sandbox) -> AsyncIterator[None]:
    """Within the block the sandbox posts its changes to this very application."""
    for one in await addresses(settings, credentials):
        sandbox.webhooks_to(
            one.product.lower(), one.product_organization_id, one.url, one.secret, httpx.ASGITransport(app)
        )
    try:
        yield
    finally:
        await sandbox.hooks.aclose()


async def instructions(settings: Settings) -> list[str]:
    """What to enter where, for all organizations."""
    async with database_of(settings) as database:
        await upgraded(database)
        names = await _names(database)
        known = await addresses(settings, Credentials(database, Seal(settings.keys)))
    told = [line for one in known for line in _instructed(names[one.organization_id], one)]
    return told or ["No organization has connected Zoho Books or Zoho Billing yet."]


async def _names(database: Database) -> dict[str, str]:
    async with database.session() as session:
        return {row.id: row.name for row in await session.exec(select(Organization))}


def _instructed(name: str, one: Address) -> Sequence[str]:
    return (
        f"{name} · {NAMES[one.product]}",
        f"  URL           {one.url}",
        "  Method        POST, with the default payload, as raw JSON",
        f"  Secret token  {one.secret}",
        *(f"  {line}" for line in _STEPS[one.product]),
        "",
    )
