import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.sandbox import Sandbox
from tests.harness import Gateway, alone

ROOT = Path(__file__).parents[2]


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person would."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "DATABASE_URL"))}
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="session")
def data(shared: Path) -> Path:
    """A data directory with a filled sandbox."""
    with alone(shared / "commands.lock"):
        path = shared / "commands"
        if not path.exists():
            path.mkdir()
            Sandbox(path / "sandbox.db").close()
    return path


def test_token_prints_a_bare_token_and_nothing_else(data: Path) -> None:
    started = time.monotonic()
    done = command("token", "--as", "staff", GATEWAY_DATA=str(data))
    assert (done.returncode, done.stderr) == (0, "")
    token = done.stdout.removesuffix("\n")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["email"] == "staff@demo.example"
    assert time.monotonic() - started < 10


def test_token_names_the_people_when_there_is_no_such_person(data: Path) -> None:
    done = command("token", "--as", "stranger", GATEWAY_DATA=str(data))
    assert (done.returncode, done.stdout) == (1, "")
    assert "estimator" in done.stderr


def real(**more: str) -> dict[str, str]:
    return {
        "GATEWAY_ZOHO__CLIENT_ID": "1000.CLIENT",
        "GATEWAY_ZOHO__CLIENT_SECRET": "the-secret",
        "GATEWAY_OPENID__ISSUERS": "https://login.example",
        "GATEWAY_OPENID__AUDIENCE": "finance",
        "GATEWAY_SEALING_KEYS": base64.b64encode(b"k" * 32).decode(),
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
        **more,
    }


def test_token_says_why_it_cannot_make_one_for_real_organizations() -> None:
    done = command("token", "--as", "staff", **real())
    assert (done.returncode, done.stdout) == (1, "")
    assert "sign-in provider" in done.stderr


def test_a_wrong_setting_is_named_without_a_traceback() -> None:
    done = command("serve", GATEWAY_PORT="eighty")
    assert (done.returncode, done.stdout) == (1, "")
    assert "GATEWAY_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_schema_prints_the_published_schema_and_check_finds_it_equal_to_the_committed_one() -> None:
    printed = command("schema")
    checked = command("schema", "--check")
    assert printed.stdout == (ROOT / "schema" / "schema.graphql").read_text()
    assert (checked.returncode, checked.stdout) == (0, "")


async def test_doctor_finds_nothing_wrong_with_a_working_demo(own_gateway: Gateway) -> None:
    done = await asyncio.to_thread(command, "doctor", **own_gateway.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout


def test_doctor_says_what_to_do_about_each_fault() -> None:
    done = command("doctor", **real())
    assert done.returncode == 1
    assert "DATABASE_URL" in done.stdout
    assert "Traceback" not in done.stderr
    assert "the-secret" not in done.stdout + done.stderr
