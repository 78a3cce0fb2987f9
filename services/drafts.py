"""What a client wants written: checked as a whole, then put into the product's words."""

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.documents import Module
from services.kinds import Kind

Values = Mapping[str, Any]
"""A draft: what was given, by the names of the schema's input fields in snake case; None clears a field."""

MOST_LINES = 200
_TEXTS = {
    "reference_number": 100,
    "salesperson_name": 200,
    "coupon_code": 100,
    "notes": 5000,
    "terms": 10_000,
    "name": 200,
    "unit": 100,
    "description": 2000,
    "value": 1000,
}


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


def problems(kind: Kind, draft: Values, *, creating: bool, own: Collection[str] = ()) -> list[Problem]:
    """Every mistake that can be seen without asking the product; `own` custom fields are only ours to set."""
    return [
        *(_missing(kind, draft) if creating else _emptied(kind, draft)),
        *_texts(("input",), draft),
        *_lines(draft.get("line_items") or ()),
        *_amounts(("input", "plan"), draft.get("plan") or {}),
        *_addons(draft.get("addons") or ()),
        *_dates(draft),
        *_discounts(draft),
        *_custom_fields(draft.get("custom_fields") or (), own),
    ]


def _missing(kind: Kind, draft: Values) -> Iterator[Problem]:
    for name in (*kind.required, *_no_lines(kind, draft)):
        if not draft.get(name):
            yield Problem(("input", camel(_given(kind, name))), f"A new {kind.word} needs this.", hint=_HINTS.get(name))


def _emptied(kind: Kind, draft: Values) -> Iterator[Problem]:
    if not draft:
        yield Problem(("input",), "Nothing is to be changed.", hint="Set at least one field.")
    for name in (*kind.required, *_no_lines(kind, draft)):
        if name in draft and not draft[name]:
            message = f"{kind.word.capitalize()}s cannot be without this."
            yield Problem(("input", camel(_given(kind, name))), message, hint=_HINTS.get(name))


def _no_lines(kind: Kind, draft: Values) -> Iterator[str]:
    """An empty list is a mistake even where the lines may be left out."""
    if draft.get("line_items") == [] and "line_items" not in kind.required:
        yield "line_items"


_HINTS = {
    "line_items": "Give at least one line with an item or a name.",
    "rate": "Give a discount instead.",
}


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
    quantity = values.get("quantity")
    if quantity is not None and quantity <= 0:
        yield Problem((*path, "quantity"), "The quantity must be more than 0.")
    for name in ("rate", "price"):
        if values.get(name) is not None and values[name] < 0:
            yield Problem((*path, name), f"The {name} cannot be negative.", hint=_HINTS.get(name))


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


def _discounts(draft: Values) -> Iterator[Problem]:
    whole, lines = draft.get("discount"), draft.get("line_items") or ()
    yield from _discount(("input", "discount"), whole)
    if whole is not None and any(line.get("discount") for line in lines):
        message = "A discount is either on the whole or on its lines."
        yield Problem(("input", "discount"), message, hint="Leave out the one or the other.")


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


def _custom_fields(fields: Sequence[Values], own: Collection[str]) -> Iterator[Problem]:
    names = [field["name"] for field in fields]
    reserved = {name.casefold() for name in own}
    for place, field in enumerate(fields):
        path = ("input", "customFields", str(place))
        yield from _texts(path, {"value": field.get("value")})
        if names.count(field["name"]) > 1:
            yield Problem((*path, "name"), f"{field['name']!r} is given more than once.")
        if field["name"].strip().casefold() in reserved:
            yield Problem((*path, "name"), f"{field['name']!r} is set by the gateway itself.", hint="Leave it out.")


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
    """To clear the discount on the whole leaves those on the lines alone."""
    if value is None:
        return {"discount": Decimal(0)}
    return {"discount": _discount_text(value), "discount_type": "entity_level", "is_discount_before_tax": True}


def _discount_text(value: Any) -> Any:
    return f"{value['percent']:f}%" if value.get("percent") is not None else value["amount"]


def _written_lines(_kind: Kind, _name: str, value: Any) -> dict[str, Any]:
    """The products count discounts on lines only in documents of which they know that."""
    level = {"discount_type": "item_level"} if any(line.get("discount") for line in value or ()) else {}
    return {"line_items": [_line(line) for line in value or ()], **level}


def _line(line: Values) -> dict[str, Any]:
    return {_LINE_KEYS.get(name, name): _line_value(name, given) for name, given in line.items() if _told(name, given)}


_LINE_KEYS = {"id": "line_item_id"}
_CLEARED: Mapping[str, Any] = {"discount": Decimal(0), "description": "", "unit": ""}
"""What null means in a line; for anything else it is as if left out."""


def _told(name: str, given: Any) -> bool:
    return given is not None or name in _CLEARED


def _line_value(name: str, given: Any) -> Any:
    if given is None:
        return _CLEARED[name]
    return _discount_text(given) if name == "discount" else given


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
