"""Records in memory in the place of everything that fetches, so that executing alone is measured."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

from resolvers.context import Context
from services import Services
from services.directory_values import Account, Customer
from services.documents import Addon, Document, Invoice, LineItem, Module, Subscription
from services.errand import Errand
from services.kinds import KINDS
from services.listing import Row, Window
from services.policy import MODULES, AccessKind, Action, ModuleGrant, Product, ProductAccess, Viewer
from services.records.excerpt import Excerpt
from services.storage.sealing import Opaque

ORGANIZATION = "0123456789abcdef0123456789abcdef"
EVERYTHING = ModuleGrant(frozenset(Action))
AT = dt.datetime(2026, 11, 15, 12, tzinfo=dt.UTC)
MANY = 100
CUSTOMERS = 10
ACCOUNT = "461000000000000001"


def _line(number: int) -> LineItem:
    return LineItem(
        id=f"46{number:016}",
        item_id=f"47{number:016}",
        name="Standing desk",
        description="Standing desk, per pcs",
        unit="pcs",
        rate=Decimal("645.00"),
        quantity=Decimal(1 + number % 12),
        discount_amount=Decimal("0.00"),
        tax_name="Standard Rate",
        tax_percentage=Decimal(19),
        item_total=Decimal("645.00") * (1 + number % 12),
    )


def _record(module: Module, number: int) -> Document:
    """A full one, with everything in it that all five kinds have."""
    made: Any = KINDS[module].type
    fields: dict[str, Any] = {
        "id": f"46{number:016}",
        "number": f"NO-{number:06}",
        "status": "sent" if module is Module.INVOICES else "draft",
        "reference_number": f"REF-{number}",
        "date": dt.date(2026, 1, 1) + dt.timedelta(days=number),
        "total": Decimal("9471.21") + number,
        "currency_code": "EUR",
        "customer_id": f"48{number % CUSTOMERS:016}",
        "customer_name": f"Customer {number % CUSTOMERS}",
        "created_time": f"2026-11-11T16:{number % 60:02}:00+0100",
        "last_modified_time": f"2026-11-15T17:{number % 60:02}:00+0100",
        "complete": True,
    }
    if made is Invoice:
        fields |= {"balance": Decimal("100.00"), "due_date": dt.date(2027, 1, 10)}
    if made is Subscription:
        return Subscription(**fields, name="Standard plan", plan_name="Standard", addons=[Addon(code="seats")])
    record: Document = made(**fields, line_items=[_line(2 * number), _line(2 * number + 1)])
    return record


def _customer(number: int) -> Customer:
    return Customer(
        id=f"48{number:016}",
        name=f"Customer {number}",
        company_name=f"Customer {number} Ltd",
        email=f"purchasing{number}@customer.example",
        phone="+00 555 0100",
        currency_code="EUR",
        contact_type=None,
        outstanding=Decimal("19593.98"),
    )


RECORDS: Mapping[Module, list[Document]] = {
    module: [_record(module, number) for number in range(MANY)] for module in Module
}
BY_ID = {module: {one.id: one for one in records} for module, records in RECORDS.items()}
PARTIES = {customer.id: customer for customer in map(_customer, range(CUSTOMERS))}
ACCOUNTS = {ACCOUNT: Account(id=ACCOUNT, name="Harbor Foods", phone="+00 555 0101", website="https://harbor.example")}


@cache
def _window(module: Module, first: int) -> Window:
    records = RECORDS[module][:first]
    trail = [(str(module), place) for place in range(len(records))]
    rows = [Row(one, one.created_time, 0, trail, index, {}) for index, one in enumerate(records)]
    return Window(rows, len(rows) == first, AT)


class Answers:
    """In the place of `services.records.answers`: everything is known, and true now."""

    async def sight(self, _errand: Errand, _modules: Collection[str]) -> Any:
        return SimpleNamespace(at=AT)

    async def window(self, _sight: Any, excerpt: Excerpt, _named: Any) -> Window:
        return _window(excerpt.parts[0].kind.module, excerpt.first)

    async def count(self, _sight: Any, _excerpt: Excerpt) -> int:
        return MANY

    async def documents(self, _sight: Any, kind: Any, ids: Collection[str]) -> dict[str, Document]:
        return {id: BY_ID[kind.module][id] for id in ids}  # noqa: A001


class Parties:
    """In the place of `services.records.parties`."""

    async def customers(self, _errand: Errand, _listed: Any, _whole: Any) -> dict[str, Customer]:
        return PARTIES

    async def accounts(self, _errand: Errand, _ids: Any) -> dict[str, Account]:
        return ACCOUNTS

    async def linked(self, _errand: Errand, keys: Collection[Any]) -> dict[Any, list[Customer]]:
        return {key: list(PARTIES.values())[:1] for key in keys}


class Credentials:
    """Everybody's products are of one organization."""

    async def for_viewer(self, _viewer: Viewer, _product: Product) -> Any:
        return SimpleNamespace(product_organization_id="1")


@dataclass(frozen=True)
class Usage:
    """Nothing is noted."""

    def note(self, _viewer: Viewer, _touched: Any) -> None:
        """Nothing."""


_GRANTS = dict.fromkeys(MODULES, EVERYTHING)
VIEWER = Viewer(
    id="m",
    organization_id=ORGANIZATION,
    name="Demo Staff",
    email="staff@demo.example",
    profile_name="Standard",
    profile=_GRANTS,
    access=tuple(
        ProductAccess(product, AccessKind.PRODUCT_USER, _GRANTS) for product in (Product.BOOKS, Product.BILLING)
    ),
)
SERVICES = cast(
    Services,
    SimpleNamespace(
        answers=Answers(), parties=Parties(), credentials=Credentials(), usage=Usage(), opaque=Opaque([bytes(32)])
    ),
)


def context() -> Context:
    """Of one request of somebody who may see everything."""
    return Context(SERVICES, VIEWER, Errand(VIEWER, "bench", monotonic() + 60, within=60))
