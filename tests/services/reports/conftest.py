from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.policy import AccessKind, Action, ModuleGrant, Product, ProductAccess, Viewer


@pytest.fixture
def today() -> date:
    """The organization's day."""
    return datetime.now(ZoneInfo("Europe/Berlin")).date()


@pytest.fixture
def viewer() -> Callable[..., Viewer]:
    """A viewer of an organization who sees all subscriptions but for some fields."""

    def made(organization_id: str, hidden: frozenset[str] = frozenset(), **more: object) -> Viewer:
        grant = ModuleGrant(frozenset({Action.VIEW}), hidden=hidden, **more)  # type: ignore[arg-type]
        access = ProductAccess(Product.BILLING, AccessKind.PRODUCT_USER, {"subscriptions": grant})
        everything = ModuleGrant(frozenset(Action))
        return Viewer(
            "m1", organization_id, "Sales", "sales@demo.example", "Standard", {"subscriptions": everything}, (access,)
        )

    return made
