"""Sealed under the newest of several keys, bound to its place: secrets at rest (AES-GCM), and what clients hold for us.

The latter (AES-SIV, RFC 5297) takes no nonce: the same text under the same key always looks the same.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_MARK = 4
"""Bytes in front that name the key."""
_NONCE = 12


_SIV = 64
"""Bytes of a key for AES-256-SIV, which is two."""


class Unsealable(ValueError):
    """None of the keys opens it, or it was sealed for another place."""


class Seal:
    """The keys, newest first: the first seals, all open. A key is 16, 24 or 32 bytes."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("At least one key is needed")
        self._keys = {_mark(key): AESGCM(key) for key in keys}
        self._newest = _mark(keys[0])

    def close(self, secret: str, about: str) -> bytes:
        """Seal a secret; `about` names the row and column, and opens nothing elsewhere."""
        nonce = os.urandom(_NONCE)
        return self._newest + nonce + self._keys[self._newest].encrypt(nonce, secret.encode(), about.encode())

    def open(self, sealed: bytes, about: str) -> str:
        """The secret; raises `Unsealable`."""
        mark, nonce, text = sealed[:_MARK], sealed[_MARK : _MARK + _NONCE], sealed[_MARK + _NONCE :]
        try:
            return self._keys[mark].decrypt(nonce, text, about.encode()).decode()
        except (KeyError, InvalidTag, ValueError) as error:
            raise Unsealable(about) from error

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it."""
        return sealed[:_MARK] == self._newest


class Opaque:
    """Texts that clients hold for us, and can neither read nor make. The keys are those of `Seal`."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ways = [AESSIV(HKDF(SHA256(), _SIV, salt=None, info=b"opaque texts").derive(key)) for key in keys]

    def close(self, text: str, about: str) -> str:
        """A text as letters, digits, `-` and `_`; `about` says what it is good for, and it is for nothing else."""
        sealed = self._ways[0].encrypt(text.encode(), [about.encode()])
        return urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, sealed: str, about: str) -> str:
        """The text; raises `Unsealable`."""
        try:
            given = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        except ValueError as error:
            raise Unsealable(about) from error
        for way in self._ways:
            try:
                return way.decrypt(given, [about.encode()]).decode()
            except (InvalidTag, ValueError):
                continue
        raise Unsealable(about)


def _mark(key: bytes) -> bytes:
    return sha256(b"seal:" + key).digest()[:_MARK]
