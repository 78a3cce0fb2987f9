"""How a field gets its value, as data: every executor reads the same declaration.

A source is called with (record, context, **arguments) and returns a value or an awaitable of one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class MoneyOf:
    """An amount of the record in the record's currency."""

    name: str

    def __call__(self, record: Any, _context: Context) -> Money | None:
        """Join amount and currency; None where either is absent."""
        amount, currency = getattr(record, self.name), record.currency_code
        return None if amount is None or currency is None else Money(amount, currency)


@dataclass(frozen=True, slots=True)
class Derived:
    """A value computed from the record and the request, without waiting."""

    function: Callable[..., Any]

    def __call__(self, record: Any, context: Context, **arguments: Any) -> Any:
        """Compute it."""
        return self.function(record, context, **arguments)


@dataclass(frozen=True, slots=True)
class Reporting:
    """A value that may be partial: the function is also given `info`, to report what is missing at the field."""

    function: Callable[..., Any]

    def __call__(self, record: Any, context: Context, **arguments: Any) -> Any:
        """Compute it."""
        return self.function(record, context, **arguments)


@dataclass(frozen=True, slots=True)
class Full:
    """A value that only a full record has: list rows are completed first, in one batch a level."""

    source: Source

    def __call__(self, record: Any, context: Context, **arguments: Any) -> Any:
        """Take it from the record when it is complete, else from the completed one."""
        if record.complete:
            return self.source(record, context, **arguments)
        return self._completed(record, context, arguments)

    async def _completed(self, record: Any, context: Context, arguments: dict[str, Any]) -> Any:
        full = await context.loaders.full(record).load(record.id)
        value = self.source(full, context, **arguments)
        return await value if isinstance(value, Awaitable) else value


@dataclass(frozen=True, slots=True)
class One:
    """The record that an attribute names, through the loader of that name."""

    loader: str
    key: str

    def __call__(self, record: Any, context: Context) -> Any:
        """Load it; None where the attribute is absent."""
        key = getattr(record, self.key)
        return None if key is None else getattr(context.loaders, self.loader).load(key)
