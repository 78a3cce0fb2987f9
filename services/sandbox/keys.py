"""The keys that sign ID tokens."""

from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, KeySetSerialization, RSAKey
from sqlmodel import Session, col, select

from services.sandbox.store import SigningKey, Store


def new_key(session: Session) -> None:
    """An RSA key that signs from now on."""
    key = RSAKey.generate_key(2048)
    position = len(session.exec(select(SigningKey)).all())
    session.add(SigningKey(kid=key.thumbprint(), pem=key.as_pem(private=True).decode(), position=position))


class Keys:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._load()

    def sign(self, claims: dict[str, Any]) -> str:
        key = self._keys[-1]
        return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "JWT"}, claims, key)

    def published(self) -> KeySetSerialization:
        return KeySet([*self._keys]).as_dict(private=False)

    def rotate(self, *, keep_old: bool) -> None:
        """A new key signs; the earlier ones stay published only with `keep_old`."""
        with self._store.session() as session:
            for row in session.exec(select(SigningKey)):
                row.published = row.published and keep_old
                session.add(row)
            new_key(session)
        self._load()

    def _load(self) -> None:
        published = select(SigningKey).where(col(SigningKey.published)).order_by(col(SigningKey.position))
        with self._store.session() as session:
            self._keys = [_key(row) for row in session.exec(published)]


def _key(row: SigningKey) -> RSAKey:
    return RSAKey.import_key(row.pem, {"kid": row.kid, "use": "sig", "alg": "RS256"})
