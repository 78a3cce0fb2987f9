"""OAuth tokens of people: codes, refresh tokens, access tokens, and their limits."""

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlmodel import Session, col, select

from services.sandbox.access import Access
from services.sandbox.budget import Limits
from services.sandbox.errors import Refusal
from services.sandbox.store import AccessToken, AuthorizationCode, Organization, Person, RefreshToken, Store

CLIENTS = {"sandbox-client": "sandbox-secret"}
CODE_LIFETIME = 120
REFRESH_TOKENS_PER_PERSON = 20
WINDOW = 600


@dataclass(frozen=True)
class Issued:
    """`refresh_token` is empty when consent was not for offline access, or when it was merely used."""

    person: Person
    access_token: str
    scopes: str
    expires_in: int
    refresh_token: str = ""
    nonce: str = ""


class Tokens:
    def __init__(self, store: Store, access: Access, limits: Limits, now: Callable[[], float]) -> None:
        self.limits = limits
        self._store = store
        self._access = access
        self._now = now
        self._windows: dict[str, tuple[float, int]] = {}

    def code(self, person: Person, **consent: Any) -> str:
        """For two minutes and one use; `consent` in the names of AuthorizationCode."""
        code = _secret()
        with self._store.session() as session:
            session.add(
                AuthorizationCode(code=code, zuid=person.zuid, expires_at=self._now() + CODE_LIFETIME, **consent)
            )
        return code

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str, data_centre: str) -> Issued:
        with self._store.session() as session:
            row = session.get(AuthorizationCode, code)
            if row is None or not self._valid(session, row, client_id, redirect_uri, verifier, data_centre):
                raise _error("invalid_code")
            session.delete(row)
            person = session.get_one(Person, row.zuid)
            refresh_token = self._refresh_token(session, person, row.scopes, row.client_id) if row.offline else ""
            issued = self._access_token(session, person, row.scopes, row.client_id, refresh_token)
        return Issued(person, issued.token, row.scopes, self.limits.access_token_lifetime, refresh_token, row.nonce)

    def refresh(self, refresh_token: str, *, client_id: str, data_centre: str) -> Issued:
        with self._store.session() as session:
            row = session.get(RefreshToken, refresh_token)
            if row is None or row.client_id != client_id or row.data_centre != data_centre:
                raise _error("invalid_code")
            self._throttle(refresh_token)
            person = session.get_one(Person, row.zuid)
            issued = self._access_token(session, person, row.scopes, client_id, refresh_token)
        return Issued(person, issued.token, row.scopes, self.limits.access_token_lifetime)

    def connect(self, person: Person, scopes: str, client_id: str) -> str:
        """A refresh token, as after consent."""
        with self._store.session() as session:
            return self._refresh_token(session, person, scopes, client_id)

    def enter(self, person: Person, scopes: str, client_id: str) -> str:
        """An access token without a refresh token behind it."""
        with self._store.session() as session:
            return self._access_token(session, person, scopes, client_id, "").token

    def revoke(self, token: str) -> bool:
        """A refresh token with all its access tokens, or one access token; False when it is unknown."""
        with self._store.session() as session:
            rows = [session.get(RefreshToken, token), session.get(AccessToken, token)]
            own = select(AccessToken).where(AccessToken.refresh_token == token)
            found = [row for row in (*rows, *session.exec(own)) if row]
            for row in found:
                session.delete(row)
        self._access.forget()
        return bool(found)

    def _valid(
        self,
        session: Session,
        row: AuthorizationCode,
        client_id: str,
        redirect_uri: str,
        verifier: str,
        data_centre: str,
    ) -> bool:
        return (
            row.expires_at > self._now()
            and (row.client_id, row.redirect_uri) == (client_id, redirect_uri)
            and (not row.challenge or row.challenge == challenge(verifier))
            and _home(session, row.zuid) == data_centre
        )

    def _refresh_token(self, session: Session, person: Person, scopes: str, client_id: str) -> str:
        """Beyond 20 of a person and client the oldest is dropped."""
        mine = select(RefreshToken).where(RefreshToken.zuid == person.zuid, RefreshToken.client_id == client_id)
        for old in session.exec(mine.order_by(col(RefreshToken.number).desc())).all()[REFRESH_TOKENS_PER_PERSON - 1 :]:
            session.delete(old)
        row = RefreshToken(
            token=_secret(),
            zuid=person.zuid,
            client_id=client_id,
            scopes=scopes,
            data_centre=_home(session, person.zuid),
            number=int(self._store.next_id("accounts")),
        )
        session.add(row)
        return row.token

    def _access_token(
        self, session: Session, person: Person, scopes: str, client_id: str, refresh_token: str
    ) -> AccessToken:
        if refresh_token:
            self._drop_oldest(session, refresh_token)
        row = AccessToken(
            token=_secret(),
            refresh_token=refresh_token,
            zuid=person.zuid,
            client_id=client_id,
            scopes=scopes,
            expires_at=self._now() + self.limits.access_token_lifetime,
            number=int(self._store.next_id("accounts")),
        )
        session.add(row)
        return row

    def _drop_oldest(self, session: Session, refresh_token: str) -> None:
        mine = select(AccessToken).where(AccessToken.refresh_token == refresh_token)
        for old in session.exec(mine.order_by(col(AccessToken.number).desc())).all()[self.limits.active_tokens - 1 :]:
            session.delete(old)
            self._access.forget()

    def _throttle(self, refresh_token: str) -> None:
        """Blocks for the rest of ten minutes that began with the first token."""
        start, count = self._windows.get(refresh_token, (0.0, 0))
        if self._now() >= start + WINDOW:
            start, count = self._now(), 0
        if count >= self.limits.tokens_per_10_minutes:
            raise Refusal(400, "Access Denied", "You have made too many requests continuously.")
        self._windows[refresh_token] = (start, count + 1)


def challenge(verifier: str) -> str:
    """PKCE, S256."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _home(session: Session, zuid: str) -> str:
    """The data centre of the person's organization."""
    return session.get_one(Organization, session.get_one(Person, zuid).crm_id).data_centre


def _secret() -> str:
    return f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"


def _error(code: str) -> Refusal:
    """OAuth errors come inside HTTP 200."""
    return Refusal(200, code, "")
