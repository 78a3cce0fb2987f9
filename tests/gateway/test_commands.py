import asyncio
import base64
import json
import os
import subprocess
import sys
import time
import tomllib
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


@pytest.mark.parametrize("words", [("audit", "verify"), ("reseal",), ("documents", "list"), ("records", "status")])
def test_a_database_that_cannot_be_reached_is_said_in_a_line(words: tuple[str, ...]) -> None:
    done = command(*words, **real(DATABASE_URL="postgresql://finance:the-password@127.0.0.1:1/finance"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The database does not answer: ")
    assert done.stderr.endswith(" Check DATABASE_URL.\n")
    assert (done.stderr.count("\n"), "the-password" in done.stderr) == (1, False)


@pytest.mark.parametrize("url", ["mysql://finance:the-password@db/finance", "the-password"])
def test_an_address_of_another_database_is_refused_without_being_shown(url: str) -> None:
    done = command("doctor", DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr == "GATEWAY_DATABASE_URL: a database's address begins with postgresql://\n"


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("{ foo }", (), "The gateway refuses this.\nCannot query field 'foo' on type 'Query'."),
        ("{ viewer {", (), "The gateway refuses this.\nSyntax Error"),
        ("query A { __typename }", ("--operation", "B"), "The gateway refuses this.\nthere is no such operation"),
        (
            "query A { __typename } query B { __typename }",
            (),
            "There are several operations; say which: --operation A, B",
        ),
        ("{ __typename }", ("--without", "invoices.fly"), "No field takes the permission invoices.fly."),
    ],
)
def test_plan_fails_and_says_why_where_there_is_nothing_to_show(
    tmp_path: Path, text: str, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "one.graphql").write_text(text)
    done = command("plan", str(tmp_path / "one.graphql"), *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(said)


def test_plan_says_why_an_operation_is_not_compiled(tmp_path: Path) -> None:
    (tmp_path / "live.graphql").write_text("subscription { documentChanged { module } }")
    done = command("plan", str(tmp_path / "live.graphql"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "# Runs on graphql-core: it is live.\n", "")


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert command("--version").stdout == f"{project['version']}\n"
