"""Faults of processes, PostgreSQL and clocks, each on a stage: a table of what is done and what comes of it."""

import asyncio
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import httpx
import psutil
import psycopg

from services.sandbox import Fault
from tests.chaos.scene import ENDLESS, Crowd, Plan, Worker, scene
from tests.faults.hole import hole
from tests.faults.stage import Disturbance, Row, Served, Stage, backends, staged
from tests.faults.tally import Tally
from tests.faults.troubles import Trouble
from tests.harness import struck

Storm = Callable[[Stage], Awaitable[Row]]
LATE = Fault("delay", path="/books/v3/invoices*", method="POST", seconds=2)
"""A write that is under way for a while."""
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""Of Debian's package faketime."""
DESCRIPTORS = 64
FILL_SECONDS = 5.0
AGE = 2
AGED = f"query @fresh(within: {AGE}) {{ invoices(first: 1) {{ asOf }} }}"
SLOW = b"POST /graphql HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n"
"""The head of a request whose body does not come."""


class Impossible(Exception):
    """What is needed for a fault is not at hand."""


# Products.


async def product(trouble: Trouble, seconds: float, stage: Stage) -> Row:
    async def disturb() -> None:
        stage.scene.sandbox.fault(trouble.fault())
        await asyncio.sleep(seconds)

    async with stage.gateway() as served:
        return await stage.disturbed(f"Books {trouble.name}, {seconds:g} s", served, disturb)


# PostgreSQL.


async def database(name: str, disturb: Callable[[Stage], None], stage: Stage) -> Row:
    async with stage.gateway() as served:
        return await stage.disturbed(name, served, lambda: asyncio.to_thread(disturb, stage))


def stop(seconds: float, stage: Stage) -> None:
    stage.embedded.stop()
    sleep(seconds)
    stage.embedded.start()


def kill_server(stage: Stage) -> None:
    for process in backends(stage.embedded):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    stage.embedded.start()


def freeze(seconds: float, stage: Stage) -> None:
    frozen = backends(stage.embedded)
    for process in frozen:
        process.suspend()
    sleep(seconds)
    for process in frozen:
        process.resume()


