"""Settings that are never shown: what they have to be, said without quoting them."""

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, SecretStr

KEY_BYTES = 32
POSTGRESQL = ("postgresql://", "postgresql+psycopg://", "postgres://")


def sealing(key: SecretStr) -> bytes:
    """The bytes of a key that seals; raises `ValueError`."""
    try:
        found = base64.b64decode(key.get_secret_value(), validate=True)
    except binascii.Error as error:
        raise ValueError("a sealing key must be base64") from error
    if len(found) != KEY_BYTES:
        raise ValueError("each key must be 32 bytes in base64: make one with `openssl rand -base64 32`")
    return found


def _postgresql(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(POSTGRESQL):
        raise ValueError("a database's address begins with postgresql://")
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_postgresql)]
"""The address of a PostgreSQL database, with its password."""
