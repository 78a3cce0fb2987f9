"""The served gateway as a process of its own, from start to Ctrl-C and after kill -9."""

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from sqlalchemy import URL, make_url
from starlette.applications import Starlette

from gateway.serving import configured
from gateway.settings import Http
from tests.bench.processes import free_port
from tests.harness import Gateway

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


def started(*arguments: str, **environment: str) -> psutil.Popen:
    """A process of the command line in a group of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "DATABASE_URL"))}
    return psutil.Popen(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@contextmanager
def served(data: Path, **environment: str) -> Iterator[tuple[psutil.Popen, str]]:
    """A gateway with its own data; the process and where it serves."""
    process = started("serve", GATEWAY_DATA=str(data), **{"GATEWAY_PORT": "0"} | environment)
    try:
        yield process, _address(process)
    finally:
        if process.is_running():
            process.kill()
        process.wait()
        process.stdout.close()


def _address(process: psutil.Popen) -> str:
    for line in process.stdout:
        if found := re.search(r"http://\S+(?=/graphql)", line):
            return found[0]
    pytest.fail("the gateway ended before it served")


def token(data: Path, person: str) -> str:
    environment = os.environ | {"GATEWAY_DATA": str(data)}
    command = [sys.executable, "-m", "gateway", "token", "--as", person]
    return subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def asked(address: str, signed: str, query: str) -> dict[str, Any]:
    response = httpx.post(f"{address}/graphql", json={"query": query}, headers={"Authorization": f"Bearer {signed}"})
    answer: dict[str, Any] = response.json()
    return answer


def left_over(data: Path) -> list[str]:
    """Processes that still use the data directory."""
    named = (process.info for process in psutil.process_iter(["cmdline"]))
    return [" ".join(info["cmdline"]) for info in named if str(data) in " ".join(info["cmdline"] or ())]


def wait_until_gone(data: Path) -> None:
    until = time.monotonic() + 10
    while left_over(data) and time.monotonic() < until:
        time.sleep(0.1)
    assert left_over(data) == []


def test_a_head_that_does_not_arrive_is_not_waited_for(room: Path) -> None:
    with served(room / "var", GATEWAY_HTTP__RECEIVE_SECONDS="1") as (process, address):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as slow:
            slow.sendall(b"POST /graphql HTTP/1.1\r\nHost: gateway\r\n")
            began = time.monotonic()
            assert slow.recv(100) == b""
            assert time.monotonic() - began < 8
        with httpx.Client(base_url=address) as client:
            assert [client.get("/healthz").status_code for _ in range(3)] == [200, 200, 200]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0, process.stdout.read()
    wait_until_gone(room)


def test_a_port_that_is_taken_is_said_before_anything_is_started(room: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        process = started("serve", GATEWAY_DATA=str(room / "var"), GATEWAY_PORT=taken)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert taken in said
    assert "Traceback" not in said
    assert not (room / "var").exists()


@pytest.mark.parametrize("command", ["serve", "worker", "upgrade"])
def test_a_database_of_a_later_version_is_left_alone_in_words(own_gateway: Gateway, command: str) -> None:
    environment = own_gateway.environment() | {"GATEWAY_PORT": "0"}
    with psycopg.connect(environment["GATEWAY_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'later'")
    process = started(command, **environment)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "upgraded by a later version of the gateway" in said
    assert "Traceback" not in said


STATES: Mapping[str, Sequence[str]] = {
    "behind": ("UPDATE alembic_version SET version_num = '0011'", "GRANT SELECT ON alembic_version TO {role}"),
    "not granted": (),
    "empty": ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", "GRANT USAGE ON SCHEMA public TO {role}"),
    "closed": ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"),
}
"""How a database can be that its owner has not upgraded for the role that serves."""


@contextmanager
def serving_role(url: URL, statements: Sequence[str]) -> Iterator[URL]:
    """The database as a role without any rights sees it, after these statements of its owner."""
    role = f"serving_{secrets.token_hex(4)}"
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as owner:
        for statement in (f"CREATE ROLE {role} LOGIN PASSWORD '{role}'", *statements):
            owner.execute(statement.format(role=role).encode())
        try:
            yield url.set(username=role, password=role)
        finally:
            owner.execute(f"DROP OWNED BY {role}".encode())
            owner.execute(f"DROP ROLE {role}".encode())


@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("serve", "behind"),
        ("serve", "closed"),
        ("worker", "empty"),
        ("worker", "not granted"),
        ("doctor", "behind"),
        ("doctor", "empty"),
    ],
)
def test_a_role_that_may_not_upgrade_says_who_has_to(own_gateway: Gateway, command: str, state: str) -> None:
    environment = own_gateway.environment() | {"GATEWAY_PORT": "0"}
    with serving_role(make_url(environment["GATEWAY_DATABASE_URL"]), STATES[state]) as url:
        environment["GATEWAY_DATABASE_URL"] = url.render_as_string(hide_password=False)
        process = started(command, **environment)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "schema is not up to date, and this role may not upgrade it" in said
    assert f"python -m gateway upgrade --grant-to {url.username}\n" in said
    assert "Check DATABASE_URL" not in said
    assert len(said.splitlines()) == (3 if command == "doctor" else 1), said


def test_a_database_that_does_not_answer_is_named_in_words(room: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    process = started("serve", GATEWAY_DATA=str(room), GATEWAY_PORT="0", DATABASE_URL=nowhere)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Check DATABASE_URL" in said
    assert "Traceback" not in said


def test_a_worker_works_until_it_is_told_to_end(own_gateway: Gateway) -> None:
    process = started("worker", **own_gateway.environment())
    until = time.monotonic() + START_SECONDS
    while process.nice() == os.nice(0) and time.monotonic() < until:  # it gives way once it listens to signals
        time.sleep(0.1)
    with pytest.raises(psutil.TimeoutExpired):
        process.wait(timeout=4)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0, process.stdout.read()
    assert "Traceback" not in process.stdout.read()
    process.stdout.close()


def test_the_sandbox_runs_alone_on_a_port(room: Path) -> None:
    port = free_port()
    process = started("sandbox", "--port", str(port), GATEWAY_DATA=str(room))
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/sandbox/token?as=staff")
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        assert answer.json()["email"] == "staff@demo.example"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
        process.stdout.close()


def test_it_serves_stops_on_ctrl_c_with_nothing_left_and_comes_back_after_kill_9(room: Path) -> None:
    data = room / "var"
    started = time.monotonic()
    with served(data) as (process, address):
        first_start = time.monotonic() - started
        signed = token(data, "staff")
        assert httpx.get(f"{address}/healthz").status_code == 200
        assert asked(address, signed, "{ viewer { email } }") == {"data": {"viewer": {"email": "staff@demo.example"}}}
        before = asked(address, signed, "{ viewer { id } }")
        process.send_signal(signal.SIGKILL)
        process.wait()
    started = time.monotonic()
    with served(data) as (process, address):
        later_start = time.monotonic() - started
        assert asked(address, signed, "{ viewer { id } }") == before
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0, process.stdout.read()
    wait_until_gone(data)
    assert first_start < START_SECONDS
    assert later_start < max(first_start, START_SECONDS / 3)  # on a busy machine both take longer


def test_an_idle_connection_outlives_that_of_a_proxy() -> None:
    assert configured(Starlette(), Http()).timeout_keep_alive > 60
