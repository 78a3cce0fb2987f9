"""The schema as published, and as committed."""

from difflib import unified_diff
from pathlib import Path

from schema import schema


def sdl() -> str:
    """The published schema in the schema definition language."""
    return f"{schema.as_str().rstrip()}\n"


def difference(committed: Path) -> list[str]:
    """What changed from the committed schema to the published one; empty when they are equal."""
    before = committed.read_text() if committed.exists() else ""
    lines = unified_diff(before.splitlines(), sdl().splitlines(), str(committed), "published", lineterm="")
    return list(lines)
