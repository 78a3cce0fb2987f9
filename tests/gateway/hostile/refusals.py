"""Hostile requests over HTTP, and what it takes to refuse each."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.gateway.hostile.cases import BODIES, DOCUMENTS, HEADS, QUERY, TOKENS, VARIABLES, asking
from tests.harness import Gateway

JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, and what it is a case of."""

    kind: str
    name: str
    body: bytes = field(repr=False)
    person: str | None = "staff"
    head: Mapping[str, str] = field(default_factory=dict, repr=False)

    def again(self, number: int) -> "Sent":
        """The same so that nobody remembers it: a document with so many spaces more."""
        body = self.body.replace(b'"query": "', b'"query": "' + b" " * number, 1)
        return Sent(self.kind, self.name, body, self.person, self.head)

    def request(self, gateway: Gateway) -> httpx.Request:
        """As a client would send it."""
        signed = {"authorization": f"Bearer {gateway.token(f'{self.person}@demo.example')}"} if self.person else {}
        head: Any = {**JSON, **signed, **{name: value.encode("latin-1") for name, value in self.head.items()}}
        return gateway.client.build_request("POST", "/graphql", content=self.body, headers=head)

    async def to(self, gateway: Gateway) -> httpx.Response:
        """Send it."""
        return await gateway.client.send(self.request(gateway))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Of a request: its status, the first error's code, and the processor time of client and gateway together."""

    sent: Sent
    status: int
    code: str
    seconds: float


def bodies() -> Iterator[Sent]:
    return (Sent("body", name, body) for name, body in BODIES.items())


def documents() -> Iterator[Sent]:
    for name, document in DOCUMENTS.items():
        yield Sent("document", name, asking(document), "readonly")
        yield Sent("document, named", name, asking(document, operationName="Q1"), "readonly")


def variables() -> Iterator[Sent]:
    return (Sent("variables", name, body) for name, body in VARIABLES.items())


def heads() -> Iterator[Sent]:
    return (Sent("head", name, QUERY, head=head) for name, head in HEADS.items())


def tokens() -> Iterator[Sent]:
    return (Sent("token", name, QUERY, None, {"authorization": token}) for name, token in TOKENS.items())


def everything() -> Iterator[Sent]:
    for kind in (bodies, documents, variables, heads, tokens):
        yield from kind()


async def refusals(gateway: Gateway, requests: Iterable[Sent]) -> list[Refusal]:
    """Those of the requests that were refused."""
    found = [await _measured(gateway, sent) for sent in requests]
    return [one for one in found if one.code]


async def _measured(gateway: Gateway, sent: Sent) -> Refusal:
    request = sent.request(gateway)
    began = time.process_time()
    response = await gateway.client.send(request)
    seconds = time.process_time() - began
    answer = response.json()
    errors = [] if answer.get("data") else answer["errors"]
    return Refusal(sent, response.status_code, errors[0]["extensions"]["code"] if errors else "", seconds)
