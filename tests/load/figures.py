"""What was measured beside what must hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_MARKS = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


@dataclass(frozen=True)
class Figure:
    """One row; without a bound it is for scale."""

    name: str
    value: str
    bound: str = ""
    met: bool | None = None


def at_most(name: str, value: float, bound: float, unit: str = "", digits: int = 0, told: str = "") -> Figure:
    """A figure that must not be more; `told` stands behind it."""
    limit = f"≤ {bound:g}{unit}" if bound else "0"
    return Figure(name, f"{value:,.{digits}f}{unit}{told}", limit, value <= bound)


def at_least(name: str, value: float, bound: float, unit: str = "", digits: int = 0) -> Figure:
    """A figure that must not be less."""
    return Figure(name, f"{value:,.{digits}f}{unit}", f"≥ {bound:g}{unit}", value >= bound)


def shown(title: str, figures: Sequence[Figure]) -> bool:
    """Print the table; whether everything held."""
    table = Table("figure", "measured", "must be", "met", title=title, title_justify="left")
    for one in figures:
        table.add_row(escape(one.name), escape(one.value), one.bound, _MARKS[one.met])
    Console(width=None if Console().is_terminal else 130).print(table)
    return all(one.met is not False for one in figures)


def percentile(values: Sequence[float], part: float) -> float:
    """What this part of the values stays below; 0 where there are none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else 0.0
