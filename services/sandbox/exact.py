"""JSON whose numbers keep their digits: money is Decimal in memory and a plain number in the text."""

from decimal import Decimal
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def encode(value: Any) -> str:
    return _encoder.encode(value).decode()


def decode(text: str | bytes) -> Any:
    """Raises msgspec.DecodeError (a ValueError) for anything that is not JSON."""
    return _decoder.decode(text)
