"""What the products and the CRM have told about people and companies, for a while.

Each access by itself, or one for all whom the product shows everything.
"""

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from services.policy import Product, Viewer
from services.records.memory import Memory
from services.records.readers import tells_all
from services.storage.models import now
from services.upstream.auth import Connection

CUSTOMERS, LISTED, BILLED, LINKED, ACCOUNTS, CONTACTS = (
    "customers",
    "listed",
    "billed",
    "linked",
    "accounts",
    "contacts",
)
"""What is recalled: customers of Books in full and as list rows tell them, customers of Billing, those linked with a
CRM record, CRM accounts and contacts."""

Fetch = Callable[[Collection[Any]], Awaitable[Mapping[Any, Any]]]
"""Keys → values; what does not exist is absent."""


class Access(NamedTuple):
    """Who was told: a connection, and whether it sees some customers only. That may change while it stays the same.

    In place of the connection's id stands the product's name where it is one for all who see every customer.
    """

    organization_id: str
    connection: str
    scoped: bool


def access_of(viewer: Viewer, connection: Connection) -> Access:
    """That of a viewer who works under this connection."""
    grants = viewer.access_to(connection.product).grants.values()
    return Access(connection.organization_id, connection.id, any(grant.assigned_only for grant in grants))


_CUSTOMERS = {Product.BOOKS: "contacts", Product.BILLING: "customers"}
"""The copied module by which it is decided who sees all of a product's customers."""


def shared_access_of(viewer: Viewer, connection: Connection) -> Access:
    """One for all whom the product shows every customer in full, as for the copy; else that of the viewer alone."""
    module = _CUSTOMERS.get(connection.product)
    if module is None or not tells_all(viewer, module):
        return access_of(viewer, connection)
    return Access(connection.organization_id, connection.product, scoped=False)


class Place(NamedTuple):
    """Where something is remembered: never under another access than the one that was told."""

    access: Access
    what: str
    key: Hashable


class Recalled:
    """At most so many values, each for so long."""

    def __init__(self, lasts: timedelta, entries: int) -> None:
        self.lasts = lasts
        self.memory: Memory[Place, tuple[Any, datetime]] = Memory(entries, 0)
        self._forgotten = 0

    async def several(
        self, access: Access, what: str, keys: Collection[Any], within: float, fetch: Fetch
    ) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """The values that are known, and those that had to be fetched; `within`: how many seconds old they may be."""
        known = self.known(access, what, keys, within)
        missed = [key for key in keys if key not in known]
        if not missed:
            return known, {}
        forgotten, at = self._forgotten, now()
        fetched = dict(await fetch(missed))
        for key, value in fetched.items():
            if forgotten == self._forgotten and not isinstance(value, BaseException):
                self.memory.put(Place(access, what, key), (value, at))
        return known, fetched

    def known(self, access: Access, what: str, keys: Collection[Any], within: float) -> dict[Any, Any]:
        """The values that are known, unless they are too old."""
        oldest = now() - max(self.lasts, timedelta(seconds=within))
        found = {key: self.memory.get(Place(access, what, key)) for key in keys}
        return {key: one[0] for key, one in found.items() if one and one[1] > oldest}

    def forget_customers(self, organization_id: str, ids: Collection[str] = (), *, new: bool = False) -> None:
        """Customers have changed: these, or when none is named any; `new` ones may be linked with anything."""
        self._forgotten += 1
        self.memory.drop_where(
            lambda at, held: at.access.organization_id == organization_id and _is_about(at, held[0], ids, new=new)
        )


def _is_about(at: Place, value: Any, ids: Collection[str], *, new: bool) -> bool:
    if at.what == LINKED:
        return new or not ids or any(one.id in ids for one in value)
    return at.what in (CUSTOMERS, LISTED, BILLED) and (not ids or at.key in ids)
