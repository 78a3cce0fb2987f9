"""What a person is asked to agree to: no more than the gateway calls."""

from collections.abc import Iterable, Mapping

from services.policy import Product
from services.upstream.accounts import PROFILE_SCOPE

_WORK = ("CREATE", "READ", "UPDATE")

SCOPES: Mapping[Product, tuple[str, ...]] = {
    Product.CRM: (
        "ZohoCRM.modules.accounts.READ",
        "ZohoCRM.modules.contacts.READ",
        "ZohoCRM.org.READ",
        "ZohoSearch.securesearch.READ",
    ),
    Product.BOOKS: (
        *(
            f"ZohoBooks.{module}.{operation}"
            for module in ("estimates", "invoices", "salesorders", "purchaseorders")
            for operation in _WORK
        ),
        "ZohoBooks.contacts.READ",
        "ZohoBooks.settings.READ",
    ),
    Product.BILLING: (
        *(f"ZohoSubscriptions.subscriptions.{operation}" for operation in _WORK),
        "ZohoSubscriptions.customers.READ",
        "ZohoSubscriptions.plans.READ",
        "ZohoSubscriptions.addons.READ",
        "ZohoSubscriptions.settings.READ",
    ),
}
"""By product (facts §5). That the CRM's search wants a scope of another service is general knowledge."""
OF_OWNERS = ("ZohoCRM.users.READ", "ZohoCRM.settings.profiles.READ", "ZohoCRM.settings.fields.READ")
"""What the directory is kept with."""


def scopes(products: Iterable[Product], *, owner: bool) -> tuple[str, ...]:
    """For an owner's or a user's consent."""
    asked = (scope for product in products for scope in SCOPES[product])
    return (PROFILE_SCOPE, *asked, *(OF_OWNERS if owner else ()))
