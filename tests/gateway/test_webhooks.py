"""Hooks: what the products say of changed records, whom it is believed, and what follows."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from time import perf_counter
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import select

from gateway.commands.hooking import Address, addresses, hooked, instructions
from gateway.http.webhooks import Webhooks, named
from gateway.live.tally import Tally
from gateway.wiring.recording import Recording
from services.jobs import Jobs
from services.policy import Product
from services.records.copy import Copy
from services.sandbox import records as kept
from services.sandbox.store import Record
from tests.harness import Demo, Gateway, until

SIGNATURE = "X-Zoho-Webhook-Signature"
INVOICES, SUBSCRIPTIONS = "/books/v3/invoices/*", "/billing/v1/subscriptions/*"


@dataclass
class Scene:
    """A gateway whose copy has read invoices and subscriptions, and the demo's two addresses."""

    gateway: Gateway
    copy: Copy
    addresses: dict[Product, Address]
    _fresh: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def webhooks(self) -> Webhooks:
        webhooks: Webhooks = self.gateway.app.state.webhooks
        return webhooks

    @property
    def jobs(self) -> Jobs:
        return self.webhooks.jobs

    @property
    def organization_id(self) -> str:
        return self.addresses[Product.BOOKS].organization_id

    async def post(self, product: Product, body: Any, **more: Any) -> httpx.Response:
        """As the product does, signed with its own secret."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        address = self.addresses[product]
        signed = more.pop(
            "signature", signature(address.secret, f"organization{self.organization_id}".encode(), content)
        )
        url = more.pop("url", address.url)
        return await self.gateway.client.post(url, content=content, headers={SIGNATURE: signed}, **more)

    def held(self, kind: str) -> list[dict[str, Any]]:
        with self.gateway.sandbox.store.session() as session:
            place = self.addresses[Product.BOOKS].product_organization_id
            found = session.exec(select(Record).where(Record.organization_id == place, Record.kind == kind))
            return [dict(row.body) for row in found]

    def untouched(self, kind: str = "invoices") -> dict[str, Any]:
        """A record that no other test has had."""
        return self._fresh.setdefault(kind, self.held(kind)).pop()

    def put(self, kind: str, body: dict[str, Any]) -> None:
        with self.gateway.sandbox.store.session() as session:
            kept.put(session, self.addresses[Product.BOOKS].product_organization_id, kind, body)

    def drop(self, kind: str, record_id: str) -> None:
        with self.gateway.sandbox.store.session() as session:
            kept.drop(session, self.addresses[Product.BOOKS].product_organization_id, kind, record_id)

    async def record(self, record_id: str) -> Any:
        async with self.copy._database.session() as session:  # noqa: SLF001
            connection = await session.connection()
            found = await connection.execute(text("SELECT * FROM records WHERE id = :id"), {"id": record_id})
            return found.mappings().one()

    async def waiting(self) -> int:
        """Records that jobs are to read."""
        async with self.copy._database.session() as session:  # noqa: SLF001
            counted = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'refresh' AND status = 'todo'"
            return int((await (await session.connection()).execute(text(counted))).scalar_one())

    async def work(self) -> None:
        self.gateway.sandbox.clear_calls()
        await self.jobs.work_off()

    def calls(self, path: str) -> int:
        return len(self.gateway.sandbox.calls(path=path))


def signature(secret: str, *signed: bytes) -> str:
    return hmac.new(secret.encode(), b"".join(signed), sha256).hexdigest()


@pytest.fixture(scope="module")
async def shared_scene(demo: Demo) -> AsyncIterator[Scene]:
    async with demo.gateway() as gateway:
        services = gateway.app.state.endpoint.services
        owners = await services.credentials.owners()
        demo_id = next(one.organization_id for one in owners if one.email == "owner@demo.example")
        known = await addresses(gateway.settings, services.credentials)
        scene = Scene(gateway, services.copy, {one.product: one for one in known if one.organization_id == demo_id})
        for module in ("plans", "subscriptions", "invoices", "estimates"):
            await scene.copy.pull(scene.organization_id, module)
        await scene.work()
        yield scene


@pytest.fixture
def scene(shared_scene: Scene) -> Scene:
    shared_scene.gateway.sandbox.clear_calls()
    return shared_scene


async def test_a_hook_is_answered_at_once_and_the_record_is_read_again_by_a_job(scene: Scene) -> None:
    invoice = scene.untouched()
    scene.put("invoices", invoice | {"balance": Decimal("7.77")})
    began = perf_counter()
    response = await scene.post(Product.BOOKS, {"invoice": {"invoice_id": invoice["invoice_id"], "balance": 1}})
    assert (response.status_code, response.content) == (202, b"")
    assert perf_counter() - began < 0.25
    assert scene.calls(INVOICES) == 0
    await scene.work()
    assert scene.calls(INVOICES) == 1
    row = await scene.record(invoice["invoice_id"])
    assert (row["balance"], row["complete"]) == (Decimal("7.77"), True)


async def test_an_event_of_billing_names_its_subscription(scene: Scene) -> None:
    subscription_id = scene.untouched("subscriptions")["subscription_id"]
    event = {
        "event_id": "1",
        "event_type": "subscription_renewed",
        "data": {"subscription": {"subscription_id": subscription_id}},
    }
    assert (await scene.post(Product.BILLING, event)).status_code == 202
    await scene.work()
    assert scene.calls(SUBSCRIPTIONS) == 1
    assert (await scene.record(subscription_id))["complete"]


async def test_a_flood_of_hooks_for_one_record_is_one_reading(scene: Scene) -> None:
    invoice_id = scene.untouched()["invoice_id"]
    body = {"invoice": {"invoice_id": invoice_id}}
    responses = await asyncio.gather(*(scene.post(Product.BOOKS, body) for _ in range(50)))
    assert {response.status_code for response in responses} == {202}
    await scene.work()
    assert scene.calls(INVOICES) == 1


async def test_a_record_that_was_read_since_is_not_read_for_an_earlier_hook(scene: Scene) -> None:
    invoice = scene.untouched()
    await scene.post(Product.BOOKS, {"invoice": {"invoice_id": invoice["invoice_id"]}})
    await scene.copy.refresh(scene.organization_id, "invoices", invoice["invoice_id"])
    await scene.work()
    assert scene.calls(INVOICES) == 0


async def test_a_deletion_is_believed_only_when_the_product_has_not_got_the_record(scene: Scene) -> None:
    kept_one, gone = scene.untouched(), scene.untouched()
    scene.drop("invoices", gone["invoice_id"])
    for invoice in (kept_one, gone):
        body = {"event_type": "invoice_deleted", "invoice": {"invoice_id": invoice["invoice_id"]}}
        assert (await scene.post(Product.BOOKS, body)).status_code == 202
    await scene.work()
    assert (await scene.record(kept_one["invoice_id"]))["deleted_at"] is None
    assert (await scene.record(gone["invoice_id"]))["deleted_at"]


async def test_what_is_not_signed_with_the_secret_is_refused_and_told_nothing(scene: Scene) -> None:
    body = json.dumps({"invoice": {"invoice_id": scene.untouched()["invoice_id"]}}).encode()
    address = scene.addresses[Product.BOOKS]
    foreign = scene.addresses[Product.BILLING].secret
    path = address.url.partition("?")[0]
    refused = [
        await scene.post(Product.BOOKS, body, signature=wrong)
        for wrong in ("", "0" * 64, b"\xe9", signature(foreign, body), signature("", body))
    ]
    refused += [
        await scene.post(Product.BOOKS, body, url=path),
        await scene.post(Product.BOOKS, body, url=f"{path}?organization=nobody"),
        await scene.post(Product.BOOKS, body + b" ", signature=signature(address.secret, body)),
        await scene.post(Product.BILLING, body, signature=signature(address.secret, body)),
    ]
    assert {(response.status_code, response.content) for response in refused} == {(401, b"")}
    assert await scene.waiting() == 0


async def test_a_signature_over_the_body_alone_is_the_products_too(scene: Scene) -> None:
    body = json.dumps({"invoice": {"invoice_id": scene.untouched()["invoice_id"]}}).encode()
    signed = signature(scene.addresses[Product.BOOKS].secret, body)
    assert (await scene.post(Product.BOOKS, body, signature=signed.upper())).status_code == 202
    await scene.work()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 1000, b"1" * 10_000])
async def test_a_signed_body_that_is_no_json_is_malformed(scene: Scene, body: bytes) -> None:
    assert (await scene.post(Product.BOOKS, body)).status_code == 400


async def test_a_body_has_a_limit(scene: Scene) -> None:
    large = b'"' + b"a" * scene.gateway.settings.http.body_bytes + b'"'
    assert (await scene.post(Product.BOOKS, large)).status_code == 413


async def test_who_is_slow_with_a_body_can_hold_up_a_few_others_only(scene: Scene) -> None:
    slow, leave = asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        slow.set()
        await leave.wait()
        yield b"}"

    body = json.dumps({"invoice": {"invoice_id": scene.untouched()["invoice_id"]}}).encode()
    held = replace(scene.webhooks, open=Tally(1, "webhooks"))
    scene.gateway.app.state.webhooks, before = held, scene.webhooks
    try:
        first = asyncio.create_task(scene.gateway.client.post("/webhooks/books", content=endless()))
        await slow.wait()
        await until(lambda: held.open.total == 1)
        turned_away = await scene.post(Product.BOOKS, body)
        assert (turned_away.status_code, turned_away.headers["retry-after"]) == (503, "1")
        leave.set()
        assert (await first).status_code == 401
        assert (await scene.post(Product.BOOKS, body)).status_code == 202
    finally:
        scene.gateway.app.state.webhooks = before
    await scene.work()


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        "invoice",
        {"invoice": "1"},
        {"invoice": {}},
        {"invoice": {"invoice_id": "../organizations"}},
        {"invoice": {"invoice_id": ["1"]}},
        {"bill": {"bill_id": "1"}},
        {"data": {"payment": {"payment_id": "1"}}},
        {"subscription": {"subscription_id": "1"}},
    ],
)
async def test_what_names_none_of_our_records_is_taken_and_left_at_that(scene: Scene, body: Any) -> None:
    assert (await scene.post(Product.BOOKS, body)).status_code == 202
    assert await scene.waiting() == 0


def test_every_copied_kind_of_record_can_be_named() -> None:
    for product, told, expected in (
        (Product.BOOKS, {"salesorder": {"salesorder_id": "1"}}, ("salesOrders", "1")),
        (Product.BOOKS, {"purchaseorder": {"purchaseorder_id": 2}}, ("purchaseOrders", "2")),
        (Product.BOOKS, {"estimate": {"estimate_id": "3"}}, ("estimates", "3")),
        (Product.BOOKS, {"contact": {"contact_id": "4"}}, ("contacts", "4")),
        (Product.BILLING, {"data": {"customer": {"customer_id": "5"}}}, ("customers", "5")),
        (Product.BILLING, {"data": {"plan": {"plan_code": "basic"}}}, ("plans", "basic")),
    ):
        assert list(named(product, told)) == [expected]


async def test_a_hook_waits_while_the_share_is_spent(scene: Scene) -> None:
    invoice_id = scene.untouched()["invoice_id"]
    recording = Recording(scene.copy)
    async with scene.copy._database.session() as session:  # noqa: SLF001
        await (await session.connection()).exec_driver_sql(
            "UPDATE record_spending SET calls = 10000000, minute = date_trunc('minute', now() + interval '1 minute')"
        )
    state = await scene.copy.state(scene.organization_id, "invoices")
    assert state.as_of
    again_at = await recording.refresh(scene.organization_id, "invoices", invoice_id, state.as_of.replace(year=2099))
    assert again_at is not None
    assert again_at.second == 0
    async with scene.copy._database.session() as session:  # noqa: SLF001
        await (await session.connection()).exec_driver_sql("DELETE FROM record_spending")


async def test_the_sandbox_posts_what_is_changed_in_it(scene: Scene) -> None:
    gateway, books = scene.gateway, scene.addresses[Product.BOOKS]
    credentials = gateway.app.state.endpoint.services.credentials
    invoice = next(body for body in scene.held("invoices") if body["status"] == "draft")
    estimate = next(body for body in scene.held("estimates") if body["status"] == "draft")
    async with hooked(gateway.app, gateway.settings, credentials, gateway.sandbox):
        token = gateway.sandbox.access_token("owner@demo.example")
        async with httpx.AsyncClient(transport=gateway.sandbox.transport()) as product:
            head = {"Authorization": f"Zoho-oauthtoken {token}"}
            root, place = "https://www.zohoapis.eu/books/v3", {"organization_id": books.product_organization_id}
            path = f"{root}/invoices/{invoice['invoice_id']}"
            changed = await product.put(path, params=place, headers=head, json={"notes": "hooked"})
            deleted = await product.delete(f"{root}/estimates/{estimate['estimate_id']}", params=place, headers=head)
            assert (changed.status_code, deleted.status_code) == (200, 200)
        await gateway.sandbox.hooks.settled()
    await scene.work()
    assert (await scene.record(invoice["invoice_id"]))["body"]["notes"] == "hooked"
    assert scene.calls(INVOICES) == 1


async def test_what_to_enter_in_the_products_is_told_for_each_of_them(scene: Scene) -> None:
    told = "\n".join(await instructions(scene.gateway.settings))
    for address in scene.addresses.values():
        assert address.url in told
        assert address.secret in told
        assert address.secret not in repr(address)
    assert told.count("Secret token") == 6


async def test_secrets_differ_by_organization_and_product(scene: Scene) -> None:
    services = scene.gateway.app.state.endpoint.services
    known = await addresses(scene.gateway.settings, services.credentials)
    assert len({one.secret for one in known}) == len(known) == 6
    assert all(len(one.secret) == 40 and one.secret.isalnum() for one in known)
