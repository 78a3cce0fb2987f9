"""The five kinds of finance document, in Books and Billing alike: one adapter, driven by the table of kinds."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Protocol

from msgspec import DecodeError, Raw, Struct, field
from msgspec.json import Decoder
from msgspec.structs import asdict

from services.documents import Document, Subscription
from services.errand import Errand
from services.errors import GatewayError, NotFound
from services.kinds import Kind
from services.policy import Product, Viewer
from services.storage.clock import now
from services.upstream.auth import Connection
from services.upstream.client import Client
from services.upstream.envelopes import LARGEST_PAGE, Envelope, Rows, one_of, page_of

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


class Receiver(Struct):
    """Somebody whom the product would write to; `selected`: unless told otherwise."""

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    selected: bool = False

    @property
    def name(self) -> str | None:
        """Both names."""
        return " ".join(filter(None, (self.first_name, self.last_name))) or None


class Letter(Struct):
    """The product's default mail for a record; the body is HTML."""

    subject: str | None = None
    body: str | None = None
    to_contacts: list[Receiver] = []
    file_name: str | None = None


class _LetterAnswer(Envelope, kw_only=True):
    """The letter of an invoice lies in `data`, those of the others beside the code; both are read for all."""

    data: Letter | None = None
    subject: str | None = None
    body: str | None = None
    to_contacts: list[Receiver] = field(default_factory=list)
    file_name: str | None = None

    @property
    def letter(self) -> Letter:
        return self.data or Letter(self.subject, self.body, self.to_contacts, self.file_name)


def _printed(body: bytes) -> bytes:
    if not body.startswith(b"%PDF-"):
        raise DecodeError("not a PDF")
    return body


_told = Decoder(Envelope).decode
_exact = Decoder(dict[str, Any], float_hook=Decimal).decode
_letter = Decoder(_LetterAnswer).decode


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
        rows: Rows[Document] = Rows.of(
            await self._get(errand, kind, f"/{kind.path}", page_of(kind.plural, kind.type), asked)
        )
        return replace(rows, at=_dated(rows.rows, rows.at))

    async def one(self, errand: Errand, kind: Kind, id: str) -> Document:  # noqa: A002
        """The full record; raises `NotFound`."""
        return _complete(await self._get(errand, kind, f"/{kind.path}/{id}", _one(kind)))

    async def present(self, errand: Errand, kind: Kind, id: str) -> Document:  # noqa: A002
        """The full record as it is now: not as a read tells that was under way before; raises `NotFound`."""
        connection = await self._credentials.for_viewer(errand.viewer, kind.product)
        path, decode = f"/{kind.path}/{id}", _one(kind)
        return _complete(await self._client.get(connection, path, decode, errand=errand, alone=True))

    async def several(self, errand: Errand, kind: Kind, ids: Iterable[str]) -> dict[str, Document | GatewayError]:
        """Full records by id. What does not exist is absent; an id that could not be asked for has its error."""
        wanted = sorted(set(ids))  # equal reads of several requests are known as equal
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

    async def act(
        self,
        errand: Errand,
        kind: Kind,
        id: str,  # noqa: A002
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        """Do something to a record: `POST …/{path}`, whose answers hold no record. Raises `AnswerLost`."""
        connection = await self._credentials.for_viewer(errand.viewer, kind.product)
        path = f"/{kind.path}/{id}/{path}"
        await self._client.write(connection, "POST", path, _told, body=body, params=params, errand=errand)

    async def instantly(self, errand: Errand, kind: Kind, path: str, params: Mapping[str, str]) -> Document:
        """Make a record of another one, without a body: `POST /{kind}/{path}`. Raises `AnswerLost`."""
        return await self._write(errand, kind, "POST", f"/{kind.path}/{path}", None, params)

    async def set_custom_fields(self, errand: Errand, kind: Kind, id: str, values: Mapping[str, str]) -> None:  # noqa: A002
        """Set custom fields of a record by API name, whatever its status. Raises `AnswerLost`."""
        fields = [{"api_name": name, "value": value} for name, value in values.items()]
        if kind.product is Product.BILLING:
            return await self.act(errand, kind, id, "customfields", body={"custom_fields": fields})
        connection = await self._credentials.for_viewer(errand.viewer, kind.product)
        path = f"/{kind.singular}/{id}/customfields"
        await self._client.write(connection, "PUT", path, _told, body=fields, errand=errand)
        return None

    async def wire(self, errand: Errand, kind: Kind, id: str) -> dict[str, Any]:  # noqa: A002
        """The full record under the product's own keys, numbers as exact decimals; raises `NotFound`."""
        answer = await self._get(errand, kind, f"/{kind.path}/{id}", one_of(kind.singular, Raw))
        return _exact(answer.record)

    async def pdf(self, errand: Errand, kind: Kind, id: str) -> bytes:  # noqa: A002
        """The record as the product prints it."""
        connection = await self._credentials.for_viewer(errand.viewer, kind.product)
        path = f"/{kind.path}/{id}"
        return await self._client.file(connection, path, _printed, params={"accept": "pdf"}, errand=errand)

    async def letter(self, errand: Errand, kind: Kind, id: str) -> Letter:  # noqa: A002
        """What the product would write when mailing the record."""
        answer: _LetterAnswer = await self._get(errand, kind, f"/{kind.path}/{id}/email", _letter)
        return answer.letter

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

    async def _write(
        self,
        errand: Errand,
        kind: Kind,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        params: Mapping[str, str] | None = None,
    ) -> Document:
        connection = await self._credentials.for_viewer(errand.viewer, kind.product)
        decode = _one(kind)
        return _complete(
            await self._client.write(connection, method, path, decode, body=body, params=params, errand=errand)
        )

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
        _dated(answer.rows, now())
        return {row.id: _completed(row) for row in answer.rows}


def recorded(kind: Kind, body: str) -> Document:
    """A full record from its JSON, shown as a list row is: not as complete."""
    return _alike(_record(kind.type).decode(body))


def _dated(rows: Sequence[Document], at: datetime) -> datetime:
    """Note when the rows were told, unless that was done: several may be given the same."""
    for row in rows:
        row.as_of = row.as_of or at
    return min((row.as_of or at for row in rows), default=at)


@cache
def _record(made: type[Document]) -> Decoder[Document]:
    return Decoder(_FullSubscription if made is Subscription else made)


def _one(kind: Kind) -> Callable[[bytes], Any]:
    return one_of(kind.singular, _FullSubscription if kind.type is Subscription else kind.type)


def _complete(answer: Any) -> Document:
    record = _alike(answer.record)
    _dated([record], now())
    return _completed(record)


def _alike(record: Document) -> Document:
    return _with_customer(record) if isinstance(record, _FullSubscription) else record


def _with_customer(record: _FullSubscription) -> Subscription:
    fields = asdict(record)
    customer = fields.pop("customer") or _Party()
    fields["customer_id"] = fields["customer_id"] or customer.customer_id
    fields["customer_name"] = fields["customer_name"] or customer.display_name
    return Subscription(**fields)


def _completed(document: Document) -> Document:
    document.complete = True
    return document
