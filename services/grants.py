"""Grants as the database keeps them, and those that the products' default roles start with."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from services.policy import (
    FINANCE,
    NOTHING,
    VIEW_CREATE_EDIT,
    VIEW_ONLY,
    Action,
    CapabilitySet,
    ModuleGrant,
    Product,
    capable,
)
from services.storage.models import Json

Grants = Mapping[str, ModuleGrant]
"""What one source allows, by module."""

_WORK = frozenset(Action) - {Action.APPROVE}


def modules(product: Product) -> tuple[str, ...]:
    """The finance modules that a product holds."""
    return tuple(module for module, holder in FINANCE.items() if holder is product)


def _everywhere(product: Product, actions: Iterable[Action], *, assigned_only: bool = False) -> Grants:
    grant = ModuleGrant(frozenset(actions), assigned_only=assigned_only)
    customers = ModuleGrant(VIEW_CREATE_EDIT, assigned_only=assigned_only)
    return dict.fromkeys(modules(product), grant) | {"customers": customers}


DEFAULT_ROLES: Mapping[Product, Mapping[str, Grants]] = {
    Product.BOOKS: {
        "admin": _everywhere(Product.BOOKS, Action),
        "staff": _everywhere(Product.BOOKS, _WORK),
        "staff_assigned": _everywhere(Product.BOOKS, _WORK, assigned_only=True),
        "timesheetstaff": {},
        "approver": _everywhere(Product.BOOKS, Action),
    },
    Product.BILLING: {
        "admin": _everywhere(Product.BILLING, Action),
        "staff": _everywhere(Product.BILLING, _WORK),
    },
}
"""What an organization's roles are filled in with when it is provisioned (facts §6; the exact columns of Books' default
roles are an assumption, `approver` the usual custom role). From then on its administrators keep them."""


def stored(grants: Grants) -> Json:
    """As a JSON column holds them."""
    kept: Json = msgspec.to_builtins(dict(grants), order="deterministic")
    return kept


def read(grants: Json) -> Grants:
    """From a JSON column; raises `msgspec.ValidationError` when it is not of this shape."""
    return msgspec.convert(grants, dict[str, ModuleGrant])


def of(product: Product, granted: Grants | None) -> Grants | None:
    """The part of these grants that is about a product's own modules; None stays: all of them."""
    return None if granted is None else {name: granted[name] for name in modules(product) if name in granted}


def narrowed(capability_set: CapabilitySet, granted: Grants | None, product: Product = Product.BOOKS) -> Grants:
    """What an integration user may do: the granted permissions, never more than the set; None grants all of it.

    Whoever sees a document sees its customer.
    """
    held = capable(product, capability_set)
    everything = {module: ModuleGrant(actions) for module, actions in held.items()}
    chosen = everything if granted is None else granted
    kept = {module: _within(chosen.get(module, NOTHING), actions) for module, actions in held.items()}
    kept = {module: grant for module, grant in kept.items() if grant.actions}
    return kept | {"customers": ModuleGrant(VIEW_ONLY)} if kept else {}


def mailing(grants: Grants) -> Grants:
    """The grants of an integration user, who may also mail what they may edit.

    Their mail leaves through our own server, not through the product: there it only counts the document as sent.
    """
    return {
        module: replace(grant, actions=grant.actions | {Action.EMAIL})
        if FINANCE.get(module) is Product.BOOKS and Action.EDIT in grant.actions
        else grant
        for module, grant in grants.items()
    }


def _within(grant: ModuleGrant, actions: frozenset[Action]) -> ModuleGrant:
    return ModuleGrant(grant.actions & actions, grant.hidden, grant.read_only, grant.assigned_only)
