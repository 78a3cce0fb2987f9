"""CRM accounts and contacts, the customers behind documents, and the people behind changes."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

from msgspec import Struct

from resolvers import conditions, pagination
from resolvers.context import Context
from resolvers.relations import Attribute, Derived, Link, One, Via
from services.acts import ActName
from services.audit import Filters, State, Subject
from services.directory_values import Account, Contact, Customer
from services.documents import Document
from services.errand import Errand
from services.errors import BadUserInput
from services.kinds import PRODUCT_OF, kind_of
from services.listing import Ranking, Stream, window
from services.policy import AccessKind, Product
from services.upstream.envelopes import LARGEST_PAGE, Rows

_BY_ID = Ranking("id", str)
SEARCH = range(2, 101)
"""How many characters the CRM searches for."""
_SEARCHED = {"accounts": ("name", "phone", "website"), "contacts": ("name", "email", "phone")}
"""The fields that the CRM looks through, as far as they are published: what is found tells what they hold."""
MOST_FOUND = 1000
"""Records that a search may find; the CRM gives them in an order of its own."""


class Party(Struct, frozen=True):
    """The customer or vendor of a document as its row names it; the rest is loaded when asked for."""

    id: str
    name: str | None
    product: Product


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who did something: a member if it is one, else what the product says of them."""

    id: str | None
    name: str | None
    email: str | None


_named = lru_cache(maxsize=1 << 14)(Party)
"""Equal parties are one, so that what is read off them is read once."""


def _party(record: Document, _context: Context) -> Party | None:
    if record.customer_id is None:
        return None
    return _named(record.customer_id, record.customer_name, PRODUCT_OF[type(record)])


party = Derived(_party)
"""The customer or vendor of a document."""


def _customers(party: Party, context: Context) -> Any:
    loaders = context.loaders
    return loaders.billing_customers if party.product is Product.BILLING else loaders.customers


def _whole(party: Party, context: Context) -> Any:
    loaders = context.loaders
    return loaders.billing_customers if party.product is Product.BILLING else loaders.whole_customers


def _whole_of(record: Document, context: Context) -> Any:
    loaders = context.loaders
    return loaders.billing_customers if kind_of(record).product is Product.BILLING else loaders.whole_customers


_CUSTOMER = Link(_customers, attrgetter("id"))
"""From a document's party to the customer as lists tell it."""
_ACCOUNT = One("accounts", "zcrm_account_id")
"""The CRM account of a full customer."""


def of_party(name: str) -> Via:
    """An attribute of the full customer."""
    return Via(_CUSTOMER, Attribute(name))


def derived_of_party(read: Callable[[Customer], Any]) -> Via:
    """Something read off the full customer."""
    return Via(_CUSTOMER, Derived(lambda customer, _context: read(customer)))


account_of_party = Via(Link(_whole, attrgetter("id")), _ACCOUNT)
"""The CRM account that a customer is linked with."""
account_of = Via(Link(_whole_of, attrgetter("customer_id")), _ACCOUNT)
"""The CRM account that the document's customer is linked with."""


def linked(what: str) -> Callable[..., Any]:
    """The customers and vendors that a CRM account or contact (`what`) is linked with, in the viewer's products."""

    async def resolve(record: Account | Contact, context: Context) -> list[Party]:
        products = [access.product for access in context.viewer.access if access.kind is not AccessKind.NONE]
        found: dict[str, Party] = {}
        for product in products:
            for one in await context.loaders.parties.load((product, what, record.id)):
                found.setdefault(one.id, Party(one.id, one.name, product))
        return list(found.values())

    return resolve


async def account(_root: Any, context: Context, id: str) -> Account:  # noqa: A002
    """A CRM account by global id."""
    return await context.loaders.accounts.load(context.record_id("account", id))


async def contact(_root: Any, context: Context, id: str) -> Contact:  # noqa: A002
    """A CRM contact by global id."""
    return await context.loaders.contacts.load(context.record_id("contact", id))


account_of_contact = One("accounts", "account_id")
"""The account a contact belongs to."""


async def accounts(
    _root: Any, context: Context, first: int | None = None, after: str | None = None, search: str | None = None
) -> pagination.Page:
    """CRM accounts."""
    if search is not None:
        conditions.permit(context.viewer, "Query.accounts", "accounts.view", *_SEARCHED["accounts"])
    return await _page(
        context, "accounts", partial(_listed, context.services.crm.accounts, search), first, after, search
    )


