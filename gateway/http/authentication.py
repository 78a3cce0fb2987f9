"""Who calls: a bearer token of a trusted OpenID provider becomes a viewer."""

import json
import time
from asyncio import Lock
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
import structlog
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64decode

from gateway.settings import OpenId
from services.errors import GatewayError, Unauthenticated, UpstreamRejected

log = structlog.get_logger(__name__)

Fetch = Callable[[str], Awaitable[bytes]]
"""The body behind a URL; raises `UpstreamUnavailable` or `UpstreamRejected`."""
TOKEN_BYTES = 16 * 1024
MOST_PROVED = 10_000
"""Tokens whose proof is remembered."""
REASONS: Mapping[type[Exception], str] = {
    ExpiredTokenError: "EXPIRED_TOKEN",
    BadSignatureError: "BAD_SIGNATURE",
    InvalidKeyIdError: "UNKNOWN_KEY",
    UnsupportedAlgorithmError: "FORBIDDEN_ALGORITHM",
}
CLAIM_REASONS = {"aud": "WRONG_AUDIENCE", "nbf": "NOT_YET_VALID", "iat": "NOT_YET_VALID", "exp": "INVALID_EXPIRY"}


def refused(reason: str, message: str = "The token is not valid.") -> Unauthenticated:
    """An error that says what is wrong with a token."""
    return Unauthenticated(message, reason=reason)


def bearer(header: str | None) -> str:
    """The token of an Authorization header; raises `Unauthenticated` when there is none or not one token."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    if not token:
        raise Unauthenticated(reason="MISSING_TOKEN")
    if scheme.lower() != "bearer" or len(token) > TOKEN_BYTES or not token.isascii() or token.count(".") != 2:  # noqa: PLR2004
        raise refused("MALFORMED_TOKEN")
    return token


class Discovery(msgspec.Struct):
    """What is needed of an OpenID provider's description of itself."""

    issuer: str
    jwks_uri: str


class Keys:
    """One issuer's signing keys, fetched when needed and again when a token names a new one."""

    def __init__(self, issuer: str, options: OpenId, fetch: Fetch) -> None:
        self._issuer = issuer
        self._options = options
        self._fetch = fetch
        self._held: KeySet | None = None
        self._fetched_at = self._looked_at = float("-inf")
        self._lock = Lock()

    async def holding(self, kid: str | None) -> KeySet:
        """The keys; fetched again when they are old, or for a `kid` that is not among them, but not for each of those.

        Keys that are held stay in use while the provider does not answer; it is asked again every `refetch_seconds`.
        """
        held = self._held
        if held is None or not _names(held, kid) or self._is_old():
            async with self._lock:
                held = self._held = await self._looked(self._held, kid)
        return held

    def are(self, held: KeySet) -> bool:
        """Whether these are still the keys, as far as one need ask."""
        return held is self._held and not self._is_old()

    async def _looked(self, held: KeySet | None, kid: str | None) -> KeySet:
        if held is None:
            return await self._fetched()
        due = self._is_old() or (not _names(held, kid) and self._may_look())
        return await self._refreshed(held) if due else held

    def _is_old(self) -> bool:
        return time.monotonic() - self._fetched_at >= self._options.keys_seconds

    def _may_look(self) -> bool:
        return time.monotonic() - self._looked_at >= self._options.refetch_seconds

    async def _refreshed(self, held: KeySet) -> KeySet:
        self._looked_at = time.monotonic()
        try:
            return await self._fetched()
        except GatewayError as error:
            log.warning("signing keys not renewed", issuer=self._issuer, reason=error.message)
            self._fetched_at -= max(0, self._options.keys_seconds - self._options.refetch_seconds)
            return held

    async def _fetched(self) -> KeySet:
        self._fetched_at = time.monotonic()
        address = self._options.jwks_uri or await self._discovered()
        body = await self._fetch(address)
        try:
            return KeySet.import_key_set(json.loads(body))
        except (JoseError, TypeError, KeyError, ValueError) as error:
            raise UpstreamRejected("The sign-in provider's keys cannot be read.") from error

    async def _discovered(self) -> str:
        body = await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            found = msgspec.json.decode(body, type=Discovery)
        except msgspec.DecodeError as error:
            raise UpstreamRejected("The sign-in provider's discovery document cannot be read.") from error
        if found.issuer != self._issuer:
            raise UpstreamRejected("The sign-in provider's discovery document is another's.")
        return found.jwks_uri


