"""The same query as a good developer serves it without us: Strawberry, uvicorn, one httpx.AsyncClient, a DataLoader.

No sign-in, no permissions, no budgets. `python -m tests.bench.plain PORT ORIGIN`.
"""

import asyncio
import datetime as dt
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

import httpx
import strawberry
import uvicorn
from aiodataloader import DataLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache


@strawberry.enum
class InvoiceStatus(Enum):
    APPROVED = "approved"
    DRAFT = "draft"
    OVERDUE = "overdue"
    PAID = "paid"
    PARTIALLY_PAID = "partially_paid"
    PENDING_APPROVAL = "pending_approval"
    SENT = "sent"
    UNPAID = "unpaid"
    VIEWED = "viewed"
    VOID = "void"


@strawberry.type
class Money:
    amount: Decimal
    currency: str


@strawberry.type
class Account:
    id: strawberry.ID
    name: str | None


@strawberry.type
class Customer:
    id: strawberry.ID
    name: str | None
    company_name: str | None
    email: str | None
    phone: str | None
    account: Account | None


def _customer(contact: dict[str, Any]) -> Customer:
    account = contact["zcrm_account_id"]
    return Customer(
        id=contact["contact_id"],
        name=contact["contact_name"],
        company_name=contact["company_name"],
        email=contact["email"],
        phone=contact["phone"],
        account=Account(id=account, name=None) if account else None,
    )


class Books:
    """One connection pool for the whole server."""

    def __init__(self, origin: str) -> None:
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        headers = {"Authorization": "Zoho-oauthtoken static"}
        self.client = httpx.AsyncClient(base_url=f"{origin}/eu/api/books/v3", limits=limits, headers=headers)

    async def read(self, path: str, **params: str) -> Any:
        response = await self.client.get(path, params=params)
        response.raise_for_status()
        return json.loads(response.content, parse_float=Decimal)

    async def customers(self, ids: list[str]) -> list[Customer]:
        answers = await asyncio.gather(*(self.read(f"/contacts/{customer}") for customer in ids))
        return [_customer(answer["contact"]) for answer in answers]


@dataclass
class Context:
    """Of one request."""

    books: Books
    customers: "DataLoader[str, Customer]"


Info = strawberry.Info[Context, None]


@strawberry.type
class Invoice:
    id: strawberry.ID
    number: str | None
    status: InvoiceStatus | None
    date: dt.date | None
    due_date: dt.date | None
    last_modified_at: dt.datetime | None
    total: Money | None
    balance: Money | None
    customer_id: strawberry.Private[str]

    @strawberry.field
    async def customer(self, info: Info) -> Customer | None:
        return await info.context.customers.load(self.customer_id)


def _day(text: str) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _invoice(row: dict[str, Any]) -> Invoice:
    currency = row["currency_code"]
    return Invoice(
        id=row["invoice_id"],
        number=row["invoice_number"],
        status=InvoiceStatus(row["status"]),
        date=_day(row["date"]),
        due_date=_day(row["due_date"]),
        last_modified_at=dt.datetime.fromisoformat(row["last_modified_time"]),
        total=Money(amount=Decimal(row["total"]), currency=currency),
        balance=Money(amount=Decimal(row["balance"]), currency=currency),
        customer_id=row["customer_id"],
    )


@strawberry.input
class DateFilter:
    until: dt.date | None = None


@strawberry.input
class InvoiceFilter:
    date: DateFilter | None = None


@strawberry.type
class PageInfo:
    has_next_page: bool


@strawberry.type
class Invoices:
    nodes: list[Invoice]
    page_info: PageInfo


@strawberry.type
class Query:
    @strawberry.field
    async def invoices(self, info: Info, first: int = 20, where: InvoiceFilter | None = None) -> Invoices:
        until = where.date.until if where and where.date else None
        asked = {"date_end": until.isoformat()} if until else {}
        asked |= {"page": "1", "per_page": str(first), "sort_column": "created_time", "sort_order": "D"}
        answer = await info.context.books.read("/invoices", **asked)
        nodes = [_invoice(row) for row in answer["invoices"]]
        return Invoices(nodes=nodes, page_info=PageInfo(has_next_page=answer["page_context"]["has_more_page"]))


parsed, validated = ParserCache(maxsize=1000), ValidationCache(maxsize=1000)
schema = strawberry.Schema(query=Query, extensions=[lambda: parsed, lambda: validated])


class Endpoint(GraphQL[Context, None]):
    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:  # noqa: ARG002
        books: Books = request.app.state.books
        return Context(books, DataLoader(books.customers))


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok")


def create_app(origin: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.books = Books(origin)
        yield
        await app.state.books.client.aclose()

    return Starlette(routes=[Route("/healthz", _healthy), Route("/graphql", Endpoint(schema))], lifespan=lifespan)


if __name__ == "__main__":
    port, origin = sys.argv[1:]
    uvicorn.run(create_app(origin), port=int(port), loop="uvloop", access_log=False, log_level="warning")
