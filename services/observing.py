"""Who watches services at work: they import no library of telemetry, and without a watcher nothing is done."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

Attributes = Mapping[str, str | int]
"""What a span says of itself: never a value that a user sent or a product answered."""


class Span(Protocol):
    """Something that takes time."""

    def set_attribute(self, key: str, value: str | int) -> None:
        """Say something more of it."""

    def end(self) -> None:
        """It is over; only for spans that no block ends."""


class Tracer(Protocol):
    """Follows one request through everything that is done for it."""

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """A span of the block; what begins within it belongs to it."""

    def afresh(self, name: str, attributes: Attributes, cause: str | None) -> AbstractContextManager[Span]:
        """A span of the block that begins a trace; `cause` is the `outgoing` of what led to it, if that is known."""

    def inner(self, name: str, attributes: Attributes) -> Span | None:
        """A span to be ended by hand; None outside of any other."""

    def outgoing(self) -> Mapping[str, str]:
        """The headers by which another server can go on with the trace."""


class Meter(Protocol):
    """Counts calls."""

    def called(self, product: str, status: int | None, seconds: float) -> None:
        """A product was called; the status is None when no answer came."""


@dataclass(frozen=True, slots=True)
class Observing:
    """The watchers; None of those that are switched off."""

    meter: Meter | None = None
    tracer: Tracer | None = None


NOBODY = Observing()
