"""The documents that a document came from and became."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from resolvers.context import Context
from resolvers.relations import Full
from services.documents import Document, Estimate, Module, SalesOrder
from services.errors import LimitReached, NotFound
from services.kinds import KINDS

MOST_CANDIDATES = 50
"""Documents of one customer that are looked through for those made from an estimate."""

_SOURCE = {Module.ESTIMATES: "estimate_id", Module.SALES_ORDERS: "salesorder_id"}
_UNCONVERTED = frozenset({"draft", "pending_approval"})


def came_from(module: Module) -> Full:
    """The document of `module` that the record was made from; None when there is none or the viewer may not see it."""
    key = _SOURCE[module]

    async def resolve(record: Document, context: Context) -> Document | None:
        source = getattr(record, key)
        if source is None or not context.viewer.may(f"{module}.view"):
            return None
        try:
            return await context.loaders.documents(module).load(source)
        except NotFound:
            return None

    return Full(resolve)


def made_from(module: Module) -> Callable[..., Any]:
    """The documents of `module` that were made from the record."""

    async def resolve(record: Document, context: Context) -> list[Document]:
        if not context.viewer.may(f"{module}.view"):
            return []
        if isinstance(record, SalesOrder):
            return await _named(context, module, (made.id for made in record.invoices))
        if isinstance(record, Estimate) and record.status not in _UNCONVERTED:
            return await _searched(context, module, record)
        return []

    return Full(resolve)


async def _named(context: Context, module: Module, ids: Iterable[str]) -> list[Document]:
    found = await asyncio.gather(*map(context.loaders.documents(module).load, ids), return_exceptions=True)
    unexpected = [one for one in found if isinstance(one, BaseException) and not isinstance(one, NotFound)]
    if unexpected:
        raise unexpected[0]
    return [one for one in found if isinstance(one, Document)]


async def _searched(context: Context, module: Module, estimate: Estimate) -> list[Document]:
    """An estimate does not name what became of it (facts §1.7), so its customer's later documents are asked."""
    kind = KINDS[module]
    asked = {"customer_id": estimate.customer_id or "", "sort_column": "created_time", "sort_order": "D"}
    if estimate.date:
        asked["date_start"] = estimate.date.isoformat()
    rows = await context.services.documents.rows(context.errand, kind, asked, 1, MOST_CANDIDATES)
    context.loaders.saw(rows.rows, rows.at)
    if rows.more:
        raise LimitReached(
            f"The customer has more than {MOST_CANDIDATES} later {kind.word}s to look through.",
            hint=f"List {kind.plural} with a filter instead.",
        )
    candidates = await _named(context, module, (row.id for row in rows.rows))
    return [one for one in candidates if getattr(one, "estimate_id", None) == estimate.id]
