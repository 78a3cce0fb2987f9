"""What docs/clients.md shows is what is run here."""

import re
from pathlib import Path

import pytest

HOME = Path(__file__).parent
PAGE = (HOME.parents[1] / "docs" / "clients.md").read_text()
BLOCKS = re.findall(r"^```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = [
    HOME / "transports.py",
    HOME / "node" / "relay.config.json",
    *sorted((HOME / "node" / "connections").iterdir()),
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_snippet_stands_in_a_file_that_the_scenarios_run(block: str) -> None:
    assert any(block in path.read_text() for path in FILES)


def test_every_connection_that_the_scenarios_run_is_shown() -> None:
    shown = set(BLOCKS)
    assert [path.name for path in FILES[1:] if path.read_text() not in shown] == []
