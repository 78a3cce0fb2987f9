"""What records travel in: the envelopes of Books and Billing (facts §1.3), and a page of rows as our own value."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar

from msgspec import Struct, defstruct, field
from msgspec.json import Decoder

from services.storage.clock import now

T = TypeVar("T")

LARGEST_PAGE = 200
"""Rows a page, in all three products."""


class Envelope(Struct, kw_only=True):
    """What every answer of Books and Billing is wrapped in; a code other than 0 is a failure, whatever the status."""

    code: int | str
    message: str | None = None


class PageContext(Struct):
    """What a list says about itself; the products give no totals."""

    has_more_page: bool = False


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """A page of list rows, whether more follow, and when they were true. The rows may be shared: do not change them."""

    rows: list[T]
    more: bool
    at: datetime

    @classmethod
    def of(cls, page: Any) -> "Rows[T]":
        """From a decoded page of Books or Billing."""
        context = page.page_context
        return cls(page.rows, context is not None and context.has_more_page, now())


@cache
def page_of(key: str, row: Any) -> Callable[[bytes], Any]:
    """A decoder of list pages (`rows`, `page_context`).

    For the same arguments it is the same object, by which equal reads are known as equal.
    """
    rows = ("rows", list[row], field(name=key))
    context = ("page_context", PageContext | None, None)
    return Decoder(defstruct("Page", [rows, context], bases=(Envelope,), kw_only=True)).decode


@cache
def one_of(key: str, record: Any) -> Callable[[bytes], Any]:
    """A decoder of single records (`record`)."""
    return Decoder(defstruct("One", [("record", record, field(name=key))], bases=(Envelope,), kw_only=True)).decode
