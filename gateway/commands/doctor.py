"""What can be wrong with an installation, looked at piece by piece."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import typer
from alembic.util import CommandError
from msgspec.json import Decoder
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from gateway.demo.sandbox import completed, open_sandbox
from gateway.http.authentication import Keys
from gateway.serving import with_database
from gateway.settings import Settings
from gateway.wiring.assembly import Assembly, assembled, database_of
from gateway.wiring.upgrading import FORBIDDEN, GO_BACK, NEWER, as_owner
from services.credentials import Ownership
from services.errors import GatewayError
from services.policy import Product
from services.storage.embedded import EmbeddedError
from services.storage.engine import Database
from services.storage.failures import first_line, is_forbidden
from services.storage.rights import may_upgrade
from services.storage.sealing import Unsealable
from services.upstream.envelopes import Envelope

UPGRADE = "Bring its schema up to date: python -m gateway upgrade"
CLOCKS = timedelta(seconds=5)
"""Clocks further apart than this refuse each other's tokens sooner or later."""
PROBES: Mapping[Product, tuple[str, Callable[[bytes], Any]]] = {
    Product.CRM: ("/org", Decoder(dict).decode),
    Product.BOOKS: ("/users/me", Decoder(Envelope).decode),
    Product.BILLING: ("/plans", Decoder(Envelope).decode),
}
"""A cheap read of each product."""


@dataclass(frozen=True)
class Finding:
    """Something that was looked at; where it is not well, what to do about it."""

    what: str
    well: bool
    said: str
    remedy: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything that can be looked at."""
    place = "real organizations" if not settings.demo else "the sandbox stands in for Zoho"
    transport = open_sandbox(settings).transport() if settings.demo else None
    found = [finding async for finding in _examined(completed(settings), transport)]
    return [Finding("settings", True, place), *found]


def shown(findings: list[Finding]) -> bool:
    """Print the findings; whether all is well."""
    for finding in findings:
        typer.echo(f"{'✓' if finding.well else '✗'} {finding.what}: {finding.said}")
        if finding.remedy:
            typer.echo(f"    → {finding.remedy}")
    return all(finding.well for finding in findings)


async def _examined(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> AsyncIterator[Finding]:
    try:
        with with_database(settings) as complete:
            database = await _database(complete)
            yield database
            if database.well:
                async for finding in _inside(complete, transport):
                    yield finding
    except EmbeddedError as error:
        yield Finding("database", False, str(error), "Set DATABASE_URL to a PostgreSQL server of your own.")


async def _database(settings: Settings) -> Finding:
    async with database_of(settings) as database:
        try:
            version = await _ask(database, "SHOW server_version")
            await database.check_current()
        except SQLAlchemyError as error:
            told = first_line(error)
            if is_forbidden(error):
                return Finding("database", False, f"{FORBIDDEN} ({told})", as_owner(database))
            return Finding("database", False, told, "Check DATABASE_URL and that PostgreSQL answers there.")
        except CommandError as error:
            return Finding("database", False, *await _other(database, error))
    return Finding("database", True, f"PostgreSQL {version}, schema up to date")


async def _other(database: Database, error: CommandError) -> tuple[str, str]:
    """What to say of a schema that is not ours, and to do about it."""
    if await database.is_current():  # at least ours, and not ours
        return NEWER, GO_BACK
    async with database.session() as session:
        if await may_upgrade(session):
            return str(error), UPGRADE
    return FORBIDDEN, as_owner(database)


async def _inside(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> AsyncIterator[Finding]:
    async with assembled(settings, transport) as assembly:
        yield await _clock(assembly.database)
        for issuer in settings.openid.issuers if settings.openid else ():
            yield await _provider(settings, assembly, issuer)
        owners = await assembly.services.credentials.owners()
        if not owners:
            yield Finding("connections", False, "no organization is connected", "Connect one; the README says how.")
        for owner in owners:
            yield await _connection(assembly, owner)


async def _ask(database: Database, query: str) -> Any:
    async with database.session() as session:
        return (await session.scalars(text(query))).one()


async def _clock(database: Database) -> Finding:
    apart = abs(await _ask(database, "SELECT clock_timestamp()") - datetime.now(UTC))
    said = f"{apart.total_seconds():.1f} s apart from the database's"
    if apart < CLOCKS:
        return Finding("clock", True, said)
    return Finding("clock", False, said, "Keep both machines' clocks by NTP.")


async def _provider(settings: Settings, assembly: Assembly, issuer: str) -> Finding:
    what = f"sign-in by {issuer}"
    if settings.openid is None:
        return Finding(what, False, "not set", "Set GATEWAY_OPENID__ISSUERS and GATEWAY_OPENID__AUDIENCE.")
    try:
        keys = await Keys(issuer, settings.openid, assembly.client.fetch).holding(None)
    except GatewayError as error:
        return Finding(what, False, error.message, "Check GATEWAY_OPENID__ISSUERS and the way to the provider.")
    return Finding(what, True, f"{len(keys.keys)} signing keys")


ADVICE = {
    "UPSTREAM_RATE_LIMITED": "Ask again in a minute; if it stays so, others spend the calls of the organization.",
    "UPSTREAM_UNAVAILABLE": "Look whether this machine reaches the product, and at Zoho's status page.",
}


async def _connection(assembly: Assembly, owner: Ownership) -> Finding:
    what = f"{owner.product} of organization {owner.product_organization_id}, as {owner.email}"
    try:
        connection = await assembly.services.credentials.owner(owner.organization_id, owner.product)
        path, decode = PROBES[owner.product]
        await assembly.client.get(connection, path, decode)
    except Unsealable:
        return Finding(
            what, False, "its token cannot be unsealed", "Put the earlier key back into GATEWAY_SEALING_KEYS."
        )
    except GatewayError as error:
        return Finding(what, False, error.message, error.hint or ADVICE.get(error.code, "Connect the product again."))
    return Finding(what, True, f"answers at {connection.api_domain}")
