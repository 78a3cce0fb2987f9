"""Links under which somebody connects an access: for whom, until when, and used only once."""

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from sqlmodel import col, delete, select, update

from services.errors import BadUserInput, Conflict, GatewayError
from services.policy import Product
from services.storage import models
from services.storage.engine import Database
from services.storage.models import new_id, now
from services.storage.sealing import Seal, Unsealable

LIFETIME = timedelta(minutes=10)
KEPT = timedelta(days=30)
"""How long a link is still told from one that never was, after its end."""
_AGAIN = "Ask for a new link."


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """Who is to consent to what. Without a member it is an owner's, without an organization a new one's.

    `chosen` names the organization to use at a product, where the person has several. `migrate`: whoever
    connects works under that access from then on.
    """

    data_center: str
    redirect_uri: str
    scopes: Sequence[str]
    products: Sequence[Product]
    organization_id: str | None = None
    member_id: str | None = None
    chosen: Mapping[Product, str] = field(default_factory=dict)
    migrate: bool = False


@dataclass(frozen=True)
class Proof:
    """What ties an answer to its question: `state` travels in the link, `verifier` stays here until the exchange."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)

    @property
    def challenge(self) -> str:
        """PKCE's S256 (RFC 7636)."""
        return urlsafe_b64encode(sha256(self.verifier.encode()).digest()).decode().rstrip("=")


class Invitations:
    """The links that have been given out."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def issue(self, invitation: Invitation, lifetime: timedelta = LIFETIME) -> Proof:
        """Store a link; long past ones are removed."""
        proof = Proof(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        row_id = new_id()
        row = models.Invitation(
            id=row_id,
            state_hash=_hash(proof.state),
            verifier=self._seal.close(proof.verifier, _about(row_id)),
            organization_id=invitation.organization_id,
            member_id=invitation.member_id,
            data_center=invitation.data_center,
            redirect_uri=invitation.redirect_uri,
            scopes=list(invitation.scopes),
            products=list(invitation.products),
            chosen={str(product): place for product, place in invitation.chosen.items()},
            migrate=invitation.migrate,
            expires_at=now() + lifetime,
        )
        async with self._database.session() as session:
            await session.exec(delete(models.Invitation).where(col(models.Invitation.expires_at) < now() - KEPT))
            session.add(row)
        return proof

    async def claim(self, state: str) -> tuple[Invitation, Proof]:
        """What the link was for, for its first use; raises `BadUserInput` or `Conflict` with a reason.

        Whatever becomes of that use, there is no second.
        """
        statement = (
            update(models.Invitation)
            .where(
                col(models.Invitation.state_hash) == _hash(state),
                col(models.Invitation.used_at).is_(None),
                col(models.Invitation.expires_at) > now(),
            )
            .values(used_at=now())
            .returning(models.Invitation)
        )
        async with self._database.session() as session:
            row = (await session.exec(statement)).scalars().one_or_none()
        if row is None:
            raise await self._refusal(state)
        return _read(row), Proof(state, self._verifier(row))

    def _verifier(self, row: models.Invitation) -> str:
        try:
            return self._seal.open(row.verifier, _about(row.id))
        except Unsealable as error:
            raise Conflict("The link cannot be used any more.", hint=_AGAIN, reason="UNREADABLE") from error

    async def _refusal(self, state: str) -> GatewayError:
        asked = select(models.Invitation).where(models.Invitation.state_hash == _hash(state))
        async with self._database.session() as session:
            row = (await session.exec(asked)).one_or_none()
        if row is None:
            return BadUserInput("This link is not known here.", hint=_AGAIN, reason="UNKNOWN_LINK")
        if row.used_at:
            return Conflict(f"This link was used {_spoken(row.used_at)}.", hint=_AGAIN, reason="USED_LINK")
        return Conflict(f"This link was good until {_spoken(row.expires_at)}.", hint=_AGAIN, reason="EXPIRED_LINK")


def _read(row: models.Invitation) -> Invitation:
    return Invitation(
        data_center=row.data_center,
        redirect_uri=row.redirect_uri,
        scopes=row.scopes,
        products=[Product(product) for product in row.products],
        organization_id=row.organization_id,
        member_id=row.member_id,
        chosen={Product(product): named for product, named in row.chosen.items()},
        migrate=row.migrate,
    )


def _hash(state: str) -> bytes:
    return sha256(state.encode()).digest()


def _about(row_id: str) -> str:
    return f"invitations/{row_id}/verifier"


def _spoken(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