async def contacts(
    _root: Any, context: Context, first: int | None = None, after: str | None = None, search: str | None = None
) -> pagination.Page:
    """CRM contacts."""
    if search is not None:
        conditions.permit(context.viewer, "Query.contacts", "contacts.view", *_SEARCHED["contacts"])
    return await _page(
        context, "contacts", partial(_listed, context.services.crm.contacts, search), first, after, search
    )


async def contacts_of(
    account: Account, context: Context, first: int | None = None, after: str | None = None
) -> pagination.Page:
    """The contacts of an account."""

    async def read(errand: Errand, page: int, per_page: int) -> Rows[Any]:
        return await context.services.crm.contacts_of(errand, account.id, page, per_page)

    return await _page(context, "contacts", read, first, after, account.id)


async def _listed(crm: Any, search: str | None, errand: Errand, page: int, per_page: int) -> Rows[Any]:
    if search is None:
        page_read: Rows[Any] = await crm(errand, page, per_page)
        return page_read
    if len(search) not in SEARCH:
        raise BadUserInput(
            f"Search for {SEARCH[0]} to {SEARCH[-1]} characters.",
            field=("search",),
            hint="Without `search` all are listed.",
        )
    found = await _everything(crm, errand, search)
    start = (page - 1) * per_page
    return Rows(found.rows[start : start + per_page], len(found.rows) > start + per_page, found.at)


async def _everything(crm: Any, errand: Errand, search: str) -> Rows[Any]:
    """All that a search finds, in the order of lists."""
    rows: list[Any] = []
    for page in range(1, MOST_FOUND // LARGEST_PAGE + 1):
        read = await crm(errand, page, LARGEST_PAGE, word=search)
        rows += read.rows
        if not read.more:
            return Rows(sorted(rows, key=_BY_ID.value, reverse=True), more=False, at=read.at)
    raise BadUserInput(f"More than {MOST_FOUND} records match.", field=("search",), hint="Search for more letters.")


async def _page(
    context: Context, what: str, read: Any, first: int | None, after: str | None, identity: str | None
) -> pagination.Page:
    asked = pagination.asked(context, _BY_ID, first, after, what, identity)
    stream = Stream(what, 0, partial(read, context.errand))
    return asked.page(await window([stream], _BY_ID, asked.first, asked.after))


async def created_by(record: Document, context: Context) -> Person | None:
    """Who created a record in the product."""
    return await _person(context, record.created_by_id, record.created_by_name)


async def last_modified_by(record: Document, context: Context) -> Person | None:
    """Who changed a record last in the product."""
    return await _person(context, record.last_modified_by_id, None)


async def submitted_by(record: Any, context: Context) -> Person | None:
    """Who submitted a document for approval."""
    email = record.submitted_by_email
    member = await context.loaders.members.load(email.casefold()) if email and not record.submitter_id else None
    if member is not None:
        return Person(context.global_id("user", member.id), member.name, member.email)
    return await _person(context, record.submitter_id or record.submitted_by, record.submitted_by_name, email)


async def approver(record: Any, context: Context) -> Person | None:
    """Who approved a document."""
    return await _person(context, record.approver_id, None)


async def approved_at(record: Document, context: Context) -> dt.datetime | None:
    """When a document was approved last, as the audit knows."""
    module = kind_of(record).module
    approved = Filters(
        actions=[f"{module}.{ActName.APPROVE}"], outcomes=[State.APPLIED], subject=Subject(module, record.id)
    )
    page = await context.services.audit.page(context.viewer.organization_id, 1, filters=approved)
    return next((event.settled_at or event.at for event in page.events), None)


async def _person(context: Context, user_id: str | None, name: str | None, email: str | None = None) -> Person | None:
    member = await context.loaders.people.load(user_id) if user_id else None
    if member is None:
        return Person(None, name, email) if name or email else None
    return Person(context.global_id("user", member.id), member.name, member.email)


async def acting_user(record: Document, context: Context) -> Person | None:
    """The integration user that the owner's access acted for, as noted in the record's custom field."""
    noted = next((f.value for f in record.custom_fields if f.api_name == context.viewer.acting_user_field), None)
    if not noted:
        return None
    member = await context.loaders.members.load(str(noted).casefold())
    if member is None:
        return Person(None, None, str(noted))
    return Person(context.global_id("user", member.id), member.name, member.email)
