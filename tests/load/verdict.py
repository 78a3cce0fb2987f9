"""Every answer against the model: as the records stood at a moment that the client allowed."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.load.crowd import Kept
from tests.load.model import Records
from tests.load.people import ROLES, Person
from tests.load.questions import Question, plain, refusals

WITHIN = 30.0
SLACK = 1.0
"""Seconds by which moments are known: a change is a transaction, and the products' times have whole seconds."""
BUDGET = "UPSTREAM_RATE_LIMITED"


@dataclass(frozen=True)
class Change:
    """From `at` (epoch seconds) on, an invoice is another one."""

    at: float
    record: str
    values: Mapping[str, Any]
    before: Mapping[str, Any]


@dataclass
class Verdict:
    """What was found; `wrong` holds a line for each different answer that the model does not know."""

    compared: int = 0
    bodies: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    stale: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    failed: list[tuple[float, int, str]] = field(default_factory=list)
    """Answers with errors that are not the model's: when they were asked for, by whom, and the code."""
    examples: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def codes(self) -> Counter[str]:
        """Of the errors that are not the model's."""
        return Counter(code for _, _, code in self.failed)


def changes(path: Path) -> list[Change]:
    """As the products' process has told them."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [_change(json.loads(line)) for line in lines]


def _change(told: dict[str, Any]) -> Change:
    at, record, before = told.pop("at"), told.pop("id"), told.pop("before")
    return Change(at, record, told, before)


class Judge:
    """Knows what could be answered in each state of the records."""

    def __init__(
        self, records: Records, made: Sequence[Change], people: Sequence[Person], asked: Sequence[Question]
    ) -> None:
        self._records = records
        self._changes = made
        self._people = people
        self._asked = asked
        self._known: dict[tuple[str, int, bytes], frozenset[int]] = {}
        self._states: dict[tuple[str, int], list[tuple[Any, Any]]] = {}

    def judge(self, kept: Kept) -> Verdict:
        """All answers."""
        verdict = Verdict(compared=len(kept.body), bodies=len(kept.bodies), changes=len(self._changes))
        for number, digest in enumerate(kept.body):
            person, question = self._people[kept.who[number]], kept.what[number]
            states = self._matching(person.role, question, digest, kept.bodies)
            self._weigh(verdict, states, kept, number)
        return verdict

    def _weigh(self, verdict: Verdict, states: frozenset[int], kept: Kept, number: int) -> None:
        person, question = self._people[kept.who[number]], self._asked[kept.what[number]]
        sent = kept.sent[number]
        if not states:
            found = json.loads(kept.bodies[kept.body[number]])
            codes = {one[0] for one in refusals(found)} - {"FORBIDDEN"}
            verdict.failed += [(sent, kept.who[number], code) for code in sorted(codes)]
            if not codes:
                self._note(verdict, person, question, found, kept.what[number])
        elif not states & self._allowed(sent, sent + kept.seconds[number]):
            verdict.stale[f"{person.role}: {question.name}"] += 1

    def _note(self, verdict: Verdict, person: Person, question: Question, found: Any, what: int) -> None:
        name = f"{person.role}: {question.name}"
        verdict.wrong[name] += 1
        verdict.examples.setdefault(name, (self._expected(person.role, what)[0], _comparable(question, found)))

    def _allowed(self, sent: float, received: float) -> set[int]:
        """The states of the records that an answer may show: the number of changes made."""
        before = sum(change.at <= sent - WITHIN - SLACK for change in self._changes)
        until = sum(change.at <= received + SLACK for change in self._changes)
        return set(range(before, until + 1))

    def _matching(self, role: str, what: int, digest: bytes, bodies: Mapping[bytes, bytes]) -> frozenset[int]:
        """In which states of the records this is the answer."""
        key = role, what, digest
        if key not in self._known:
            found = _comparable(self._asked[what], json.loads(bodies[digest]))
            expected = self._expected(role, what)
            self._known[key] = frozenset(state for state, one in enumerate(expected) if found in (one, _uncounted(one)))
        return self._known[key]

    def _expected(self, role: str, what: int) -> list[tuple[Any, Any]]:
        """The answer in each state: at the beginning, after the first change, …"""
        if (role, what) not in self._states:
            question, states = self._asked[what], []
            self._undo()
            for change in (None, *self._changes):
                if change is not None:
                    self._records.put(change.record, change.values)
                data, refused = question.told(self._records, ROLES[role])
                states.append((_ordered(data) if question.unordered else data, refused))
            self._states[role, what] = states
        return self._states[role, what]

    def _undo(self) -> None:
        for change in reversed(self._changes):
            self._records.put(change.record, change.before)


def _comparable(question: Question, answer: Mapping[str, Any]) -> tuple[Any, Any]:
    data = plain(answer.get("data"))
    return _ordered(data) if question.unordered else data, refusals(answer)


def _uncounted(told: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same from the product, which does not count: it answers when the copy cannot be brought up to date."""
    lists = {
        name: one | {"totalCount": None} if isinstance(one, dict) and "totalCount" in one else one
        for name, one in told[0].items()
    }
    return lists, told[1]


def _ordered(data: Any) -> Any:
    """With rows by their ids, where the rules leave their order open."""
    if isinstance(data, dict):
        return {key: _ordered(value) for key, value in data.items()}
    return sorted(data, key=lambda one: str(one["id"])) if isinstance(data, list) else data
