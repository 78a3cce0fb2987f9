"""People and companies behind documents: from the copy for who sees all of them, else as recalled, else asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from services.credentials import Credentials
from services.directory_values import Customer
from services.errand import Errand
from services.policy import Product
from services.records.answers import Answers
from services.records.recalled import (
    ACCOUNTS,
    BILLED,
    CONTACTS,
    CUSTOMERS,
    LINKED,
    LISTED,
    Access,
    Fetch,
    Recalled,
    access_of,
    shared_access_of,
)
from services.storage.models import now
from services.upstream.billing import Billing, BillingCustomer
from services.upstream.books import FEW, Books, BooksCustomer
from services.upstream.crm import Crm
from services.upstream.documents import AT_ONCE

Keys = Collection[Any]
Found = dict[Any, Any]


class Parties:
    """Asked for under the access of the errand's viewer. Every value says itself as of when it is true."""

    def __init__(
        self,
        books: Books,
        billing: Billing,
        crm: Crm,
        credentials: Credentials,
        answers: Answers,
        recalled: Recalled,
    ) -> None:
        self._books, self._billing, self._crm = books, billing, crm
        self._credentials = credentials
        self._answers = answers
        self.recalled = recalled

    async def customers(self, errand: Errand, listed: Keys, whole: Keys) -> Found:
        """Customers and vendors of Books by id: `listed` as list rows tell them, `whole` ones with their links."""
        rows, full = await asyncio.gather(
            self._listed(errand, listed),
            self._recall(errand, Product.BOOKS, CUSTOMERS, whole, lambda ids: self._books.full(errand, ids)),
        )
        return {**rows, **full}

    async def billed(self, errand: Errand, ids: Keys) -> Found:
        """Customers of Billing by id."""
        copied = await self._copied(errand, "customers", BillingCustomer, ids)
        rest = [id for id in ids if id not in copied]  # noqa: A001

        async def fetch(asked: Keys) -> Mapping[Any, Any]:
            return await each(lambda id: self._billing.customer(errand, id), asked)  # noqa: A006

        return copied | await self._recall(errand, Product.BILLING, BILLED, rest, fetch)

    async def linked(self, errand: Errand, keys: Keys) -> Found:
        """Customers and vendors of Books linked to (`account` or `contact`, CRM id)."""

        async def fetch(asked: Keys) -> Mapping[Any, Any]:
            return await each(lambda key: self._books.linked(errand, **{f"{key[0]}_id": key[1]}), asked)

        return await self._recall(errand, Product.BOOKS, LINKED, keys, fetch)

    async def linked_in_billing(self, errand: Errand, what: str, crm_id: str) -> list[Customer]:
        """The customer of Billing that is linked with a CRM record, if there is one."""

        async def fetch(_asked: Keys) -> Mapping[Any, Any]:
            found = await self._billing.by_reference(errand, **{f"{what}_id": crm_id})
            return {(what, crm_id): [found] if found else []}

        found: Found = await self._recall(errand, Product.BILLING, LINKED, [(what, crm_id)], fetch)
        linked: list[Customer] = found[what, crm_id]
        return linked

    async def accounts(self, errand: Errand, ids: Keys) -> Found:
        """CRM accounts by id."""
        return await self._recall(
            errand, Product.CRM, ACCOUNTS, ids, lambda some: self._crm.accounts_by_id(errand, some), _at_once
        )

    async def contacts(self, errand: Errand, ids: Keys) -> Found:
        """CRM contacts by id."""
        return await self._recall(
            errand, Product.CRM, CONTACTS, ids, lambda some: self._crm.contacts_by_id(errand, some), _at_once
        )

    async def _listed(self, errand: Errand, ids: Keys) -> Found:
        if not ids:
            return {}
        access = await self._access(errand, Product.BOOKS)
        known = self.recalled.known(access, CUSTOMERS, ids, errand.within)
        copied = await self._copied(errand, "contacts", BooksCustomer, [id for id in ids if id not in known])  # noqa: A001
        rest = [id for id in ids if id not in known and id not in copied]  # noqa: A001
        asked = await self._recall(
            errand, Product.BOOKS, LISTED, rest, lambda some: self._books.named(errand, some), _by_pages
        )
        errand.saved += _by_pages(len(known))
        return {**known, **copied, **asked}

    async def _copied(self, errand: Errand, module: str, made: type[Customer], ids: Keys) -> Found:
        lasts = max(self.recalled.lasts, timedelta(seconds=errand.within))
        found = await self._answers.customers(errand, module, made, ids, now() - lasts) if ids else {}
        errand.saved += _by_pages(len(found))
        return found

    async def _recall(
        self,
        errand: Errand,
        product: Product,
        what: str,
        keys: Keys,
        fetch: Fetch,
        calls: Callable[[int], int] = int,
    ) -> Found:
        """`calls`: how many of them it takes to fetch so many."""
        if not keys:
            return {}
        access = await self._access(errand, product)
        known, fetched = await self.recalled.several(access, what, keys, errand.within, _dated(fetch))
        errand.saved += calls(len(known) + len(fetched)) - calls(len(fetched))
        return known | fetched

    async def _access(self, errand: Errand, product: Product) -> Access:
        """Under which it is recalled: what need not be live is the same for all who see everything."""
        connection = await self._credentials.for_viewer(errand.viewer, product)
        return (shared_access_of if errand.within > 0 else access_of)(errand.viewer, connection)


def _dated(fetch: Fetch) -> Fetch:
    """The same, with the moment before it was asked for as that at which it was true."""

    async def dated(keys: Keys) -> Mapping[Any, Any]:
        at = now()
        found = await fetch(keys)
        for value in found.values():
            for one in value if isinstance(value, list) else (value,):
                _date(one, at)
        return found

    return dated


def _date(record: Any, at: datetime) -> None:
    if not isinstance(record, BaseException) and record.as_of is None:
        record.as_of = at


def _at_once(count: int) -> int:
    return ceil(count / AT_ONCE)


def _by_pages(count: int) -> int:
    """At least: more than a few are found on pages of the list."""
    return count if count <= FEW else 1


async def each(one: Callable[[Any], Awaitable[Any]], keys: Keys) -> dict[Any, Any]:
    """Single look-ups by key; a failing one is its own error."""
    found = await asyncio.gather(*map(one, keys), return_exceptions=True)
    return dict(zip(keys, found, strict=True))
