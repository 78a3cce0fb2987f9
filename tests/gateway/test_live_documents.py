"""Documents watched as they change: who is told what, over the same way as any live operation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlmodel import select

from gateway.http.endpoint import Ticket
from gateway.http.operation import Operation
from gateway.live.operations import Ended, Live
from services.policy import Product
from services.records.copy import Copy
from services.records.notices import Change, changed, topic
from services.sandbox import records as kept
from services.sandbox.stamps import written
from services.sandbox.store import Assignment, Record
from services.storage.engine import Database
from tests.declared import undeclared
from tests.harness import Gateway

WATCH = """
    subscription ($modules: [Module!]) {
      documentChanged(modules: $modules) { module change documentId asOf document { number total { amount } } }
    }
"""
SILENCE = 0.7
"""Seconds after which nothing more is expected."""
PATIENCE = 10.0


@dataclass
class Watcher:
    """Somebody who watches, and what they were told."""

    events: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    ended: list[dict[str, Any]] = field(default_factory=list)
    undeclared: list[tuple[str, str]] = field(default_factory=list)

    async def next(self) -> dict[str, Any]:
        body = await asyncio.wait_for(self.events.get(), PATIENCE)
        assert "errors" not in body, body
        event: dict[str, Any] = body["data"]["documentChanged"]
        return event

    async def hears_nothing(self) -> bool:
        await asyncio.sleep(SILENCE)
        return self.events.empty()


@dataclass
class Scene:
    """A gateway with a copy of invoices and estimates, and the products behind it."""

    gateway: Gateway
    copy: Copy
    database: Database
    organization_id: str
    place: str

    @asynccontextmanager
    async def watching(self, person: str, modules: list[str] | None = None) -> AsyncIterator[Watcher]:
        live: Live = self.gateway.app.state.live
        ticket = Ticket(f"Bearer {self.gateway.token(f'{person}@demo.example')}", None)
        watcher = Watcher()
        before = self._listening()
        task = asyncio.create_task(_watch(live, Operation(WATCH, {"modules": modules}), ticket, watcher))
        async with asyncio.timeout(PATIENCE):
            while self._listening() == before and not task.done():  # noqa: ASYNC110 - nothing tells that it has begun
                await asyncio.sleep(0.01)
        try:
            yield watcher
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert watcher.undeclared == []

    def _listening(self) -> int:
        events = self.gateway.app.state.endpoint.services.events
        return len(events._subscribers.get(topic(self.organization_id), ()))  # noqa: SLF001

    def invoices(self, kind: str = "invoices") -> list[dict[str, Any]]:
        with self.gateway.sandbox.store.session() as session:
            found = session.exec(select(Record).where(Record.organization_id == self.place, Record.kind == kind))
            return [dict(row.body) for row in found]

    def assigned(self) -> set[str]:
        """The customers of the one who sees these only."""
        with self.gateway.sandbox.store.session() as session:
            return {row.customer_id for row in session.exec(select(Assignment))}

    def touch(self, body: dict[str, Any], kind: str = "invoices", **changes: Any) -> None:
        body = body | {"last_modified_time": written(datetime.now(UTC))} | changes
        with self.gateway.sandbox.store.session() as session:
            kept.put(session, self.place, kind, body)

    def drop(self, record_id: str, kind: str = "invoices") -> None:
        with self.gateway.sandbox.store.session() as session:
            kept.drop(session, self.place, kind, record_id)

    async def pull(self, module: str = "invoices") -> None:
        await self.copy.pull(self.organization_id, module)

    async def execute(self, statement: str) -> None:
        async with await psycopg.AsyncConnection.connect(self.database.conninfo, autocommit=True) as connection:
            await connection.execute(statement)


async def _watch(live: Live, operation: Operation, ticket: Ticket, watcher: Watcher) -> None:
    try:
        async with aclosing(live.answers(operation, ticket)) as answers:
            async for body in answers:
                watcher.undeclared += undeclared(operation.query, body)
                watcher.events.put_nowait(body)
    except Ended as ended:
        watcher.undeclared += undeclared(operation.query, {"errors": ended.errors})
        watcher.ended = ended.errors


@pytest.fixture
async def scene(own_gateway: Gateway) -> AsyncIterator[Scene]:
    services = own_gateway.app.state.endpoint.services
    owners = [one for one in await services.credentials.owners() if one.email == "owner@demo.example"]
    assert own_gateway.settings.database_url
    database = Database(own_gateway.settings.database_url.get_secret_value(), pool_size=2)
    place = next(one.product_organization_id for one in owners if one.product is Product.BOOKS)
    scene = Scene(own_gateway, services.copy, database, owners[0].organization_id, place)
    for module in ("invoices", "estimates"):
        await scene.pull(module)
    yield scene
    await database.close()


async def test_a_changed_document_is_told_with_what_is_asked_of_it(scene: Scene) -> None:
    invoice = scene.invoices()[0]
    async with scene.watching("owner") as watcher:
        scene.touch(invoice)
        await scene.pull()
        event = await watcher.next()
        assert (event["module"], event["change"]) == ("INVOICES", "UPDATED")
        assert event["document"]["number"] == invoice["invoice_number"]
        assert event["asOf"]
        answer = await scene.gateway.ask(
            "owner", "query ($id: ID!) { invoice(id: $id) { id number } }", id=event["documentId"]
        )
        assert answer["data"]["invoice"] == {"id": event["documentId"], "number": invoice["invoice_number"]}
        await scene.pull()
        assert await watcher.hears_nothing()


async def test_new_and_deleted_documents_are_told(scene: Scene) -> None:
    invoice = scene.invoices()[0]
    async with scene.watching("owner", ["INVOICES"]) as watcher:
        scene.touch(invoice, invoice_id="99000000000000001", invoice_number="INV-NEW")
        await scene.pull()
        made = await watcher.next()
        assert (made["change"], made["document"]["number"]) == ("CREATED", "INV-NEW")
        scene.drop("99000000000000001")
        await scene.copy.refresh(scene.organization_id, "invoices", "99000000000000001")
        gone = await watcher.next()
        assert (gone["change"], gone["documentId"], gone["document"]) == ("DELETED", made["documentId"], None)


async def test_a_write_of_our_own_is_told_at_once(scene: Scene) -> None:
    estimate = next(body for body in scene.invoices("estimates") if body["status"] == "draft")
    query = "{ estimates(first: 100) { nodes { id number } } }"
    found = (await scene.gateway.ask("owner", query))["data"]["estimates"]["nodes"]
    ids = {node["number"]: node["id"] for node in found}
    number = next((number for number in ids if number == estimate["estimate_number"]), next(iter(ids)))
    async with scene.watching("staff", ["ESTIMATES"]) as watcher:
        answer = await scene.gateway.ask(
            "owner",
            """mutation ($id: ID!) { estimateUpdate(id: $id, input: {notes: "watched"}, idempotencyKey: "watched-1") {
              outcome userErrors { message } } }""",
            id=ids[number],
        )
        assert answer["data"]["estimateUpdate"]["outcome"] == "APPLIED", answer
        event = await watcher.next()
        assert (event["module"], event["change"], event["documentId"]) == ("ESTIMATES", "UPDATED", ids[number])


async def test_modules_that_are_not_asked_for_are_not_told(scene: Scene) -> None:
    async with scene.watching("owner", ["ESTIMATES"]) as watcher:
        scene.touch(scene.invoices()[0])
        await scene.pull()
        assert await watcher.hears_nothing()


@pytest.mark.parametrize(("person", "modules"), [("outsider", None), ("estimator", ["SUBSCRIPTIONS"])])
async def test_who_may_not_see_a_module_cannot_watch_it(scene: Scene, person: str, modules: list[str] | None) -> None:
    async with scene.watching(person, modules) as watcher:
        pass
    (error,) = watcher.ended
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["extensions"]["missingFrom"]


async def test_permission_is_decided_when_something_happens(scene: Scene) -> None:
    invoices = scene.invoices()
    async with scene.watching("staff", ["INVOICES"]) as watcher:
        scene.touch(invoices[0])
        await scene.pull()
        assert (await watcher.next())["change"] == "UPDATED"
        await scene.execute(
            "UPDATE roles SET grants = grants - 'invoices' WHERE product = 'BOOKS' AND lower(name) = 'staff'"
        )
        scene.touch(invoices[1])
        await scene.pull()
        assert await watcher.hears_nothing()


async def test_one_who_sees_assigned_customers_only_is_told_of_their_documents(scene: Scene) -> None:
    seen = await scene.gateway.ask("assigned", "{ invoices(first: 100) { nodes { number } } }")
    numbers = {node["number"] for node in seen["data"]["invoices"]["nodes"]}
    own = next(body for body in scene.invoices() if body["invoice_number"] in numbers)
    assigned = scene.assigned()
    foreign = next(body for body in scene.invoices() if body["customer_id"] not in assigned)
    async with scene.watching("assigned", ["INVOICES"]) as watcher:
        scene.touch(foreign)
        await scene.pull()
        assert await watcher.hears_nothing()
        scene.drop(foreign["invoice_id"])
        await scene.copy.refresh(scene.organization_id, "invoices", foreign["invoice_id"])
        assert await watcher.hears_nothing()
        scene.touch(own)
        await scene.pull()
        event = await watcher.next()
        assert event["document"]["number"] == own["invoice_number"]


async def test_of_many_changes_at_once_it_is_only_told_that_there_are(scene: Scene) -> None:
    async with scene.watching("assigned", ["INVOICES"]) as few, scene.watching("owner") as watcher:
        for body in scene.invoices()[:60]:
            scene.touch(body)
        await scene.pull()
        for one in (watcher, few):
            event = await one.next()
            assert (event["change"], event["documentId"], event["document"]) == ("SEVERAL", None, None)


async def test_reading_a_module_for_the_first_time_is_no_change_of_its_documents(scene: Scene) -> None:
    async with scene.watching("owner") as watcher:
        await scene.pull("salesOrders")
        assert await watcher.hears_nothing()


async def test_what_is_rolled_back_is_not_told(scene: Scene) -> None:
    async def fail() -> None:
        async with scene.database.session() as session:
            await changed(session, scene.organization_id, "invoices", {"1": Change.DELETED})
            raise ZeroDivisionError

    async with scene.watching("owner") as watcher:
        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await watcher.hears_nothing()
