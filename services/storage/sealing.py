"""Secrets at rest: AES-GCM under the newest of several keys, bound to the row that holds them."""

import os
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_MARK = 4
"""Bytes in front that name the key."""
_NONCE = 12


class Unsealable(ValueError):
    """None of the keys opens this secret, or it was moved to another row."""


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


def _mark(key: bytes) -> bytes:
    return sha256(b"seal:" + key).digest()[:_MARK]
