"""What was measured, beside what is wanted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import ge, le

from rich.console import Console
from rich.table import Table

_RULES: dict[str, Callable[[float, float], bool]] = {"≥": ge, "≤": le}


@dataclass(frozen=True)
class Target:
    """A bound on a ratio, `≥ 20` or `≤ 1.05`."""

    rule: str
    bound: float

    def met(self, ratio: float) -> bool:
        """Whether the ratio keeps it."""
        return _RULES[self.rule](ratio, self.bound)

    def __str__(self) -> str:
        return f"{self.rule} {self.bound:g} ×"


def at_least(bound: float) -> Target:
    """So many times as good as the other."""
    return Target("≥", bound)


def at_most(bound: float) -> Target:
    """No more than so many times the other."""
    return Target("≤", bound)


@dataclass(frozen=True)
class Row:
    """One comparison. Without a ratio it could not be made, and `note` says why; without a target it is for scale."""

    work: str
    against: str
    ours: str = ""
    theirs: str = ""
    ratio: float | None = None
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where that cannot be said."""
        return None if self.ratio is None or self.target is None else self.target.met(self.ratio)


_MARKS = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


def shown(rows: Sequence[Row]) -> None:
    """Print the table, ratios first."""
    table = Table("ratio", "target", "met", "work", "against", "ours", "theirs")
    for row in rows:
        ratio = row.note if row.ratio is None else f"{row.ratio:.2f} ×"
        target = str(row.target or "")
        table.add_row(ratio, target, _MARKS[row.met], row.work, row.against, row.ours, row.theirs)
    Console(width=None if Console().is_terminal else 160).print(table)


def milliseconds(seconds: float) -> str:
    """A time as people read it."""
    return f"{seconds * 1000:.2f} ms"
