"""Where a person comes back to after consenting at Zoho, and the links that lead there."""

from collections.abc import Awaitable, Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.http.answer import status_of
from gateway.settings import Settings
from gateway.wiring.assembly import Assembly, assembled
from gateway.wiring.consenting import consents_on
from services.consent import Connected, Consents
from services.credentials import NAMES
from services.errors import GatewayError

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The page's address has a code in it, so nothing may be loaded from it, framed, kept or told onwards."""


def consents(settings: Settings, assembly: Assembly) -> Consents:
    """The way to consent, for the OAuth client of the settings."""
    services = assembly.services
    return consents_on(settings, assembly.database, assembly.client, services.credentials, services.directory)


async def callback(request: Request) -> Response:
    """Zoho's redirect: connect, and tell in words what has become of it."""
    asked = request.query_params
    way: Consents = request.app.state.consents
    try:
        connected = await way.complete(
            asked.get("state", ""),
            code=asked.get("code"),
            location=asked.get("location"),
            accounts_server=asked.get("accounts-server"),
            error=asked.get("error"),
            request_id=request.state.request_id,
        )
    except GatewayError as error:
        return _page("Not connected", [error.message, error.hint or ""], status_of(error))
    return _page("Connected", _told(connected), 200)


async def link(settings: Settings, begin: Callable[[Consents], Awaitable[str]]) -> str:
    """The link that `begin` makes; raises `GatewayError`."""
    async with assembled(settings, None) as assembly:
        return await begin(consents(settings, assembly))


def _told(connected: Connected) -> list[str]:
    products = [NAMES[product] for product in connected.products]
    role = "owner of the integration" if connected.is_owner else "user"
    lines = [f"{connected.email} has connected {_and(products)} of {connected.organization}, as {role}."]
    if connected.migrated:
        lines.append("From now on this person works under their own access.")
    return [*lines, "You can close this page."]


def _and(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _page(title: str, lines: list[str], status: int) -> HTMLResponse:
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    head = f'<meta charset="utf-8"><title>{title}</title>'
    return HTMLResponse(f'<!doctype html><html lang="en">{head}<h1>{title}</h1>{paragraphs}</html>', status, HEADERS)
