"""The adapters as the gateway has them, on a sandbox of their own and a token store in memory."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from services.credentials import Connection
from services.errand import Errand
from services.policy import Product, Viewer
from services.sandbox import Sandbox
from services.sandbox.budget import Limits
from services.upstream.auth import DATA_CENTERS, Authorization
from services.upstream.billing import Billing
from services.upstream.books import Books
from services.upstream.budget import Allowance, Budget
from services.upstream.client import Client, Patience, Timeouts
from services.upstream.crm import Crm
from services.upstream.documents import Documents

IDS = {Product.CRM: "crm_id", Product.BOOKS: "books_id", Product.BILLING: "billing_id"}
PLENTY = Limits(minute=100_000, concurrent=1000, day=1_000_000)


class Clock:
    """The real time, and whatever a test has added to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass
class Held:
    access_token: str | None = None
    expires_at: datetime | None = None
    api_domain: str = ""
    saved: int = 0

    async def save(self, access_token: str, expires_at: datetime, api_domain: str) -> None:
        self.access_token, self.expires_at, self.api_domain = access_token, expires_at, api_domain
        self.saved += 1


@dataclass
class Tokens:
    """A token store in memory, with a lock a connection as a row has one."""

    held: dict[str, Held] = field(default_factory=lambda: defaultdict(Held))
    locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    @asynccontextmanager
    async def locked(self, connection_id: str) -> AsyncIterator[Held]:
        async with self.locks[connection_id]:
            yield self.held[connection_id]


@dataclass
class Desk:
    """Everything that a test asks the products through."""

    sandbox: Sandbox
    tokens: Tokens
    clock: Clock
    client: Client
    connections: dict[tuple[str, Product], Connection] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.documents = Documents(self.client, self)
        self.books = Books(self.client, self)
        self.billing = Billing(self.client, self)
        self.crm = Crm(self.client, self)

    async def for_viewer(self, viewer: Viewer, product: Product) -> Connection:
        return self.connection(viewer.email, product)

    def connection(self, email: str, product: Product = Product.BOOKS) -> Connection:
        if (email, product) not in self.connections:
            self.connections[email, product] = self._connected(email, product)
        return self.connections[email, product]

    def _connected(self, email: str, product: Product) -> Connection:
        center = DATA_CENTERS[self.sandbox.data_centre_of(email)]
        return Connection(
            id=f"{email}:{product}",
            organization_id=email.partition("@")[2],
            member_id=email,
            email=email,
            product=product,
            product_organization_id=organization_id(self.sandbox, email, product),
            data_center=center.name,
            accounts_url=center.accounts_url,
            api_domain=center.api_domain,
            is_owner=email.startswith("owner"),
            refresh_token=self.sandbox.refresh_token(email),
        )

    def errand(self, email: str, *, seconds: float = 20.0) -> Errand:
        viewer = Viewer(email, email.partition("@")[2], email, email, "Standard", {}, ())
        return Errand(viewer, "request", time.monotonic() + seconds)

    def calls(self, path: str = "*", **filters: object) -> int:
        return len(self.sandbox.calls(path=path, **filters))


def organization_id(sandbox: Sandbox, email: str, product: Product) -> str:
    caller = sandbox.access.caller(sandbox.access_token(email), product.lower(), now=sandbox.now())
    assert caller is not None
    return caller.organization_id


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sandbox") / "sandbox.db"
    Sandbox(path).close()
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(seeded: Path, clock: Clock) -> Iterator[Sandbox]:
    sandbox = Sandbox.copy_of(seeded, now=clock, limits=PLENTY)
    yield sandbox
    sandbox.close()


Open = Callable[..., Desk]


@pytest.fixture
async def open_desk(sandbox: Sandbox, clock: Clock) -> AsyncIterator[Open]:
    """Further desks are further replicas: they share the token store and nothing else."""
    tokens, opened = Tokens(), []

    def open_one(
        budget: Budget | None = None,
        timeouts: Timeouts | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Desk:
        authorization = Authorization(tokens, "sandbox-client", "sandbox-secret", now=clock)
        client = Client(
            authorization,
            transport or sandbox.transport(),
            budget=budget or Budget({product: Allowance(None, 100) for product in Product}),
            timeouts=timeouts or Timeouts(),
            patience=Patience(pause=0.01),
        )
        opened.append(Desk(sandbox, tokens, clock, client))
        return opened[-1]

    yield open_one
    for desk in opened:
        await desk.client.aclose()


@pytest.fixture
def desk(open_desk: Open) -> Desk:
    return open_desk()
