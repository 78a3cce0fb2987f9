"""Zoho's account of a person who has consented: who it is, and which organizations they belong to."""

from collections.abc import Callable
from time import monotonic
from typing import Any
from urllib.parse import urlencode

from msgspec import DecodeError, Struct, field
from msgspec.json import Decoder

from services.errors import Forbidden, UpstreamRejected
from services.upstream.auth import Connection, DataCenter, Grant
from services.upstream.client import Client
from services.upstream.envelopes import Envelope

PROFILE_SCOPE = "AaaServer.profile.READ"
"""General knowledge, as the claims of `Holder` (facts §5)."""
_PATIENCE = 5.0
"""Seconds that giving a token back may take."""


class Holder(Struct):
    """Whose account it is."""

    zuid: int | str = field(name="ZUID")
    email: str = field(name="Email")
    name: str | None = field(name="Display_Name", default=None)


class _License(Struct):
    paid_type: str | None = None


class CrmOrganization(Struct):
    """An organization of the CRM, of which a person has one."""

    id: str = field(name="zgid")
    name: str = field(name="company_name")
    license: _License = field(name="license_details", default_factory=_License)

    @property
    def edition(self) -> str:
        """As the CRM writes it, such as `enterprise`."""
        return self.license.paid_type or "unknown"


class FinanceOrganization(Struct):
    """An organization of Books or of Billing; that both list them alike is general knowledge."""

    id: str = field(name="organization_id")
    name: str | None = None
    is_default: bool = field(name="is_default_org", default=False)


class _InCrm(Struct):
    org: list[CrmOrganization] = []


class _InFinance(Envelope, kw_only=True):
    organizations: list[FinanceOrganization] = field(default_factory=list)


_holder = Decoder(Holder).decode
_in_crm: Callable[[bytes], _InCrm] = Decoder(_InCrm).decode
_in_finance: Callable[[bytes], Any] = Decoder(_InFinance).decode


class Accounts:
    """Asks about a person under an access that was just given."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def holder(self, center: DataCenter, grant: Grant) -> Holder:
        """Who has consented."""
        signed = {"authorization": f"Zoho-oauthtoken {grant.access_token}", "accept": "application/json"}
        body = await self._client.fetch(f"{center.accounts_url}/oauth/user/info", headers=signed)
        try:
            return _holder(body)
        except DecodeError as error:
            raise UpstreamRejected("Zoho Accounts does not tell whose account it is.") from error

    async def in_crm(self, connection: Connection) -> CrmOrganization | None:
        """The person's organization in the CRM; None for one who does not use it."""
        try:
            found = (await self._client.get(connection, "/org", _in_crm)).org
        except Forbidden:
            return None
        return found[0] if found else None

    async def in_finance(self, connection: Connection) -> list[FinanceOrganization]:
        """The person's organizations in Books or Billing."""
        try:
            found: list[FinanceOrganization] = (
                await self._client.get(connection, "/organizations", _in_finance)
            ).organizations
        except Forbidden:
            return []
        return found

    async def revoke(self, center: DataCenter, token: str) -> None:
        """Give a refresh token back."""
        url = f"{center.accounts_url}/oauth/v2/token/revoke?{urlencode({'token': token})}"
        await self._client.send("POST", url, {}, b"", monotonic() + _PATIENCE)
