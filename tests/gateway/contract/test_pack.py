"""The pack for clients' teams: everything in it holds against the gateway that it was written by."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, parse, validate

from gateway.contract.pack import write
from tests.harness import Gateway


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> Path:
    monkeypatch.chdir(pytestconfig.rootpath)
    write(tmp_path)
    return tmp_path


def steps(pack: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((pack / "operations" / "operations.json").read_text())
    return found


def filled(value: Any, answers: Mapping[str, Any]) -> Any:
    """A variable with what begins with `$` taken from an earlier answer."""
    if isinstance(value, dict):
        return {name: filled(one, answers) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, answers) for one in value]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    found: Any = answers
    for part in value[1:].split("."):
        found = found[int(part) if part.isdigit() else part]
    return found


def test_every_operation_of_the_pack_is_valid_and_has_a_step(pack: Path) -> None:
    schema = build_schema((pack / "schema.graphql").read_text())
    files = sorted((pack / "operations").glob("*.graphql"))
    assert {path.stem for path in files} == {step["operation"] for step in steps(pack)}
    for path in files:
        assert validate(schema, parse(path.read_text())) == [], path.name


async def test_every_step_of_the_pack_is_answered_as_it_says(pack: Path, own_gateway: Gateway) -> None:
    answers: dict[str, Any] = {}
    for step in steps(pack):
        query = (pack / "operations" / f"{step['operation']}.graphql").read_text()
        answer = await own_gateway.ask(step["as"], query, **filled(step.get("variables", {}), answers))
        expected = step.get("errors", [])
        told = [error["extensions"] for error in answer.get("errors", ())]
        assert [{name: one[name] for name in ("code", "coordinate", "missingFrom")} for one in told] == expected
        if not expected:
            answers[step["operation"]] = answer["data"]
            assert {part.get("outcome", "APPLIED") for part in answer["data"].values()} == {"APPLIED"}


def test_the_pack_holds_the_guide_and_the_permissions_of_everybody(pack: Path) -> None:
    assert "gateway token --as" in (pack / "README.md").read_text()
    assert (pack / "permissions.txt").read_text().startswith("# Who may use what")
