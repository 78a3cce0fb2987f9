"""Writing through the front door, and looking up in the sandbox what has become of it."""

import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services import Services
from services.sandbox import Fault, records
from services.sandbox.calls import Call
from services.sandbox.store import Record
from services.storage.engine import Database
from services.storage.models import Member
from tests.harness import Gateway, struck

DEMO = "20098765001"
"""The demo organization's id in Books and in Billing."""
PAYLOAD = "outcome auditEventId userErrors { field message code hint }"
RECORD = "id number referenceNumber total { amount currency } createdBy { email } actingUser { email }"
EVENT = """
  id actor { email } credential { email } access product action permission subjectId outcome requestId
  changes { field before after } userErrors { field code message }
  upstreamCalls { product method path status actor }
"""


@dataclass(frozen=True)
class Case:
    """A kind as clients write it."""

    name: str
    store: str
    product: str = "BOOKS"
    party: str = "customerId"

    @property
    def type(self) -> str:
        return self.name[0].upper() + self.name[1:]

    @property
    def module(self) -> str:
        return f"{self.name}s"

    @property
    def path(self) -> str:
        return f"/{'books/v3' if self.product == 'BOOKS' else 'billing/v1'}/{self.store}"

    @property
    def change(self) -> dict[str, Any]:
        """Something that can be changed on every record of the kind."""
        return {"referenceNumber": "changed"}

    @property
    def reference_key(self) -> str:
        return "reference_id" if self.product == "BILLING" else "reference_number"

    @property
    def id_key(self) -> str:
        return f"{self.store.removesuffix('s')}_id"


CASES = {
    case.name: case
    for case in (
        Case("estimate", "estimates"),
        Case("invoice", "invoices"),
        Case("salesOrder", "salesorders"),
        Case("purchaseOrder", "purchaseorders", party="vendorId"),
        Case("subscription", "subscriptions", "BILLING"),
    )
}
ESTIMATE, INVOICE, SALES_ORDER, PURCHASE_ORDER, SUBSCRIPTION = CASES.values()
LINE = {"name": "Consulting", "rate": "100.10", "quantity": "3"}


def fresh() -> str:
    """A key that nobody has used."""
    return secrets.token_hex(8)


def record_id(global_id: str) -> str:
    """The product's id within a global id."""
    return base64.urlsafe_b64decode(global_id + "=" * (-len(global_id) % 4)).decode().rpartition(":")[2]


def instead(global_id: str, record: str) -> str:
    """The global id with another record's id of the product in it."""
    raw = base64.urlsafe_b64decode(global_id + "=" * (-len(global_id) % 4)).decode()
    return base64.urlsafe_b64encode(f"{raw.rpartition(':')[0]}:{record}".encode()).decode().rstrip("=")


