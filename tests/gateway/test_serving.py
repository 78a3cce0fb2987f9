"""The served gateway as a process of its own, from start to Ctrl-C and after kill -9."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


@contextmanager
def served(data: Path) -> Iterator[tuple[psutil.Popen, str]]:
    """A gateway with its own data; the process and where it serves."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "DATABASE_URL"))}
    process = psutil.Popen(
        [sys.executable, "-m", "gateway", "serve"],
        cwd=ROOT,
        env=inherited | {"GATEWAY_DATA": str(data), "GATEWAY_PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
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


def asked(address: str, signed: str, query: str) -> dict:
    response = httpx.post(f"{address}/graphql", json={"query": query}, headers={"Authorization": f"Bearer {signed}"})
    return response.json()


def left_over(data: Path) -> list[str]:
    """Processes that still use the data directory."""
    named = (process.info for process in psutil.process_iter(["cmdline"]))
    return [" ".join(info["cmdline"]) for info in named if str(data) in " ".join(info["cmdline"] or ())]


def wait_until_gone(data: Path) -> None:
    until = time.monotonic() + 10
    while left_over(data) and time.monotonic() < until:
        time.sleep(0.1)
    assert left_over(data) == []


def test_it_serves_stops_on_ctrl_c_with_nothing_left_and_comes_back_after_kill_9(tmp_path: Path) -> None:
    data = tmp_path / "var"
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
        assert process.wait(timeout=20) == 0
    wait_until_gone(data)
    assert first_start < START_SECONDS
    assert later_start < START_SECONDS / 3
