"""Many processes on a clock of their own: what the product would count, call by call."""

from dataclasses import dataclass, field
from random import Random

import pytest

from services.upstream.budget import Allowance
from services.upstream.shares import LIFE, RECOVERY, Lent, Report, State, settle

BOOKS = Allowance(100, 10)
START = 1_800_000_000.0


def report(holder: str, **values: object) -> Report:
    given = {"known": False, "ahead": 0, "in_flight": 0, "places": 0, "waiting": 0, "keep": 10, "ages": []}
    return Report(holder=holder, **given | {"closed_for": 0.0, "day": None} | values)  # type: ignore[arg-type]


@dataclass
class Process:
    """Does what a process does: begins what it was lent, as far as it has places, and reports now and then."""

    name: str
    todo: int
    ahead: int = 0
    places: int = 0
    quota: int = 0
    until: float = 0.0
    crowded: bool = False
    known: bool = False
    ends: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)

    def step(self, now: float, random: Random) -> list[float]:
        """The moments at which the product counts what is begun now."""
        self.spent += [end for end in self.ends if end <= now]
        self.ends = [end for end in self.ends if end > now]
        begun: list[float] = []
        while self.todo and self.ahead and len(self.ends) < min(self.places, self.quota) and now < self.until:
            self.ends.append(now + random.uniform(0.05, 0.4))
            begun.append(random.uniform(now, self.ends[-1]))
            self.todo, self.ahead = self.todo - 1, self.ahead - 1
        return begun

    def settle(self, state: State, now: float) -> None:
        if now >= self.until:
            self.ahead = self.places = 0
        busy = len(self.ends)
        if self.crowded:
            self.ahead = min(self.ahead, self.todo)
            self.places = min(self.places, max(busy, min(self.quota, busy + self.ahead)))
        self.spent = [at for at in self.spent if at > now - 60]
        lent = settle(state, BOOKS, self._report(busy, now), now)
        self.ahead, self.places = self.ahead + lent.calls, self.places + lent.places
        self.quota, self.crowded, self.until, self.known = lent.quota, lent.crowded, now + LIFE, True

    def _report(self, busy: int, now: float) -> Report:
        values = {"ahead": self.ahead, "in_flight": busy, "places": self.places, "waiting": self.todo}
        return report(self.name, known=self.known, ages=[now - at for at in self.spent], **values)


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_however_many_processes_call_the_product_never_counts_more_than_it_allows(count: int) -> None:
    random, state, arrivals = Random(count), State(), []
    processes = [Process(f"process {number}", 400 // count) for number in range(count)]
    now = START
    while any(process.todo for process in processes) and now < START + 400:
        for process in random.sample(processes, count):
            arrivals += process.step(now, random)
            if random.random() < 0.3:
                process.settle(state, now)
        assert sum(len(process.ends) for process in processes) <= 10
        now += 0.05
    arrivals.sort()
    assert len(arrivals) == 400 // count * count
    assert all(later - earlier >= 60 for earlier, later in zip(arrivals, arrivals[100:], strict=False))
    assert now - START < 240


def lend(state: State, holder: str, now: float = START, allowance: Allowance = BOOKS, **values: object) -> Lent:
    return settle(state, allowance, report(holder, **values), now)


def test_a_silent_process_loses_its_places_first_and_its_calls_a_minute_later() -> None:
    state = State()
    assert lend(state, "killed", waiting=50).places == 10
    held = state.holders["killed"].ahead
    assert lend(state, "other", START + LIFE - 0.1, waiting=100).places == 0
    later = lend(state, "other", START + LIFE + 0.1, waiting=100)
    assert later.places == 10
    assert later.calls <= 100 - held
    assert lend(state, "other", START + LIFE + 60.1, waiting=100).calls == 100


def test_who_waits_gets_his_part_though_another_came_first() -> None:
    state = State()
    lend(state, "first", places=10, in_flight=10, waiting=50)
    assert lend(state, "second", waiting=5).places == 0
    again = lend(state, "first", START + 0.1, known=True, places=10, in_flight=10, waiting=50)
    assert again.crowded
    assert again.quota == 5


def test_the_last_calls_of_the_day_are_lent_once() -> None:
    state = State()
    assert lend(state, "first", waiting=10, day=(7, 3600)).calls == 7
    second = lend(state, "second", waiting=10)
    assert second.calls == 0
    assert second.opens_in < 1


def test_what_a_product_says_to_one_process_closes_the_budget_for_all() -> None:
    state = State()
    lend(state, "refused", closed_for=30.0)
    told = lend(state, "other", START + 1, waiting=1)
    assert told.calls == 0
    assert told.closed_for == pytest.approx(29, abs=0.01)


def test_a_budget_that_the_database_lost_opens_only_after_all_could_tell_what_they_know() -> None:
    state = State()
    assert lend(state, "new", waiting=5).calls > 0
    state = State()
    lost = lend(state, "old", known=True, ages=[1.0] * 95)
    assert lost.calls == 0
    assert lost.closed_for == pytest.approx(RECOVERY, abs=0.01)
    assert lend(state, "new", START + RECOVERY + 0.1, waiting=50).calls == 5
