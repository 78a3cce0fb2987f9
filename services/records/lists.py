"""The products' lists, read whole although they only know page numbers."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw, Struct

from services.credentials import Credentials
from services.errors import UpstreamRejected
from services.policy import Product
from services.records.sources import SOURCES, Body, Source, text
from services.records.spending import Share
from services.storage.models import now
from services.upstream.client import Client
from services.upstream.envelopes import LARGEST_PAGE, one_of, page_of

SMALLEST_PAGE = 150
"""Pages may be smaller than the largest, to begin where the last one ended."""
SLACK = 3
"""Rows read once more with the next page, by which it is known that none slipped through in between."""
exact = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
"""Decodes an object with its decimals as they were written."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive rows of a list, from place `start` on; `at` is the moment before they were asked for."""

    rows: list[Body]
    start: int
    more: bool
    at: datetime

    @property
    def end(self) -> int:
        """The place of the row that follows."""
        return self.start + len(self.rows)


class _Currency(Struct):
    currency_code: str
    exchange_rate: Decimal | None = None


class _Organization(Struct):
    organization_id: str
    currency_code: str
    time_zone: str = "UTC"


_ORGANIZATIONS = page_of("organizations", _Organization)
_CURRENCIES = page_of("currencies", _Currency)


class Lists:
    """Reads under the owner's connection, inside the copy's share."""

    def __init__(self, client: Client, credentials: Credentials, share: Share) -> None:
        self._client = client
        self._credentials = credentials
        self._share = share

    async def stretch(
        self, organization_id: str, source: Source, place: int, params: dict[str, str], *, bulk: bool = False
    ) -> Stretch:
        """The rows that begin at `place` or up to a few before it; `bulk` leaves room for what is urgent."""
        start = max(0, place - SLACK)
        page, size = _fitting(start)
        asked = {**params, "page": str(page), "per_page": str(size)}
        decode = page_of(source.plural, Raw)
        at, answer = await self._get(organization_id, source, source.path, decode, asked, bulk=bulk)
        rows = [exact.decode(row) for row in answer.rows]
        context = answer.page_context
        return Stretch(rows, (page - 1) * size, context is not None and context.has_more_page, at)

    async def one(self, organization_id: str, source: Source, record_id: str) -> tuple[Body, datetime]:
        """The full record; raises `NotFound`."""
        path = f"{source.path}/{record_id}"
        at, answer = await self._get(organization_id, source, path, one_of(source.singular, Raw), {}, bulk=True)
        return exact.decode(answer.record), at

    async def base(self, organization_id: str) -> tuple[str, str, dict[str, str]]:
        """Base currency, time zone, and units of the base currency for one of each other.

        Only Books tells rates; where it is not connected Billing tells the rest.
        """
        connected = {one.product for one in await self._credentials.owners(organization_id)}
        source = SOURCES["invoices" if Product.BOOKS in connected else "subscriptions"]
        connection = await self._credentials.owner(organization_id, source.product)
        _, told = await self._get(organization_id, source, "/organizations", _ORGANIZATIONS, {})
        mine = [one for one in told.rows if one.organization_id == connection.product_organization_id]
        if not mine:
            raise UpstreamRejected("The product does not list the organization.", product=source.product)
        rates = await self._rates(organization_id, source) if source.product is Product.BOOKS else {}
        return mine[0].currency_code, mine[0].time_zone, rates | {mine[0].currency_code: "1"}

    async def _rates(self, organization_id: str, source: Source) -> dict[str, str]:
        _, table = await self._get(organization_id, source, "/settings/currencies", _CURRENCIES, {})
        return {one.currency_code: str(one.exchange_rate) for one in table.rows if one.exchange_rate}

    async def _get(
        self,
        organization_id: str,
        source: Source,
        path: str,
        decode: Any,
        params: dict[str, str],
        *,
        bulk: bool = False,
    ) -> tuple[datetime, Any]:
        """The answer, and a moment before it was asked for: so it is never one that others had asked for earlier."""
        product: Product = source.product
        connection = await self._credentials.owner(organization_id, product)
        await self._share.spend(organization_id, product, bulk=bulk)
        at = now()
        return at, await self._client.get(connection, path, decode, params=params, alone=True)


def _fitting(start: int) -> tuple[int, int]:
    """The (page, rows a page) that holds `start` and reaches farthest beyond it.

    >>> _fitting(0), _fitting(197)
    ((1, 200), (2, 197))
    """
    size = max(range(SMALLEST_PAGE, LARGEST_PAGE + 1), key=lambda size: (size - start % size, size))
    return start // size + 1, size


def identity(source: Source, body: Body) -> str:
    """The record's id; raises `KeyError` for a row without one."""
    found = text(body.get(source.id))
    if found is None:
        raise KeyError(source.id)
    return found
