"""How long the lists without pages are taken to be when the cost of an operation is counted."""

from collections.abc import Mapping

UNPAGED: Mapping[str, int] = {
    "access": 2,
    "activities": 20,
    "availableActions": 8,
    "columns": 10,
    "components": 6,
    "customViews": 10,
    "dashboards": 2,
    "lineItems": 10,
    "permissions": 100,
    "products": 3,
    "reports": 20,
    "subscriptionAddons": 50,
    "subscriptionPlans": 50,
}
"""By the name of the field; others are shorter."""
