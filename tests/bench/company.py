"""A company with fifty invoices to ten customers on each of thirty thousand days.

Every request can ask for another day, so that nothing that an earlier one fetched helps it.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FIRST_DAY = dt.date(1990, 1, 1)
DAYS = 30_000
A_DAY = 50
CUSTOMERS = 10
FIRST_ID = 460_000_000_000_000_000


@dataclass(frozen=True)
class Company:
    """What the products answer, by its pieces."""

    rows: list[bytes]
    """An invoice in a list, each a template of `_told`."""
    records: list[bytes]
    """A full invoice, likewise."""
    customers: list[bytes]
    """A full contact, likewise."""
    fixed: Mapping[str, bytes]
    """Answers by path that are the same for everybody."""

    def invoices(self, day: int, start: int, size: int) -> bytes:
        """Some of the invoices until a day, newest first: so many, from a place on."""
        places = range(start, min(start + size, (day + 1) * A_DAY))
        told = (self.rows[place % A_DAY] % _told(day - place // A_DAY, place % A_DAY) for place in places)
        return _page(b"invoices", told, more=places.stop < (day + 1) * A_DAY)

    def contacts(self, day: int, start: int, size: int) -> bytes:
        """Some of the customers until a day, likewise."""
        places = range(start, min(start + size, (day + 1) * CUSTOMERS))
        told = (
            self.customers[place % CUSTOMERS] % _told(day - place // CUSTOMERS, place % CUSTOMERS) for place in places
        )
        return _page(b"contacts", told, more=places.stop < (day + 1) * CUSTOMERS)

    def invoice(self, number: int) -> bytes:
        """A full invoice."""
        day, slot = divmod(number - FIRST_ID, A_DAY)
        return b'{"code":0,"message":"success","invoice":%b}' % (self.records[slot] % _told(day, slot))

    def customer(self, number: int) -> bytes:
        """A full contact."""
        day, slot = divmod(number - FIRST_ID, CUSTOMERS)
        return b'{"code":0,"message":"success","contact":%b}' % (self.customers[slot] % _told(day, slot))


def _page(key: bytes, rows: Iterable[bytes], *, more: bool) -> bytes:
    told = (key, b",".join(rows), b"true" if more else b"false")
    return b'{"code":0,"message":"success","%b":[%b],"page_context":{"has_more_page":%b}}' % told


def empty(key: str) -> bytes:
    """A list without rows."""
    return _page(key.encode(), (), more=False)


def day_of(number: int) -> dt.date:
    """The day of this number, from 0."""
    return FIRST_DAY + dt.timedelta(days=number % DAYS)


def number_of(day: str) -> int:
    """Which day it is."""
    return (dt.date.fromisoformat(day) - FIRST_DAY).days


def _told(day: int, slot: int) -> dict[bytes, bytes]:
    number, customer = day * A_DAY + slot, day * CUSTOMERS + slot % CUSTOMERS
    date = day_of(day).isoformat().encode()
    return {
        b"id": b"%d" % (FIRST_ID + number),
        b"number": b"INV-%06d" % number,
        b"customer": b"%d" % (FIRST_ID + customer),
        b"name": b"Customer %d" % customer,
        b"date": date,
        b"created": b"%bT16:%02d:00+0100" % (date, A_DAY - 1 - slot),
    }
