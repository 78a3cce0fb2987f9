"""The batches of one request: every key is asked for once, however many rows need it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from aiodataloader import DataLoader

from services import Services
from services.directory_values import Account, Contact, Customer
from services.documents import Document, Module
from services.errand import Errand
from services.errors import CostExceeded, Forbidden, NotFound
from services.kinds import KINDS, MODULE_OF, Kind
from services.policy import Product

Batch = Callable[[Sequence[str]], Awaitable[Mapping[str, Any]]]


MOST_LOOK_UPS = 50
"""Records of one kind that an operation may have looked up one by one: half of what an organization has a minute."""


class Loaders:
    """One loader a relation, made when first used."""

    def __init__(self, services: Services, errand: Errand) -> None:
        self._services = services
        self._errand = errand
        self._full: dict[Module, DataLoader[str, Document]] = {}

    def full(self, record: Document) -> "DataLoader[str, Document]":
        """Full records of the record's kind, by id."""
        return self.documents(MODULE_OF[type(record)])

    def documents(self, module: Module) -> "DataLoader[str, Document]":
        """Full records of a module, by id."""
        if module not in self._full:
            self._full[module] = _loader(partial(self._complete, KINDS[module]))
        return self._full[module]

    @cached_property
    def customers(self) -> "DataLoader[str, Customer]":
        """Customers and vendors of Books, by id."""
        return _loader(partial(self._services.books.full, self._errand))

    @cached_property
    def billing_customers(self) -> "DataLoader[str, Customer]":
        """Customers of Billing, by id."""
        return _loader(partial(_each, partial(self._services.billing.customer, self._errand)))

    @cached_property
    def accounts(self) -> "DataLoader[str, Account]":
        """CRM accounts, by id."""
        return _loader(partial(self._services.crm.accounts_by_id, self._errand))

    @cached_property
    def contacts(self) -> "DataLoader[str, Contact]":
        """CRM contacts, by id."""
        return _loader(partial(self._services.crm.contacts_by_id, self._errand))

    @cached_property
    def people(self) -> "DataLoader[str, Any]":
        """Members by their Books user id; None for a user who is not a CRM user."""
        return _loader(self._people, missing=None)

    @cached_property
    def members(self) -> "DataLoader[str, Any]":
        """Members by their case-folded e-mail address; None for an address that is nobody's."""
        return _loader(self._members, missing=None)

    @cached_property
    def parties(self) -> "DataLoader[tuple[Product, str, str], list[Customer]]":
        """A product's customers and vendors linked to (`account` or `contact`, CRM id)."""
        return _loader(self._parties)

    @cached_property
    def books_parties(self) -> "DataLoader[tuple[str, str], list[Customer]]":
        """Customers and vendors of Books linked to (`account` or `contact`, CRM id), whichever product asks."""
        return _loader(self._books_parties)

    async def _complete(self, kind: Kind, ids: Sequence[str]) -> Mapping[str, Any]:
        if kind.multi_get is None and len(ids) > MOST_LOOK_UPS:
            raise CostExceeded(
                f"{len(ids)} {kind.word}s would have to be looked up one by one; at most {MOST_LOOK_UPS} are.",
                hint="Ask for fewer rows, or leave out the fields whose description says that they take a look-up.",
                limit=MOST_LOOK_UPS,
            )
        return await self._services.documents.several(self._errand, kind, ids)

    async def _people(self, ids: Sequence[str]) -> Mapping[str, Any]:
        people = await self._services.directory.people(self._errand.viewer.organization_id)
        return {user_id: people.get(user_id) for user_id in ids}

    async def _members(self, emails: Sequence[str]) -> Mapping[str, Any]:
        people = await self._services.directory.people(self._errand.viewer.organization_id)
        return {person.email: person for person in people.values() if person.email and person.email in emails}

    async def _parties(self, keys: Sequence[tuple[Product, str, str]]) -> Mapping[Any, Any]:
        found = await asyncio.gather(*(self._linked(*key) for key in keys), return_exceptions=True)
        return dict(zip(keys, found, strict=True))

    async def _linked(self, product: Product, what: str, crm_id: str) -> list[Customer]:
        crm = {f"{what}_id": crm_id}
        if product is Product.BILLING and not await self._shared():
            found = await self._services.billing.by_reference(self._errand, **crm)
            return [found] if found else []
        linked: list[Customer] = await self.books_parties.load((what, crm_id))
        return linked

    async def _books_parties(self, keys: Sequence[tuple[str, str]]) -> Mapping[Any, Any]:
        linked = self._services.books.linked
        found = (linked(self._errand, **{f"{what}_id": crm_id}) for what, crm_id in keys)
        return dict(zip(keys, await asyncio.gather(*found, return_exceptions=True), strict=True))

    async def _shared(self) -> bool:
        """Whether the viewer can ask Books about Billing's customers: products of one organization share them."""
        viewer, for_viewer = self._errand.viewer, self._services.credentials.for_viewer
        try:
            books, billing = await for_viewer(viewer, Product.BOOKS), await for_viewer(viewer, Product.BILLING)
        except Forbidden:
            return False
        return books.product_organization_id == billing.product_organization_id


_ABSENT = object()


async def _each(one: Callable[[str], Awaitable[Any]], ids: Sequence[str]) -> Mapping[str, Any]:
    """A batch of single look-ups; a failing one is its own error."""
    return dict(zip(ids, await asyncio.gather(*map(one, ids), return_exceptions=True), strict=True))


def _loader(batch: Callable[..., Awaitable[Mapping[Any, Any]]], *, missing: Any = _ABSENT) -> "DataLoader[Any, Any]":
    """A loader over a batch that answers a mapping; a key it leaves out is `missing`, or else not found."""

    async def load(keys: list[Any]) -> list[Any]:
        found = await batch(keys)
        return [found.get(key, NotFound() if missing is _ABSENT else missing) for key in keys]

    return DataLoader(load, max_batch_size=None)
