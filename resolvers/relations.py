"""How a field gets its value, as data: every executor reads the same declaration.

A source is called with (record, context, **arguments) and returns a value or an awaitable of one. What only reads
says so in `template` and `names`: an expression over `{record}`, `{context}` and `{arguments}`. What is read off
another record says which in `link`.
"""

from asyncio import Future, shield
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from resolvers.context import Context
from services.documents import Money

Source = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of the record."""

    name: str

    def __call__(self, record: Any, _context: Context) -> Any:
        """Read it."""
        return getattr(record, self.name)

    @property
    def template(self) -> str:
        """The same as an expression."""
        return f"{{record}}.{self.name}"

    @property
    def names(self) -> Mapping[str, Any]:
        """It takes no names."""
        return {}


def _money(amount: Any, currency: str | None) -> Money | None:
    return None if amount is None or currency is None else Money(amount, currency)


@dataclass(frozen=True, slots=True)
class MoneyOf:
    """An amount of the record in the record's currency."""

    name: str

    def __call__(self, record: Any, _context: Context) -> Money | None:
        """Join amount and currency; None where either is absent."""
        return _money(getattr(record, self.name), record.currency_code)

    @property
    def template(self) -> str:
        """The same as an expression."""
        return f"{{money}}({{record}}.{self.name}, {{record}}.currency_code)"

    @property
    def names(self) -> Mapping[str, Any]:
        """What joins them."""
        return {"money": _money}

    @property
    def parts(self) -> Mapping[str, str]:
        """The attributes of the value, for whoever needs no `Money`."""
        return {"amount": f"{{record}}.{self.name}", "currency": "{record}.currency_code"}


@dataclass(frozen=True, slots=True)
class Derived:
    """A value computed from the record and the request, without waiting or effects."""

    function: Callable[..., Any]

    def __call__(self, record: Any, context: Context, **arguments: Any) -> Any:
        """Compute it."""
        return self.function(record, context, **arguments)

    @property
    def template(self) -> str:
        """The same as an expression."""
        return "{derived}({record}, {context}{arguments})"

    @property
    def names(self) -> Mapping[str, Any]:
        """The function."""
        return {"derived": self.function}


@dataclass(frozen=True, slots=True)
class Reporting:
    """A value that may be partial: the function is also given `info`, to report what is missing at the field."""

    function: Callable[..., Any]
    reports = True

    def __call__(self, record: Any, context: Context, **arguments: Any) -> Any:
        """Compute it."""
        return self.function(record, context, **arguments)


def _itself(record: Any, _context: Context) -> Any:
    return record


ITSELF = Derived(_itself)
"""The record that was reached."""


def _never(_record: Any) -> None:
    """No record has it at hand."""


@dataclass(frozen=True, slots=True)
class Link:
    """From a record to another one: at hand, or by key through a loader; without a key there is none."""

    loader: Callable[[Any, Context], Any]
    key: Callable[[Any], Any]
    at_hand: Callable[[Any], Any] = _never


@dataclass(frozen=True, slots=True)
class Via:
    """What a source reads off a linked record: all records of a level are loaded in one batch."""

    link: Link
    source: Source = ITSELF

    def __call__(self, record: Any, context: Context, **arguments: Any) -> Any:
        """Read it off the record at hand, or off the loaded one."""
        there = self.link.at_hand(record)
        if there is not None:
            return self.source(there, context, **arguments)
        key = self.link.key(record)
        return None if key is None else self._loaded(self.link.loader(record, context).load(key), context, arguments)

    async def _loaded(self, loading: Future[Any], context: Context, arguments: dict[str, Any]) -> Any:
        there = await shield(loading)  # others wait for the same: it outlives whoever is cancelled
        value = None if there is None else self.source(there, context, **arguments)
        return await value if isinstance(value, Awaitable) else value


def _complete(record: Any) -> Any:
    return record if record.complete else None


COMPLETED = Link(lambda record, context: context.loaders.full(record), attrgetter("id"), _complete)
"""From a row of a list to the full record."""


class Full(Via):
    """A value that only a full record has: list rows are completed first."""

    def __init__(self, source: Source) -> None:
        super().__init__(COMPLETED, source)


class One(Via):
    """The record that an attribute names, through the loader of that name; none where the attribute is absent."""

    def __init__(self, loader: str, key: str) -> None:
        super().__init__(Link(lambda _record, context: getattr(context.loaders, loader), attrgetter(key)))
