"""Cursors: places in one list. Clients hold them, and can neither read nor make them.

The value by which a list is ordered stands in them, also where the viewer may not see it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from resolvers.context import Context
from services.errors import BadUserInput
from services.listing import Cursor
from services.storage.sealing import Opaque


@dataclass(frozen=True, slots=True)
class Cursors:
    """Those of one list of one organization; no other list takes them."""

    opaque: Opaque
    of: str
    """What makes the list this one."""

    @classmethod
    def of_list(cls, context: Context, *identity: Any) -> "Cursors":
        """Those of the list of the viewer's organization that this describes."""
        return cls(context.services.opaque, json.dumps([context.viewer.organization_id, *identity], default=str))

    def write(self, cursor: Cursor) -> str:
        """A place as opaque text."""
        value = None if cursor.value is None else str(cursor.value)
        place = [value, cursor.rank, cursor.id, cursor.offsets]
        return self.opaque.close(json.dumps(place, separators=(",", ":")), self.of)

    def read(self, text: str | None, parse: Callable[[str], Any] = str) -> Cursor | None:
        """A client's cursor; raises `BadUserInput` for one that was not given for this list."""
        if text is None:
            return None
        try:
            value, rank, record_id, offsets = json.loads(self.opaque.open(text, self.of))
            return Cursor(None if value is None else parse(value), rank, record_id, offsets)
        except (ValueError, TypeError, ArithmeticError) as error:  # also one that an older release has written
            raise BadUserInput(
                f"{text[:80]!r} is not a cursor of this list.",
                field=("after",),
                hint="Use an `endCursor` you were given, and keep filters, order and parent the same while paging.",
            ) from error
