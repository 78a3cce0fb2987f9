"""Connecting owners and users, from the link to the first call, against the sandbox's own consent page."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from sqlmodel import SQLModel, func, select

from services.application import Application
from services.audit import Audit, FieldChange
from services.consent import Connected, Consents
from services.credentials import Credentials
from services.directory import Directory
from services.errors import BadUserInput, Conflict, Forbidden, GatewayError, NotFound, UpstreamUnavailable
from services.identity import Identity
from services.invitations import Invitations
from services.policy import AccessKind, Product
from services.sandbox import Sandbox
from services.sandbox.budget import Limits
from services.sandbox.faults import Fault
from services.sandbox.store import RefreshToken
from services.storage import models
from services.storage.engine import Database
from services.storage.sealing import Seal
from services.upstream.auth import Authorization
from services.upstream.books import Books
from services.upstream.client import Client, Patience
from services.upstream.crm import Crm

PLENTY = Limits(minute=100_000, concurrent=1000, day=1_000_000)
BACK = "http://127.0.0.1:8000/oauth/callback"
OWNER, STAFF, SALES, SECOND = (f"{name}@demo.example" for name in ("owner", "staff", "sales", "administrator2"))


class Wire(httpx.AsyncBaseTransport):
    """The way to the sandbox; `more` are further Books organizations that everybody is said to belong to."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = sandbox.transport()
        self.more: list[dict[str, Any]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if self.more and request.url.path == "/books/v3/organizations":
            body = response.json()
            body["organizations"] += self.more
            return httpx.Response(200, json=body)
        return response


@dataclass
class Installation:
    """An empty database and the sandbox, with the services between them."""

    database: Database
    sandbox: Sandbox
    wire: Wire
    client: Client
    credentials: Credentials
    identity: Identity
    consents: Consents

    async def answer(self, link: str, email: str) -> dict[str, str]:
        """What the redirect brings when this person consents."""
        async with httpx.AsyncClient(transport=self.sandbox.transport()) as browser:
            page = await browser.get(link, params=dict(parse_qsl(urlsplit(link).query)) | {"login_hint": email})
        assert page.headers["location"].startswith(BACK)
        brought = dict(parse_qsl(urlsplit(page.headers["location"]).query))
        return {name.replace("-", "_"): value for name, value in brought.items()}

    async def follow(self, link: str, email: str) -> Connected:
        return await self.complete(await self.answer(link, email))

    async def complete(self, brought: Mapping[str, str]) -> Connected:
        return await self.consents.complete(**brought, request_id="consent")

    async def own(self, email: str = OWNER, center: str = "eu", **options: Any) -> Connected:
        return await self.follow(await self.consents.begin_owner(center, **options), email)

    async def join(self, email: str, **options: Any) -> Connected:
        return await self.follow(await self.consents.begin_user(email, **options), email)

    async def events(self, organization_id: str) -> list[tuple[Any, ...]]:
        """(action, product, who, what changed first) of the audit, the oldest first."""
        page = await Audit(self.database).page(organization_id, 50)
        return [(one.action, one.product, one.actor_email, one.changes[0]) for one in reversed(page.events)]

    async def count(self, table: type[SQLModel]) -> int:
        async with self.database.session() as session:
            return (await session.exec(select(func.count()).select_from(table))).one()

    def given(self, email: str) -> int:
        """Refresh tokens that the person's consents have left at Zoho."""
        with self.sandbox.store.session() as session:
            mine = select(RefreshToken).where(RefreshToken.zuid == self.sandbox.person(email).zuid)
            return len(session.exec(mine).all())


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("consent") / "sandbox.db"
    Sandbox(path).close()
    return path


@pytest.fixture
def sandbox(filled: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox.copy_of(filled, limits=PLENTY)
    yield sandbox
    sandbox.close()


@pytest.fixture
async def site(own_database: Database, sandbox: Sandbox, seal: Seal) -> AsyncIterator[Installation]:
    credentials, wire = Credentials(own_database, seal), Wire(sandbox)
    client = Client(
        Authorization(credentials, "sandbox-client", "sandbox-secret"), wire, patience=Patience(attempts=2, pause=0.01)
    )
    directory = Directory(own_database, credentials, Crm(client, credentials), Books(client, credentials))
    application = Application(client_id="sandbox-client", redirect_uri=BACK)
    consents = Consents(application, Invitations(own_database, seal), client, credentials, directory)
    yield Installation(own_database, sandbox, wire, client, credentials, Identity(own_database), consents)
    await client.aclose()


async def refusal(work: Awaitable[object]) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await work
    return raised.value


def connected_by(email: str, product: Product, what: str, before: str | None = None) -> tuple[Any, ...]:
    return ("connections.connect", product, email, FieldChange(what, before, email))


async def test_who_connects_what_is_in_the_audit(site: Installation) -> None:
    place = (await site.own()).organization_id
    expected = [connected_by(OWNER, product, "owner") for product in Product]
    await site.join(STAFF, migrate=True)
    joined = [connected_by(STAFF, product, "account") for product in (Product.CRM, Product.BOOKS)]
    moved = FieldChange("access", "OWNER_DELEGATED", "PRODUCT_USER")
    expected += [*joined, ("users.migrate", None, STAFF, moved)]
    await site.own(SECOND, organization_id=place)
    expected += [connected_by(SECOND, product, "owner", OWNER) for product in Product]
    assert sorted(map(str, await site.events(place))) == sorted(map(str, expected))
    events = (await Audit(site.database).page(place, 50)).events
    assert {event.request_id for event in events} == {"consent"}
    assert {event.actor_name for event in events} == {site.sandbox.person(one).name for one in (OWNER, STAFF, SECOND)}
    by_staff = [event for event in events if event.actor_email == STAFF]
    assert {(event.actor_id, event.subject.module) for event in by_staff} == {(by_staff[0].subject.id, "users")}


async def test_an_owners_consent_makes_the_organization_and_its_people_known(site: Installation) -> None:
    connected = await site.own()
    assert (connected.organization, connected.email, connected.is_owner) == ("Demo Trading", OWNER, True)
    owners = await site.credentials.owners(connected.organization_id)
    assert {owner.product: owner.product_organization_id for owner in owners} == {
        Product.CRM: "20077000001",
        Product.BOOKS: "20098765001",
        Product.BILLING: "20098765001",
    }
    viewer = await site.identity.viewer(STAFF)
    assert viewer.access_to(Product.BOOKS).kind is AccessKind.OWNER_DELEGATED


async def test_an_organization_of_another_data_center_is_found_where_the_redirect_says(site: Installation) -> None:
    connected = await site.own("owner@west.example", "us")
    owners = await site.credentials.owners(connected.organization_id)
    assert {owner.api_domain for owner in owners} == {"https://www.zohoapis.com"}
    assert {owner.product_organization_id for owner in owners} == {"60077000001", "60012000001", "60012000002"}


async def test_a_user_who_connects_works_under_his_own_access_when_that_is_asked(site: Installation) -> None:
    await site.own()
    connected = await site.join(STAFF, migrate=True)
    assert (connected.products, connected.migrated) == ((Product.CRM, Product.BOOKS), True)
    viewer = await site.identity.viewer(STAFF)
    assert viewer.access_to(Product.BOOKS).kind is AccessKind.PRODUCT_USER
    connection = await site.credentials.for_viewer(viewer, Product.BOOKS)
    site.sandbox.clear_calls()
    await site.client.get(connection, "/users/me", bytes)
    assert [call.email for call in site.sandbox.calls()] == [STAFF]


async def test_a_user_who_only_connects_goes_on_under_the_owners_access(site: Installation) -> None:
    await site.own()
    assert not (await site.join(STAFF)).migrated
    viewer = await site.identity.viewer(STAFF)
    assert viewer.access_to(Product.BOOKS).kind is AccessKind.OWNER_DELEGATED


async def test_a_user_is_invited_by_any_spelling_of_his_address(site: Installation) -> None:
    await site.own()
    link = await site.consents.begin_user("MIXEDcase@DEMO.example")
    assert (await site.follow(link, "mixedcase@demo.example")).email == "mixedcase@demo.example"


async def test_a_crm_user_without_books_connects_the_crm_alone_but_cannot_be_migrated(site: Installation) -> None:
    await site.own()
    assert (await refusal(site.join(SALES, migrate=True))).code == "FORBIDDEN"
    assert site.given(SALES) == 0
    assert (await site.join(SALES)).products == (Product.CRM,)


async def test_neither_state_nor_verifier_is_readable_in_the_database(site: Installation) -> None:
    link = await site.consents.begin_owner("eu")
    asked = dict(parse_qsl(urlsplit(link).query))
    async with site.database.session() as session:
        row = (await session.exec(select(models.Invitation))).one()
    assert asked["code_challenge_method"] == "S256"
    assert asked["state"].encode() not in row.state_hash
    with pytest.raises(ValueError, match="invitations/other"):
        Seal([bytes(range(32))]).open(row.verifier, "invitations/other/verifier")


async def test_a_code_is_worth_nothing_without_the_verifier_of_its_own_link(site: Installation) -> None:
    one, other = [await site.answer(await site.consents.begin_owner("eu"), OWNER) for _ in range(2)]
    told = await refusal(site.complete(one | {"code": other["code"]}))
    assert (told.code, told.details["reason"]) == ("FORBIDDEN", "CODE")
    assert await site.count(models.Organization) == 0


async def test_a_link_serves_once(site: Installation) -> None:
    brought = await site.answer(await site.consents.begin_owner("eu"), OWNER)
    results = await asyncio.gather(*(site.complete(brought) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(result, Connected) for result in results) == 1
    assert {result.details["reason"] for result in results if isinstance(result, Conflict)} == {"USED_LINK"}


async def test_a_link_ends_when_it_was_meant_to(site: Installation) -> None:
    ended = await site.consents.begin_owner("eu", lifetime=timedelta(0))
    told = await refusal(site.follow(ended, OWNER))
    assert (told.code, told.details["reason"]) == ("CONFLICT", "EXPIRED_LINK")
    await site.follow(await site.consents.begin_owner("eu", lifetime=timedelta(days=7)), OWNER)


Answer = dict[str, str]


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        (lambda told: told | {"state": "another"}, "BAD_USER_INPUT", "UNKNOWN_LINK"),
        (lambda told: {"state": told["state"], "error": "access_denied"}, "FORBIDDEN", "ACCESS_DENIED"),
        (lambda told: {"state": told["state"]}, "UPSTREAM_REJECTED", None),
        (lambda told: told | {"code": "forged"}, "FORBIDDEN", "CODE"),
        (
            lambda told: told | {"accounts_server": "https://accounts.example"},
            "FORBIDDEN",
            "FOREIGN_ACCOUNTS_SERVER",
        ),
        (
            lambda told: told | {"accounts_server": "https://accounts.zoho.eu.example"},
            "FORBIDDEN",
            "FOREIGN_ACCOUNTS_SERVER",
        ),
        (lambda told: told | {"location": "us"}, "FORBIDDEN", "FOREIGN_ACCOUNTS_SERVER"),
    ],
)
async def test_an_answer_that_is_not_ours_connects_nothing(
    site: Installation, change: Callable[[Answer], Answer], code: str, reason: str | None
) -> None:
    brought = await site.answer(await site.consents.begin_owner("eu"), OWNER)
    told = await refusal(site.complete(change(brought)))
    assert (told.code, told.details.get("reason")) == (code, reason)
    assert await site.count(models.Organization) == 0
    assert {urlsplit(call.path).path for call in site.sandbox.calls()} <= {"/oauth/v2/auth", "/oauth/v2/token"}


async def test_another_person_than_the_invited_one_is_refused_and_his_access_given_back(site: Installation) -> None:
    await site.own()
    before = await site.count(models.Connection)
    told = await refusal(site.follow(await site.consents.begin_user(STAFF), SALES))
    assert (told.code, told.details["reason"]) == ("FORBIDDEN", "ANOTHER_PERSON")
    assert STAFF in told.message
    assert (await site.count(models.Connection), site.given(SALES)) == (before, 0)


@pytest.mark.parametrize(
    ("email", "changes", "lacking"),
    [
        (STAFF, {}, "Zoho CRM"),
        (SECOND, {"books_role": "Staff"}, "Zoho Books"),
        (SECOND, {"profile": "Standard"}, "Zoho CRM"),
    ],
)
async def test_who_does_not_administer_both_cannot_be_the_owner(
    site: Installation, email: str, changes: dict[str, str], lacking: str
) -> None:
    site.sandbox.change(email, **changes)
    told = await refusal(site.own(email))
    assert isinstance(told, Forbidden)
    assert told.message == f"{email} does not administer {lacking}."
    assert (await site.count(models.Organization), await site.count(models.Connection)) == (0, 0)
    assert site.given(email) == 0


@pytest.mark.parametrize("path", ["/books/v3/organizations", "/books/v3/users", "/crm/v8/settings/*"])
async def test_a_product_that_is_down_meanwhile_leaves_nothing_half_done(site: Installation, path: str) -> None:
    site.sandbox.fault(Fault(kind="status", status=503, path=path))
    assert isinstance(await refusal(site.own()), UpstreamUnavailable)
    assert (await site.count(models.Organization), await site.count(models.Connection)) == (0, 0)
    assert site.given(OWNER) == 0
    site.sandbox.clear_faults()
    await site.own()


async def test_another_administrator_replaces_the_owner_only_when_the_organization_is_named(site: Installation) -> None:
    first = await site.own()
    told = await refusal(site.own(SECOND))
    assert isinstance(told, Conflict)
    assert first.organization_id in (told.hint or "")
    await site.own(SECOND, organization_id=first.organization_id)
    owners = await site.credentials.owners(first.organization_id)
    assert {owner.email for owner in owners} == {SECOND}
    assert await site.count(models.Organization) == 1


async def test_the_same_owner_connects_again_without_further_ado(site: Installation) -> None:
    assert (await site.own()).organization_id == (await site.own()).organization_id
    assert await site.count(models.Connection) == 3


async def test_an_administrator_of_another_organization_cannot_take_over_the_named_one(site: Installation) -> None:
    demo = await site.own()
    link = await site.consents.begin_owner("eu", organization_id=demo.organization_id)
    west = await site.answer(link.replace("accounts.zoho.eu", "accounts.zoho.com"), "owner@west.example")
    assert isinstance(await refusal(site.complete(west)), Forbidden)
    assert {owner.email for owner in await site.credentials.owners(demo.organization_id)} == {OWNER}


async def test_of_several_organizations_the_default_one_is_used_unless_one_is_named(site: Installation) -> None:
    site.wire.more = [{"organization_id": "20098765002", "name": "Second", "is_default_org": False}]
    demo = await site.own()
    assert (await site.credentials.owner(demo.organization_id, Product.BOOKS)).product_organization_id == "20098765001"
    site.wire.more[0]["is_default_org"] = True
    told = await refusal(site.own())
    assert isinstance(told, BadUserInput)
    assert "20098765002" in (told.hint or "")
    await site.own(chosen={Product.BOOKS: "20098765001"})
    assert isinstance(await refusal(site.own(chosen={Product.BOOKS: "20098765003"})), Forbidden)


async def test_a_link_is_made_only_for_an_active_user_of_one_organization(site: Installation) -> None:
    await site.own()
    for email in ("nobody@demo.example", "inactive@demo.example"):
        assert isinstance(await refusal(site.consents.begin_user(email)), NotFound)
    with pytest.raises(BadUserInput):
        await site.consents.begin_owner("nowhere")
    with pytest.raises(NotFound):
        await site.consents.begin_owner("eu", organization_id="unknown")


async def test_the_token_that_came_with_the_consent_serves_the_first_calls(site: Installation) -> None:
    await site.own()
    viewer = await site.identity.viewer(OWNER)
    await site.client.get(await site.credentials.for_viewer(viewer, Product.BOOKS), "/users/me", bytes)
    assert len(site.sandbox.calls(path="*/oauth/v2/token")) == 1


async def test_no_more_is_asked_for_than_the_calls_need(site: Installation) -> None:
    await site.own()
    await site.join(STAFF)
    refused = [call for call in site.sandbox.calls() if call.status in {401, 403}]
    assert refused == []
    owner, user = await site.consents.begin_owner("eu"), await site.consents.begin_user(STAFF)
    asked = [set(dict(parse_qsl(urlsplit(link).query))["scope"].split(",")) for link in (owner, user)]
    assert asked[0] - asked[1] == {
        "ZohoCRM.users.READ",
        "ZohoCRM.settings.profiles.READ",
        "ZohoCRM.settings.fields.READ",
    }
    assert not any(scope.endswith((".ALL", ".all", ".DELETE")) for scope in asked[0])
