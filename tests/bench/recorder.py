"""A pytest plugin that keeps the operations the tests send: `pytest -p tests.bench.recorder --operations DIRECTORY`."""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import Gateway, acting


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--operations", type=Path, help="Where the operations are kept, a file a process.")


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any],  # noqa: ARG001 - pytest's name
    request: pytest.FixtureRequest,
) -> Generator[None, Any, Any]:
    """Every gateway that a fixture starts is listened to."""
    made = yield
    directory: Path | None = request.config.getoption("--operations")
    if directory and isinstance(made, Gateway) and not made.client.event_hooks["request"]:
        directory.mkdir(parents=True, exist_ok=True)
        kept = directory / f"{os.getpid()}.jsonl"
        made.client.event_hooks = {"request": [_listener(kept)], "response": []}
    return made


def _listener(kept: Path) -> Any:
    async def heard(request: httpx.Request) -> None:
        person = acting.get()
        if person and request.method == "POST" and request.url.path == "/graphql":
            body = _decoded(request.content)
            if isinstance(body, dict) and isinstance(body.get("query"), str):
                with kept.open("a") as log:
                    log.write(f"{json.dumps({**body, 'person': person})}\n")

    return heard


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
