"""Billing beside its subscriptions: customers, histories and the catalogue of plans."""

from collections.abc import Mapping

from msgspec import field

from services.directory_values import BillingAddon, BillingPlan, Customer
from services.documents import Activity
from services.errand import Errand
from services.errors import NotFound
from services.policy import Product
from services.upstream.auth import Connection
from services.upstream.client import Client
from services.upstream.documents import Credentials
from services.upstream.envelopes import LARGEST_PAGE, Rows, one_of, page_of


class BillingCustomer(Customer, kw_only=True):
    """A customer of Billing (facts §3). Its id is that of the Books contact where both share one organization."""

    id: str = field(name="customer_id")
    name: str | None = field(name="display_name", default=None)
    contact_type: str | None = "customer"


_CUSTOMERS = page_of("customers", BillingCustomer)
_CUSTOMER = one_of("customer", BillingCustomer)
_ACTIVITIES = page_of("activities", Activity)
_PLANS = page_of("plans", BillingPlan)
_ADDONS = page_of("addons", BillingAddon)


class Billing:
    """Asks Billing under the access of the errand's viewer."""

    def __init__(self, client: Client, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials

    async def customer(self, errand: Errand, id: str) -> Customer:  # noqa: A002
        """One customer; raises `NotFound`."""
        connection = await self._credentials.for_viewer(errand.viewer, Product.BILLING)
        answer = await self._client.get(connection, f"/customers/{id}", _CUSTOMER, errand=errand)
        customer: Customer = answer.record
        return customer

    async def customers(
        self, errand: Errand, params: Mapping[str, str], page: int, per_page: int = LARGEST_PAGE
    ) -> Rows[Customer]:
        """A page of customers."""
        connection = await self._credentials.for_viewer(errand.viewer, Product.BILLING)
        asked = {**params, "page": str(page), "per_page": str(per_page)}
        return Rows.of(await self._client.get(connection, "/customers", _CUSTOMERS, params=asked, errand=errand))

    async def by_reference(
        self, errand: Errand, *, account_id: str | None = None, contact_id: str | None = None
    ) -> Customer | None:
        """The customer linked with a CRM account or contact; None when there is none."""
        connection = await self._credentials.for_viewer(errand.viewer, Product.BILLING)
        path = f"/customers/reference/{account_id or contact_id}"
        asked = {"reference_id_type": "zcrm_account_id" if account_id else "zcrm_contact_id"}
        try:
            answer = await self._client.get(connection, path, _CUSTOMER, params=asked, errand=errand)
        except NotFound:
            return None
        customer: Customer = answer.record
        return customer

    async def reach(self, connection: Connection, errand: Errand) -> None:
        """Ask for something small under a given connection: raises unless it opens the product."""
        asked = {"page": "1", "per_page": "1"}
        await self._client.get(connection, "/plans", _PLANS, params=asked, errand=errand)

    async def activities(self, errand: Errand, subscription_id: str) -> list[Activity]:
        """What has happened to a subscription."""
        connection = await self._credentials.for_viewer(errand.viewer, Product.BILLING)
        path = f"/subscriptions/{subscription_id}/recentactivities"
        answer = await self._client.get(connection, path, _ACTIVITIES, errand=errand)
        activities: list[Activity] = answer.rows
        return activities

    async def plans(
        self, errand: Errand, params: Mapping[str, str], page: int, per_page: int = LARGEST_PAGE
    ) -> Rows[BillingPlan]:
        """A page of the catalogue of plans."""
        connection = await self._credentials.for_viewer(errand.viewer, Product.BILLING)
        asked = {**params, "page": str(page), "per_page": str(per_page)}
        return Rows.of(await self._client.get(connection, "/plans", _PLANS, params=asked, errand=errand))

    async def addons(
        self, errand: Errand, params: Mapping[str, str], page: int, per_page: int = LARGEST_PAGE
    ) -> Rows[BillingAddon]:
        """A page of the catalogue of add-ons."""
        connection = await self._credentials.for_viewer(errand.viewer, Product.BILLING)
        asked = {**params, "page": str(page), "per_page": str(per_page)}
        return Rows.of(await self._client.get(connection, "/addons", _ADDONS, params=asked, errand=errand))
