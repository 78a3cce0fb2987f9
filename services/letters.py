"""What is written to users: a template for each occasion, in text and HTML, and what it has to be told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec
from email_validator import EmailNotValidError, validate_email
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.credentials import NAMES
from services.policy import Action, Product

TEMPLATES = Path(__file__).parent / "templates"
ASCII = SMTP.clone(cte_type="7bit")
"""Bodies that every server takes, whatever it says that it can."""
Module = Literal["estimates", "invoices", "salesOrders", "purchaseOrders", "subscriptions", "customers"]
MODULES: Mapping[Module, str] = {
    "estimates": "Estimates",
    "invoices": "Invoices",
    "salesOrders": "Sales Orders",
    "purchaseOrders": "Purchase Orders",
    "subscriptions": "Subscriptions",
    "customers": "Customers",
}


class Template(StrEnum):
    """An occasion to write; its files in `templates/` have its name in small letters."""

    MIGRATED = "MIGRATED"
    AUTHORIZATION_REQUESTED = "AUTHORIZATION_REQUESTED"
    CAPABILITIES_UPGRADED = "CAPABILITIES_UPGRADED"


class Values(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a template has to be told."""


class Migrated(Values, frozen=True, kw_only=True):
    """The user works under their own access from now on; `modules`: what an integration user may do in each."""

    access: Literal["PRODUCT_USER", "INTEGRATION_USER"]
    products: tuple[Product, ...]
    modules: dict[Module, tuple[Action, ...]] = {}


class AuthorizationRequested(Values, frozen=True, kw_only=True):
    """The user has to connect their own account at `link`; `until`: when the link stops working, if ever."""

    products: tuple[Product, ...]
    link: str
    until: datetime | None = None


class CapabilitiesUpgraded(Values, frozen=True, kw_only=True):
    """An integration user may do more; `modules`: what is allowed in each by now."""

    modules: dict[Module, tuple[Action, ...]]


TYPES: Mapping[Template, type[Values]] = {
    Template.MIGRATED: Migrated,
    Template.AUTHORIZATION_REQUESTED: AuthorizationRequested,
    Template.CAPABILITIES_UPGRADED: CapabilitiesUpgraded,
}
SUBJECTS: Mapping[Template, str] = {
    Template.MIGRATED: "{organization}: your access to the finance modules has changed",
    Template.AUTHORIZATION_REQUESTED: "{organization}: connect your account",
    Template.CAPABILITIES_UPGRADED: "{organization}: you can do more in the finance modules",
}


class Unsendable(ValueError):
    """The message cannot be written, whenever it is tried; the text says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Somebody who writes or is written to."""

    name: str
    email: str

    @property
    def domain(self) -> str:
        """What follows the @-sign."""
        return self.email.rpartition("@")[2]

    def header(self) -> HeaderAddress:
        """As it stands in a message, checked; raises `Unsendable`."""
        try:
            address = validate_email(self.email, check_deliverability=False, allow_smtputf8=False)
        except EmailNotValidError as error:
            raise Unsendable(f"The address cannot be written to: {_line(str(error))}") from error
        return HeaderAddress(_line(self.name), addr_spec=address.ascii_email or "")


def values_of(template: Template, values: Mapping[str, Any]) -> Values:
    """The values as the template's type; raises `msgspec.ValidationError` when they are not."""
    return msgspec.convert(dict(values), TYPES[template])


def stored(values: Values) -> dict[str, Any]:
    """The values as JSON, from which `values_of` makes them again."""
    told: dict[str, Any] = msgspec.to_builtins(values)
    return told


def letter(
    template: Template, values: Values, *, organization: str, sender: Address, recipient: Address
) -> EmailMessage:
    """The message in text and HTML, without Date and Message-ID; raises `Unsendable`."""
    organization, to = _line(organization), Address(_line(recipient.name), recipient.email)
    told = {"organization": organization, "recipient": to, "values": values}
    message = EmailMessage(ASCII)
    message["Subject"] = SUBJECTS[template].format(organization=organization)
    message["From"] = sender.header()
    message["To"] = to.header()
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_rendered(template, "txt", told))
    message.add_alternative(_rendered(template, "html", told), subtype="html")
    return message


def _rendered(template: Template, form: str, told: Mapping[str, Any]) -> str:
    return _ENVIRONMENT.get_template(f"{template.lower()}.{form}").render(told)


def _line(text: str) -> str:
    """The text on one line, as headers have to be."""
    return " ".join(text.split())


def _listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _day(moment: datetime) -> str:
    return f"{moment:%B} {moment.day}, {moment.year}"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters |= {"listed": _listed, "day": _day, "product": NAMES.__getitem__, "module": MODULES.__getitem__}
