"""The CRM: accounts and contacts for viewers, users for the directory."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.json import Decoder

from services.directory_values import Account, Contact, CrmProfile, CrmUser
from services.errand import Errand
from services.errors import NotFound
from services.policy import Product
from services.storage.clock import now
from services.upstream import crm_profiles
from services.upstream.auth import Connection
from services.upstream.client import Client
from services.upstream.documents import AT_ONCE, Credentials
from services.upstream.envelopes import LARGEST_PAGE, Rows

T = TypeVar("T")


class _Info(Struct):
    more_records: bool = False


class _Page(Struct, Generic[T]):
    """A list of records; nothing found is an answer without a body."""

    data: list[T] = []
    info: _Info | None = None


class _Users(Struct):
    users: list[CrmUser] = []
    info: _Info | None = None


class _Entity(Struct, Generic[T], frozen=True):
    """A module of CRM records: its name, the fields to ask for, and how to read them."""

    module: str
    fields: str
    decode: Callable[[bytes], _Page[T]]


ACCOUNTS = _Entity("Accounts", "Account_Name,Phone,Website", Decoder(_Page[Account]).decode)
CONTACTS = _Entity("Contacts", "Full_Name,Email,Phone,Account_Name", Decoder(_Page[Contact]).decode)
_users = Decoder(_Users).decode


class Crm:
    """Asks the CRM under the access of the errand's viewer, or under a given connection."""

    def __init__(self, client: Client, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials

    async def account(self, errand: Errand, id: str) -> Account:  # noqa: A002
        """One account; raises `NotFound`."""
        return await self._one(errand, ACCOUNTS, id)

    async def contact(self, errand: Errand, id: str) -> Contact:  # noqa: A002
        """One contact; raises `NotFound`."""
        return await self._one(errand, CONTACTS, id)

    async def accounts(
        self, errand: Errand, page: int, per_page: int = LARGEST_PAGE, *, word: str | None = None
    ) -> Rows[Account]:
        """A page of accounts, the newest first; only those with a word in them when one is given."""
        return await self._listed(errand, ACCOUNTS, page, per_page, word)

    async def contacts(
        self, errand: Errand, page: int, per_page: int = LARGEST_PAGE, *, word: str | None = None
    ) -> Rows[Contact]:
        """A page of contacts, the newest first; only those with a word in them when one is given."""
        return await self._listed(errand, CONTACTS, page, per_page, word)

    async def contacts_of(
        self, errand: Errand, account_id: str, page: int, per_page: int = LARGEST_PAGE
    ) -> Rows[Contact]:
        """A page of an account's contacts."""
        return await self._rows(errand, CONTACTS, f"/Accounts/{account_id}/Contacts", _paged(page, per_page) | _NEWEST)

    async def accounts_by_id(self, errand: Errand, ids: Iterable[str]) -> dict[str, Account]:
        """Accounts by id, a hundred a call; unknown ids are absent."""
        return {account.id: account for account in await self._several(errand, ACCOUNTS, ids)}

    async def contacts_by_id(self, errand: Errand, ids: Iterable[str]) -> dict[str, Contact]:
        """Contacts by id, a hundred a call; unknown ids are absent."""
        return {contact.id: contact for contact in await self._several(errand, CONTACTS, ids)}

    async def users(self, connection: Connection, errand: Errand | None = None) -> list[CrmUser]:
        """All users of the organization, active or not."""
        found: list[CrmUser] = []
        page, more = 1, True
        while more:
            asked = {"type": "AllUsers", **_paged(page, LARGEST_PAGE)}
            answer = await self._client.get(connection, "/users", _users, params=asked, errand=errand)
            found += answer.users
            page, more = page + 1, answer.info is not None and answer.info.more_records
        return found

    async def profiles(self, connection: Connection, errand: Errand | None = None) -> list[CrmProfile]:
        """All profiles with what they grant, field by field: a call a profile, and one a module."""

        async def get(path: str, decode: Callable[[bytes], T], params: Mapping[str, str]) -> T:
            return await self._client.get(connection, path, decode, params=params, errand=errand)

        return await crm_profiles.read(get)

    async def _one(self, errand: Errand, entity: _Entity[T], id: str) -> T:  # noqa: A002
        rows = await self._rows(errand, entity, f"/{entity.module}/{id}", {})
        if not rows.rows:
            raise NotFound
        return rows.rows[0]

    async def _listed(self, errand: Errand, entity: _Entity[T], page: int, per_page: int, word: str | None) -> Rows[T]:
        paging = _paged(page, per_page)
        if word is None:
            return await self._rows(errand, entity, f"/{entity.module}", paging | _NEWEST)
        return await self._rows(errand, entity, f"/{entity.module}/search", {"word": word, **paging})

    async def _several(self, errand: Errand, entity: _Entity[T], ids: Iterable[str]) -> list[T]:
        wanted = sorted(set(ids))  # equal reads of several requests are known as equal
        chunks = (wanted[start : start + AT_ONCE] for start in range(0, len(wanted), AT_ONCE))
        pages = await asyncio.gather(
            *(self._rows(errand, entity, f"/{entity.module}", {"ids": ",".join(chunk)}) for chunk in chunks)
        )
        return [row for page in pages for row in page.rows]

    async def _rows(self, errand: Errand, entity: _Entity[T], path: str, params: Mapping[str, str]) -> Rows[T]:
        connection = await self._credentials.for_viewer(errand.viewer, Product.CRM)
        asked = {"fields": entity.fields, **params}
        page = await self._client.get(connection, path, entity.decode, params=asked, errand=errand)
        return Rows(page.data, page.info is not None and page.info.more_records, now())


_NEWEST = {"sort_by": "id", "sort_order": "desc"}


def _paged(page: int, per_page: int) -> dict[str, str]:
    return {"page": str(page), "per_page": str(per_page)}
