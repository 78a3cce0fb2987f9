"""What no gateway of this kind can go below: bare uvicorn, the same calls by bare aiohttp, decode, encode; no GraphQL.

`python -m tests.bench.floor PORT ORIGIN`.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import uvicorn
from msgspec import Struct, json

from services.documents import Invoice
from services.upstream.books import BooksCustomer
from services.upstream.envelopes import one_of, page_of

FIRST = 50


class Variables(Struct):
    """What differs between requests."""

    until: str


class Request(Struct):
    """A GraphQL request, its query unread."""

    variables: Variables


class Customer(Struct):
    """In the answer."""

    id: str
    name: str | None
    company_name: str | None
    email: str | None
    phone: str | None


_request = json.Decoder(Request).decode
_page, _one = page_of("invoices", Invoice), one_of("contact", BooksCustomer)


class Floor:
    """An ASGI application."""

    def __init__(self, origin: str) -> None:
        self._books = f"{origin}/eu/api/books/v3"
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        if scope["type"] == "http":
            body = (await receive()).get("body", b"")
            answer = await self._answered(_request(body)) if scope["path"] == "/graphql" else b"ok"
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": answer})

    async def _answered(self, request: Request) -> bytes:
        until = request.variables.until
        page = _page(await self._read(f"/invoices?date_end={until}&page=1&per_page={FIRST}"))
        ids = {row.customer_id for row in page.rows}
        found = await asyncio.gather(*(self._read(f"/contacts/{customer}") for customer in ids))
        customers = {one.id: one for one in (_one(body).record for body in found)}
        return json.encode({"data": {"invoices": {"nodes": [_node(row, customers) for row in page.rows]}}})

    async def _read(self, path: str) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        async with self._session.get(self._books + path, headers={"Authorization": "static"}) as response:
            return await response.read()


def _node(row: Invoice, customers: dict[str, BooksCustomer]) -> dict[str, Any]:
    customer = customers[row.customer_id or ""]
    return {
        "id": row.id,
        "number": row.number,
        "status": row.status,
        "date": row.date,
        "dueDate": row.due_date,
        "lastModifiedAt": row.last_modified_time,
        "total": {"amount": row.total, "currency": row.currency_code},
        "balance": {"amount": row.balance, "currency": row.currency_code},
        "customer": Customer(customer.id, customer.name, customer.company_name, customer.email, customer.phone),
    }


if __name__ == "__main__":
    port, origin = sys.argv[1:]
    app = Floor(origin)
    uvicorn.run(app, port=int(port), loop="uvloop", lifespan="off", access_log=False, log_level="warning")
