"""`extensions.cost`: what an operation took, for those who ask to be told."""

from typing import Any

from graphql import GraphQLError

from gateway.http.operation import Operation
from gateway.limits.cost import Costs, Sizes, Weights
from schema import schema
from schema.limits import OTHERWISE, PAGE, UNPAGED, weights
from services import Services
from services.errand import Errand
from services.errors import CostExceeded, Forbidden
from services.policy import AccessKind, Product, Viewer

PUBLISHED = schema._schema  # noqa: SLF001  # Strawberry gives no other way to it
SIZES = Sizes(page=PAGE, unpaged=UNPAGED, otherwise=OTHERWISE)
COSTS = Costs(PUBLISHED, SIZES, Weights(fields=weights(PUBLISHED)))


async def bill(services: Services, errand: Errand, operation: Operation) -> dict[str, Any]:
    """Points, calls to the products made and saved, and what is left of the products' budgets as far as is known."""
    products = [call.product for call in errand.calls]
    by = {product: products.count(product) for product in sorted(set(products))}
    budget = [await _left(services, errand.viewer, product) for product in _asked(errand.viewer, by)]
    return {
        "points": points(operation),
        "calls": {"made": len(products), "saved": errand.saved, "by": by},
        "budget": [left for left in budget if left],
    }


def points(operation: Operation) -> int | None:
    """The estimate for an operation; None for one that cannot be read or counted."""
    try:
        cost = COSTS.estimate(operation.query, operation.name, operation.variables)
    except (GraphQLError, RecursionError, CostExceeded):
        return None
    return cost.points if cost else None


def _asked(viewer: Viewer, called: dict[str, int]) -> list[Product]:
    """The products that an operation of this viewer may spend calls of."""
    used = {access.product for access in viewer.access if access.kind is not AccessKind.NONE}
    return [product for product in Product if product in used or product in called]


async def _left(services: Services, viewer: Viewer, product: Product) -> dict[str, Any] | None:
    try:
        connection = await services.credentials.for_viewer(viewer, product)
    except Forbidden:
        return None
    left = services.budget.left((product, connection.product_organization_id))
    return {"product": product, "leftThisMinute": left.minute, "leftToday": left.day}
