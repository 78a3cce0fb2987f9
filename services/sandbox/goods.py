"""Currencies and taxes: the same in every organization but for the base currency and the country."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.sandbox.totals import rounded

CURRENCIES: Mapping[str, tuple[str, str, str, int]] = {
    "EUR": ("€", "Euro", "1.0000", 2),
    "USD": ("$", "US Dollar", "1.0850", 2),
    "GBP": ("£", "Pound Sterling", "0.8420", 2),
    "CHF": ("CHF", "Swiss Franc", "0.9360", 2),
    "JPY": ("¥", "Japanese Yen", "164.20", 0),
    "INR": ("₹", "Indian Rupee", "91.450", 2),
    "KWD": ("KD", "Kuwaiti Dinar", "0.3330", 3),
}
"""Code → symbol, name, units for one euro, decimal places."""


@dataclass(frozen=True)
class Tax:
    tax_id: str
    tax_name: str
    tax_percentage: Decimal

    def on_line(self) -> dict[str, Any]:
        return {
            "tax_id": self.tax_id,
            "tax_name": self.tax_name,
            "tax_percentage": self.tax_percentage,
            "tax_type": "tax",
        }


_RATES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "EUR": (("Standard Rate", "19"), ("Reduced Rate", "7")),
    "USD": (("Sales Tax", "8.25"), ("County Tax", "1.5")),
    "INR": (("IGST18", "18"), ("IGST5", "5")),
}


def code_id(organization_id: str, number: int) -> str:
    """Ids of what is defined with the organization: currencies, taxes, locations, templates."""
    return f"{organization_id[:11]:0<11}{900000 + number:07d}"


def taxes(organization_id: str, base_currency: str) -> list[Tax]:
    return [
        Tax(code_id(organization_id, 100 + index), name, Decimal(percentage))
        for index, (name, percentage) in enumerate(_RATES[base_currency])
    ]


def exchange_rate(code: str, base: str) -> Decimal:
    """Units of the base currency for one unit of the other."""
    if code == base:
        return Decimal(1)
    rate = Decimal(CURRENCIES[base][2]) / Decimal(CURRENCIES[code][2])
    return rate.quantize(Decimal("0.000001"))


def currency(organization_id: str, code: str) -> dict[str, Any]:
    """The three fields by which documents and contacts name their currency."""
    number = list(CURRENCIES).index(code)
    return {
        "currency_id": code_id(organization_id, number),
        "currency_code": code,
        "currency_symbol": CURRENCIES[code][0],
    }


def currencies(organization_id: str, base: str) -> list[dict[str, Any]]:
    return [
        currency(organization_id, code)
        | {
            "currency_name": f"{code}- {name}",
            "price_precision": precision,
            "currency_format": "1,234,567.89" if precision else "1,234,567",
            "is_base_currency": code == base,
            "exchange_rate": exchange_rate(code, base),
            "effective_date": "",
        }
        for code, (_, name, _, precision) in CURRENCIES.items()
    ]


def precision(code: str) -> int:
    return CURRENCIES[code][3]


def priced(amount: Decimal, code: str, base: str) -> Decimal:
    """A price of the base currency in another, rounded as its documents are."""
    return rounded(amount / exchange_rate(code, base), precision(code))
