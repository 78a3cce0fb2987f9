"""A run: viewers ask at once, grants change meanwhile, and every answer is searched for what it may not hold."""

import asyncio
import re
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec

from tests.leaks import canaries, facts
from tests.leaks.canaries import ANY, Canary
from tests.leaks.operations import Operation, store
from tests.leaks.stage import COPIED, Stage
from tests.leaks.world import Person, at_random, told_otherwise

DOCUMENTS = 60
"""Different documents that are asked in one run."""
EXPECTED = frozenset({"FORBIDDEN", "NOT_FOUND", "BAD_USER_INPUT"})
"""Errors of who asks for what he may not see."""
_CURSOR = re.compile(r'"(?:cursor|endCursor)":"([\w-]+)"')


@dataclass(frozen=True)
class Leak:
    """A canary where it may not be."""

    person: str
    canary: Canary
    query: str
    case: int


@dataclass
class Findings:
    """What a run has seen."""

    cases: int = 0
    canaries: int = 0
    foreign: int = 0
    """Those that another access had been told: by the copy, or a record known in full."""
    errors: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    """What else went wrong, in words."""
    changes: int = 0
    leaks: list[Leak] = field(default_factory=list)


class Run:
    """Cases on a stage, from a seed."""

    def __init__(self, stage: Stage, chance: Random) -> None:
        self._stage, self._chance = stage, chance
        self._store = store(chance, DOCUMENTS)
        self._last = self._store[0]
        self.found = Findings()

    async def go(self, cases: int, *, until_found: bool = False) -> Findings:
        """Ask so many times; if wished, only until something is found."""
        while self.found.cases < cases and not (until_found and self.found.leaks):
            await self._round()
        return self.found

    async def _round(self) -> None:
        """Several at once, perhaps while somebody is changed; or a change while nobody asks."""
        event = self._chance.random()
        if event < 0.06:
            await self._told_otherwise()
        elif event < 0.09:
            self._touch()
        elif event < 0.11:
            await self._kept()
        asking = [self._ask(*self._case()) for _ in range(self._chance.randint(2, 10))]
        changing = [self._changed()] if self._chance.random() < 0.15 else []
        await asyncio.gather(*asking, *changing)

    def _case(self) -> tuple[str, Operation]:
        """Somebody and an operation; often the one that another asks at the same time."""
        if self._chance.random() < 0.5:
            self._last = self._chance.choice(self._store)
        return self._chance.choice(self._stage.world.people), self._last

    async def _ask(self, key: str, operation: Operation) -> None:
        world, case = self._stage.world, self.found.cases
        self.found.cases += 1
        company = world.person(key).company
        mine = self._stage.organizations[company]
        variables = operation.variables([mine, *self._stage.organizations.values()], self._chance)
        since = world.since(key)
        answer = await self._stage.ask(key, {"query": operation.query, "variables": variables})
        self._search(key, operation, case, answer, world.states(key, since))

    def _search(self, key: str, operation: Operation, case: int, answer: str, states: Any) -> None:
        found = self.found
        for canary in canaries.found(answer + "".join(_opened(answer))):
            found.canaries += 1
            found.foreign += canary.access != ANY and all(canary.access not in _accesses(one) for one in states)
            if not any(state.may_see(canary) for state in states):
                found.leaks.append(Leak(key, canary, operation.query, case))
        for error in msgspec.json.decode(answer).get("errors", ()):
            found.errors[error["extensions"]["code"]] += 1
            if error["extensions"]["code"] not in EXPECTED:
                found.unexpected[f"{error['message']} {error.get('path')} in {operation.query}"] += 1

    async def _changed(self) -> None:
        """Somebody's grants change in the gateway, while others ask."""
        key = self._chance.choice(self._stage.world.people)
        await self._write(at_random(self._stage.world.person(key), self._chance))

    async def _told_otherwise(self) -> None:
        """Somebody's role changes in the products, and the gateway learns of it."""
        person = self._stage.world.person(self._chance.choice(self._stage.world.people))
        if person.key != person.owner:
            await self._write(told_otherwise(person, self._chance))

    async def _write(self, person: Person) -> None:
        elsewhere = self._chance.random() < 0.5
        self.found.changes += 1
        self._stage.world.change(person)
        await self._stage.write(person, elsewhere=elsewhere)
        self._stage.world.changed(person.key)

    def _touch(self) -> None:
        """A record changes in the products."""
        module = self._chance.choice(tuple(facts.RECORDS))
        record = self._chance.choice(tuple(facts.RECORDS[module]))
        company = self._chance.choice(tuple(self._stage.organizations))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
        self._stage.products.told.modified[company, module, record] = now

    async def _kept(self) -> None:
        """The copy of a company is brought up to date."""
        module = self._chance.choice(self._stage.services.copy.sources).module
        await self._stage.keep(self._chance.choice(COPIED), module)


def _accesses(person: Person) -> set[str | None]:
    return {person.access(product) for product in ("BOOKS", "BILLING", "CRM")}


def _opened(answer: str) -> Iterator[str]:
    """What cursors hold: they are not sealed."""
    for cursor in _CURSOR.findall(answer):
        with suppress(ValueError):
            yield urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
