"""What a client wants written: checked as a whole, then put into the product's words."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.documents import Module
from services.kinds import Kind

Values = Mapping[str, Any]
"""A draft: what was given, by the names of the schema's input fields in snake case; None clears a field."""

MOST_LINES = 200
_TEXTS = {"reference_number": 100, "notes": 5000, "terms": 10_000, "name": 200, "description": 2000, "value": 1000}


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake in the input: where (schema names), what, and how to mend it."""

    field: tuple[str, ...]
    message: str
    code: str = "BAD_USER_INPUT"
    hint: str | None = None


def camel(name: str) -> str:
    """The schema's spelling of a name."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def problems(kind: Kind, draft: Values, *, creating: bool) -> list[Problem]:
    """Every mistake that can be seen without asking the product."""
    return [
        *(_missing(kind, draft) if creating else _emptied(kind, draft)),
        *_texts(("input",), draft),
        *_lines(draft.get("line_items") or ()),
        *_addons(draft.get("addons") or ()),
        *_dates(draft),
        *_discount(("input", "discount"), draft.get("discount")),
        *_custom_fields(draft.get("custom_fields") or ()),
    ]


def _missing(kind: Kind, draft: Values) -> Iterator[Problem]:
    for name in kind.required:
        if not draft.get(name):
            yield Problem(("input", camel(_given(kind, name))), f"A new {kind.word} needs this.", hint=_HINTS.get(name))


def _emptied(kind: Kind, draft: Values) -> Iterator[Problem]:
    if not draft:
        yield Problem(("input",), "Nothing is to be changed.", hint="Set at least one field.")
    for name in kind.required:
        if name in draft and not draft[name]:
            message = f"A {kind.word} cannot be without this."
            yield Problem(("input", camel(_given(kind, name))), message, hint=_HINTS.get(name))


_HINTS = {"line_items": "Give at least one line with an item or a name."}


def _given(kind: Kind, name: str) -> str:
    return f"{kind.party}_id" if name == "customer_id" else name


def _texts(path: tuple[str, ...], values: Values) -> Iterator[Problem]:
    for name, most in _TEXTS.items():
        if isinstance(values.get(name), str) and len(values[name]) > most:
            yield Problem((*path, camel(name)), f"This is longer than {most} characters.")


def _lines(lines: Sequence[Values]) -> Iterator[Problem]:
    if len(lines) > MOST_LINES:
        yield Problem(("input", "lineItems"), f"{len(lines)} lines are more than {MOST_LINES}.")
    for place, line in enumerate(lines[:MOST_LINES]):
        path = ("input", "lineItems", str(place))
        yield from _texts(path, line)
        yield from _amounts(path, line)
        yield from _discount((*path, "discount"), line.get("discount"))
        if not (line.get("item_id") or line.get("name") or line.get("id")):
            yield Problem((*path, "name"), "A line needs an item or a name.", hint="Set `itemId` or `name`.")


def _amounts(path: tuple[str, ...], values: Values) -> Iterator[Problem]:
    quantity, rate = values.get("quantity"), values.get("rate")
    if quantity is not None and quantity <= 0:
        yield Problem((*path, "quantity"), "The quantity must be more than 0.")
    if rate is not None and rate < 0:
        yield Problem((*path, "rate"), "The rate cannot be negative.", hint="Give a discount instead.")


def _addons(addons: Sequence[Values]) -> Iterator[Problem]:
    for place, addon in enumerate(addons):
        yield from _amounts(("input", "addons", str(place)), addon)


_AFTER_DATE = ("due_date", "expiry_date", "shipment_date", "delivery_date")


def _dates(draft: Values) -> Iterator[Problem]:
    day = draft.get("date")
    for name in _AFTER_DATE:
        later = draft.get(name)
        if isinstance(day, dt.date) and isinstance(later, dt.date) and later < day:
            yield Problem(("input", camel(name)), f"{later} is before the date of the document, {day}.")


def _discount(path: tuple[str, ...], discount: Any) -> Iterator[Problem]:
    if discount is None:
        return
    amount, percent = discount.get("amount"), discount.get("percent")
    if (amount is None) == (percent is None):
        yield Problem(path, "Give either `amount` or `percent`.")
    elif amount is not None and amount < 0:
        yield Problem((*path, "amount"), "A discount cannot be negative.")
    elif percent is not None and not 0 <= percent <= 100:  # noqa: PLR2004
        yield Problem((*path, "percent"), "A percentage is between 0 and 100.")


def _custom_fields(fields: Sequence[Values]) -> Iterator[Problem]:
    names = [field["name"] for field in fields]
    for place, field in enumerate(fields):
        path = ("input", "customFields", str(place))
        yield from _texts(path, {"value": field.get("value")})
        if names.count(field["name"]) > 1:
            yield Problem((*path, "name"), f"{field['name']!r} is given more than once.")


def body(kind: Kind, draft: Values, marks: Mapping[str, str]) -> dict[str, Any]:
    """The draft in the product's words; `marks` are custom fields of our own, by API name."""
    written: dict[str, Any] = {}
    for name, value in draft.items():
        written |= _WRITERS.get(name, _plain)(kind, name, value)
    custom = [*written.pop("custom_fields", []), *({"api_name": name, "value": text} for name, text in marks.items())]
    return {**written, "custom_fields": custom} if custom else written


def _plain(kind: Kind, name: str, value: Any) -> dict[str, Any]:
    keys = {"reference_number": "reference_id"} if kind.module is Module.SUBSCRIPTIONS else {}
    return {keys.get(name, name): "" if value is None else value}


def _party(kind: Kind, _name: str, value: Any) -> dict[str, Any]:
    return {f"{kind.party}_id": value}


def _discounted(_kind: Kind, _name: str, value: Any) -> dict[str, Any]:
    return {"discount": _discount_text(value), "discount_type": "entity_level", "is_discount_before_tax": True}


def _discount_text(value: Any) -> Any:
    if value is None:
        return Decimal(0)
    return f"{value['percent']:f}%" if value.get("percent") is not None else value["amount"]


def _written_lines(_kind: Kind, _name: str, value: Any) -> dict[str, Any]:
    return {"line_items": [_line(line) for line in value or ()]}


def _line(line: Values) -> dict[str, Any]:
    written = {("line_item_id" if name == "id" else name): given for name, given in line.items() if given is not None}
    return {**written, "discount": _discount_text(line["discount"])} if line.get("discount") else written


def _plan(_kind: Kind, _name: str, value: Any) -> dict[str, Any]:
    keys = {"code": "plan_code"}
    return {"plan": {keys.get(name, name): given for name, given in value.items() if given is not None}}


def _written_addons(_kind: Kind, _name: str, value: Any) -> dict[str, Any]:
    keys = {"code": "addon_code"}
    return {
        "addons": [{keys.get(n, n): given for n, given in addon.items() if given is not None} for addon in value or ()]
    }


def _written_fields(_kind: Kind, _name: str, value: Any) -> dict[str, Any]:
    return {"custom_fields": [{"api_name": field["name"], "value": field.get("value") or ""} for field in value or ()]}


_WRITERS: Mapping[str, Callable[[Kind, str, Any], dict[str, Any]]] = {
    "customer_id": _party,
    "discount": _discounted,
    "line_items": _written_lines,
    "plan": _plan,
    "addons": _written_addons,
    "custom_fields": _written_fields,
}
