"""Work that goes on without a request: durable jobs on the same PostgreSQL, at least once each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status

from services.observing import Attributes
from services.storage.connection import Brief, arguments
from services.storage.engine import Database
from services.storage.failures import is_away, words
from services.storage.statements import RECONNECT_SECONDS

LANES = 6
"""Members of one migration who are moved at once, however many workers there are."""
BEAT, DEAD_AFTER = 2.0, 8.0
"""Seconds between a worker's signs of life, and after which one without any is dead."""
TICK = 5
"""Seconds after which it is looked again which copies are to go on."""
BEHIND = -2
"""The priority of what no user waits for: all other jobs go first."""
CAUSE = "traceparent"
"""W3C's name of what led to a job: among its arguments, and among a tracer's headers."""
AGAIN_AFTER = 1.0
"""Seconds after which a worker that has lost the database tries to go on."""
log = structlog.get_logger(__name__)


async def nothing() -> None:
    """A duty that nobody has."""


async def no_lane(_migration_id: str, _lane: int) -> bool:
    """Of one who moves nobody."""
    return False


async def no_module(_organization_id: str, _module: str) -> None:
    """Of one who copies nothing."""


async def no_record(_organization_id: str, _module: str, _record_id: str, _since: datetime) -> datetime | None:
    """Of one who copies nothing."""
    return None


@dataclass(frozen=True, kw_only=True)
class Duties:
    """What the jobs do, and cron expressions for when."""

    organizations: Callable[[], Awaitable[list[str]]]
    """The ids of those to synchronize."""
    sync: Callable[[str], Awaitable[None]]
    """Synchronize one organization's directory."""
    settle: Callable[[], Awaitable[None]]
    """Look up the writes whose outcome is uncertain."""
    mail: Callable[[], Awaitable[None]] = nothing
    """Send the messages that are due."""
    move: Callable[[str, int], Awaitable[bool]] = no_lane
    """Work for a while on a lane of a migration; whether there may be more to do at once."""
    tidy: Callable[[], Awaitable[None]] = nothing
    """End the windows that are over."""
    pull: Callable[[str, str], Awaitable[None]] = no_module
    """Go on with the copy of one module of an organization."""
    due: Callable[[], Awaitable[Sequence[tuple[str, str]]]] | None = None
    """The (organization, module) whose copies are to go on now; without it nothing is copied."""
    refresh: Callable[[str, str, str, datetime], Awaitable[datetime | None]] = no_record
    """Read a record that has changed at that moment; when to try again, if it could not be done yet."""
    sync_when: str = "*/10 * * * *"
    settle_when: str = "* * * * *"
    tidy_when: str = "*/2 * * * *"
    forget_when: str = "17 3 * * *"
    pull_when: str = f"* * * * * */{TICK}"


class Persistent(PsycopgConnector):
    """Says once more what the database may not have heard.

    Otherwise a job whose end could not be noted would be under way for as long as its worker lives.
    """

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        """As ever."""
        try:
            await super().execute_query_async(query, **arguments)
        except ConnectorException as error:
            if not is_away(error):
                raise
            await super().execute_query_async(query, **arguments)


