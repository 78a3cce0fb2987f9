"""What all finance documents share: interfaces and the values inside them."""

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from babel import UnknownLocaleError
from babel.numbers import format_currency

from resolvers import acts, directory
from resolvers.actions import available_actions, product_url
from resolvers.documents import lines
from resolvers.relations import Derived, Full, MoneyOf
from schema.enums import DocumentActionName
from schema.permissions import Argument, field, guarded, interface
from schema.scalars import CurrencyCode, DateTime
from services import documents as domain
from services.documents import Module
from services.errors import BadUserInput
from services.kinds import MODULE_OF, kind_of

if TYPE_CHECKING:
    from schema.directory import Account, Customer, Person

AccountType = Annotated["Account", strawberry.lazy("schema.directory")]
CustomerType = Annotated["Customer", strawberry.lazy("schema.directory")]
PersonType = Annotated["Person", strawberry.lazy("schema.directory")]


def _formatted(money: domain.Money, _context: Any, locale: str | None = None) -> str:
    try:
        return str(format_currency(money.amount, money.currency, locale=(locale or "en").replace("-", "_")))
    except (UnknownLocaleError, ValueError) as error:
        raise BadUserInput(f"{locale!r} is not a locale.", field=("locale",), hint="Use one such as de-DE.") from error


@guarded("public", description="An amount of money, exact to the digit.")
class Money:
    """`domain.Money`."""

    amount: Decimal = field("public", description="The amount, with the digits that the product sent.")
    currency: CurrencyCode = field("public", description="Its currency.")
    formatted: str = field(
        "public",
        Derived(_formatted),
        args={"locale": Argument(str | None, "A locale such as `de-DE`; English when left out.")},
        description="The amount for people, in the manner of a locale.",
    )


@guarded("public", description="A custom field of a record.")
class CustomField:
    """`domain.CustomField`."""

    name: str | None = field("public", "api_name", description="The field's API name, such as `cf_region`.")
    label: str | None = field("public", description="The field's label in the product.")
    value: str | None = field(
        "public",
        Derived(lambda f, _: None if f.value is None else str(f.value)),
        description="Its value as text.",
    )


@guarded("public", description="A line of a document. Amounts are in the document's currency.")
class LineItem:
    """`domain.LineItem`."""

    id: strawberry.ID | None = field("public", description="The product's id of the line; give it to change the line.")
    item_id: strawberry.ID | None = field(
        "public",
        Derived(lambda line, context: line.item_id and context.global_id("item", line.item_id)),
        description="The catalogue item that the line was made from.",
    )
    name: str | None = field("public", description="What is sold or bought.")
    description: str | None = field("public", description="A longer text.")
    unit: str | None = field("public", description="What the quantity counts.")
    quantity: Decimal | None = field("public", description="How many units.")
    rate: Decimal | None = field("public", description="The price of a unit.")
    discount: Decimal | None = field(
        "public",
        "discount_amount",
        description="What is taken off the line; null where the document's `discount` is hidden from the viewer.",
    )
    tax_name: str | None = field("public", description="The tax on the line.")
    tax_percentage: Decimal | None = field("public", description="Its rate in per cent.")
    total: Decimal | None = field("public", "item_total", description="Quantity × rate, less the discount, before tax.")


@guarded("public", description="Who submitted and who approved a document.")
class Approval:
    """Read from the document itself."""

    submitted_by: PersonType | None = field("public", directory.submitted_by, description="Who submitted it.")
    submitted_on: dt.date | None = field("public", "submitted_date", description="When it was submitted.")
    approver: PersonType | None = field("public", directory.approver, description="Who approved it.")
    approved_at: DateTime | None = field(
        "public", directory.approved_at, description="When, where it was approved here; the products do not tell."
    )


@guarded("public", description="Something that can be done to a document, and whether this viewer can do it now.")
class DocumentAction:
    """`resolvers.actions.Available`."""

    name: DocumentActionName = field("public", description="The action.")
    available: bool = field("public", description="Whether the viewer can do it to the record as it is now.")
    requires: str = field("public", description="The permission it takes.")
    reason: str | None = field("public", description="Why not, when it is not available.")
    granted_by: str | None = field("public", description="Who can grant what is missing.")


@guarded("public", description="Somebody who gets a mail.")
class EmailReceiver:
    """`upstream.documents.Receiver`."""

    name: str | None = field("public", description="The name.")
    email: str = field("public", description="The e-mail address.")
    selected: bool = field("public", description="Whether the mail goes to this person when nobody else is named.")


@guarded("public", description="The mail that leaves when nothing else is said.")
class EmailPreview:
    """`correspondence.Preview`."""

    sender: str = field("public", Derived(lambda mail, _: mail.sender.email), description="The viewer's own address.")
    sender_name: str = field("public", Derived(lambda mail, _: mail.sender.name), description="The viewer's name.")
    subject: str = field("public", description="The subject.")
    body: str = field("public", description="The body, as HTML.")
    to: list[EmailReceiver] = field("public", description="The contact persons with an address.")
    file_name: str | None = field("public", description="The name of the attached PDF.")


