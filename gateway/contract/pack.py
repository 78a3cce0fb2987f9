"""What a client's team needs to test against the gateway, in one directory."""

import shutil
from pathlib import Path

from gateway.commands.published import sdl
from gateway.contract.matrix import COMMITTED as PERMISSIONS

GUIDE = Path("docs/contract-tests.md")
OPERATIONS = Path("docs/operations")


def write(directory: Path) -> list[Path]:
    """Write the pack and tell its files: guide, schema, permissions and operations with what to expect of them."""
    (directory / OPERATIONS.name).mkdir(parents=True, exist_ok=True)
    schema = directory / "schema.graphql"
    schema.write_text(sdl())
    copied = {GUIDE: directory / "README.md", PERMISSIONS: directory / PERMISSIONS.name}
    copied |= {path: directory / OPERATIONS.name / path.name for path in sorted(OPERATIONS.iterdir())}
    for source, target in copied.items():
        shutil.copyfile(source, target)
    return [schema, *copied.values()]
