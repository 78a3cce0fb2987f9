"""Processes whose clocks are wrong go by the database's."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from services.storage.clock import NEAR, Clock
from services.storage.engine import Database

HOUR = 3600.0


class Hands:
    """A process's clocks, as a test moves them."""

    def __init__(self) -> None:
        self.wall = self.ticks = 1000.0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.ticks)

    def run(self, seconds: float) -> None:
        self.wall, self.ticks = self.wall + seconds, self.ticks + seconds


def test_a_clock_that_nobody_has_corrected_is_the_processs_own() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.run(5)
    assert clock.now() == datetime.fromtimestamp(1005, UTC)


def test_a_step_of_the_processs_clock_changes_nothing() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall += HOUR
    hands.run(5)
    assert clock.seconds() == 1005


@pytest.mark.parametrize("off", [HOUR, -HOUR, 2.0, -2.0])
def test_another_time_of_the_database_is_taken_over(off: float) -> None:
    hands = Hands()
    clock, asked = hands.clock(), hands.ticks
    hands.run(0.2)
    clock.told(1000.1 + off, asked)
    assert clock.seconds() == pytest.approx(1000.2 + off)


@pytest.mark.parametrize(("took", "off"), [(0.0, NEAR / 2), (2.0, 1.0), (2.0, -1.0)])
def test_what_may_be_the_way_of_the_answer_is_no_difference(took: float, off: float) -> None:
    hands = Hands()
    clock, asked = hands.clock(), hands.ticks
    hands.run(took)
    before = clock.seconds()
    clock.told(1000 + took / 2 + off, asked)
    assert clock.seconds() == before


@pytest.mark.parametrize("off", [HOUR, -HOUR])
async def test_a_process_learns_the_time_whenever_it_uses_the_database(database: Database, off: float) -> None:
    clock = Clock(lambda: time.time() + off)
    assert abs(clock.now() - datetime.now(UTC)) > timedelta(minutes=59)
    elsewhere = Database(database.url, pool_size=1, clock=clock)
    await elsewhere.ping()
    await elsewhere.close()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=2)