def _names(keys: KeySet, kid: str | None) -> bool:
    return kid is None or any(key.kid == kid for key in keys)


class _Proved(NamedTuple):
    """A token's claims, until when they hold (seconds since the epoch), and the keys that proved them."""

    claims: Mapping[str, Any]
    until: float
    keys: Keys
    held: KeySet


class Authentication:
    """Checks ID tokens: signature, issuer, audience, algorithm, lifetime."""

    def __init__(self, options: OpenId, fetch: Fetch) -> None:
        self._options = options
        self._keys = {issuer: Keys(issuer, options, fetch) for issuer in options.issuers}
        self._rules = {
            issuer: jwt.JWTClaimsRegistry(
                leeway=options.leeway_seconds,
                iss={"essential": True, "value": issuer},
                aud={"essential": True, "value": options.audience},
                exp={"essential": True},
                sub={"essential": True},
            )
            for issuer in options.issuers
        }
        self._proved: dict[bytes, _Proved] = {}
        """By the digest of the token: the token itself is not kept."""

    async def claims(self, header: str | None) -> Mapping[str, Any]:
        """The claims of a valid token; raises `Unauthenticated` with the reason.

        One that was valid stays so until it ends, or its issuer's keys have been fetched anew.
        """
        token = bearer(header)
        digest = sha256(token.encode()).digest()
        proved = self._proved.get(digest)
        if proved is not None and time.time() < proved.until and proved.keys.are(proved.held):
            return proved.claims
        keys, held, claims = await self._examined(token)
        if len(self._proved) >= MOST_PROVED:
            self._proved.clear()
        self._proved[digest] = _Proved(claims, self.until(claims), keys, held)
        return claims

    async def _examined(self, token: str) -> tuple[Keys, KeySet, Mapping[str, Any]]:
        head, body = (_unverified(part) for part in token.split(".")[:2])
        issuer, kid = body.get("iss"), head.get("kid")
        if not isinstance(issuer, str) or issuer not in self._keys:
            raise refused("WRONG_ISSUER")
        if head.get("alg") not in self._options.algorithms:
            raise refused("FORBIDDEN_ALGORITHM")
        keys = self._keys[issuer]
        held = await keys.holding(kid if isinstance(kid, str) else None)
        return keys, held, self._checked(token, held, issuer)

    def email(self, claims: Mapping[str, Any]) -> str:
        """The address that names the CRM user. One that the provider says is unverified names nobody."""
        email = claims.get(self._options.email_claim)
        if not isinstance(email, str) or "@" not in email:
            raise refused("MISSING_EMAIL", f"The token has no claim {self._options.email_claim}.")
        if any(not letter.isascii() and letter.casefold().isascii() for letter in email):
            raise refused("AMBIGUOUS_EMAIL", "The e-mail address has letters that look up another one.")
        if claims.get("email_verified") in (False, "false"):
            raise refused("UNVERIFIED_EMAIL", "The sign-in provider has not verified the e-mail address.")
        return email

    def zuid(self, claims: Mapping[str, Any]) -> str | None:
        """The person's number at Zoho, when it was Zoho who signed them in."""
        return claims["sub"] if self._options.subject_is_zuid else None

    def until(self, claims: Mapping[str, Any]) -> float:
        """When the token ends to be accepted, in seconds since the epoch."""
        return float(claims["exp"]) + self._options.leeway_seconds

    def _checked(self, token: str, keys: KeySet, issuer: str) -> Mapping[str, Any]:
        try:
            claims = jwt.decode(token, keys, algorithms=self._options.algorithms).claims
            self._rules[issuer].validate(claims)
        except ClaimError as error:
            default = CLAIM_REASONS.get(getattr(error, "claim", ""), "INVALID_CLAIM")
            raise refused(REASONS.get(type(error), default)) from error
        except (JoseError, ValueError) as error:
            raise refused(REASONS.get(type(error), "MALFORMED_TOKEN")) from error
        return claims


def _unverified(part: str) -> dict[str, Any]:
    try:
        value = json.loads(urlsafe_b64decode(part.encode()))
    except (ValueError, RecursionError) as error:
        raise refused("MALFORMED_TOKEN") from error
    if not isinstance(value, dict):
        raise refused("MALFORMED_TOKEN")
    return value
