"""All that runs: PostgreSQL, the products on a port of their own with their budgets on, the gateway's database."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from sqlmodel import select

from gateway.settings import Settings, Upstream
from gateway.wiring.assembly import Assembly, assembled
from services.credentials import Consent
from services.directory import Directory
from services.policy import Product
from services.sandbox import Sandbox
from services.sandbox.store import Organization
from services.sandbox.store import Person as Known
from services.storage.embedded import Embedded
from tests.bench.ours import HOURS, Stage, environment_of, settings_on
from tests.bench.processes import free_port, python, running
from tests.chaos.scene import Worker
from tests.ending import end_on_signals
from tests.harness import PLENTY
from tests.load.model import Records
from tests.load.people import ROLES, Person, Role

OWNER = Person("owner", "owner")
CENTRE = "eu"


@dataclass(frozen=True)
class Scene:
    """What a run works with; the products' `store` is a file that they keep their records in."""

    stage: Stage
    embedded: Embedded
    url: str
    store: Path
    changes: Path
    people: Sequence[Person]
    records: Records
    """As they were before anything ran."""
    organization_id: str

    def calls(self, **filters: object) -> list[dict[str, Any]]:
        """The calls that the products have seen, as their log tells them."""
        answer = httpx.get(f"{self.stage.origin}/sandbox/calls", params={k: str(v) for k, v in filters.items()})
        found: list[dict[str, Any]] = answer.raise_for_status().json()["calls"]
        return found

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """A worker process of ours."""
        worker = Worker(dict(self.stage.environment), self.stage.directory / "worker.log")
        try:
            yield worker
        finally:
            worker.end()


@contextmanager
def scene(people: Sequence[Person], *products: object, **environment: str) -> Iterator[Scene]:
    """The products run, with these arguments for `tests.load.products`; gateways are for the caller to start.

    `environment`: more of theirs; without it messages are kept as files.
    """
    end_on_signals()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="load-", ignore_cleanup_errors=True)))
        embedded = stack.enter_context(Embedded(directory / "postgres").running())
        port, store = free_port(), directory / "sandbox.db"
        url = embedded.ensure_database("load")
        settings = settings_on(url, f"http://127.0.0.1:{port}", directory)
        settings = settings.model_copy(update={"upstream": Upstream()})
        everybody = [OWNER, *people]
        organization_id, tokens, records = asyncio.run(_set_up(settings, store, everybody))
        changes = directory / "changes.jsonl"
        command = python("tests.load.products", port, store, "--changes", changes, *products)
        stack.enter_context(running(command, port, path="/sandbox/people"))
        told = environment_of(settings) | (environment or {"GATEWAY_MAIL__DIRECTORY": str(directory / "mail")})
        stage = Stage(f"http://127.0.0.1:{port}", directory, told, tokens)
        yield Scene(stage, embedded, url, store, changes, people, records, organization_id)


async def _set_up(settings: Settings, store: Path, people: Sequence[Person]) -> tuple[str, Mapping[str, str], Records]:
    """The organization's id, a token for everybody, and the products' records."""
    assert settings.zoho
    sandbox = Sandbox(store, limits=PLENTY)
    try:
        company = _hired(sandbox, people)
        async with assembled(settings, sandbox.transport()) as assembly:
            organization_id = await _provisioned(assembly, company)
            for person in people:
                await _connect(assembly, sandbox, company, organization_id, person, str(settings.zoho.origin))
            await _place(assembly.services.directory, organization_id, people)
        issuer = f"{settings.zoho.origin}/{CENTRE}/accounts"
        tokens = {one.name: sandbox.id_token(one.email, iss=issuer, lifetime=HOURS * 3600) for one in people}
        return organization_id, tokens, Records(sandbox)
    finally:
        sandbox.close()


def _hired(sandbox: Sandbox, people: Sequence[Person]) -> Organization:
    """The company, once it employs everybody."""
    with sandbox.store.session() as session:
        company = session.exec(select(Organization).where(Organization.key == "demo")).one()
        known = set(session.exec(select(Known.email)))
        for number, person in enumerate(people):
            if person.email not in known:
                session.add(_employee(sandbox, company, number, person, ROLES[person.role]))
    return company


def _employee(sandbox: Sandbox, company: Organization, number: int, person: Person, role: Role) -> Known:
    first, _, last = person.name.partition("-")
    return Known(
        zuid=f"9{number:09}",
        crm_id=company.crm_id,
        email=person.email,
        crm_email=person.email,
        first_name=first.capitalize(),
        last_name=last,
        crm_user_id=sandbox.store.next_id(company.crm_id),
        profile=role.profile,
        books_user_id=sandbox.store.next_id(company.books_id) if role.books else None,
        books_role=role.books,
        billing_user_id=sandbox.store.next_id(company.billing_id) if role.billing else None,
        billing_role=role.billing,
    )


async def _provisioned(assembly: Assembly, company: Organization) -> str:
    return await assembly.services.directory.provision(
        name=company.name, data_center=company.data_centre, edition=company.edition, crm_org_id=company.crm_id
    )


async def _connect(
    assembly: Assembly, sandbox: Sandbox, company: Organization, organization_id: str, person: Person, origin: str
) -> None:
    for product in ROLES[person.role].connected:
        await assembly.services.credentials.connect(
            Consent(
                organization_id=organization_id,
                email=person.email,
                product=Product(product),
                product_organization_id=company.id_in(product.lower()),
                data_center=CENTRE,
                accounts_url=f"{origin}/{CENTRE}/accounts",
                api_domain=f"{origin}/{CENTRE}/api",
                refresh_token=sandbox.refresh_token(person.email),
                is_owner=person is OWNER,
            )
        )


async def _place(directory: Directory, organization_id: str, people: Sequence[Person]) -> None:
    """Everybody in the way that their role works."""
    await directory.sync(organization_id)
    own = [one.email for one in people if ROLES[one.role].connected and ROLES[one.role].migrated]
    await directory.migrate(organization_id, own)
    for person in people:
        role = ROLES[person.role]
        if role.billing:
            await directory.set_billing_role(organization_id, person.email, role.billing.lower())
        if role.seat:
            await directory.grant(organization_id, person.email, Product.BOOKS, role.seat)
