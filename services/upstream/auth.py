"""OAuth with Zoho Accounts: an access token for every connection, renewed once for all who wait for it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from urllib.parse import urlencode

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from services.errors import (
    DeadlineExceeded,
    Forbidden,
    GatewayError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from services.policy import Product
from services.storage.clock import CLOCK


@dataclass(frozen=True, slots=True)
class DataCenter:
    """Where an organization lives; `location` is how Zoho's redirect after consent names it."""

    name: str
    location: str
    api_domain: str
    accounts_url: str


_ADDRESSES = (
    ("com", "us", "www.zohoapis.com", "accounts.zoho.com"),
    ("eu", "eu", "www.zohoapis.eu", "accounts.zoho.eu"),
    ("in", "in", "www.zohoapis.in", "accounts.zoho.in"),
    ("com.au", "au", "www.zohoapis.com.au", "accounts.zoho.com.au"),
    ("jp", "jp", "www.zohoapis.jp", "accounts.zoho.jp"),
    ("ca", "ca", "www.zohoapis.ca", "accounts.zohocloud.ca"),
    ("sa", "sa", "www.zohoapis.sa", "accounts.zoho.sa"),
    ("com.cn", "cn", "www.zohoapis.com.cn", "accounts.zoho.com.cn"),
    ("uk", "uk", "www.zohoapis.uk", "accounts.zoho.uk"),
)
DATA_CENTERS: Mapping[str, DataCenter] = {
    name: DataCenter(name, location, f"https://{api}", f"https://{accounts}")
    for name, location, api, accounts in _ADDRESSES
}
"""Facts §1.1; Canada's accounts and API have different domains, and Books in the UK is unverified."""


def data_centers_at(origin: str) -> Mapping[str, DataCenter]:
    """All data centres under one origin, as the stand-alone sandbox serves them."""
    return {
        name: DataCenter(name, center.location, f"{origin}/{name}/api", f"{origin}/{name}/accounts")
        for name, center in DATA_CENTERS.items()
    }


class Connection(Protocol):
    """One person's access to one product of one organization."""

    @property
    def id(self) -> str:
        """The key of its tokens."""

    @property
    def organization_id(self) -> str:
        """Of the gateway."""

    @property
    def member_id(self) -> str:
        """Whose access it is."""

    @property
    def email(self) -> str:
        """The person's address, as the audit names it."""

    @property
    def product(self) -> Product:
        """The product it opens."""

    @property
    def product_organization_id(self) -> str:
        """The organization's id in the product; empty while it is being asked for."""

    @property
    def data_center(self) -> str:
        """A key of `DATA_CENTERS`."""

    @property
    def accounts_url(self) -> str:
        """Where its tokens are renewed."""

    @property
    def api_domain(self) -> str:
        """Where the product answers, as told with the first token."""

    @property
    def is_owner(self) -> bool:
        """Whether it is the integration owner's."""

    @property
    def refresh_token(self) -> str:
        """Opened, not sealed."""


class HeldToken(Protocol):
    """The stored access token of a connection while nobody else can change it."""

    @property
    def access_token(self) -> str | None:
        """The token, if there has been one."""

    @property
    def expires_at(self) -> datetime | None:
        """Its end."""

    @property
    def api_domain(self) -> str:
        """Where it opens doors."""

    async def save(self, access_token: str, expires_at: datetime, api_domain: str) -> None:
        """Store a renewed token."""


class TokenStore(Protocol):
    """Where replicas share access tokens."""

    def locked(self, connection_id: str) -> AbstractAsyncContextManager[HeldToken]:
        """The connection's token, locked against every other process until left."""


