"""The gateway with the world behind it: people in its tables, requests through its front door."""

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, NoReturn

import msgspec
import structlog
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import SecretStr
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.settings import Execution, Jobs, OpenId, Settings, Upstream, Zoho
from services import Services
from services.credentials import Consent
from services.identity import ACCESS
from services.policy import Product
from services.storage.engine import Database
from services.storage.models import now
from tests.leaks.door import posted
from tests.leaks.product import PRODUCT_ORGANIZATION
from tests.leaks.product import Zoho as Products
from tests.leaks.tables import address, written
from tests.leaks.world import Person, World, beginning

ISSUER, AUDIENCE = "https://accounts.example", "gateway"
DATA_CENTERS = {"north": "eu", "south": "com", "third": "in"}
CRM_ORGANIZATION = "700"
COPIED = ("north", "south")
"""The companies whose copy is kept."""


@dataclass
class Stage:
    """All that a run works with."""

    app: Starlette
    world: World
    products: Products
    elsewhere: Database
    """The database as another process has it."""
    organizations: dict[str, str]
    """The gateway's ids of the companies."""
    tokens: Mapping[str, str] = field(repr=False)
    said: list[str] = field(default_factory=list, repr=False)
    """What the gateway has logged."""

    @property
    def services(self) -> Services:
        """What the gateway works with."""
        services: Services = self.app.state.endpoint.services
        return services

    async def ask(self, key: str, body: Mapping[str, Any]) -> tuple[str, str]:
        """Post an operation as somebody; head and body of the answer."""
        told: list[str] = []
        await posted(self.app, self.tokens[key], msgspec.json.encode(body), told.append)
        return "".join(told[:-1]), told[-1]

    async def write(self, person: Person, *, elsewhere: bool) -> None:
        """Put somebody into the tables as they are: by this process, or by another one and until this one has heard."""
        organization = self.organizations[person.company]
        if not elsewhere:
            async with self.services.identity._database.session() as session:  # noqa: SLF001  # its own process
                await written(session, organization, person)
            return
        async with self.services.events.subscribe(ACCESS) as notices:
            await anext(notices)
            async with self.elsewhere.session() as session:
                await written(session, organization, person)
            while await anext(notices) not in (organization, None):
                pass
        await asyncio.sleep(0.001)

    async def keep(self, company: str, module: str) -> None:
        """Bring the copy of a company's module up to date."""
        await self.services.copy.at_least(self.organizations[company], module, now(), monotonic() + 5)


@asynccontextmanager
async def stage(url: str, chance: Random, *, plans: bool = True) -> AsyncIterator[Stage]:
    """A gateway on a furnished database."""
    async with _opened(url, chance, Execution(plans=plans)) as made:
        yield made


async def furnish(url: str) -> None:
    """Put everybody with the connections that they may have into an empty database, and read the owners' copies."""
    async with _opened(url, Random(0), Execution()) as made:
        directory, credentials = made.services.directory, made.services.credentials
        for company, center in DATA_CENTERS.items():
            made.organizations[company] = await directory.provision(
                name=company, data_center=center, edition="free", crm_org_id=CRM_ORGANIZATION
            )
        for person in map(made.world.person, made.world.people):
            await made.write(person, elsewhere=False)
            for product in Product:
                await credentials.connect(_consent(made, person, product))
            await made.write(person, elsewhere=False)
        for company in COPIED:
            for source in made.services.copy.sources:
                await made.services.copy.pull(made.organizations[company], source.module)


@asynccontextmanager
async def _opened(url: str, chance: Random, execution: Execution) -> AsyncIterator[Stage]:
    key, world = ECKey.generate_key("P-256", {"kid": "one"}), World(beginning())
    products = Products(world, {"keys": [key.as_dict(private=False)]}, chance)
    said: list[str] = []
    with _overheard(said), TemporaryDirectory() as data:
        app = create_app(_settings(url, Path(data), execution), transport=products)
        async with app.router.lifespan_context(app):
            tokens = {one: _token(key, one) for one in world.people}
            elsewhere = Database(url, pool_size=1)
            try:
                yield Stage(app, world, products, elsewhere, await _organizations(app), tokens, said)
            finally:
                await elsewhere.close()


async def _organizations(app: Starlette) -> dict[str, str]:
    """Those that are there, by their companies."""
    ask = app.state.endpoint.services.directory.organization_in_crm
    known = {company: await ask(center, CRM_ORGANIZATION) for company, center in DATA_CENTERS.items()}
    return {company: one for company, one in known.items() if one}


def _consent(made: Stage, person: Person, product: Product) -> Consent:
    return Consent(
        organization_id=made.organizations[person.company],
        email=address(person.key),
        product=product,
        product_organization_id=PRODUCT_ORGANIZATION,
        data_center=DATA_CENTERS[person.company],
        accounts_url="https://accounts.example",
        api_domain="https://api.example",
        refresh_token=person.key,
        is_owner=person.key == person.owner,
        member_id=person.key,
    )


def _settings(url: str, data: Path, execution: Execution) -> Settings:
    return Settings(
        database_url=SecretStr(url),
        data=data,
        sealing_keys=(SecretStr(base64.b64encode(bytes(32)).decode()),),
        zoho=Zoho(client_id="client", client_secret=SecretStr("secret")),
        openid=OpenId(issuers=(ISSUER,), audience=AUDIENCE, jwks_uri=f"{ISSUER}/keys"),
        execution=execution,
        jobs=Jobs(inside=False),
        upstream=Upstream(calls_per_minute=10**6, calls_at_once=1000),
    )


def _token(key: ECKey, person: str) -> str:
    at = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": person, "email": address(person), "iat": at, "exp": at + 86400}
    return jwt.encode({"alg": "ES256", "kid": "one"}, claims, key)


@contextmanager
def _overheard(said: list[str]) -> Iterator[None]:
    """What is logged is kept here instead."""

    def keep(_logger: Any, _method: str, event: Any) -> NoReturn:
        said.append(repr(event))
        raise structlog.DropEvent

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{record.getMessage()} {record.exc_info}")

    usual, keeper = structlog.get_config(), Keeper(logging.INFO)
    level = structlog.make_filtering_bound_logger(logging.INFO)
    structlog.configure(wrapper_class=level, processors=[structlog.contextvars.merge_contextvars, keep])
    logging.getLogger().addHandler(keeper)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(keeper)
        structlog.configure(**usual)
