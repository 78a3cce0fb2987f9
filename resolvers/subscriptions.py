"""What only subscriptions have."""

from typing import Any

from resolvers.context import Context
from services import revenue
from services.documents import Activity, Money, Subscription


def mrr(record: Subscription, _context: Any) -> Money | None:
    """Monthly recurring revenue."""
    return revenue.mrr(record)


def interval(record: Subscription, _context: Any) -> int | None:
    """Units between two charges."""
    return revenue.interval(record)


async def activities(record: Subscription, context: Context) -> list[Activity]:
    """The history, as the product keeps it."""
    return await context.services.billing.activities(context.errand, record.id)