class Received(NamedTuple):
    """An answer as it came: the body undecoded, header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Send(Protocol):
    """How a request leaves: `Client.send`."""

    async def __call__(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, deadline: float
    ) -> Received:
        """Send one request; `deadline` in `time.monotonic()`."""


class Grant(Struct, kw_only=True):
    """An answer of the token endpoint; an `error` can come with status 200 (facts §5)."""

    access_token: str | None = None
    refresh_token: str | None = None
    expires_in: int = 3600
    api_domain: str | None = None
    scope: str | None = None
    id_token: str | None = None
    error: str | None = None
    error_description: str | None = None


@dataclass(slots=True)
class Token:
    """An access token in use.

    Until `trusted_until` (monotonic, as `made_at`) a refusal is taken as the role's, not the token's, because the token
    has just been made or has just worked. `hold` is how long a new token is trusted before it has worked.
    """

    value: str
    expires_at: float
    api_domain: str
    made_at: float
    trusted_until: float
    hold: float
    headers: Mapping[str, str] = field(repr=False)
    """What every call under this token is sent with."""


USER_AGENT = "finance-gateway"
BILLING_ORGANIZATION = "X-com-zoho-subscriptions-organizationid"
MARGIN = 60.0
"""Seconds before its end at which a token is renewed."""
TRUST = 60.0
LONGEST_TRUST = 960.0
"""A role that refuses everything costs a new token after 60 s, 120 s, 240 s …: Zoho allows 10 in 10 minutes."""
PATIENCE = 15.0
"""Seconds a renewal may take; it goes on when those who wait for it give up."""
SILENT = "Zoho Accounts does not answer at the moment."
THROTTLE = 600
"""Seconds for which Zoho refuses new tokens once there have been too many (facts §5)."""

_grant = Decoder(Grant).decode


class Authorization:
    """Access tokens of all connections, in this process's memory in front of the store that replicas share."""

    def __init__(
        self, store: TokenStore, client_id: str, client_secret: str, *, now: Callable[[], float] = CLOCK.seconds
    ) -> None:
        self._store = store
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._now = now
        self._tokens: dict[str, Token] = {}
        self._renewals: dict[str, asyncio.Task[Token]] = {}

    def current(self, connection: Connection) -> Token | None:
        """The token in memory, while it lasts."""
        token = self._tokens.get(connection.id)
        return token if token is not None and token.expires_at > self._now() else None

    def proved(self, token: Token) -> None:
        """The token has just worked."""
        token.trusted_until = max(token.trusted_until, time.monotonic() + TRUST)
        token.hold = TRUST

    def admit(self, connection: Connection, grant: Grant) -> None:
        """Use the access token that came with a consent, for a connection that is stored or is yet to be."""
        expires_at = self._now() + grant.expires_in
        token = self._kept(grant.access_token or "", expires_at, grant.api_domain, connection, None)
        self._tokens[connection.id] = token

    def forget(self, connection_id: str) -> None:
        """After the connection has been made anew or removed."""
        self._tokens.pop(connection_id, None)

    async def token(self, connection: Connection, send: Send, deadline: float) -> Token:
        """An access token that has not expired."""
        return self.current(connection) or await self._shared_renewal(connection, None, send, deadline)

    async def renewed(
        self, connection: Connection, refused: Token, send: Send, deadline: float, *, certain: bool = False
    ) -> Token | None:
        """Another token than the refused one; None when that one is to be trusted: the refusal is about the role.

        `certain`: the product blames the token and nothing else, so only one just made is trusted.
        """
        latest = self.current(connection)
        if latest is not None and latest.value != refused.value:
            return latest
        if time.monotonic() < (refused.made_at + TRUST if certain else refused.trusted_until):
            return None
        return await self._shared_renewal(connection, refused, send, deadline)

    async def _shared_renewal(
        self, connection: Connection, refused: Token | None, send: Send, deadline: float
    ) -> Token:
        task = self._renewals.get(connection.id)
        if task is None:
            task = asyncio.create_task(self._renewal(connection, refused, send))
            self._renewals[connection.id] = task
            task.add_done_callback(lambda _: self._renewals.pop(connection.id, None))
        try:
            async with asyncio.timeout(deadline - time.monotonic()) as limit:
                return await asyncio.shield(task)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineExceeded(product=connection.product) from error

    async def _renewal(self, connection: Connection, refused: Token | None, send: Send) -> Token:
        async with self._store.locked(connection.id) as held:
            stored = self._stored(held, connection, refused)
            if stored is None:
                grant = await self._refresh(connection, send)
                expires_at = self._now() + grant.expires_in
                stored = self._kept(grant.access_token or "", expires_at, grant.api_domain, connection, refused)
                await held.save(stored.value, datetime.fromtimestamp(expires_at, UTC), stored.api_domain)
        self._tokens[connection.id] = stored
        return stored

    def _stored(self, held: HeldToken, connection: Connection, refused: Token | None) -> Token | None:
        """What another process has stored meanwhile, unless it is the refused one or at its end."""
        value, until = held.access_token, held.expires_at
        if not value or until is None or until.timestamp() - MARGIN <= self._now():
            return None
        if refused is not None and refused.value == value:
            return None
        token = self._kept(value, until.timestamp(), held.api_domain, connection, refused)
        token.made_at = token.trusted_until = -TRUST
        return token

    def _kept(
        self, value: str, expires_at: float, api_domain: str | None, connection: Connection, refused: Token | None
    ) -> Token:
        hold = min(refused.hold * 2, LONGEST_TRUST) if refused is not None else TRUST
        now = time.monotonic()
        return Token(
            value=value,
            expires_at=expires_at - MARGIN,
            api_domain=api_domain or connection.api_domain,
            made_at=now,
            trusted_until=now + hold,
            hold=hold,
            headers=_headers(connection, value),
        )

    async def _refresh(self, connection: Connection, send: Send) -> Grant:
        form = {"grant_type": "refresh_token", "refresh_token": connection.refresh_token}
        try:
            return await self._granted(connection.accounts_url, form, send, time.monotonic() + PATIENCE)
        except GatewayError as error:
            error.details.setdefault("product", connection.product)
            raise

    async def exchange(
        self,
        center: DataCenter,
        code: str,
        redirect_uri: str,
        send: Send,
        *,
        deadline: float,
        code_verifier: str | None = None,
    ) -> Grant:
        """What a grant code of the consent page is worth: refresh token, access token, scopes, `api_domain`."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if code_verifier:
            form["code_verifier"] = code_verifier
        return await self._granted(center.accounts_url, form, send, deadline)

    async def _granted(self, accounts_url: str, form: dict[str, str], send: Send, deadline: float) -> Grant:
        headers = {"content-type": "application/x-www-form-urlencoded", "user-agent": USER_AGENT}
        content = urlencode(form | self._client).encode()
        try:
            received = await send("POST", f"{accounts_url}/oauth/v2/token", headers, content, deadline)
        except UpstreamUnavailable as error:  # even a lost answer: nothing has been written with a token
            raise UpstreamUnavailable(SILENT) from error
        if received.status >= 500:  # noqa: PLR2004
            raise UpstreamUnavailable(SILENT)
        try:
            grant = _grant(received.body)
        except DecodeError as error:
            raise UpstreamRejected("Zoho Accounts gave an answer that cannot be read.") from error
        if grant.access_token is None:
            raise _refusal(grant)
        return grant


def _headers(connection: Connection, token: str) -> Mapping[str, str]:
    headers = {"authorization": f"Zoho-oauthtoken {token}", "accept": "application/json", "user-agent": USER_AGENT}
    if connection.product is Product.BILLING and connection.product_organization_id:
        headers[BILLING_ORGANIZATION] = connection.product_organization_id
    return headers


def _refusal(grant: Grant) -> Forbidden | UpstreamRateLimited | UpstreamRejected:
    told = f"{grant.error} {grant.error_description or ''}".strip()
    if grant.error == "Access Denied":
        return UpstreamRateLimited("Zoho Accounts refuses further tokens for a while.", retryAfter=THROTTLE)
    if grant.error in {"invalid_code", "invalid_grant", "access_denied"}:
        return Forbidden(
            "The stored access to the product is no longer valid.", hint="Connect the product again.", reason=told
        )
    return UpstreamRejected("Zoho Accounts refused the application.", productMessage=told)


def consent_url(
    center: DataCenter, client_id: str, redirect_uri: str, scopes: tuple[str, ...], state: str, **more: str
) -> str:
    """Where a person agrees that the gateway acts for them."""
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": ",".join(scopes),
        "access_type": "offline",
        "prompt": "consent",
        "state": state,
    }
    return f"{center.accounts_url}/oauth/v2/auth?{urlencode(asked | more)}"
