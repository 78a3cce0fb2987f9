from pathlib import Path

from gateway.commands.configuration import reference
from tests.gateway.test_commands import command

ROOT = Path(__file__).parents[2]


def test_every_setting_has_a_meaning() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert [row for row in rows if not row.split(" | ", 2)[2].removesuffix(" |").strip()] == []


def test_the_published_reference_is_that_of_the_settings() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == reference(), "if that is meant: make configuration"


def test_the_command_prints_the_reference() -> None:
    assert command("configuration").stdout == reference()


def test_bounds_choices_and_needed_settings_are_told() -> None:
    rows = {line.split(" | ")[0]: line for line in reference().splitlines() if line.startswith("| `")}
    assert "One of `debug`, `info`, `warning`, `error`." in rows["| `GATEWAY_LOGS__LEVEL`"]
    assert "At least 0, at most 65535." in rows["| `GATEWAY_PORT`"]
    assert "*needed*" in rows["| `GATEWAY_ZOHO__CLIENT_SECRET`"]
