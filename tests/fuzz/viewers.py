"""Viewers with grants at random."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from services.policy import (
    MODULES,
    AccessKind,
    Action,
    ModuleGrant,
    Product,
    ProductAccess,
    Viewer,
)

NOBODY = Viewer("1", "1", "Staff", "staff@demo.example", "Standard", {}, ())


def granted(chance: Random, hideable: Sequence[str], who: Viewer = NOBODY) -> Viewer:
    """The viewer with other grants: often all, else some."""
    share = chance.choice((1.0, 1.0, 0.9, 0.6))
    grants = partial(_grants, chance, share, hideable)
    products = [access.product for access in who.access] or [Product.BOOKS, Product.BILLING]
    return replace(
        who,
        profile=grants(),
        access=tuple(ProductAccess(product, AccessKind.PRODUCT_USER, grants()) for product in products),
        administers=chance.random() < share,
        owns=chance.random() < share,
    )


def _grants(chance: Random, share: float, hideable: Sequence[str]) -> dict[str, ModuleGrant]:
    return {
        module: ModuleGrant(_some(chance, share, list(Action)), _some(chance, (1 - share) / 2, hideable))
        for module in sorted(MODULES)
    }


def _some(chance: Random, share: float, values: Sequence[Any]) -> frozenset[Any]:
    return frozenset(value for value in values if chance.random() < share)
