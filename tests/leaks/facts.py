"""The records of the companies: which there are and how they hang together. The same ids everywhere."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

KEYS = (
    *("north_owner", "north_staff", "north_scoped", "north_hidden", "north_billing", "north_seat", "north_legacy"),
    *("south_owner", "south_staff", "south_scoped", "south_seat"),
    *("third_owner", "third_legacy"),
)
"""Who there is: a company and a role in it. North and south have the same ids in the products; third is small."""
PARTIES = tuple(str(number) for number in range(101, 113))
VENDORS = frozenset(PARTIES[-3:])
ACCOUNTS = tuple(str(number) for number in range(901, 905))
CONTACTS = tuple(str(number) for number in range(951, 955))
_NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class Record(NamedTuple):
    """A document: its party, its place in time (0 is the oldest) and what it was made from."""

    id: str
    party: str
    place: int
    origin: str | None = None


def _records(first: int, count: int, parties: Sequence[str], origin: int | None = None) -> Mapping[str, Record]:
    made = (
        Record(str(first + n), parties[n % len(parties)], n, None if origin is None or n % 2 else str(origin + n))
        for n in range(count)
    )
    return {record.id: record for record in made}


_CUSTOMERS = [party for party in PARTIES if party not in VENDORS]
RECORDS: Mapping[str, Mapping[str, Record]] = {
    "estimates": _records(2001, 14, _CUSTOMERS),
    "salesOrders": _records(3001, 14, _CUSTOMERS, origin=2001),
    "invoices": _records(4001, 18, _CUSTOMERS, origin=3001),
    "purchaseOrders": _records(5001, 8, sorted(VENDORS)),
    "subscriptions": _records(6001, 12, _CUSTOMERS),
}


def account_of(party: str) -> str:
    """The CRM account that a party is linked with."""
    return ACCOUNTS[int(party) % len(ACCOUNTS)]


def contact_of(party: str) -> str:
    """The CRM contact that a party is linked with."""
    return CONTACTS[int(party) % len(CONTACTS)]


def assigned_to(key: str) -> frozenset[str]:
    """The parties that are assigned to a person: half of them."""
    return frozenset(party for party in PARTIES if (int(party) + len(key)) % 2)


def is_assigned(key: str, module: str, record: str) -> bool:
    """Whether a record of Books belongs to a party that is assigned to the person."""
    party = record if module == "customers" else RECORDS[module][record].party
    return party in assigned_to(key)


def day(place: int) -> str:
    """The date of the record in this place."""
    return (_NEW_YEAR + timedelta(days=place)).date().isoformat()


def created(place: int) -> str:
    """The time at which the record in this place was made."""
    return (_NEW_YEAR + timedelta(days=place, hours=9)).strftime("%Y-%m-%dT%H:%M:%S%z")
