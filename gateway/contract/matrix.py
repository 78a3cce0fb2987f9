"""Which demo person may use which field: a line a coordinate, a column a person, so that each change is a line."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from graphql import parse

from gateway.contract.permissions import permissions
from services.policy import MODULES, PUBLIC, Source, Viewer

COMMITTED = Path("schema/permissions.txt")
MISSING: Mapping[Source, str] = {
    Source.CRM_PROFILE: "p",
    Source.BOOKS_ROLE: "r",
    Source.BILLING_ROLE: "r",
    Source.INTEGRATION_GRANT: "g",
    Source.OWNERSHIP: "o",
}
GRANTED, SCOPED, REFUSED, OPEN = "✓", "s", "–", "*"
LEGEND = """\
# Who may use what: the demo's people and every type, field and input field of the schema that takes a permission.
#   ✓ granted   s granted, on records of assigned customers only   * as the record's own type says
#   – refused for want of: p CRM profile   r role in Books or Billing   g grant of an integration user   o ownership
# Written by `python -m gateway schema matrix`.
"""


def matrix(sdl: str, people: Mapping[str, Viewer]) -> str:
    """The table of a schema in SDL; `people` by the names of their columns."""
    asked = permissions(parse(sdl))
    return "\n".join([LEGEND, _line({name: name for name in people}, people), *_rows(asked, people), ""])


def _rows(asked: Mapping[str, str], people: Mapping[str, Viewer]) -> Iterator[str]:
    for coordinate, permission in sorted(asked.items()):
        cells = {name: cell(viewer, permission) for name, viewer in people.items()}
        yield _line(cells, people, f"{coordinate}  {permission}")


def _line(cells: Mapping[str, str], people: Mapping[str, Viewer], rest: str = "") -> str:
    return " ".join([*(cells[name].ljust(max(len(name), 3)) for name in people), rest]).rstrip()


def cell(viewer: Viewer, permission: str) -> str:
    """What one person sees of one permission."""
    if permission.startswith(f"{OPEN}."):
        return OPEN
    decision = viewer.decide(permission)
    if not decision.granted:
        return REFUSED + "".join(dict.fromkeys(MISSING[source] for source in decision.missing_from))
    module = permission.partition(".")[0]
    scoped = permission != PUBLIC and module in MODULES and viewer.grant(module).assigned_only
    return SCOPED if scoped else GRANTED
