import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from services.errors import UpstreamUnavailable
from services.jobs import LANES, Duties, Jobs
from services.storage.engine import Database


@dataclass
class Diary:
    """What the jobs have done."""

    synced: list[str] = field(default_factory=list)
    settled: int = 0
    fails: bool = False
    complete: asyncio.Event = field(default_factory=asyncio.Event, compare=False)

    async def organizations(self) -> list[str]:
        return ["north", "south"]

    async def sync(self, organization_id: str) -> None:
        self.synced.append(organization_id)
        self._look()
        if self.fails:
            raise UpstreamUnavailable

    async def settle(self) -> None:
        self.settled += 1
        self._look()

    def _look(self) -> None:
        if self.settled and {"north", "south"} <= set(self.synced):
            self.complete.set()

    def duties(self, when: str = "0 0 29 2 *") -> Duties:
        """By the clock nothing is due, unless a test says when."""
        return Duties(
            organizations=self.organizations,
            sync=self.sync,
            settle=self.settle,
            sync_when=when,
            settle_when=when,
            tidy_when=when,
            forget_when=when,
        )


@pytest.fixture
def diary() -> Diary:
    return Diary()


async def states(database: Database) -> dict[str, int]:
    async with database.session() as session:
        rows = await session.exec(
            text("SELECT task_name || ' ' || status::text, count(*) FROM procrastinate_jobs GROUP BY 1")  # type: ignore[call-overload]
        )
        return dict(rows.all())


async def test_an_ordered_job_is_done(own_database: Database, diary: Diary) -> None:
    async with Jobs(own_database, diary.duties()).open() as jobs:
        await jobs.sync_soon("north")
        await jobs.settle_soon()
        await jobs.work_off()
    assert diary == Diary(["north"], 1)


async def test_a_job_that_waits_already_is_not_ordered_twice(own_database: Database, diary: Diary) -> None:
    async with Jobs(own_database, diary.duties()).open() as jobs:
        await asyncio.gather(*(jobs.sync_soon("north") for _ in range(5)))
        await jobs.sync_soon("south")
        await jobs.work_off()
    assert sorted(diary.synced) == ["north", "south"]


async def test_a_job_that_failed_does_not_hinder_the_next(own_database: Database, diary: Diary) -> None:
    diary.fails = True
    async with Jobs(own_database, diary.duties()).open() as jobs:
        for _ in range(2):
            await jobs.sync_soon("north")
            await jobs.work_off()
    assert diary.synced == ["north", "north"]
    assert await states(own_database) == {"sync failed": 2}


@pytest.fixture
async def stalled(own_database: Database, diary: Diary) -> AsyncIterator[Jobs]:
    """With a job that a worker was at when it was killed."""
    async with Jobs(own_database, diary.duties()).open() as jobs:
        await jobs.sync_soon("north")
        async with own_database.session() as session:
            dead: Any = text(
                "WITH worker AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')"
                " RETURNING id) UPDATE procrastinate_jobs SET status = 'doing', worker_id = worker.id FROM worker"
            )
            await session.exec(dead)
        yield jobs


async def test_a_job_of_a_killed_worker_is_done_by_another(stalled: Jobs, diary: Diary) -> None:
    assert await stalled.retry_stalled() == 1
    await stalled.work_off()
    assert diary.synced == ["north"]


async def test_a_job_of_a_killed_worker_is_given_up_when_its_like_waits(
    stalled: Jobs, diary: Diary, own_database: Database
) -> None:
    await stalled.sync_soon("north")
    assert await stalled.retry_stalled() == 0
    await stalled.work_off()
    assert diary.synced == ["north"]
    assert await states(own_database) == {"sync failed": 1, "sync succeeded": 1}


