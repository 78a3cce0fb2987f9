"""Where the products say that a record has changed: POST /webhooks/books and /webhooks/billing.

A hook only names a record, and is not believed: the record is read again, by a job, under the owner's connection.
What the products send stands in Zoho's help, and where that is silent it is assumed here:

* The header `X-Zoho-Webhook-Signature` holds the HMAC-SHA256, keyed with the webhook's secret token, of the query's
  names and values sorted by name and then the raw body, nothing in between
  (https://www.zoho.com/billing/kb/webhooks/securing-webhooks.html). Assumed: it is hexadecimal, Books signs like
  Billing, and one over the body alone would be the product's as well.
* Billing posts events, `{event_id, event_type, data: {subscription: {…}}}`; their types stand in its specification of
  events. Assumed: Books posts the record by its name, `{invoice: {…}}`. The record's own id is all that is read.
"""

import asyncio
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.operation import Malformed, decoded
from gateway.live.tally import Tally
from gateway.settings import Http
from services.errors import LimitReached
from services.jobs import Jobs
from services.policy import Product
from services.records.sources import SOURCES, Source
from services.storage.models import now

PATHS = {Product.BOOKS: "/webhooks/books", Product.BILLING: "/webhooks/billing"}
SIGNATURE = "x-zoho-webhook-signature"
ORGANIZATION = "organization"
"""The query parameter that says whose hook it is."""
SECRET_BYTES = 20
"""Written in hexadecimal, which Zoho's 12 to 50 letters and digits allow."""
BY_NAME: Mapping[Product, Mapping[str, Source]] = {
    product: {source.singular: source for source in SOURCES.values() if source.product is product} for product in PATHS
}
AT_ONCE = 50
"""Hooks that are taken in: anybody may send a body, and be slow about it. A change whose hook was turned away is seen
when the product is asked next for what has changed."""
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Takes hooks in: checks the signature, orders that the record is read, answers at once."""

    keys: Sequence[bytes]
    """The sealing keys; a secret of any of them is right."""
    jobs: Jobs
    limits: Http
    open: Tally = field(default_factory=lambda: Tally(AT_ONCE, "webhooks"))

    async def take(self, request: Request, product: Product) -> Response:
        """202 for whatever the product has signed, also when it says nothing to us; 401 for anything else."""
        try:
            with self.open.one(product):
                body = await _received(request, self.limits)
        except LimitReached:
            return Response(status_code=503, headers={"Retry-After": "1"})
        organization_id = request.query_params.get(ORGANIZATION, "")
        if not self._is_authentic(request, product, organization_id, body):
            return Response(status_code=401)
        try:
            told = decoded(body)
        except Malformed:
            return Response(status_code=400)
        for module, record_id in named(product, told):
            await self.jobs.refresh_soon(organization_id, module, record_id, now())
        return Response(status_code=202)

    def _is_authentic(self, request: Request, product: Product, organization_id: str, body: bytes) -> bool:
        given = request.headers.get(SIGNATURE, "").strip().lower().encode()
        right = False
        for key in self.keys:
            mine = secret(key, product, organization_id)
            for signed in (_pairs(request.query_params) + body, body):
                right |= hmac.compare_digest(hmac.new(mine.encode(), signed, sha256).hexdigest().encode(), given)
        return right


def routes() -> list[Route]:
    """A route for each product."""
    return [Route(path, partial(_taken, product=product), methods=["POST"]) for product, path in PATHS.items()]


async def _taken(request: Request, product: Product) -> Response:
    webhooks: Webhooks = request.app.state.webhooks
    return await webhooks.take(request, product)


def named(product: Product, told: Any) -> Iterator[tuple[str, str]]:
    """The (module, id) that a hook's body names, of the product's own modules."""
    for holder in (told, told.get("data") if isinstance(told, dict) else None):
        if isinstance(holder, dict):
            for name, source in BY_NAME[product].items():
                record = holder.get(name)
                record_id = str(record.get(source.id)) if isinstance(record, dict) and record.get(source.id) else ""
                if _ID.fullmatch(record_id):
                    yield source.module, record_id


def secret(key: bytes, product: Product, organization_id: str) -> str:
    """The token with which a product signs for an organization: always the same for the same sealing key."""
    about = f"webhooks {product} {organization_id}".encode()
    return HKDF(SHA256(), SECRET_BYTES, salt=None, info=about).derive(key).hex()


def _pairs(query: QueryParams) -> bytes:
    return "".join(name + value for name, value in sorted(query.multi_items())).encode()


async def _received(request: Request, limits: Http) -> bytes:
    """The body; raises `HTTPException` when it is too large, or not here in time."""
    body = bytearray()
    try:
        async with asyncio.timeout(limits.receive_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise HTTPException(413)
    except TimeoutError as error:
        raise HTTPException(408) from error
    return bytes(body)