def end_backends(stage: Stage) -> None:
    with psycopg.connect(stage.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def black_hole(seconds: float, stage: Stage, *, forgetting: bool) -> Row:
    """PostgreSQL is well, but nothing arrives there, nor comes from there."""
    async with hole(stage.url) as (way, url), stage.gateway(GATEWAY_DATABASE_URL=url) as served:

        async def disturb() -> None:
            way.cut()
            await asyncio.sleep(seconds)
            way.mend(forgetting=forgetting)

        what = "connections forgotten" if forgetting else "then all goes on"
        row = await stage.disturbed(f"PostgreSQL black-holed {seconds:g} s, {what}", served, disturb)
        return replace(row, note=f"{row.note}; {len(way.open)} connections")


@asynccontextmanager
async def small_disk(home: Path) -> AsyncIterator[Path]:
    """A file system of 512 MB."""
    room = home / "small"
    room.mkdir(parents=True)
    mounted = subprocess.run(  # noqa: ASYNC221, S603
        ["mount", "-t", "tmpfs", "-o", "size=512m,mode=755", "tmpfs", str(room)],  # noqa: S607
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        raise Impossible("no small file system can be mounted here")
    try:
        yield room
    finally:
        subprocess.run(["umount", str(room)], check=True)  # noqa: ASYNC221, S603, S607


async def disk_full(home: Path, _: Stage) -> Row:
    async with small_disk(home) as room, staged(room / "data", "full") as stage:
        ballast = room / "ballast"

        def fill() -> None:
            with ballast.open("wb") as file, suppress(OSError):
                while True:
                    file.write(bytes(1 << 20))
            sleep(FILL_SECONDS)
            ballast.unlink()
            stage.embedded.start()

        async with stage.gateway() as served:
            return await stage.disturbed(
                f"PostgreSQL's disk full, {FILL_SECONDS:g} s", served, lambda: asyncio.to_thread(fill)
            )


# Processes.


async def killed(stage: Stage, *, name: str, strike: Callable[[Stage, Served], Disturbance]) -> Row:
    async with stage.gateway() as served:
        return await stage.disturbed(name, served, strike(stage, served))


def in_call(method: str, stage: Stage, served: Served) -> Disturbance:
    """Killed while a product is being asked."""

    async def disturb() -> None:
        stage.scene.sandbox.fault(Fault("delay", path="/books/v3/*", method=method, seconds=1))
        await struck(stage.scene.sandbox)
        await served.kill()
        served.launch()

    return disturb


def in_audit(stage: Stage, served: Served) -> Disturbance:
    """Killed when the product has done it, and what became of it is just being stored."""

    async def disturb() -> None:
        stage.scene.sandbox.fault(LATE)
        await struck(stage.scene.sandbox)
        async with await psycopg.AsyncConnection.connect(stage.url) as connection:
            await connection.execute("LOCK TABLE audit_events IN SHARE MODE")
            await _until_waiting(stage.url)
            await served.kill()
        served.launch()

    return disturb


async def _until_waiting(url: str) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE%'"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection, asyncio.timeout(15):
        while (row := await (await connection.execute(waiting)).fetchone()) is None or not row[0]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def told_to_end(stage: Stage) -> Row:
    async with stage.gateway() as served:
        return await ended(stage, served)


async def ended(stage: Stage, served: Served) -> Row:
    """Told to end while four requests are under way, and started again."""
    async with stage.asking(served) as tally:
        stage.scene.sandbox.fault(Fault("delay", path="/books/v3/*", seconds=3))
        requests = [asyncio.create_task(work()) for work in (tally.read, tally.write, tally.write, tally.write)]
        await struck(stage.scene.sandbox, len(requests))
        took = await served.end()
        answers = await asyncio.gather(*requests)
        stage.scene.sandbox.clear_faults()
        code = served.process.returncode
        await served.start()
        recovered = await tally.recovered()
        told = [answers[0] is True, *(answer == "APPLIED" for answer in answers[1:])]
        note = f"{sum(told)} of {len(told)} in flight done, ended in {took:.1f} s with {code}"
        row = await stage.closed("SIGTERM with requests in flight", tally, max(recovered, took), note)
        assert all(told), answers
        assert code in (0, -signal.SIGTERM), code
        return row


async def frozen_worker(home: Path, stage: Stage) -> Row:
    """Its transactions are ended as keepalives and time limits end them; then it goes on where it stopped."""
    crowd, stale = Crowd(seats=30, users=10), "idle in transaction"
    url = stage.embedded.ensure_database("zombie")

    def zombie(seconds: float) -> None:
        command = ["-m", "gateway", "worker"]
        workers = [one for one in psutil.Process().children() if one.cmdline()[1:] == command]
        workers[0].suspend()
        sleep(seconds)
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state = %s AND state_change < now() - interval '5 s'",
                [stale],
            )
        sleep(3)
        workers[0].resume()

    async with scene(crowd, url, home / "zombie", zombie, ENDLESS) as one:
        one.sandbox.fault(Fault("delay", path="/users/me", seconds=0.5))
        figures = await one.migrate(Plan(outage=10))
    moved = f"{figures.migrated} of {crowd.total} moved, {figures.mails.total()} messages"
    lost = figures.lost + (crowd.total - figures.events.total() if figures.events.total() < crowd.total else 0)
    return Row("a worker frozen 13 s, its lease taken over", 0.0, lost, figures.twice, note=moved)


async def few_descriptors(stage: Stage) -> Row:
    """More clients than descriptors, for a while."""
    async with stage.gateway("prlimit", f"--nofile={DESCRIPTORS}") as served:

        async def disturb() -> None:
            crowd = [asyncio.open_connection("127.0.0.1", served.port) for _ in range(2 * DESCRIPTORS)]
            opened = [one for one in await asyncio.gather(*crowd, return_exceptions=True) if isinstance(one, tuple)]
            await asyncio.sleep(4)
            for _, writer in opened:
                writer.close()

        return await stage.disturbed(f"{2 * DESCRIPTORS} idle clients at {DESCRIPTORS} descriptors", served, disturb)


async def slow_clients(stage: Stage) -> Row:
    """Heads and bodies that come byte by byte, and answers that nobody reads."""
    async with stage.gateway(GATEWAY_HTTP__RECEIVE_SECONDS="2") as served:

        async def disturb() -> None:
            sockets = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(100)]
            for number, one in enumerate(sockets):
                one.sendall(SLOW if number % 2 else SLOW[:30])
            await asyncio.sleep(5)
            for one in sockets:
                one.close()

        return await stage.disturbed("100 slow clients, 5 s", served, disturb)


