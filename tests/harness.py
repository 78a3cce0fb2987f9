"""A gateway as tests use it: real PostgreSQL, the sandbox as Zoho, GraphQL over HTTP without a network."""

import asyncio
import fcntl
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psycopg
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import make_url
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.demo.people import USERS
from gateway.demo.sandbox import completed
from gateway.settings import Jobs, Settings, Upstream
from gateway.wiring.assembly import Assembly, assembled
from services.sandbox import Sandbox
from services.sandbox.budget import Limits
from services.sandbox.calls import fingerprint
from services.storage.embedded import Embedded
from tests.declared import undeclared_in

SEALING_KEY = "c2VhbGluZyBrZXkgb2YgdGhlIHRlc3RzLCAzMiBieXQ="
PLENTY = Limits(minute=10**6, concurrent=1000, day=10**9, tokens_per_10_minutes=10**6)

acting: ContextVar[str | None] = ContextVar("acting", default=None)
"""The person whose request is being answered."""

Ask = Callable[..., Awaitable[dict[str, Any]]]


@dataclass
class Witness(httpx.AsyncBaseTransport):
    """Stands between the gateway and the sandbox and notes for whom each call is made, and under whose access."""

    sandbox: Sandbox
    strangers: list[tuple[str, str, str]] = field(default_factory=list)
    """(person, product, whose access) of every call for a product user that ran under another's."""

    def __post_init__(self) -> None:
        self.way = self.sandbox.transport()
        self._whose: dict[str, str] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.way.handle_async_request(request)
        self._note(acting.get(), request)
        return response

    async def aclose(self) -> None:
        await self.way.aclose()

    def _note(self, person: str | None, request: httpx.Request) -> None:
        token = request.headers.get("authorization", "").rpartition(" ")[2]
        product = request.url.path.strip("/").partition("/")[0]
        if person and token and product.upper() in _own(person):
            owner = self._owner(fingerprint(token))
            if owner != person:
                self.strangers.append((person, product, owner))

    def _owner(self, token: str) -> str:
        if token not in self._whose:
            self._whose[token] = self.sandbox.calls(token=token)[-1].email
        return self._whose[token]


def _own(email: str) -> tuple[str, ...]:
    """The products in which a demo person works under their own access."""
    return USERS.get(email.partition("@")[0], ())


@dataclass
class Gateway:
    """A gateway as a client sees it, and the sandbox behind it."""

    app: Starlette
    sandbox: Sandbox
    witness: Witness
    client: httpx.AsyncClient
    settings: Settings

    async def ask(self, person: str | None, query: str, **variables: Any) -> dict[str, Any]:
        """Post an operation as a demo person ("staff") or an address; the decoded answer, data and errors."""
        response = await self.post(person, {"query": query, "variables": variables})
        answer: dict[str, Any] = response.json()
        return answer

    async def post(self, person: str | None, body: Any, **headers: str) -> httpx.Response:
        """Post a body as somebody, or as nobody; the HTTP answer."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.send(person, "POST", "/graphql", headers=headers, **content)

    async def send(
        self, person: str | None, method: str, path: str, *, headers: Mapping[str, str] = {}, **more: Any
    ) -> httpx.Response:
        """Any request as somebody.

        Whatever the test is about, the errors have to be among those that the schema declares.
        """
        email = person and (person if "@" in person else f"{person}@demo.example")
        signed = {"Authorization": f"Bearer {self.token(email)}"} if email else {}
        reset = acting.set(email)
        try:
            response = await self.client.request(method, path, headers=signed | dict(headers), **more)
        finally:
            acting.reset(reset)
        left = undeclared_in(response) if path == "/graphql" else []
        assert not left, left
        return response

    def lose_database(self) -> None:
        """As if PostgreSQL had lost it."""
        url = make_url(self.environment()["GATEWAY_DATABASE_URL"])
        drop(url.set(database="postgres").render_as_string(hide_password=False), str(url.database))

    def lose_table(self, name: str) -> None:
        """As if a revision had forgotten it: an error that nobody foresaw."""
        with psycopg.connect(self.environment()["GATEWAY_DATABASE_URL"], autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER TABLE {} RENAME TO lost").format(sql.Identifier(name)))

    def environment(self) -> dict[str, str]:
        """For a process on the same database."""
        url = self.settings.database_url
        assert url
        return {
            "GATEWAY_DATABASE_URL": url.get_secret_value(),
            "GATEWAY_SEALING_KEYS": SEALING_KEY,
            "GATEWAY_DATA": str(self.settings.data),
            "GATEWAY_UPSTREAM__CALLS_PER_MINUTE": str(self.settings.upstream.calls_per_minute),
            "GATEWAY_UPSTREAM__CALLS_AT_ONCE": str(self.settings.upstream.calls_at_once),
        }

    def token(self, email: str, **claims: Any) -> str:
        """An ID token of the sandbox's Accounts."""
        return self.sandbox.id_token(email, **claims)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let one process at a time pass."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Demo:
    """What every gateway of this run is copied from."""

    server: str
    template: str
    sandbox: Path

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        """A gateway on a copy of the demo's database and of its sandbox."""
        with database(self.server, self.template) as url:
            sandbox = Sandbox.copy_of(self.sandbox, limits=PLENTY)
            async with running(_settings(url, self.sandbox.parent), sandbox) as gateway:
                yield gateway

    @asynccontextmanager
    async def assembly(self) -> AsyncIterator[tuple[Assembly, Sandbox]]:
        """The services alone, as a worker has them, on copies likewise."""
        with database(self.server, self.template) as url:
            sandbox = Sandbox.copy_of(self.sandbox, limits=PLENTY)
            async with assembled(_settings(url, self.sandbox.parent), sandbox.transport()) as assembly:
                yield assembly, sandbox


