"""Work that goes on without a request: durable jobs on the same PostgreSQL, at least once each."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, UniqueViolation
from procrastinate.jobs import Job, Status

from services.storage.engine import Database


async def nothing() -> None:
    """A duty that nobody has."""


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
    sync_when: str = "*/10 * * * *"
    settle_when: str = "* * * * *"


class Jobs:
    """The queue on a database, as one who orders and as one who works.

    Jobs may meet: what they call locks or claims what it works on. What fails comes again with the next period.
    """

    def __init__(self, database: Database, duties: Duties) -> None:
        self._duties = duties
        self._app = App(connector=PsycopgConnector(conninfo=database.conninfo, min_size=1, max_size=4))
        self._register()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Jobs"]:
        """Connect within the block: to order jobs, and to `work`."""
        async with self._app.open_async():
            yield self

    async def work(self, *, concurrency: int = 4) -> None:
        """Work until cancelled, then let running jobs end for some seconds. `open` it first."""
        await self._app.run_worker_async(
            concurrency=concurrency,
            install_signal_handlers=False,
            shutdown_graceful_timeout=5.0,
            fetch_job_polling_interval=1.0,
        )

    async def work_off(self) -> None:
        """Do all that is due now, then return."""
        await self._app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)

    async def sync_soon(self, organization_id: str) -> None:
        """Order the synchronization of a directory; one that waits already will do."""
        await self._order("sync", organization_id, organization_id=organization_id)

    async def settle_soon(self) -> None:
        """Order the settlement of uncertain outcomes."""
        await self._order("settle", "all")

    async def mail_soon(self) -> None:
        """Order that messages are sent."""
        await self._order("mail", "all")

    async def retry_stalled(self) -> int:
        """Queue again what workers that died were at; how many."""
        stalled = list(await self._app.job_manager.get_stalled_jobs())
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
            await self._app.configure_task(task, queueing_lock=f"{task}:{what}").defer_async(**arguments)
        except AlreadyEnqueued:
            return

    def _register(self) -> None:
        task, periodic = self._app.task, self._app.periodic
        duties = self._duties

        @task(name="sync")
        async def sync(organization_id: str) -> None:
            await duties.sync(organization_id)

        @task(name="settle")
        async def settle() -> None:
            await duties.settle()

        @task(name="mail")
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

        @periodic(cron="17 3 * * *")
        @task(name="forget_done", queueing_lock="forget_done")
        async def forget_done(timestamp: int) -> None:  # noqa: ARG001 - the period
            await self._app.job_manager.delete_old_jobs(nb_hours=72, include_failed=True)
