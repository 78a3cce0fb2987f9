"""The scalars of the contract: strict when read, exact when written."""

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from services.errors import BadUserInput

DateTime = NewType("DateTime", str)
CurrencyCode = NewType("CurrencyCode", str)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SIGNS = frozenset("+-")
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,6})?", re.ASCII)


def _read_date(value: Any) -> dt.date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise BadUserInput(f"{value!r} is not a calendar date.", hint="Write it as 2026-03-31.")
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise BadUserInput(f"There is no day {value}.", hint="Write it as 2026-03-31.") from error


def _read_time(value: Any) -> dt.datetime:
    """In UTC: not every offset that can be written is one to databases and products."""
    try:
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(dt.UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadUserInput(f"{value!r} is not a time.", hint="Write it as 2026-03-31T12:00:00+02:00.") from error
    raise BadUserInput(f"{value!r} lacks its offset.", hint="Write it as 2026-03-31T12:00:00+02:00.")


def _write_time(value: Any) -> str:
    """A datetime, or the products' own text, whose offset lacks the colon of ISO 8601's extended form."""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    text = str(value)
    lacks = text[-5:-4] in _SIGNS and text[-4:].isdecimal()
    return f"{text[:-2]}:{text[-2:]}" if lacks else text


def _write_decimal(value: Any) -> str:
    """All digits: only a text with an exponent has to be written otherwise, which takes longer."""
    text = str(value) if isinstance(value, Decimal) else "E"
    return format(value, "f") if "E" in text else text


def _read_decimal(value: Any) -> Decimal:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not _NUMBER.fullmatch(text):
        raise BadUserInput(
            f"{str(value)[:40]!r} is not an amount.",
            hint='Send a string such as "1234.50": at most 15 digits before the point and 6 after it.',
        )
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise BadUserInput(f"{text!r} is not an amount.") from error


def _read_currency(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise BadUserInput(f"{value!r} is not a currency.", hint="Use an ISO 4217 code such as EUR.")
    return value


SCALARS: dict[object, ScalarDefinition] = {
    dt.date: strawberry.scalar(
        name="Date",
        description="A calendar date of ISO 8601, such as `2026-03-31`.",
        serialize=str,
        parse_value=_read_date,
    ),
    DateTime: strawberry.scalar(
        name="DateTime",
        description="A moment of ISO 8601 with its offset, such as `2026-03-31T12:00:00+02:00`.",
        serialize=_write_time,
        parse_value=_read_time,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='A decimal number as a string, never a float, with the exact digits: `"1234.50"`.',
        serialize=_write_decimal,
        parse_value=_read_decimal,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description="A currency of ISO 4217, such as `EUR`.",
        serialize=str,
        parse_value=_read_currency,
    ),
}