@asynccontextmanager
async def running(settings: Settings, sandbox: Sandbox, *, demo: bool = True) -> AsyncIterator[Gateway]:
    """A gateway on this sandbox until the block is left; `demo`: it connects the demo's people if need be."""
    witness = Witness(sandbox)
    app = create_app(settings, sandbox=sandbox if demo else None, transport=witness)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway.example") as client,
    ):
        yield Gateway(app, sandbox, witness, client, settings)


def _settings(url: str, data: Path) -> Settings:
    return completed(
        Settings(
            database_url=SecretStr(url),
            data=data,
            sealing_keys=(SecretStr(SEALING_KEY),),
            jobs=Jobs(inside=False),
            upstream=Upstream(calls_per_minute=10**6, calls_at_once=1000),
        )
    )


def _conninfo(url: str, database: str | None = None) -> str:
    plain = make_url(url).set(drivername="postgresql")
    return (plain.set(database=database) if database else plain).render_as_string(hide_password=False)


def _create(server: str, name: str, template: str = "template0") -> None:
    with psycopg.connect(_conninfo(server), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )


def drop(server: str, name: str) -> None:
    with psycopg.connect(_conninfo(server), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def database(server: str, template: str = "template0") -> Iterator[str]:
    """The address of a database that is made of the template and dropped after the block."""
    name = f"{template}_{secrets.token_hex(4)}"
    _create(server, name, template)
    try:
        yield _conninfo(server, name)
    finally:
        drop(server, name)


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait for what happens meanwhile."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for rings no bell
            await asyncio.sleep(0.005)


async def struck(sandbox: Sandbox, calls: int = 1) -> None:
    """Return when so many calls have met ordered faults: they are at the sandbox, unanswered if the fault delays."""
    await until(lambda: sum(told["seen"] for told in sandbox.faults.listed()) >= calls)


@contextmanager
def demo_of_its_own() -> Iterator[Demo]:
    """For commands: a demo on a PostgreSQL of its own, which `set_up` has to fill first."""
    with TemporaryDirectory(prefix="gateway-", ignore_cleanup_errors=True) as directory:
        room = Path(directory)
        embedded = Embedded(room / "postgres", durable=False)
        with embedded.running():
            yield Demo(embedded.url(), "demo", room / "demo" / "sandbox.db")


async def set_up(demo: Demo) -> None:
    demo.sandbox.parent.mkdir()
    _create(demo.server, demo.template)
    sandbox = Sandbox(demo.sandbox, limits=PLENTY)
    async with running(_settings(_conninfo(demo.server, demo.template), demo.sandbox.parent), sandbox):
        pass
    sandbox.close()