async def test_a_worker_does_what_is_due_by_the_clock(own_database: Database, diary: Diary) -> None:
    async with Jobs(own_database, diary.duties("* * * * * *")).open() as jobs:
        working = asyncio.create_task(jobs.work())
        async with asyncio.timeout(10):
            await diary.complete.wait()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_the_end_of_a_job_is_noted_although_the_connection_for_it_is_lost(own_database: Database) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def sync(_: str) -> None:
        begun.set()
        await may_end.wait()

    async with Jobs(own_database, replace(Diary().duties(), sync=sync)).open() as jobs:
        await jobs.sync_soon("north")
        working = asyncio.create_task(jobs.work())
        await asyncio.wait_for(begun.wait(), 10)
        async with await psycopg.AsyncConnection.connect(own_database.conninfo) as others:
            await others.execute("SELECT FROM procrastinate_jobs FOR UPDATE")
            may_end.set()
            await kill(own_database, "%procrastinate_finish_job%")
        async with asyncio.timeout(5):
            while await states(own_database):  # noqa: ASYNC110 - what is waited for rings no bell
                await asyncio.sleep(0.01)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def kill(database: Database, statement: str) -> None:
    """End the one backend that waits with such a statement, as soon as there is one."""
    waiting = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND query LIKE %s"
    )
    async with await psycopg.AsyncConnection.connect(database.conninfo, autocommit=True) as killer, asyncio.timeout(5):
        while not (await killer.execute(waiting, [statement])).rowcount:  # noqa: ASYNC110 - what is waited for rings no bell
            await asyncio.sleep(0.01)


async def test_a_lane_goes_on_until_there_is_nothing_more_to_do(own_database: Database, diary: Diary) -> None:
    moved: list[tuple[str, int]] = []

    async def move(migration_id: str, lane: int) -> bool:
        moved.append((migration_id, lane))
        return moved.count((migration_id, lane)) < 3

    async with Jobs(own_database, replace(diary.duties(), move=move)).open() as jobs:
        await jobs.migrate_soon("first")
        await jobs.migrate_soon("first")
        await jobs.work_off()
    assert sorted(moved) == sorted(("first", lane) for lane in range(LANES) for _ in range(3))


async def test_a_changed_record_is_read_once_and_again_when_that_could_not_be_done_yet(own_database: Database) -> None:
    read: list[tuple[str, str, str, datetime]] = []
    moment = datetime(2026, 11, 22, 12, tzinfo=UTC)

    async def organizations() -> list[str]:
        return ["north"]

    async def nothing(_: str) -> None:
        return

    async def settle() -> None:
        return

    async def due() -> list[tuple[str, str]]:
        return []

    async def refresh(organization_id: str, module: str, record_id: str, since: datetime) -> datetime | None:
        read.append((organization_id, module, record_id, since))
        return moment if len(read) == 1 else None

    never = "0 0 29 2 *"
    duties = Duties(
        organizations=organizations,
        sync=nothing,
        settle=settle,
        due=due,
        refresh=refresh,
        sync_when=never,
        settle_when=never,
        tidy_when=never,
        pull_when=never,
    )
    async with Jobs(own_database, duties).open() as jobs:
        for _ in range(3):
            await jobs.refresh_soon("north", "invoices", "1", moment)
        await jobs.work_off()
        assert read == [("north", "invoices", "1", moment)] * 2


async def test_what_is_due_to_be_copied_is_ordered_each_time_it_is_looked(own_database: Database, diary: Diary) -> None:
    pulled: list[tuple[str, str]] = []

    async def due() -> list[tuple[str, str]]:
        return [("north", "invoices"), ("south", "plans")]

    async def pull(organization_id: str, module: str) -> None:
        pulled.append((organization_id, module))
        if len(pulled) == 4:
            diary.complete.set()

    duties = replace(diary.duties(), due=due, pull=pull, pull_when="* * * * * *")
    async with Jobs(own_database, duties).open() as jobs:
        working = asyncio.create_task(jobs.work())
        async with asyncio.timeout(15):
            await diary.complete.wait()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert set(pulled) == {("north", "invoices"), ("south", "plans")}
