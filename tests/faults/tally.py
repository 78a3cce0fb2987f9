"""What clients asked for during a fault, what they were told, and what the products hold afterwards."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import httpx
from sqlmodel import select

from services.errors import GatewayError
from services.sandbox import Sandbox
from services.sandbox.store import Record

Post = Callable[[str, dict[str, Any]], Awaitable[httpx.Response]]
"""Send a GraphQL request as a person."""
CODES = {GatewayError.code, *(error.code for error in GatewayError.__subclasses__())}
INSIDE = ("Traceback", 'File "', "psycopg", "sqlalchemy", "httpx", "asyncio", ".py")
"""What no client is to see."""
CUSTOMERS = "query @fresh(within: 0) { invoices(first: 50) { nodes { total { currency } customer { id } } } }"
READ = "query @fresh(within: 0) { estimates(first: 10) { nodes { id number total { amount currency } } } }"
CREATE = """mutation ($input: InvoiceCreateInput!, $key: ID!) {
  invoiceCreate(input: $input, idempotencyKey: $key) { outcome userErrors { code } invoice { referenceNumber } }
}"""
OUTCOME = "query ($key: ID!) { writeOutcome(idempotencyKey: $key) { outcome userErrors { code } } }"
LINES = [{"name": "Consulting", "rate": "100.10", "quantity": "3"}]
SETTLED = {"APPLIED", "REJECTED"}
SILENCE = "SILENCE"
"""Instead of an outcome: the connection broke."""


@dataclass
class Tally:
    """Reads estimates, which nobody changes, and writes invoices, each with its key as its reference."""

    post: Post
    sandbox: Sandbox
    told: dict[str, list[str]] = field(default_factory=dict)
    """By key, what was said of a write each time: an outcome, an error's code, or `SILENCE`."""
    authors: dict[str, str] = field(default_factory=dict)
    uncoded: list[str] = field(default_factory=list)
    """Answers that no client could make sense of."""
    codes: Counter[str] = field(default_factory=Counter)
    silent: int = 0
    """Requests to which no answer came."""
    wrong: int = 0
    """Reads whose data was not what the product holds."""
    calm: Any = None
    customer: str = ""

    async def begin(self) -> None:
        """Read what is there while all is well."""
        answer = await self._asked("owner", {"query": CUSTOMERS})
        rows = answer["data"]["invoices"]["nodes"]
        self.customer = next(row["customer"]["id"] for row in rows if row["total"]["currency"] == "EUR")
        self.calm = (await self._asked("owner", {"query": READ}))["data"]

    async def read(self, person: str = "owner") -> bool:
        """Whether it was answered with data."""
        answer = await self._asked(person, {"query": READ})
        data = answer.get("data") or {}
        if data.get("estimates") is None:
            return False
        self.wrong += data != self.calm
        return True

    async def write(self, person: str = "owner", key: str | None = None) -> str:
        """What was said of it."""
        key = key or secrets.token_hex(8)
        self.authors[key] = person
        draft = {"customerId": self.customer, "lineItems": LINES, "referenceNumber": key}
        return await self._said(key, {"query": CREATE, "variables": {"input": draft, "key": key}}, "invoiceCreate")

    async def ask_after(self, key: str) -> str:
        """What is said of a write by now."""
        return await self._said(key, {"query": OUTCOME, "variables": {"key": key}}, "writeOutcome")

    async def recovered(self, person: str = "owner", *, within: float = 30.0, pause: float = 0.1) -> float:
        """Seconds from now until a read is answered and a write applied."""
        began = monotonic()
        for work in (partial(self.read, person), partial(self._applied, person)):
            while not await work():
                assert monotonic() - began < within, f"not well again after {within} s: {self.codes}"
                await asyncio.sleep(pause)
        return monotonic() - began

    async def settle(self, *, within: float = 30.0) -> None:
        """Ask after everything until it is known; what was never begun has no outcome."""
        began = monotonic()
        for key in [key for key, said in self.told.items() if said[-1] not in SETTLED]:
            while (await self.ask_after(key)) not in {*SETTLED, "NOT_FOUND"}:
                assert monotonic() - began < within, f"{key} is {self.told[key][-1]} after {within} s"
                await asyncio.sleep(0.2)

    async def repeat(self) -> None:
        """Send every write again under its key, as clients do that do not know what became of it."""
        for key in list(self.told):
            await self.write(self.authors[key], key)

    def records(self) -> Counter[str]:
        """How many records the product holds under each key."""
        with self.sandbox.store.session() as session:
            bodies = session.exec(select(Record.body).where(Record.kind == "invoices")).all()
        return Counter(body["reference_number"] for body in bodies if body["reference_number"] in self.told)

    def verdict(self) -> dict[str, Any]:
        """Everything that must be empty or 0.

        `lost`: writes that were ever called applied and are not there; `twice`: there more than once; `denied`: there
        although the last word is that they are not.
        """
        records = self.records()
        return {
            "lost": [key for key, said in self.told.items() if "APPLIED" in said and not records[key]],
            "twice": [key for key, count in records.items() if count > 1],
            "denied": [key for key, said in self.told.items() if said[-1] != "APPLIED" and records[key]],
            "uncoded": self.uncoded,
            "wrong": self.wrong,
        }

    async def _applied(self, person: str) -> bool:
        return await self.write(person) == "APPLIED"

    async def _said(self, key: str, body: dict[str, Any], name: str) -> str:
        said = self.told.setdefault(key, [])
        answer = await self._asked(self.authors[key], body)
        if answer.get("errors"):
            said.append(answer["errors"][0]["extensions"]["code"])
        elif answer:
            found = answer["data"][name]
            said.append(found["outcome"] if found else "NOT_FOUND")
        else:
            said.append(SILENCE)
        return said[-1]

    async def _asked(self, person: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            response = await self.post(person, body)
        except httpx.TransportError:
            self.silent += 1
            return {}
        return self._examined(response)

    def _examined(self, response: httpx.Response) -> dict[str, Any]:
        """The answer; one that is not coded is noted, and counts as none."""
        try:
            answer: dict[str, Any] = response.json()
        except ValueError:
            answer = {}
        codes = [_code(error) for error in answer.get("errors", ())]
        self.codes.update(codes)
        bad = not answer or any(code not in CODES for code in codes) or (codes and _shows_inside(response.text))
        if bad:
            self.uncoded.append(f"{response.status_code} {response.text[:300]}")
        return {} if bad else answer


def _code(error: Mapping[str, Any]) -> str:
    return str((error.get("extensions") or {}).get("code"))


def _shows_inside(text: str) -> bool:
    return any(word in text for word in INSIDE)


WELL: Mapping[str, Any] = {"lost": [], "twice": [], "denied": [], "uncoded": [], "wrong": 0}
"""The verdict on a fault that was survived."""
