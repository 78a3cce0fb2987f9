"""Random operations of several people, sent to a gateway as clients send them."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import msgspec

from gateway.demo.sandbox import PEOPLE
from schema import schema
from tests.anything.wellformed import LEGACY, MODERN, faults
from tests.fuzz.operations import Author, Document, Grammar
from tests.fuzz.real import SELDOM, samples

NOBODY = "nobody"
EVERYBODY = ("owner", *PEOPLE, NOBODY)
OFTEN = frozenset({"where", "search", "nodes", "writeOutcome", "explainAccess"})
"""What is asked for as often as anything else, though a random value is often refused."""
ACCEPTED = (MODERN, MODERN, LEGACY, None)


@dataclass
class Tally:
    """What came of the cases."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    """Of errors; OK for an answer without any."""
    roots: Counter[str] = field(default_factory=Counter)
    """Root fields that were answered with something other than null."""
    faults: list[str] = field(default_factory=list)


class Crowd:
    """People who ask for anything. `tokens` sign them in, `ids` are records that there are."""

    def __init__(self, client: httpx.AsyncClient, tokens: Mapping[str, str], ids: Mapping[str, list[str]]) -> None:
        self._client, self._tokens = client, tokens
        inner = schema._schema  # noqa: SLF001 - Strawberry's way to graphql-core's schema
        self._grammar = Grammar(inner, samples(dict(ids)), rare=SELDOM - OFTEN)
        self.tally = Tally()

    async def ask(self, seeds: Iterable[int]) -> Tally:
        """The cases of these seeds, one after another."""
        for seed in seeds:
            await self._case(seed, Author(self._grammar, Random(seed)).document(), Random(~seed))
        return self.tally

    async def _case(self, seed: int, document: Document, chance: Random) -> None:
        body = {
            "query": document.text,
            "variables": document.variables(chance, self._grammar.samples),
            "operationName": document.chosen(chance),
        }
        person, accepted = chance.choice(EVERYBODY), chance.choice(ACCEPTED)
        response = await self._sent(body, person, accepted, by_get=chance.random() < 0.15)
        self._count(response)
        for fault in faults(document.text, accepted, response):
            self.tally.faults.append(f"seed {seed}, {person}: {fault}\n  {document.text}\n  {body['variables']}")

    async def _sent(
        self, body: Mapping[str, Any], person: str, accepted: str | None, *, by_get: bool
    ) -> httpx.Response:
        headers = {"accept": accepted} if accepted else {}
        if person != NOBODY:
            headers["authorization"] = f"Bearer {self._tokens[person]}"
        if not by_get:
            posted = headers | {"content-type": LEGACY}
            return await self._client.post("/graphql", content=json.dumps(body), headers=posted)
        told = dict(body) | {"variables": json.dumps(body["variables"] or {})}
        given = {name: value for name, value in told.items() if value is not None}
        return await self._client.get("/graphql", params=given, headers=headers)

    def _count(self, response: httpx.Response) -> None:
        self.tally.cases += 1
        self.tally.statuses[response.status_code] += 1
        try:
            answer = msgspec.json.decode(response.content)
            codes: Sequence[str] = [one["extensions"]["code"] for one in answer.get("errors", ())]
        except (msgspec.DecodeError, LookupError, TypeError, AttributeError):
            codes, answer = ["none"], {}
        self.tally.codes.update(codes or ["OK"])
        self.tally.roots.update(name for name, value in (answer.get("data") or {}).items() if value is not None)
