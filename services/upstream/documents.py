"""The five kinds of finance document, in Books and Billing alike: one adapter, driven by the table of kinds."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import asdict

from services.documents import Document, Subscription
from services.errand import Errand
from services.errors import GatewayError, NotFound
from services.kinds import Kind
from services.policy import Product, Viewer
from services.upstream.auth import Connection
from services.upstream.client import Client
from services.upstream.envelopes import LARGEST_PAGE, Rows, one_of, page_of

AT_ONCE = 100
"""Ids in one multi-get (facts §1.5)."""


class Credentials(Protocol):
    """Whose access a viewer's calls run under."""

    async def for_viewer(self, viewer: Viewer, product: Product) -> Connection:
        """The connection to use; raises `Forbidden` when there is none for this viewer."""


class _Party(Struct):
    customer_id: str | None = None
    display_name: str | None = None


class _FullSubscription(Subscription, kw_only=True):
    """A full subscription names its customer in an object of its own."""

    customer: _Party | None = None


class Documents:
    """Reads and writes documents under the access of the errand's viewer."""

    def __init__(self, client: Client, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials

    async def rows(
        self, errand: Errand, kind: Kind, params: Mapping[str, str], page: int, per_page: int
    ) -> Rows[Document]:
        """One page of a list, in the product's order; `params` in the product's words."""
        asked = {**params, "page": str(page), "per_page": str(per_page)}
        answer = await self._get(errand, kind, f"/{kind.path}", page_of(kind.plural, kind.type), asked)
        return Rows.of(answer)

    async def one(self, errand: Errand, kind: Kind, id: str) -> Document:  # noqa: A002
        """The full record; raises `NotFound`."""
        return _complete(await self._get(errand, kind, f"/{kind.path}/{id}", _one(kind)))

    async def several(self, errand: Errand, kind: Kind, ids: Iterable[str]) -> dict[str, Document | GatewayError]:
        """Full records by id. What does not exist is absent; an id that could not be asked for has its error."""
        wanted = list(dict.fromkeys(ids))
        if kind.multi_get is None:
            return await self._each(errand, kind, wanted)
        chunks = [wanted[start : start + AT_ONCE] for start in range(0, len(wanted), AT_ONCE)]
        answers = await asyncio.gather(*(self._chunk(errand, kind, chunk) for chunk in chunks))
        return {id: document for answer in answers for id, document in answer.items()}  # noqa: A001

    async def create(self, errand: Errand, kind: Kind, body: Mapping[str, Any]) -> Document:
        """Create a record from a body in the product's words; decimals stay exact. Raises `AnswerLost`."""
        return await self._write(errand, kind, "POST", f"/{kind.path}", body)

    async def update(self, errand: Errand, kind: Kind, id: str, body: Mapping[str, Any]) -> Document:  # noqa: A002
        """Change a record. Raises `AnswerLost`."""
        return await self._write(errand, kind, "PUT", f"/{kind.path}/{id}", body)

    async def _get(
        self,
        errand: Errand,
        kind: Kind,
        path: str,
        decode: Callable[[bytes], Any],
        params: Mapping[str, str] | None = None,
    ) -> Any:
        connection = await self._credentials.for_viewer(errand.viewer, kind.product)
        return await self._client.get(connection, path, decode, params=params, errand=errand)

    async def _write(self, errand: Errand, kind: Kind, method: str, path: str, body: Mapping[str, Any]) -> Document:
        connection = await self._credentials.for_viewer(errand.viewer, kind.product)
        return _complete(await self._client.write(connection, method, path, _one(kind), body=body, errand=errand))

    async def _each(self, errand: Errand, kind: Kind, ids: Sequence[str]) -> dict[str, Document | GatewayError]:
        answers = await asyncio.gather(*(self._tried(errand, kind, id) for id in ids))  # noqa: A001
        return {id: answer for id, answer in zip(ids, answers, strict=True) if answer is not None}  # noqa: A001

    async def _tried(self, errand: Errand, kind: Kind, id: str) -> Document | GatewayError | None:  # noqa: A002
        try:
            return await self.one(errand, kind, id)
        except NotFound:
            return None
        except GatewayError as error:
            return error

    async def _chunk(self, errand: Errand, kind: Kind, ids: Sequence[str]) -> dict[str, Document | GatewayError]:
        params = {kind.multi_get or "": ",".join(ids), "per_page": str(LARGEST_PAGE)}
        try:
            answer = await self._get(errand, kind, f"/{kind.path}", page_of(kind.plural, kind.type), params)
        except GatewayError as error:
            return dict.fromkeys(ids, error)
        return {row.id: _completed(row) for row in answer.rows}


def _one(kind: Kind) -> Callable[[bytes], Any]:
    return one_of(kind.singular, _FullSubscription if kind.type is Subscription else kind.type)


def _complete(answer: Any) -> Document:
    record = answer.record
    return _completed(_with_customer(record) if isinstance(record, _FullSubscription) else record)


def _with_customer(record: _FullSubscription) -> Subscription:
    fields = asdict(record)
    customer = fields.pop("customer") or _Party()
    fields["customer_id"] = fields["customer_id"] or customer.customer_id
    fields["customer_name"] = fields["customer_name"] or customer.display_name
    return Subscription(**fields)


def _completed(document: Document) -> Document:
    document.complete = True
    return document
