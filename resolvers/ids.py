"""Global ids: opaque to clients, bound to one organization, checked before any call is made."""

import re
from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from hashlib import sha256

from services.errors import BadUserInput

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_RECORD = re.compile(r"[0-9A-Za-z_-]{1,64}")


@lru_cache(maxsize=1024)
def _tag(organization_id: str) -> str:
    return sha256(organization_id.encode()).hexdigest()[:8]


@lru_cache(maxsize=1 << 15)
def encode(organization_id: str, kind: str, record_id: str) -> str:
    """The global id of a record; `kind` is a module's word or one such as `account`, `contact` or `customer`."""
    return _spelled(f"{kind}:{_tag(organization_id)}:{record_id}")


def _spelled(raw: str) -> str:
    return b2a_base64(raw.encode(), newline=False).translate(_URL_SAFE, b"=").decode()


def decode(organization_id: str, text: str, *, field: tuple[str, ...] = ("id",)) -> tuple[str, str]:
    """(kind, record id) of a global id; raises `BadUserInput` for one that is malformed or of another organization."""
    try:
        raw = a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)).decode("ascii")
        kind, tag, record_id = raw.split(":")
    except ValueError as error:
        raise _malformed(text, field) from error
    if not _RECORD.fullmatch(record_id) or _spelled(raw) != text:
        raise _malformed(text, field)
    if tag != _tag(organization_id):
        raise BadUserInput("The id belongs to another organization.", field=field, hint="Use ids you were given here.")
    return kind, record_id


def decode_as(organization_id: str, kind: str, text: str, *, field: tuple[str, ...] = ("id",)) -> str:
    """The record id of a global id that must be of the given kind."""
    found, record_id = decode(organization_id, text, field=field)
    if found != kind:
        raise BadUserInput(
            f"The id names a record of {found}, not of {kind}.",
            field=field,
            hint=f"Use the `id` of a record of {kind}.",
        )
    return record_id


def _malformed(text: str, field: tuple[str, ...]) -> BadUserInput:
    return BadUserInput(f"{text[:80]!r} is not an id.", field=field, hint="Use an `id` that a query returned.")
