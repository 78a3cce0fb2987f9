"""Reports that people have made from system ones: what may be asked for, and what is wrong with it."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from services.drafts import Problem
from services.reports.catalogue import SYSTEM
from services.reports.periods import MOST
from services.reports.values import AHEAD, Choice, Definition, Report, Span
from services.storage.models import Json, now
from services.storage.reports import PersonalReport

LONGEST_NAME = 100
MOST_VALUES = 100
"""Values in one filter."""


class Draft(Struct, frozen=True, kw_only=True):
    """A report to be kept: the key of the system report it is made from, and how it is adjusted."""

    name: str
    system_key: str
    choice: Choice
    shared: bool = False


def report_of(row: PersonalReport) -> Report | None:
    """A stored report; None when its system report no longer exists."""
    definition = SYSTEM.get(row.system_key)
    if definition is None:
        return None
    return Report(
        id=row.id,
        name=row.name,
        definition=definition,
        choice=msgspec.convert(row.choice, Choice),
        owner_id=row.member_id,
        shared=row.shared,
        description=f"Made from “{definition.name}”. {definition.description}",
    )


def system_report(definition: Definition) -> Report:
    """A system report as it is predefined."""
    return Report(
        id=definition.key,
        name=definition.name,
        definition=definition,
        choice=definition.choice,
        description=definition.description,
    )


def stored(choice: Choice) -> Json:
    """As the JSON column holds it."""
    kept: Json = msgspec.to_builtins(choice)
    return kept


def problems(draft: Draft, taken: Sequence[str]) -> Iterator[Problem]:
    """Everything that is wrong; `taken` are the names of the viewer's other reports."""
    yield from _name_problems(draft.name, taken)
    definition = SYSTEM.get(draft.system_key)
    if definition is None:
        hint = "Use the `id` of a system report; what is made from one cannot be the start of another."
        yield Problem(("input", "basedOn"), "There is no such system report.", "NOT_FOUND", hint)
    else:
        yield from _choice_problems(definition, draft.choice)


def _name_problems(name: str, taken: Sequence[str]) -> Iterator[Problem]:
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        yield Problem(("input", "name"), f"A name is a line of 1 to {LONGEST_NAME} characters.")
    if name in taken:
        yield Problem(("input", "name"), "You have another report of this name.", "CONFLICT")


def _choice_problems(definition: Definition, choice: Choice) -> Iterator[Problem]:
    yield from _column_problems(definition, choice)
    allowed = [group.value for group in definition.groups]
    if choice.group is not None and choice.group not in definition.groups:
        yield _unfit("groupBy", definition, "grouped by that", allowed)
    if choice.grain not in definition.grains:
        yield _unfit("interval", definition, "cut into such periods", [grain.value for grain in definition.grains])
    if (choice.span in AHEAD) != definition.ahead:
        fitting = [span.value for span in Span if span is not Span.CUSTOM and (span in AHEAD) == definition.ahead]
        yield _unfit("period", definition, "run for these days", fitting)
    elif wrong := _wrong_days(choice):
        yield Problem(("input", "period"), wrong)
    for name in choice.filters.used:
        if name not in definition.filters:
            yield _unfit(f"filters.{name}", definition, "filtered by that", definition.filters)
        elif len(getattr(choice.filters, name)) > MOST_VALUES:
            yield Problem(("input", "filters", name), f"Give {MOST_VALUES} values at most.")


def _column_problems(definition: Definition, choice: Choice) -> Iterator[Problem]:
    known = [column.key for column in definition.columns]
    for place, key in enumerate(choice.columns):
        if key not in known:
            hint = f"Its columns are: {', '.join(known)}."
            yield Problem(
                ("input", "columns", str(place)), f"“{definition.name}” has no column {key[:40]!r}.", hint=hint
            )
    if len(set(choice.columns)) < len(choice.columns):
        yield Problem(("input", "columns"), "Name each column once.")


def _unfit(field: str, definition: Definition, what: str, allowed: Sequence[str]) -> Problem:
    hint = f"It can have: {', '.join(allowed)}." if allowed else None
    return Problem(("input", *field.split(".")), f"“{definition.name}” cannot be {what}.", hint=hint)


def _wrong_days(choice: Choice) -> str | None:
    if choice.span is not Span.CUSTOM:
        return "Days are given with the period CUSTOM only." if choice.since or choice.until else None
    if choice.since is None:
        return "The period CUSTOM takes the day to begin with."
    until = choice.until or now().date()
    if choice.since > until:
        return "The first day comes after the last."
    if (until - choice.since).days > MOST * 31:
        return "These are too many days."
    return None
