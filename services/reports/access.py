"""What a viewer may be told: figures only to one who sees every subscription, and nothing that is hidden."""

from collections.abc import Iterable, Iterator, Sequence

from services.drafts import Problem
from services.errors import Forbidden
from services.policy import Decision, Viewer
from services.records import readers
from services.reports.statement import group_column
from services.reports.values import NEEDS_OF_FILTER, NEEDS_OF_GROUP, Choice, Column, Definition, Withheld

VIEW = "subscriptions.view"


def require(viewer: Viewer, definition: Definition, choice: Choice) -> None:
    """Raise `Forbidden` unless the viewer may see the rows of the report, so adjusted."""
    lacking = _lacking(viewer, [*definition.needs, *_adjusted(choice)])
    if lacking is not None:
        raise _forbidden(f"You need the permission {lacking.permission} to run “{definition.name}”.", lacking)
    readers.require(viewer, "subscriptions")


def columns_for(viewer: Viewer, definition: Definition, choice: Choice) -> tuple[Sequence[Column], Sequence[Withheld]]:
    """The columns that the viewer is shown, in their order, and those withheld."""
    shown, withheld = [], []
    for column in columns_of(definition, choice):
        lacking = _lacking(viewer, column.needs)
        if lacking is None:
            shown.append(column)
        else:
            withheld.append(Withheld(column.title, lacking.permission, lacking.granted_by))
    return shown, withheld


def columns_of(definition: Definition, choice: Choice) -> list[Column]:
    """The columns that a choice asks for, in its order; the group follows the first column."""
    known = {column.key: column for column in definition.columns}
    chosen = [known[key] for key in choice.columns if key in known] or list(definition.columns)
    if choice.group is not None and choice.group in definition.groups:
        return [*chosen[:1], group_column(choice.group), *chosen[1:]]
    return chosen


def refusals(viewer: Viewer, choice: Choice) -> Iterator[Problem]:
    """A problem for every grouping and filter by what is hidden from the viewer."""
    grouped = {"groupBy": NEEDS_OF_GROUP[choice.group]} if choice.group else {}
    filtered = {f"filters.{name}": NEEDS_OF_FILTER[name] for name in choice.filters.used}
    for name, fields in (grouped | filtered).items():
        if lacking := _lacking(viewer, fields):
            missing = " and ".join(source.name for source in lacking.missing_from)
            told = f"You may not use this: {missing} does not grant {lacking.permission}."
            yield Problem(("input", *name.split(".")), told, "FORBIDDEN", f"Ask {lacking.granted_by}.")


def _adjusted(choice: Choice) -> Iterable[str]:
    if choice.group is not None:
        yield from NEEDS_OF_GROUP[choice.group]
    for name in choice.filters.used:
        yield from NEEDS_OF_FILTER[name]


def _lacking(viewer: Viewer, fields: Iterable[str]) -> Decision | None:
    """The first permission that is missing: to view subscriptions at all, then each of their fields."""
    decisions = (viewer.decide(name) for name in (VIEW, *(f"{VIEW}.{field}" for field in sorted(set(fields)))))
    return next((decision for decision in decisions if not decision.granted), None)


def _forbidden(message: str, decision: Decision) -> Forbidden:
    return Forbidden(
        message,
        hint=f"Ask {decision.granted_by}.",
        required=decision.permission,
        missingFrom=[source.name for source in decision.missing_from],
        grantedBy=decision.granted_by,
    )
