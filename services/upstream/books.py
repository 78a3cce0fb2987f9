"""Books beside its documents: customers and vendors (there: contacts), and its users."""

import asyncio
from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct, field

from services.directory_values import Customer, ProductUser
from services.errand import Errand
from services.errors import NotFound
from services.policy import Product
from services.upstream.auth import Connection
from services.upstream.client import Client
from services.upstream.documents import Credentials
from services.upstream.envelopes import LARGEST_PAGE, Rows, one_of, page_of

FEW = 2
"""Up to so many customers are asked for one by one, more by pages of the list."""


class BooksCustomer(Customer, kw_only=True):
    """A contact of Books (facts §1.7)."""

    id: str = field(name="contact_id")
    name: str | None = field(name="contact_name", default=None)
    outstanding: Decimal | None = field(name="outstanding_receivable_amount", default=None)


class _Address(Struct):
    email: str | None = None
    is_selected: bool = False


class _Me(ProductUser, kw_only=True):
    """One user's addresses are a list."""

    email_ids: list[_Address] = field(default_factory=list)


_CUSTOMERS = page_of("contacts", BooksCustomer)
_CUSTOMER = one_of("contact", BooksCustomer)
_USERS = page_of("users", ProductUser)
_USER = one_of("user", _Me)


class Books:
    """Asks Books under the access of the errand's viewer, or under a given connection."""

    def __init__(self, client: Client, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials

    async def customer(self, errand: Errand, id: str) -> Customer:  # noqa: A002
        """The full record of a customer or vendor; raises `NotFound`."""
        return await self._customer(await self._credentials.for_viewer(errand.viewer, Product.BOOKS), errand, id)

    async def customers(
        self, errand: Errand, params: Mapping[str, str], page: int, per_page: int = LARGEST_PAGE
    ) -> Rows[Customer]:
        """A page of customers and vendors; list rows do not tell which CRM records they are linked with."""
        connection = await self._credentials.for_viewer(errand.viewer, Product.BOOKS)
        asked = {**params, "page": str(page), "per_page": str(per_page)}
        return Rows.of(await self._client.get(connection, "/contacts", _CUSTOMERS, params=asked, errand=errand))

    async def named(self, errand: Errand, ids: Iterable[str]) -> dict[str, Customer]:
        """Customers by id, as list rows tell them, in as few calls as may be; unknown ids are absent.

        The list is read on as long as its pages have spared more single look-ups than they have cost.
        """
        wanted = set(ids)
        found: dict[str, Customer] = {}
        page, more = 1, len(wanted) > FEW
        while more and len(found) < len(wanted) and (page == 1 or len(found) > page):
            rows = await self.customers(errand, {}, page)
            found |= {row.id: row for row in rows.rows if row.id in wanted}
            page, more = page + 1, rows.more
        return found | await self.full(errand, wanted - found.keys())

    async def full(self, errand: Errand, ids: Iterable[str]) -> dict[str, Customer]:
        """Full records by id, a call each; unknown ids are absent."""
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return {}
        connection = await self._credentials.for_viewer(errand.viewer, Product.BOOKS)
        found = await asyncio.gather(*(self._known(connection, errand, id) for id in wanted))  # noqa: A001
        return {customer.id: customer for customer in found if customer is not None}

    async def linked(
        self, errand: Errand, *, account_id: str | None = None, contact_id: str | None = None
    ) -> list[Customer]:
        """All customers and vendors that are linked with a CRM account or contact."""
        link = {"zcrm_account_id": account_id, "zcrm_contact_id": contact_id}
        asked = {name: value for name, value in link.items() if value}
        found: list[Customer] = []
        page, more = 1, bool(asked)
        while more:
            rows = await self.customers(errand, asked, page)
            found += rows.rows
            page, more = page + 1, rows.more
        return found

    async def users(self, connection: Connection, errand: Errand | None = None) -> list[ProductUser]:
        """All users of the organization; Books lets administrators ask."""
        found: list[ProductUser] = []
        page, more = 1, True
        while more:
            asked = {"page": str(page), "per_page": str(LARGEST_PAGE)}
            rows = await self._client.get(connection, "/users", _USERS, params=asked, errand=errand)
            found += rows.rows
            page, more = page + 1, Rows.of(rows).more
        return found

    async def me(self, connection: Connection, errand: Errand | None = None) -> ProductUser:
        """The user whose access the connection is."""
        answer = await self._client.get(connection, "/users/me", _USER, errand=errand)
        user: _Me = answer.record
        if user.email is None:
            user.email = next((one.email for one in user.email_ids if one.is_selected), None)
        return user

    async def _customer(self, connection: Connection, errand: Errand, id: str) -> Customer:  # noqa: A002
        answer = await self._client.get(connection, f"/contacts/{id}", _CUSTOMER, errand=errand)
        customer: Customer = answer.record
        return customer

    async def _known(self, connection: Connection, errand: Errand, id: str) -> Customer | None:  # noqa: A002
        try:
            return await self._customer(connection, errand, id)
        except NotFound:
            return None
