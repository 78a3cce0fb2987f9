"""Live operations of everybody, kept open while grants change."""

import asyncio
from collections.abc import Callable

import msgspec

from tests.leaks.door import posted
from tests.leaks.stage import Stage

WATCHED = """
subscription Watched {
  documentChanged {
    module change documentId asOf
    document {
      id number referenceNumber total { amount } availableActions { name }
      ... on Invoice { balance { amount } notes lineItems { name rate } customer { name email } }
      ... on Estimate { notes customFields { value } account { name } }
      ... on SalesOrder { terms createdBy { name } estimate { number } }
      ... on PurchaseOrder { notes vendor { name phone } }
      ... on Subscription { name mrr { amount } plan { name } activities { description } }
    }
  }
}
"""


class Watchers:
    """Everybody's stream of changed documents; `heard` is given the person and what has come."""

    def __init__(self, stage: Stage, heard: Callable[[str, str], None]) -> None:
        self._stage, self._heard = stage, heard
        self._open: dict[str, asyncio.Task[None]] = {}

    def renew(self) -> None:
        """Open the streams of those who have none, as at first and when theirs was ended."""
        for key in self._stage.world.people:
            if key not in self._open or self._open[key].done():
                self._open[key] = asyncio.create_task(self._watch(key))

    async def _watch(self, key: str) -> None:
        body = msgspec.json.encode({"query": WATCHED})
        await posted(
            self._stage.app, self._stage.tokens[key], body, lambda told: self._heard(key, told), b"text/event-stream"
        )

    async def aclose(self) -> None:
        """Leave all of them."""
        for task in self._open.values():
            task.cancel()
        await asyncio.gather(*self._open.values(), return_exceptions=True)
