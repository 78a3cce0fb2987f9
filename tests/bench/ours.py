"""Our gateway as it is run, `python -m gateway serve`, on the static products: an owner connected, tokens signed."""

import asyncio
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr
from sqlmodel import select

from gateway.demo.sandbox import CLIENT_ID, ZOHO
from gateway.settings import OpenId, Settings, Upstream
from gateway.wiring.assembly import Assembly, assembled
from services.credentials import Consent
from services.policy import Product
from services.sandbox import Sandbox
from services.sandbox.store import Organization
from services.storage.embedded import Embedded
from tests.bench.processes import ROOT, Process, free_port, python, running
from tests.bench.rendering import rendered
from tests.bench.upstream import served
from tests.harness import PLENTY

SEALING_KEY = "YmVuY2ggYmVuY2ggYmVuY2ggYmVuY2ggYmVuY2ggMzI="
PEOPLE = ("owner", "readonly")
"""Who sees everything, and who does not see what is still to be paid."""
HOURS = 12


@dataclass(frozen=True)
class Stage:
    """The static products at `origin`, and everything that a gateway on them needs."""

    origin: str
    directory: Path
    environment: Mapping[str, str]
    tokens: Mapping[str, str] = field(repr=False)
    """Of each person, signed for as long as measuring can take."""

    @contextmanager
    def gateway(self, *, profiled: Path | None = None, metrics: bool = False) -> Iterator[Process]:
        """A gateway process of its own; `profiled`: where it leaves its profile; `metrics`: counting for Prometheus."""
        port = free_port()
        command = python("tests.bench.profile", profiled) if profiled else python("gateway", "serve")
        counting = {"GATEWAY_METRICS__PORT": "0"} if metrics else {}
        with running(command, port, {**self.environment, **counting, "GATEWAY_PORT": str(port)}) as process:
            yield process

    def fill_copy(self) -> None:
        """Read the company into the gateway's own copy."""
        environment = {**environ, **self.environment}
        subprocess.run(  # noqa: S603 - our own command
            python("gateway", "records", "rebuild"), cwd=ROOT, env=environment, check=True, capture_output=True
        )

    def signed(self, person: str) -> dict[str, str]:
        """The header that signs a person in."""
        return {"Authorization": f"Bearer {self.tokens[person]}"}


@contextmanager
def staged() -> Iterator[Stage]:
    """The static products and a database with the owner's and the others' connections, until the block is left."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        embedded = stack.enter_context(Embedded(directory / "postgres", durable=False).running())
        sandbox = Sandbox(limits=PLENTY)
        stack.callback(sandbox.close)
        port = free_port()
        settings = settings_on(embedded.ensure_database("bench"), f"http://127.0.0.1:{port}", directory)
        company = _organization(sandbox)
        asyncio.run(_set_up(settings, sandbox, company))
        products = asyncio.run(rendered(sandbox, company, _origin(settings)))
        stack.enter_context(served(products, port, directory))
        yield Stage(_origin(settings), directory, environment_of(settings), _tokens(sandbox, _origin(settings)))


def _origin(settings: Settings) -> str:
    assert settings.zoho
    assert settings.zoho.origin
    return settings.zoho.origin


def _organization(sandbox: Sandbox) -> Organization:
    with sandbox.store.session() as session:
        return session.exec(select(Organization).where(Organization.key == "demo")).one()


def _tokens(sandbox: Sandbox, origin: str) -> dict[str, str]:
    issuer = f"{origin}/eu/accounts"
    return {name: sandbox.id_token(f"{name}@demo.example", iss=issuer, lifetime=HOURS * 3600) for name in PEOPLE}


def settings_on(url: str, origin: str, directory: Path) -> Settings:
    return Settings(
        data=directory,
        database_url=SecretStr(url),
        sealing_keys=(SecretStr(SEALING_KEY),),
        zoho=ZOHO.model_copy(update={"origin": origin}),
        openid=OpenId(issuers=(f"{origin}/eu/accounts",), audience=CLIENT_ID),
        upstream=Upstream(calls_per_minute=10**6, calls_at_once=1000),
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """The same settings, for a process."""
    assert settings.zoho
    assert settings.openid
    assert settings.database_url
    return {
        "GATEWAY_DATA": str(settings.data),
        "GATEWAY_DATABASE_URL": settings.database_url.get_secret_value(),
        "GATEWAY_SEALING_KEYS": SEALING_KEY,
        "GATEWAY_ZOHO__CLIENT_ID": settings.zoho.client_id,
        "GATEWAY_ZOHO__CLIENT_SECRET": settings.zoho.client_secret.get_secret_value(),
        "GATEWAY_ZOHO__ORIGIN": _origin(settings),
        "GATEWAY_OPENID__ISSUERS": settings.openid.issuers[0],
        "GATEWAY_OPENID__AUDIENCE": settings.openid.audience,
        "GATEWAY_UPSTREAM__CALLS_PER_MINUTE": str(settings.upstream.calls_per_minute),
        "GATEWAY_UPSTREAM__CALLS_AT_ONCE": str(settings.upstream.calls_at_once),
        "GATEWAY_LIMITS__PER_MINUTE": str(10**9),
        "GATEWAY_JOBS__INSIDE": "false",
        "GATEWAY_LOGS__LEVEL": "warning",
    }


async def _set_up(settings: Settings, sandbox: Sandbox, company: Organization) -> None:
    """Connect everybody to the static products; who they are is asked of the sandbox."""
    async with assembled(settings, sandbox.transport()) as assembly:
        directory = assembly.services.directory
        organization_id = await directory.provision(
            name=company.name, data_center=company.data_centre, edition=company.edition, crm_org_id=company.crm_id
        )
        for person in PEOPLE:
            await _connect(assembly, settings, sandbox, company, organization_id, person)
        await directory.sync(organization_id)
        await directory.migrate(organization_id, [f"{person}@demo.example" for person in PEOPLE])
        await directory.set_billing_role(organization_id, "owner@demo.example", "admin")


async def _connect(
    assembly: Assembly, settings: Settings, sandbox: Sandbox, company: Organization, organization_id: str, person: str
) -> None:
    email, center = f"{person}@demo.example", f"{_origin(settings)}/{company.data_centre}"
    for product in Product:
        await assembly.services.credentials.connect(
            Consent(
                organization_id=organization_id,
                email=email,
                product=product,
                product_organization_id=company.id_in(product.lower()),
                data_center=company.data_centre,
                accounts_url=f"{center}/accounts",
                api_domain=f"{center}/api",
                refresh_token=sandbox.refresh_token(email),
                is_owner=person == "owner",
            )
        )
