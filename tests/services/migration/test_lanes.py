"""What lanes take, leave to others, and put off."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from services.candidates import Reason
from services.errors import GatewayError, UpstreamRateLimited, UpstreamRejected, UpstreamUnavailable
from services.migration.moves import Job
from services.migration.states import ItemState, State
from services.migration.values import Purpose
from services.migration.work import Move, Pace, Work
from services.observing import Attributes, Span
from services.storage.engine import Database
from services.storage.models import now
from services.storage.rollout import Migration, MigrationItem
from tests.services.migration.office import Office


def work(office: Office, move: Move, **pace: float) -> Work:
    """Lanes for which moving means something else."""
    return Work(office.assembly.database, office.assembly.services.identity, {Purpose.USERS: move}, Pace(**pace))  # type: ignore[arg-type]


def failing(error: GatewayError) -> Move:
    async def move(_session: AsyncSession, _job: Job, _item: MigrationItem) -> None:
        raise error

    return move


async def item(office: Office, run_id: str) -> MigrationItem:
    (found,) = await office.rows(MigrationItem, col(MigrationItem.migration_id) == run_id)
    assert isinstance(found, MigrationItem)
    return found


@pytest.mark.parametrize(
    ("error", "attempts", "state"),
    [
        (UpstreamUnavailable(retryAfter=100), 1, ItemState.PENDING),
        (UpstreamRateLimited(retryAfter=100), 0, ItemState.PENDING),
        (UpstreamRejected("It says no.", hint="Ask it."), 1, ItemState.FAILED),
    ],
)
async def test_who_cannot_be_moved_now_is_put_off_or_has_failed(
    office: Office, error: GatewayError, attempts: int, state: ItemState
) -> None:
    run = await office.start("legacy")
    assert not await work(office, failing(error)).lane(run.id)
    left = await item(office, run.id)
    assert (left.state, left.attempts) == (state, attempts)
    if state is ItemState.PENDING:
        assert (left.message, left.reason, left.settled_at) == (error.message, None, None)
        assert abs(left.due_at - now() - timedelta(seconds=100)) < timedelta(seconds=30)
        assert (await office.run(run.id)).state is State.RUNNING
    else:
        assert (left.message, left.reason) == ("It says no. Ask it.", Reason.UPSTREAM_ERROR)
        assert (await office.run(run.id)).state is State.COMPLETED


async def test_a_product_that_does_not_answer_is_asked_four_times(office: Office) -> None:
    run = await office.start("legacy")
    for attempt in range(1, 5):
        await office.hurry()
        await work(office, failing(UpstreamUnavailable())).lane(run.id)
        left = await item(office, run.id)
        assert left.attempts == attempt
    assert (left.state, left.reason) == (ItemState.FAILED, Reason.UPSTREAM_ERROR)
    assert (await office.run(run.id)).state is State.COMPLETED


async def test_a_fault_of_our_own_is_noted_without_what_it_says(office: Office) -> None:
    async def broken(_session: AsyncSession, _job: Job, _item: MigrationItem) -> None:
        raise ZeroDivisionError("secret")

    run = await office.start("legacy")
    await work(office, broken, turn=0.01).lane(run.id)
    left = await item(office, run.id)
    assert (left.message, left.attempts, left.state) == ("The gateway failed: ZeroDivisionError.", 1, ItemState.PENDING)


async def test_members_are_moved_in_their_order_and_each_by_one_lane(office: Office) -> None:
    seen: list[int] = []

    async def move(_session: AsyncSession, _job: Job, one: MigrationItem) -> None:
        seen.append(one.position)
        await asyncio.sleep(0.02)
        one.state, one.settled_at = ItemState.SKIPPED, now()

    run = await office.start("legacy", "sales1", "sales2", "support1")
    lanes = work(office, move)
    await lanes.lane(run.id)
    assert seen == [1, 2, 3, 4]
    assert (await office.run(run.id)).state is State.COMPLETED
    seen.clear()
    again = await office.start("legacy", "sales1", "sales2", "support1")
    await asyncio.gather(*(lanes.lane(again.id) for _ in range(3)))
    assert sorted(seen) == [1, 2, 3, 4]


async def test_of_lanes_with_one_number_one_works_and_another_number_is_free(office: Office) -> None:
    taken, go_on, moved = asyncio.Semaphore(0), asyncio.Event(), list[str]()

    async def move(_session: AsyncSession, _job: Job, one: MigrationItem) -> None:
        moved.append(one.member_id)
        taken.release()
        await go_on.wait()
        one.state, one.settled_at = ItemState.SKIPPED, now()

    run = await office.start("legacy", "sales1")
    lanes = work(office, move)
    first = asyncio.create_task(lanes.lane(run.id, 1))
    await taken.acquire()
    assert not await lanes.lane(run.id, 1)
    assert len(moved) == 1
    second = asyncio.create_task(lanes.lane(run.id, 2))
    await taken.acquire()
    go_on.set()
    await asyncio.gather(first, second)
    assert len(set(moved)) == 2


async def test_a_lane_lets_others_go_first_after_its_turn(office: Office) -> None:
    async def move(_session: AsyncSession, _job: Job, one: MigrationItem) -> None:
        await asyncio.sleep(0.05)
        one.state, one.settled_at = ItemState.SKIPPED, now()

    run = await office.start("legacy", "sales1", "sales2")
    lanes = work(office, move, turn=0.01)
    assert await lanes.lane(run.id)
    assert (await office.run(run.id)).done == 1
    assert await lanes.lane(run.id)
    assert await lanes.lane(run.id)
    assert not await work(office, move).lane(run.id)
    assert not await lanes.lane("nothing")


async def test_work_waits_where_a_migration_is_live_and_nowhere_else(office: Office) -> None:
    waiting = office.assembly.migrating.work.waiting
    run, preview = await office.start("legacy"), await office.start("sales1", dry_run=True)
    assert await waiting() == [run.id]
    for state in State:
        await office.change(update(Migration).where(col(Migration.id) == run.id).values(state=state))
        assert (run.id in await waiting()) is state.live
    assert preview.id not in await waiting()


async def test_who_is_not_due_is_left_alone(office: Office) -> None:
    run = await office.start("legacy")
    await office.change(update(MigrationItem).values(due_at=now() + timedelta(minutes=5)))
    await office.work()
    assert (await office.run(run.id)).pending == 1
    assert (await office.run(run.id)).state is State.RUNNING
    async with office.assembly.database.session() as session:
        started = (await session.exec(select(Migration.started_at).where(Migration.id == run.id))).one()
    assert started is not None


@dataclass
class Watch:
    """A watcher that keeps what is said of members who are moved."""

    told: list[dict[str, str | int]] = field(default_factory=list)

    def set_attribute(self, key: str, value: str | int) -> None:
        self.told[-1][key] = value

    def end(self) -> None:
        """Nothing follows."""

    @contextmanager
    def span(self, name: str, attributes: Attributes) -> Iterator[Span]:
        self.told.append({"name": name, **attributes})
        yield self

    def afresh(self, name: str, attributes: Attributes, cause: str | None) -> AbstractContextManager[Span]:
        return self.span(name, {"cause": cause or "", **attributes})

    def inner(self, name: str, attributes: Attributes) -> Span | None:  # noqa: ARG002 - as the gateway calls it
        return None

    def outgoing(self) -> Mapping[str, str]:
        return {}


async def test_a_watcher_is_told_for_what_and_how_often_somebody_was_moved_and_what_came_of_it(office: Office) -> None:
    async def settling(_session: AsyncSession, _job: Job, one: MigrationItem) -> None:
        one.state, one.settled_at = ItemState.MIGRATED, now()

    run, watch = await office.start("legacy"), Watch()
    database = Database(office.assembly.database.conninfo, tracer=watch)
    try:
        for move in (failing(UpstreamUnavailable()), settling):
            await office.hurry()
            await Work(database, office.assembly.services.identity, {Purpose.USERS: move}).lane(run.id)
    finally:
        await database.close()
    about = {"name": "move member", "gateway.migration.purpose": "USERS"}
    assert [told for told in watch.told if told["name"] == "move member"] == [
        about | {"gateway.migration.attempt": 1, "gateway.migration.outcome": "PENDING"},
        about | {"gateway.migration.attempt": 2, "gateway.migration.outcome": "MIGRATED"},
    ]


async def test_a_migration_for_which_two_have_consented_late_waits_once(office: Office) -> None:
    run = await office.migrate("restricted", "both")
    for name in ("restricted", "both"):
        await office.connect(name)
    assert await office.assembly.migrating.work.waiting() == [run.id]
