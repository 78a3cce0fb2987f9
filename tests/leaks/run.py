"""A run: viewers ask at once, grants change meanwhile, and every answer is searched for what it may not hold."""

import asyncio
import re
from base64 import urlsafe_b64decode
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Any

import msgspec

from tests.declared import ANYWHERE, undeclared
from tests.leaks import canaries, facts
from tests.leaks.anything import anything
from tests.leaks.canaries import ANY, Canary
from tests.leaks.live import WATCHED, Watchers
from tests.leaks.model import Model, marked
from tests.leaks.operations import Operation, global_ids, store
from tests.leaks.stage import COPIED, Stage
from tests.leaks.world import Person, at_random, told_otherwise

LATE = 3
"""Rounds that an event of a live operation may take."""
DOCUMENTS = 60
"""Different documents that are asked in one run."""
ANYTHING = 20
"""And so many over the whole schema."""
EXPECTED = frozenset({"FORBIDDEN", "NOT_FOUND", "BAD_USER_INPUT"})
"""Errors of who asks for what they may not see."""
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
    events: int = 0
    """Of live operations."""
    modelled: int = 0
    """Answers to viewers with full rights, each compared with the model's."""
    otherwise: list[str] = field(default_factory=list)
    """Those that are not the model's."""
    leaks: list[Leak] = field(default_factory=list)


class Run:
    """Cases on a stage, from a seed."""

    def __init__(self, stage: Stage, chance: Random) -> None:
        self._stage, self._chance = stage, chance
        self._store = store(chance, DOCUMENTS)
        ids = global_ids(stage.organizations.values())
        self._store += islice(anything(chance, ids), ANYTHING)
        self._last = self._store[0]
        self._moments: deque[Mapping[str, int]] = deque(maxlen=LATE)
        self.found = Findings()

    async def go(self, cases: int, *, until_found: bool = False) -> Findings:
        """Ask so many times; if wished, only until something is found."""
        watchers = Watchers(self._stage, self._heard)
        try:
            while self.found.cases < cases and not (until_found and self.found.leaks):
                watchers.renew()
                self._moments.append({key: self._stage.world.since(key) for key in self._stage.world.people})
                await self._round()
                self._overhear()
        finally:
            await watchers.aclose()
        return self.found

    async def _round(self) -> None:
        """Several at once, perhaps while somebody is changed; or a change while nobody asks."""
        event = self._chance.random()
        if event < 0.06:
            await self._told_otherwise()
        elif event < 0.12:
            await self._touch()
        elif event < 0.14:
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
        head, answer = await self._stage.ask(key, {"query": operation.query, "variables": variables})
        states = world.states(key, since)
        self._search(key, operation.query, case, head + answer, states)
        told = msgspec.json.decode(answer)
        self._count(operation, told)
        if operation.is_modelled and all(state.sees_all for state in states):
            self._compare(Model(company, mine, variables), operation.query, told)

    def _compare(self, model: Model, query: str, told: Mapping[str, Any]) -> None:
        """Exactly what the model says; errors are for ids of others only."""
        self.found.modelled += 1
        expected, given = model.data(query), marked(told.get("data"), model.company)
        if expected != given or ("errors" in told) == model.finds_all:
            self.found.otherwise.append(f"{query} {model.variables}: {expected} is not {given} {told.get('errors')}")

    def _search(self, key: str, query: str, case: int, answer: str, states: Sequence[Person]) -> None:
        found = self.found
        for canary in canaries.found(answer + "".join(_opened(answer))):
            found.canaries += 1
            found.foreign += canary.access != ANY and all(canary.access not in _accesses(one) for one in states)
            if not any(state.may_see(canary) for state in states):
                found.leaks.append(Leak(key, canary, query, case))

    def _count(self, operation: Operation, answer: Mapping[str, Any]) -> None:
        """Errors are those of who asks for what they may not see; of what is asked at random, any that is declared."""
        errors = answer.get("errors", ())
        for error in errors:
            code = error["extensions"]["code"]
            self.found.errors[code] += 1
            if code == ANYWHERE or (operation.is_modelled and code not in EXPECTED):
                self.found.unexpected[f"{error['message']} {error.get('path')} in {operation.query}"] += 1
        for root, code in undeclared(operation.query, answer) if errors else ():
            self.found.unexpected[f"{code} of {root} in {operation.query}"] += 1

    def _heard(self, key: str, told: str) -> None:
        """A live operation tells of something; the viewer may have been changed while it was made."""
        self.found.events += told.startswith("event: next")
        states = self._stage.world.states(key, self._moments[0][key])
        self._search(key, WATCHED, self.found.cases, told, states)

    def _overhear(self) -> None:
        """No stored value is logged."""
        said = "\n".join(self._stage.said)
        self._stage.said.clear()
        self.found.leaks += [Leak("the log", canary, said[-2000:], self.found.cases) for canary in canaries.found(said)]

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

    async def _touch(self) -> None:
        """A record changes in the products; often the copy learns of it, and so do those who watch."""
        module = self._chance.choice(tuple(facts.RECORDS))
        record = self._chance.choice(tuple(facts.RECORDS[module]))
        company = self._chance.choice(tuple(self._stage.organizations))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
        self._stage.products.told.modified[company, module, record] = now
        if company in COPIED and self._chance.random() < 0.7:
            await self._stage.keep(company, module)

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