async def upgrades(stage: Stage) -> Row:
    """Two replicas find an empty database."""
    url = stage.embedded.ensure_database("empty")
    environment = {**stage.scene.environment, "GATEWAY_DATABASE_URL": url}
    served = [Served(environment, stage.scene.directory / f"replica{number}.log") for number in range(2)]
    began = monotonic()
    try:
        await asyncio.gather(*(one.start() for one in served))
        took = monotonic() - began
        async with httpx.AsyncClient() as client:
            ready = [(await client.get(f"{one.address}/readyz")).status_code for one in served]
    finally:
        for one in served:
            await one.end(signal.SIGKILL)
    assert ready == [200, 200], ready
    return Row("two replicas upgrade an empty database at once", 0.0, note=f"both ready after {took:.1f} s")


# Clocks.


@asynccontextmanager
async def clock(stage: Stage) -> AsyncIterator[tuple[Mapping[str, str], Path]]:
    """The environment of a process whose wall clock is as far ahead as the file says."""
    if not FAKETIME.exists():  # noqa: ASYNC240
        raise Impossible("apt install faketime")
    ahead = stage.scene.directory / "ahead"
    ahead.write_text("+0")
    yield (
        {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(ahead),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        },
        ahead,
    )


async def step(by: str, stage: Stage) -> Row:
    async with clock(stage) as (environment, ahead), stage.gateway(**environment) as served:

        async def disturb() -> None:
            ahead.write_text(by)
            await asyncio.sleep(4)
            ahead.write_text("+0")

        return await stage.disturbed(f"the gateway's clock steps by {by} for 4 s", served, disturb)


async def hasty_replica(stage: Stage) -> Row:
    """Of two gateways that keep one copy the second is an hour ahead: what both say of its age has to be true."""
    async with clock(stage) as (environment, ahead), stage.gateway() as right, stage.asking(right) as tally:
        ahead.write_text("+1h")
        services = stage.scene.assembly.services
        organization_id = (await services.identity.viewer("owner@demo.example")).organization_id
        await services.copy.pull(organization_id, "invoices")
        async with stage.gateway(**environment) as wrong, stage.asking(wrong) as hasty:
            told = [await _age(one) for one in (hasty, tally, hasty, tally) for _ in range(2)]
            row = await stage.closed("a second gateway's clock an hour ahead", hasty, await hasty.recovered())
        false = sum(not -1 < age < AGE + 1 for age in told)
        return replace(row, uncoded=row.uncoded + false, note=f"said to be {min(told):.1f} to {max(told):.1f} s old")


async def _age(tally: Tally) -> float:
    """How old an answer says that it is that may not be older than `AGE`, a moment after the last one was that old."""
    await asyncio.sleep(AGE)
    answer = (await tally.post("owner", {"query": AGED})).json()
    return (datetime.now(UTC) - datetime.fromisoformat(answer["data"]["invoices"]["asOf"])).total_seconds()


async def hasty_worker(stage: Stage) -> Row:
    """A worker whose clock is an hour ahead looks at a write that another process is just making."""
    async with clock(stage) as (environment, ahead), stage.gateway() as served, stage.asking(served) as tally:
        ahead.write_text("+1h")
        worker = Worker({**stage.scene.environment, **environment}, stage.scene.directory / "hasty.log")
        try:
            stage.scene.sandbox.fault(Fault("delay", path=LATE.path, method="POST", seconds=8))
            write = asyncio.create_task(tally.write())
            await struck(stage.scene.sandbox)
            async with stage.scene.assembly.jobs.open() as jobs:
                await jobs.settle_soon()
                await _until_done(stage.url)
            told = await write
        finally:
            worker.end()
        stage.scene.sandbox.clear_faults()
        return await stage.closed("a worker's clock an hour ahead", tally, await tally.recovered(), f"told {told}")


async def _until_done(url: str) -> None:
    """The job of settling has been worked off."""
    waiting = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'settle' AND status IN ('todo', 'doing')"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection, asyncio.timeout(60):
        while (row := await (await connection.execute(waiting)).fetchone()) is None or row[0]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