class Jobs:
    """The queue on a database, as one who orders and as one who works.

    Jobs may meet: what they call locks or claims what it works on. What fails comes again with the next period.
    """

    def __init__(self, database: Database, duties: Duties) -> None:
        self._duties = duties
        self._tracer = database.tracer
        connector = Persistent(
            conninfo=database.conninfo,
            connection_class=Brief,
            kwargs=arguments(database.url, "finance-gateway jobs"),
            min_size=1,
            max_size=6,
            reconnect_timeout=RECONNECT_SECONDS,
        )
        self._app = App(connector=connector)
        self._register()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Jobs"]:
        """Connect within the block: to order jobs, and to `work`."""
        async with self._app.open_async():
            yield self

    async def work(self, *, concurrency: int = 8) -> None:
        """Work until cancelled, then let running jobs end for some seconds. `open` it first.

        A worker that loses the database begins anew when that is back; what it was at counts as a dead worker's.
        """
        while True:
            try:
                await self._app.run_worker_async(
                    concurrency=concurrency,
                    install_signal_handlers=False,
                    shutdown_graceful_timeout=5.0,
                    fetch_job_polling_interval=1.0,
                    delete_jobs="successful",
                    update_heartbeat_interval=BEAT,
                    stalled_worker_timeout=DEAD_AFTER,
                    worker_middleware=[self._watched],
                )
            except (ConnectorException, OSError, TimeoutError) as error:
                log.warning("the worker has lost the database", error=words(error))
            await asyncio.sleep(AGAIN_AFTER)

    async def work_off(self) -> None:
        """Do all that is due now, then return."""
        await self._app.run_worker_async(
            wait=False, install_signal_handlers=False, listen_notify=False, worker_middleware=[self._watched]
        )

    async def sync_soon(self, organization_id: str) -> None:
        """Order the synchronization of a directory; one that waits already will do."""
        await self._order("sync", organization_id, organization_id=organization_id)

    async def settle_soon(self) -> None:
        """Order the settlement of uncertain outcomes."""
        await self._order("settle", "all")

    async def mail_soon(self) -> None:
        """Order that messages are sent."""
        await self._order("mail", "all")

    async def migrate_soon(self, migration_id: str) -> None:
        """Order all lanes of a migration; each that waits already will do."""
        for lane in range(LANES):
            await self._order_lane(migration_id, lane)

    async def pull_soon(self, organization_id: str, module: str) -> None:
        """Order that the copy of a module goes on; one that waits already will do, and one at a time works on it."""
        what = f"pull:{organization_id}:{module}"
        task = self._app.configure_task("pull", queueing_lock=what, lock=what, priority=BEHIND)
        with suppress(AlreadyEnqueued):
            await task.defer_async(organization_id=organization_id, module=module, **self._cause())

    async def refresh_soon(
        self, organization_id: str, module: str, record_id: str, since: datetime, at: datetime | None = None
    ) -> None:
        """Order that a record is read again that has changed at the moment `since`, now or `at` another time.

        One that waits already will do: it will be read after this.
        """
        what = f"refresh:{organization_id}:{module}:{record_id}"
        task = self._app.configure_task("refresh", queueing_lock=what, lock=what, priority=-1, schedule_at=at)
        with suppress(AlreadyEnqueued):
            await task.defer_async(
                organization_id=organization_id,
                module=module,
                record_id=record_id,
                since=since.isoformat(),
                **self._cause(),
            )

    async def retry_stalled(self) -> int:
        """Queue again what workers that died were at; how many."""
        stalled = list(await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER))
        return sum([await self._retry(job) for job in stalled])

    async def _retry(self, job: Job) -> bool:
        """Queue a job again, unless its like waits already: then it is given up."""
        try:
            await self._app.job_manager.retry_job(job)
        except UniqueViolation:
            await self._app.job_manager.finish_job(job, Status.FAILED, delete_job=False)
            return False
        return True

    async def _order(self, task: str, what: str, **arguments: str) -> None:
        try:
            await self._app.configure_task(task, queueing_lock=f"{task}:{what}").defer_async(
                **arguments, **self._cause()
            )
        except AlreadyEnqueued:
            return

    async def _order_lane(self, migration_id: str, lane: int) -> None:
        """One that is worked on already ends at once when it is ordered again; all other jobs go first."""
        task = self._app.configure_task("migrate", queueing_lock=f"migrate:{migration_id}:{lane}", priority=-1)
        with suppress(AlreadyEnqueued):
            await task.defer_async(migration_id=migration_id, lane=lane, **self._cause())

    def _cause(self) -> Mapping[str, str]:
        """What led to a job that is ordered now, for its span alone; `_task` keeps it from the work."""
        outgoing = self._tracer.outgoing() if self._tracer else {}
        return {CAUSE: outgoing[CAUSE]} if CAUSE in outgoing else {}

    async def _watched(self, work: Callable[[], Awaitable[object]], context: JobContext, _worker: object) -> object:
        """Do a job within a span of its own."""
        if self._tracer is None:
            return await work()
        job = context.job
        about: Attributes = {"gateway.job.kind": job.task_name, "gateway.job.attempt": job.attempts + 1}
        cause = job.task_kwargs.get(CAUSE)
        with self._tracer.afresh(f"job {job.task_name}", about, cause if isinstance(cause, str) else None) as span:
            span.set_attribute("gateway.job.outcome", "failed")
            done = await work()
            span.set_attribute("gateway.job.outcome", "done")
        return done

    def _task(self, name: str) -> Callable[[Callable[..., Awaitable[None]]], object]:
        """Like procrastinate's own, of work that is not told what led to it."""

        def register(work: Callable[..., Awaitable[None]]) -> object:
            async def task(**given: Any) -> None:
                given.pop(CAUSE, None)
                await work(**given)

            return self._app.task(name=name)(task)

        return register

    def _register(self) -> None:
        self._register_moves()
        if self._duties.due:
            self._register_pulls(self._duties.due)
        task, periodic = self._app.task, self._app.periodic
        duties = self._duties

        @self._task("sync")
        async def sync(organization_id: str) -> None:
            await duties.sync(organization_id)

        @self._task("settle")
        async def settle() -> None:
            await duties.settle()

        @self._task("mail")
        async def mail() -> None:
            await duties.mail()

        @periodic(cron=duties.sync_when)
        @task(name="sync_all", queueing_lock="sync_all")
        async def sync_all(timestamp: int) -> None:  # noqa: ARG001 - the period
            for organization_id in await duties.organizations():
                await self.sync_soon(organization_id)

        @periodic(cron=duties.settle_when)
        @task(name="every_minute", queueing_lock="every_minute")
        async def every_minute(timestamp: int) -> None:  # noqa: ARG001 - the period
            await self.retry_stalled()
            await self.settle_soon()
            await self.mail_soon()

        @periodic(cron=duties.forget_when)
        @task(name="forget_done", queueing_lock="forget_done")
        async def forget_done(timestamp: int) -> None:  # noqa: ARG001 - the period
            await self._app.job_manager.delete_old_jobs(nb_hours=72, include_failed=True)

    def _register_moves(self) -> None:
        task, periodic = self._app.task, self._app.periodic
        duties = self._duties

        @self._task("migrate")
        async def migrate(migration_id: str, lane: int) -> None:
            if await duties.move(migration_id, lane):
                await self._order_lane(migration_id, lane)

        @periodic(cron=duties.tidy_when)
        @task(name="tidy", queueing_lock="tidy")
        async def tidy(timestamp: int) -> None:  # noqa: ARG001 - the period
            await duties.tidy()

    def _register_pulls(self, due: Callable[[], Awaitable[Sequence[tuple[str, str]]]]) -> None:
        task, periodic = self._app.task, self._app.periodic
        duties = self._duties

        @self._task("pull")
        async def pull(organization_id: str, module: str) -> None:
            await duties.pull(organization_id, module)

        @self._task("refresh")
        async def refresh(organization_id: str, module: str, record_id: str, since: str) -> None:
            moment = datetime.fromisoformat(since)
            if again_at := await duties.refresh(organization_id, module, record_id, moment):
                await self.refresh_soon(organization_id, module, record_id, moment, again_at)

        @periodic(cron=duties.pull_when)
        @task(name="pull_all", queueing_lock="pull_all")
        async def pull_all(timestamp: int) -> None:  # noqa: ARG001 - the period
            for organization_id, module in await due():
                await self.pull_soon(organization_id, module)
