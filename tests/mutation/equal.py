"""Changes of a line that change nothing, each with why no test can notice it: `equal.toml`."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

REASONS: Mapping[str, Mapping[str, str]] = tomllib.loads(Path(__file__).with_name("equal.toml").read_text())
"""By module and name of the mutant."""
EQUAL = frozenset((module, name) for module, names in REASONS.items() for name in names)
