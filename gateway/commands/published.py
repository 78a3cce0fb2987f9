"""The contract as published, and as committed."""

from difflib import unified_diff
from pathlib import Path

from schema import schema

COMMITTED = Path("schema/schema.graphql")


def sdl() -> str:
    """The published schema in the schema definition language."""
    return f"{schema.as_str().rstrip()}\n"


def difference(committed: Path, published: str) -> list[str]:
    """What changed from a committed text to the published one; empty when they are equal."""
    before = committed.read_text() if committed.exists() else ""
    lines = unified_diff(before.splitlines(), published.splitlines(), str(committed), "published", lineterm="")
    return list(lines)