@interface("A record with a global id.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = field("public", description="The global id: opaque, and only good in this organization.")


def _id(record: Any, context: Any) -> str:
    return context.global_id(MODULE_OF[type(record)], record.id)  # type: ignore[no-any-return]


def _custom_fields(record: Any, _context: Any, names: list[str] | None = None) -> list[domain.CustomField]:
    return [f for f in record.custom_fields if names is None or f.api_name in names or f.label in names]


@interface("What all five kinds of finance document have in common.")
class FinanceDocument(Node):
    """`domain.Document`."""

    id: strawberry.ID = field("*.view", Derived(_id))
    module: Module = field("*.view", Derived(lambda record, _: MODULE_OF[type(record)]), description="The module.")
    number: str | None = field("*.view.number", description="The number that people know it by.")
    reference_number: str | None = field("*.view.referenceNumber", description="The other side's reference.")
    raw_status: str | None = field("*.view.status", "status", description="The status in the product's own word.")
    date: dt.date | None = field("*.view.date", description="The date on the document; of subscriptions, of creation.")
    total: Money | None = field("*.view.total", MoneyOf("total"), description="What it amounts to, taxes included.")
    custom_fields: list[CustomField] | None = field(
        "*.view.customFields",
        Full(Derived(_custom_fields)),
        args={"names": Argument(list[str] | None, "Only the fields with these API names or labels.")},
        description="The organization's own fields.",
    )
    created_at: DateTime | None = field("*.view.createdAt", "created_time", description="When it was created.")
    created_by: PersonType | None = field(
        "*.view.createdBy", Full(directory.created_by), description="Who created it in the product."
    )
    last_modified_at: DateTime | None = field(
        "*.view.lastModifiedAt", "last_modified_time", description="When it was changed last."
    )
    last_modified_by: PersonType | None = field(
        "*.view.lastModifiedBy", Full(directory.last_modified_by), description="Who changed it last in the product."
    )
    acting_user: PersonType | None = field(
        "*.view.actingUser",
        Full(directory.acting_user),
        description="The integration user who created or changed it last, where the owner's access was used for it.",
    )
    as_of: DateTime | None = field(
        "*.view",
        Derived(lambda record, context: context.loaders.as_of(record)),
        description="The moment at which it was true.",
    )
    product_url: str | None = field(
        "*.view",
        Derived(product_url),
        description="The record's page in the product; null for those with no direct access to the product.",
    )
    available_actions: list[DocumentAction] | None = field(
        "*.view", available_actions, description="What this viewer may do to the record in its present status."
    )


@interface("What the four kinds of Zoho Books add: lines, sums, texts and approval.")
class BooksDocument(FinanceDocument):
    """`domain.BooksDocument`."""

    id: strawberry.ID = field("*.view")
    line_items: list[LineItem] | None = field("*.view.lineItems", Full(Derived(lines)), description="The lines.")
    sub_total: Money | None = field("*.view.subTotal", Full(MoneyOf("sub_total")), description="The sum before tax.")
    tax_total: Money | None = field("*.view.taxTotal", Full(MoneyOf("tax_total")), description="All taxes.")
    discount: Money | None = field(
        "*.view.discount",
        Full(MoneyOf("discount_total")),
        description="All discounts together. Those of single lines are taken off in the lines and so in `subTotal`; "
        "one on the whole is not.",
    )
    shipping_charge: Money | None = field(
        "*.view.shippingCharge", Full(MoneyOf("shipping_charge")), description="What is charged for shipping."
    )
    adjustment: Money | None = field(
        "*.view.adjustment", Full(MoneyOf("adjustment")), description="What was added or taken off by hand."
    )
    notes: str | None = field("*.view.notes", Full(Derived(lambda record, _: record.notes)), description="A note.")
    terms: str | None = field("*.view.terms", Full(Derived(lambda record, _: record.terms)), description="The terms.")
    salesperson: str | None = field(
        "*.view.salesperson",
        Full(Derived(lambda record, _: record.salesperson_name)),
        description="The salesperson's name.",
    )
    email_preview: EmailPreview | None = field(
        "*.email", acts.email_preview, description="The mail that leaves when nothing else is said."
    )
    approval: Approval | None = field(
        "*.view.approval",
        Full(Derived(lambda record, _: record if record.submitted_by or record.approver_id else None)),
        description="Who submitted and approved it; null when it was never submitted.",
    )


def typed_status(record: Any, _context: Any) -> str | None:
    """The status when the gateway knows the word."""
    return record.status if record.status in kind_of(record).statuses else None
