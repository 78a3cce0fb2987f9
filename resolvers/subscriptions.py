"""What only subscriptions have."""

from typing import Any

from resolvers.context import Context
from services import revenue
from services.directory_values import BillingAddon, BillingPlan
from services.documents import Activity, Money, Subscription
from services.errors import LimitReached


def mrr(record: Subscription, _context: Any) -> Money | None:
    """Monthly recurring revenue."""
    return revenue.mrr(record)


def interval(record: Subscription, _context: Any) -> int | None:
    """Units between two charges."""
    return revenue.interval(record)


async def activities(record: Subscription, context: Context) -> list[Activity]:
    """The history, as the product keeps it."""
    return await context.services.billing.activities(context.errand, record.id)


MOST_PAGES = 5
"""Pages of 200 that a catalogue may have."""


async def plans(_root: Any, context: Context) -> list[BillingPlan]:
    """The plans that a subscription can have."""
    return await _catalogue(context, context.services.billing.plans, "PlanStatus.ACTIVE")


async def addons(_root: Any, context: Context) -> list[BillingAddon]:
    """The add-ons that a subscription can have."""
    return await _catalogue(context, context.services.billing.addons, "AddonStatus.ACTIVE")


async def _catalogue(context: Context, read: Any, active: str) -> list[Any]:
    found: list[Any] = []
    for page in range(1, MOST_PAGES + 1):
        rows = await read(context.errand, {"filter_by": active}, page)
        found += rows.rows
        if not rows.more:
            return found
    raise LimitReached(f"The catalogue has more than {len(found)} entries.", hint="Choose by code in Zoho Billing.")
