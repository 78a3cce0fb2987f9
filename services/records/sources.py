"""What is copied, as a table: where a module's list is, how its changes are found, and which columns a row fills."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from math import ceil
from typing import Any

from msgspec import Struct

from services.documents import Module
from services.kinds import KINDS, Kind
from services.policy import Product

Body = dict[str, Any]


def text(value: Any) -> str | None:
    """Ids may be numbers; an empty text is absent."""
    return str(value) if value not in (None, "") else None


def money(value: Any) -> Decimal | None:
    """The exact digits of a number or its text."""
    try:
        return Decimal(str(value)) if value not in (None, "") else None
    except InvalidOperation:
        return None


def day(value: Any) -> dt.date | None:
    """The first ten characters of a date or time; what is neither is absent."""
    try:
        return dt.date.fromisoformat(str(value)[:10]) if value else None
    except ValueError:
        return None


def instant(value: Any) -> dt.datetime | None:
    """`2013-11-18T02:17:40-0800`; without an offset it is UTC."""
    try:
        read = dt.datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
    return read.replace(tzinfo=dt.UTC) if read and read.tzinfo is None else read


class Column(Struct, frozen=True):
    """A column of `Record`: the keys that may hold it, the first that does wins, and how it is read."""

    keys: tuple[str, ...]
    read: Callable[[Any], Any] = text

    def of(self, body: Body) -> Any:
        """The value; `plan.plan_code` reaches into an object. None where no key has one."""
        return next((read for key in self.keys if (read := self.read(_at(body, key))) is not None), None)


def _at(body: Any, key: str) -> Any:
    for part in key.split("."):
        body = body.get(part) if isinstance(body, dict) else None
    return body


OFTEN, SELDOM = dt.timedelta(seconds=30), dt.timedelta(minutes=10)


class Source(Struct, frozen=True, kw_only=True):
    """A copied module is a row.

    Changes are found either by a list parameter that takes an instant (`since`), or in a list sorted by `newest`,
    read from its top until it is known; a list that turns out not to be sorted is read in full.
    """

    module: str
    product: Product
    path: str
    plural: str
    singular: str
    id: str
    modified: str
    columns: Mapping[str, Column]
    since: str | None = None
    newest: str | None = None
    after: tuple[str, ...] = ()
    """Modules that must have been read before, since rows refer to them."""
    permission: str
    """What a viewer needs to be answered from it."""
    every: dt.timedelta = OFTEN
    """How old its copy becomes before changes are asked for; a setting stretches it for all."""


_PARTY = {
    "party_id": Column(("customer_id", "customer.customer_id")),
    "party_name": Column(("customer_name", "customer.display_name")),
}
_MONEY = {"currency": Column(("currency_code",))}
_CATALOGUE = {"number": Column(("plan_code", "addon_code")), "status": Column(("status",))}


def _document(module: Module, columns: Mapping[str, Column]) -> Source:
    """A Books kind, as the table of kinds has it."""
    kind: Kind = KINDS[module]
    return Source(
        module=module,
        product=kind.product,
        path=f"/{kind.path}",
        plural=kind.plural,
        singular=kind.singular,
        id=f"{kind.singular}_id",
        modified="last_modified_time",
        since="last_modified_time",
        permission=f"{module}.view",
        columns={
            "number": Column((f"{kind.singular}_number",)),
            "status": Column(("status",)),
            "party_id": Column((f"{kind.party}_id",)),
            "party_name": Column((f"{kind.party}_name",)),
            "amount": Column(("total",), money),
            "rate": Column(("exchange_rate",), money),
            "day": Column(("date",), day),
            **_MONEY,
            **columns,
        },
    )


def _catalogue(plural: str, singular: str, price: str) -> Source:
    return Source(
        module=plural,
        product=Product.BILLING,
        path=f"/{plural}",
        plural=plural,
        singular=singular,
        id=f"{singular}_code",
        modified="updated_time",
        newest="updated_time",
        permission="subscriptions.view",
        every=SELDOM,
        columns={**_CATALOGUE, "amount": Column((price,), money), "plan_name": Column(("name",))},
    )


SOURCES: Mapping[str, Source] = {
    source.module: source
    for source in (
        _catalogue("plans", "plan", "recurring_price"),
        _catalogue("addons", "addon", "price"),
        Source(
            module="customers",
            product=Product.BILLING,
            path="/customers",
            plural="customers",
            singular="customer",
            id="customer_id",
            modified="updated_time",
            newest="updated_time",
            permission="customers.view",
            every=SELDOM,
            columns={
                "status": Column(("status",)),
                "party_id": Column(("customer_id",)),
                "party_name": Column(("display_name", "customer_name")),
                "account_id": Column(("zcrm_account_id",)),
                "contact_id": Column(("zcrm_contact_id",)),
                "balance": Column(("outstanding",), money),
                "day": Column(("created_time",), day),
                **_MONEY,
            },
        ),
        Source(
            module="subscriptions",
            product=Product.BILLING,
            path="/subscriptions",
            plural="subscriptions",
            singular="subscription",
            id="subscription_id",
            modified="updated_time",
            newest="updated_time",
            after=("plans",),
            permission="subscriptions.view",
            columns={
                "number": Column(("subscription_number",)),
                "status": Column(("status",)),
                "amount": Column(("amount",), money),
                "day": Column(("created_at", "created_time"), day),
                "activated_on": Column(("activated_at",), day),
                "trial_on": Column(("trial_starts_at",), day),
                "due_on": Column(("next_billing_at",), day),
                "ends_on": Column(("cancelled_at", "expires_at"), day),
                "plan_code": Column(("plan.plan_code", "plan_code")),
                "plan_name": Column(("plan.name", "plan_name")),
                **_PARTY,
                **_MONEY,
            },
        ),
        Source(
            module="contacts",
            product=Product.BOOKS,
            path="/contacts",
            plural="contacts",
            singular="contact",
            id="contact_id",
            modified="last_modified_time",
            newest="last_modified_time",
            permission="customers.view",
            columns={
                "number": Column(("contact_number",)),
                "status": Column(("status",)),
                "party_id": Column(("contact_id",)),
                "party_name": Column(("contact_name",)),
                "account_id": Column(("zcrm_account_id",)),
                "contact_id": Column(("zcrm_contact_id",)),
                "balance": Column(("outstanding_receivable_amount",), money),
                "day": Column(("created_time",), day),
                **_MONEY,
            },
        ),
        _document(
            Module.INVOICES,
            {
                "balance": Column(("balance",), money),
                "due_on": Column(("due_date",), day),
                "paid_on": Column(("last_payment_date",), day),
            },
        ),
        _document(Module.ESTIMATES, {"ends_on": Column(("expiry_date",), day)}),
        _document(Module.SALES_ORDERS, {"due_on": Column(("shipment_date",), day)}),
        _document(Module.PURCHASE_ORDERS, {"due_on": Column(("delivery_date",), day)}),
    )
}

COPIED = tuple(SOURCES)
"""What is copied without a wish of the settings: everything."""


def needed(sources: Iterable[Source], stretched: float = 1) -> dict[Product, int]:
    """The calls a minute that it takes to keep the sources in step while nothing changes, by product."""
    calls: defaultdict[Product, float] = defaultdict(float)
    for source in sources:
        calls[source.product] += dt.timedelta(minutes=1) / (source.every * stretched)
    return {product: ceil(count) for product, count in calls.items()}