@dataclass
class Office:
    """A gateway whose records may be changed."""

    gateway: Gateway
    parties: dict[str, str] = field(default_factory=dict)

    async def party(self, case: Case = INVOICE) -> str:
        """The global id of a party whose documents are in euros."""
        if case.name not in self.parties:
            which, more = ("vendor", "") if case is PURCHASE_ORDER else ("customer", "plan { code }")
            more = more if case is SUBSCRIPTION else ""
            query = f"{{ {case.module}(first: 50) {{ nodes {{ total {{ currency }} {which} {{ id }} {more} }} }} }}"
            rows = (await self.gateway.ask("owner", query))["data"][case.module]["nodes"]
            row = next(row for row in rows if row["total"]["currency"] == "EUR")
            self.parties[case.name] = row[which]["id"]
            self.parties["plan"] = (row.get("plan") or {}).get("code") or self.parties.get("plan", "")
        return self.parties[case.name]

    async def draft(self, case: Case, **more: Any) -> dict[str, Any]:
        """The least that makes a record, and more."""
        party = {case.party: await self.party(case)}
        what = {"plan": {"code": self.parties["plan"]}} if case is SUBSCRIPTION else {"lineItems": [LINE]}
        return {**party, **what, **more}

    async def ask(self, person: str, query: str, **variables: Any) -> dict[str, Any]:
        return await self.gateway.ask(person, query, **variables)

    async def send_create(self, person: str, case: Case, draft: Mapping[str, Any], key: str | None = None) -> Any:
        """The whole answer to a create."""
        mutation = (
            f"mutation($input: {case.type}CreateInput!, $key: ID!) {{ {case.name}Create(input: $input,"
            f" idempotencyKey: $key) {{ {PAYLOAD} {case.name} {{ {RECORD} }} }} }}"
        )
        return await self.ask(person, mutation, input=draft, key=fresh() if key is None else key)

    async def send_update(
        self, person: str, case: Case, record: str, change: Mapping[str, Any], key: str | None = None
    ) -> Any:
        """The whole answer to an update."""
        mutation = (
            f"mutation($id: ID!, $input: {case.type}UpdateInput!, $key: ID!) {{ {case.name}Update(id: $id,"
            f" input: $input, idempotencyKey: $key) {{ {PAYLOAD} {case.name} {{ {RECORD} }} }} }}"
        )
        return await self.ask(person, mutation, id=record, input=change, key=fresh() if key is None else key)

    async def create(self, person: str, case: Case, key: str | None = None, **more: Any) -> Any:
        """The payload of a create that GraphQL has no errors about; `more` goes into the draft."""
        return _payload(await self.send_create(person, case, await self.draft(case, **more), key), f"{case.name}Create")

    async def update(self, person: str, case: Case, record: str, key: str | None = None, **change: Any) -> Any:
        """The payload of an update that GraphQL has no errors about."""
        return _payload(await self.send_update(person, case, record, change, key), f"{case.name}Update")

    async def made(self, person: str, case: Case, **more: Any) -> str:
        """The global id of a new record."""
        payload = await self.create(person, case, **more)
        assert payload["outcome"] == "APPLIED", payload
        return str(payload[case.name]["id"])

    async def outcome(self, person: str, key: str) -> Any:
        """What `writeOutcome` says of a key."""
        query = f"query($key: ID!) {{ writeOutcome(idempotencyKey: $key) {{ {PAYLOAD} document {{ id number }} }} }}"
        return _payload(await self.ask(person, query, key=key), "writeOutcome")

    async def events(self, **where: Any) -> list[dict[str, Any]]:
        """The audit trail as its administrator sees it, newest first."""
        query = f"query($where: AuditFilter) {{ auditTrail(first: 100, where: $where) {{ nodes {{ {EVENT} }} }} }}"
        answer: list[dict[str, Any]] = _payload(await self.ask("owner", query, where=where), "auditTrail")["nodes"]
        return answer

    async def event(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The audit event of a write."""
        return next(event for event in await self.events() if event["id"] == payload["auditEventId"])

    def bodies(self, case: Case) -> list[dict[str, Any]]:
        """All records of the kind as the product has them."""
        query = select(Record.body).where(Record.organization_id == DEMO, Record.kind == case.store)
        with self.gateway.sandbox.store.session() as session:
            return [dict(body) for body in session.exec(query)]

    def stored(self, case: Case, global_id: str) -> dict[str, Any]:
        """The record as the product has it."""
        with self.gateway.sandbox.store.session() as session:
            body = records.read(session, DEMO, case.store, record_id(global_id))
        assert body is not None
        return body

    def count(self, case: Case) -> int:
        """How many records of the kind the product has."""
        query = (
            select(func.count()).select_from(Record).where(Record.organization_id == DEMO, Record.kind == case.store)
        )
        with self.gateway.sandbox.store.session() as session:
            return session.exec(query).one()

    def writes(self) -> list[Call]:
        """The calls that asked a product to change something."""
        products = [call for call in self.gateway.sandbox.calls() if call.product in {"books", "billing", "crm"}]
        return [call for call in products if call.method != "GET"]

    def user_id(self, person: str, case: Case) -> str | None:
        """The person's id in the kind's product."""
        found = self.gateway.sandbox.person(f"{person}@demo.example")
        return found.billing_user_id if case is SUBSCRIPTION else found.books_user_id

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A transaction in the gateway's database."""
        url = self.gateway.settings.database_url
        assert url
        database = Database(url.get_secret_value(), pool_size=1)
        try:
            async with database.session() as session:
                yield session
        finally:
            await database.close()

    async def member(self, person: str) -> Member:
        """The gateway's own row of a demo person."""
        async with self.session() as session:
            return (await session.exec(select(Member).where(Member.email == f"{person}@demo.example"))).one()

    @property
    def services(self) -> Services:
        """What the gateway works with."""
        services: Services = self.gateway.app.state.endpoint.services
        return services

    def fault(self, kind: Any, case: Case, method: str | None = None, **more: Any) -> None:
        """Order a fault for the kind's own paths."""
        self.gateway.sandbox.fault(Fault(kind, path=f"{case.path}*", method=method, **more))

    async def struck(self) -> None:
        """Return when a call has met an ordered fault."""
        await struck(self.gateway.sandbox)

    def recover(self) -> None:
        self.gateway.sandbox.clear_faults()


def custom(body: Mapping[str, Any]) -> dict[str, Any]:
    """The custom fields of a stored record by API name."""
    return {one["api_name"]: one["value"] for one in body["custom_fields"] if one["value"]}


def _payload(answer: Mapping[str, Any], name: str) -> Any:
    assert "errors" not in answer, answer
    return answer["data"][name]
