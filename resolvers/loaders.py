"""The batches of one request: every key is asked for once, however many rows need it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from math import ceil
from typing import Any

from aiodataloader import DataLoader, Loader, dispatch_queue_batch

from services import Services
from services.directory_values import Account, Contact, Customer
from services.documents import Document, Module
from services.errand import Errand
from services.errors import CostExceeded, Forbidden, NotFound
from services.kinds import KINDS, MODULE_OF, Kind
from services.policy import Product
from services.storage.models import now
from services.upstream.documents import AT_ONCE

MOST_LOOK_UPS = 50
"""Records of one kind that an operation may have looked up one by one: half of what an organization has a minute."""


class Batch(DataLoader[Any, Any]):
    """A loader over a batch that answers a mapping; of a key it leaves out, `missing` says what it comes to."""

    def __init__(  # without the library's, which looks at the class each time: every request makes several
        self, batch: Callable[..., Awaitable[Mapping[Any, Any]]], *, missing: Callable[[], Any] = NotFound
    ) -> None:
        self._batch, self._missing = batch, missing
        self.loop, self._cache, self._queue = asyncio.get_running_loop(), {}, []

    @staticmethod
    def get_cache_key(key: Any) -> Any:
        """Keys are hashable as they are."""
        return key

    async def batch_load_fn(self, keys: list[Any]) -> list[Any]:
        """The values, or failures, in the order of the keys."""
        found = await self._batch(keys)
        return [found[key] if key in found else self._missing() for key in keys]

    def do_resolve_reject(self, key: Any, future: "asyncio.Future[Any]") -> None:
        """Queue it; the batch begins two turns of the loop later, as in the library, but no task waits for that."""
        self._queue.append(Loader(key, future))
        if len(self._queue) == 1:
            self.loop.call_soon(self.loop.call_soon, self._dispatch)

    def _dispatch(self) -> None:
        queue, self._queue = self._queue, []
        self.loop.create_task(dispatch_queue_batch(self, queue))


class Wholly:
    """The loader of customers for one need: as list rows tell them, or as `whole` records, with their links."""

    def __init__(self, loader: "DataLoader[tuple[str, bool], Customer]", *, whole: bool) -> None:
        self._loader, self._whole = loader, whole

    def load(self, customer_id: str) -> "asyncio.Future[Customer]":
        """The customer, with all that are asked for at the same time."""
        return self._loader.load((customer_id, self._whole))


class Loaders:
    """One loader a relation, made when first used."""

    def __init__(self, services: Services, errand: Errand) -> None:
        self._services = services
        self._errand = errand
        self._full: dict[Module, DataLoader[str, Document]] = {}
        self._known: dict[Module, DataLoader[str, Document | None]] = {}
        self._seen: list[tuple[Sequence[Document], datetime]] = []
        self._rows: dict[tuple[type[Document], str], Document] = {}
        self._told: dict[type[Document], datetime] = {}

    def close(self) -> None:
        """Let go of the batches: they hold these loaders, and only the collector of cyclic garbage would find both."""
        for name in [name for name, value in self.__dict__.items() if isinstance(value, Batch | Wholly)]:
            del self.__dict__[name]
        self._full.clear()
        self._known.clear()

    def saw(self, rows: Sequence[Document], at: datetime) -> None:
        """List rows that were read for this request, true as of that moment."""
        self._seen.append((rows, at))

    def as_of(self, record: Document) -> datetime | None:
        """The moment at which a record was true."""
        self._take_in()
        return record.as_of or self._told.get(type(record))

    def _take_in(self) -> None:
        """Sort the rows that were seen: few operations want to know them."""
        seen, self._seen = self._seen, []
        for rows, at in seen:
            for row in rows:
                made = type(row)
                self._rows[made, row.id] = row
                if row.as_of is None and self._told.get(made, at) >= at:
                    self._told[made] = at

    def wrote(self, record: Document) -> None:
        """Forget what was read of a record before it was written: a later write of the request may show it again."""
        module = MODULE_OF[type(record)]
        for known in (self._full, self._known):
            if module in known:
                known[module].clear(record.id)
        self._take_in()
        self._rows.pop((type(record), record.id), None)

    def full(self, record: Document) -> "DataLoader[str, Document]":
        """Full records of the record's kind, by id."""
        return self.documents(MODULE_OF[type(record)])

    def documents(self, module: Module) -> "DataLoader[str, Document]":
        """Full records of a module, by id."""
        if module not in self._full:
            self._full[module] = Batch(partial(self._complete, KINDS[module]))
        return self._full[module]

    def known(self, module: Module) -> "DataLoader[str, Document | None]":
        """Records of a module as the copy has them, by id; None for those that the product is to tell."""
        if module not in self._known:
            self._known[module] = Batch(partial(self._copied, KINDS[module]), missing=_nothing)
        return self._known[module]

    @cached_property
    def customers(self) -> Wholly:
        """Customers and vendors of Books as list rows tell them, by id."""
        return Wholly(self._customers, whole=False)

    @cached_property
    def whole_customers(self) -> Wholly:
        """Customers and vendors of Books with the CRM records that they are linked with, by id."""
        return Wholly(self._customers, whole=True)

    @cached_property
    def billing_customers(self) -> "DataLoader[str, Customer]":
        """Customers of Billing, by id."""
        return Batch(partial(self._services.parties.billed, self._errand))

    @cached_property
    def accounts(self) -> "DataLoader[str, Account]":
        """CRM accounts, by id."""
        return Batch(partial(self._services.parties.accounts, self._errand))

    @cached_property
    def contacts(self) -> "DataLoader[str, Contact]":
        """CRM contacts, by id."""
        return Batch(partial(self._services.parties.contacts, self._errand))

    @cached_property
    def people(self) -> "DataLoader[str, Any]":
        """Members by their Books user id; None for a user who is not a CRM user."""
        return Batch(self._people, missing=_nothing)

    @cached_property
    def members(self) -> "DataLoader[str, Any]":
        """Members by their case-folded e-mail address; None for an address that is nobody's."""
        return Batch(self._members, missing=_nothing)

    @cached_property
    def parties(self) -> "DataLoader[tuple[Product, str, str], list[Customer]]":
        """A product's customers and vendors linked to (`account` or `contact`, CRM id)."""
        return Batch(self._parties)

    @cached_property
    def books_parties(self) -> "DataLoader[tuple[str, str], list[Customer]]":
        """Customers and vendors of Books linked to (`account` or `contact`, CRM id), whichever product asks."""
        return Batch(partial(self._services.parties.linked, self._errand))

    @cached_property
    def _customers(self) -> "DataLoader[tuple[str, bool], Customer]":
        return Batch(self._customers_by_need)

    async def _customers_by_need(self, keys: Sequence[tuple[str, bool]]) -> Mapping[Any, Any]:
        whole = {id for id, needed in keys if needed}  # noqa: A001
        listed = {id for id, _ in keys} - whole  # noqa: A001
        found = await self._services.parties.customers(self._errand, listed, whole)
        return {key: found[key[0]] for key in keys if key[0] in found}

    async def _copied(self, kind: Kind, ids: Sequence[str]) -> Mapping[str, Document]:
        answers = self._services.answers
        sight = await answers.sight(self._errand, [kind.module])
        if sight is None:
            return {}
        found = await answers.documents(sight, kind, ids)
        self.saw(list(found.values()), sight.at)
        self._errand.saved += _calls(kind, len(found))
        return found

    async def _complete(self, kind: Kind, ids: Sequence[str]) -> Mapping[str, Any]:
        self._take_in()
        rows = {id: self._rows[kind.type, id] for id in ids if (kind.type, id) in self._rows}  # noqa: A001
        if unseen := [id for id in ids if id not in rows]:  # noqa: A001
            rows |= await self._copied(kind, unseen)
        held = await self._services.full_records.holding(self._errand, kind, rows)
        self._errand.saved += _calls(kind, len(held))
        rest = [id for id in ids if id not in held]  # noqa: A001
        return {**held, **(await self._fetched(kind, rest) if rest else {})}

    async def _fetched(self, kind: Kind, ids: Sequence[str]) -> Mapping[str, Any]:
        if kind.multi_get is None and len(ids) > MOST_LOOK_UPS:
            raise CostExceeded(
                f"{len(ids)} {kind.word}s would have to be looked up one by one; at most {MOST_LOOK_UPS} are.",
                hint="Ask for fewer rows, or leave out the fields whose description says that they take a look-up.",
                limit=MOST_LOOK_UPS,
            )
        at = now()
        found = await self._services.documents.several(self._errand, kind, ids)
        told = [one for one in found.values() if isinstance(one, Document)]
        await self._services.full_records.keep(self._errand.viewer, kind, told, at)
        for missing in (id for id in ids if id not in found):  # noqa: A001
            self._services.copy.doubt(self._errand.viewer.organization_id, kind.module, missing)
        return found

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
        if product is Product.BILLING and not await self._shared():
            return await self._services.parties.linked_in_billing(self._errand, what, crm_id)
        linked: list[Customer] = await self.books_parties.load((what, crm_id))
        return linked

    async def _shared(self) -> bool:
        """Whether the viewer can ask Books about Billing's customers: products of one organization share them."""
        viewer, for_viewer = self._errand.viewer, self._services.credentials.for_viewer
        try:
            books, billing = await for_viewer(viewer, Product.BOOKS), await for_viewer(viewer, Product.BILLING)
        except Forbidden:
            return False
        return books.product_organization_id == billing.product_organization_id


def _nothing() -> None:
    """Not even a failure."""


def _calls(kind: Kind, count: int) -> int:
    """That it takes to fetch so many full records."""
    return count if kind.multi_get is None else ceil(count / AT_ONCE)
