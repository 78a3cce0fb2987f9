"""The people and companies that the products and the CRM tell about, as values decoded straight from their answers."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field

from services.policy import ModuleGrant

ACTIVE, GONE = "active", "deleted"
"""The word for those who work with the CRM or a product, and ours for those whom it no longer lists."""


class Customer(Struct, kw_only=True):
    """A customer or vendor of Books, or a customer of Billing; each product decodes into a subclass of its own keys.

    `outstanding` is what the customer owes, in `currency_code`. Only a full record of Books tells the CRM records it
    is linked with.
    """

    id: str
    name: str | None = None
    company_name: str | None = None
    email: str | None = None
    phone: str | None = None
    currency_code: str | None = None
    contact_type: str | None = None
    outstanding: Decimal | None = None
    zcrm_account_id: str | None = None
    zcrm_contact_id: str | None = None
    as_of: datetime | None = field(name="gateway_as_of", default=None)
    """The moment at which it was true; likewise below."""


class Reference(Struct, frozen=True):
    """A look-up field of the CRM: the record it points to."""

    id: str
    name: str | None = None


class Account(Struct, kw_only=True):
    """A CRM account."""

    id: str
    name: str | None = field(name="Account_Name", default=None)
    phone: str | None = field(name="Phone", default=None)
    website: str | None = field(name="Website", default=None)
    as_of: datetime | None = field(name="gateway_as_of", default=None)


class Contact(Struct, kw_only=True):
    """A CRM contact."""

    id: str
    name: str | None = field(name="Full_Name", default=None)
    email: str | None = field(name="Email", default=None)
    phone: str | None = field(name="Phone", default=None)
    account: Reference | None = field(name="Account_Name", default=None)
    as_of: datetime | None = field(name="gateway_as_of", default=None)

    @property
    def account_id(self) -> str | None:
        """The account the contact belongs to."""
        return self.account.id if self.account else None


class CrmUser(Struct, kw_only=True):
    """A user of the CRM. `status` is `active` or another word for not; `confirm`: the invitation was accepted."""

    id: str
    zuid: str | None = None
    name: str | None = field(name="full_name", default=None)
    email: str
    status: str
    confirm: bool = True
    profile: Reference | None = None
    role: Reference | None = None


class ProductUser(Struct, kw_only=True):
    """A user of Books; `is_customer_segmented`: who sees assigned customers only."""

    id: str = field(name="user_id")
    name: str | None = None
    email: str | None = None
    role: str | None = field(name="user_role", default=None)
    role_id: str | None = None
    status: str | None = None
    is_customer_segmented: bool = False


class CrmProfile(Struct, frozen=True, kw_only=True):
    """A CRM profile in our words: what it grants on each module, and whether it may manage the finance integration."""

    id: str
    name: str
    administers: bool
    grants: dict[str, ModuleGrant]


class PriceBracket(Struct):
    """The price of one from a quantity on."""

    price: Decimal | None = None


class BillingAddon(Struct, kw_only=True):
    """An add-on of Billing's catalogue (facts §3); its price is that of the first bracket."""

    code: str = field(name="addon_code")
    name: str | None = None
    description: str | None = None
    type: str | None = None
    interval_unit: str | None = None
    price_brackets: list[PriceBracket] = []

    @property
    def price(self) -> Decimal | None:
        """The price of one."""
        return self.price_brackets[0].price if self.price_brackets else None


class BillingPlan(Struct, kw_only=True):
    """A plan of Billing's catalogue (facts §3)."""

    code: str = field(name="plan_code")
    name: str | None = None
    recurring_price: Decimal | None = None
    interval: int | str | None = None
    interval_unit: str | None = None
    status: str | None = None
    description: str | None = None
