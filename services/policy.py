"""Who may do what, and why: data and one decision, no I/O.

A permission reads `module.action` or `module.action.field`, as published by `@permission(requires:)`.
The effective permission is what the CRM profile grants ∩ what the user's access to the product grants;
several accesses to products add up (union).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from functools import cached_property


class Product(StrEnum):
    """A Zoho product behind the gateway."""

    CRM = "CRM"
    BOOKS = "BOOKS"
    BILLING = "BILLING"


class Action(StrEnum):
    """What a permission on a module allows; the value is its word in a permission."""

    VIEW = "view"
    CREATE = "create"
    EDIT = "edit"
    APPROVE = "approve"
    EMAIL = "email"


class AccessKind(StrEnum):
    """Under whose access a viewer's calls to a product run."""

    OWNER_DELEGATED = "OWNER_DELEGATED"
    PRODUCT_USER = "PRODUCT_USER"
    INTEGRATION_USER = "INTEGRATION_USER"
    NONE = "NONE"


class CapabilitySet(StrEnum):
    """The widest grants an integration user may hold."""

    ESTIMATES_ONLY = "ESTIMATES_ONLY"
    ALL_FINANCE_MODULES = "ALL_FINANCE_MODULES"


class Source(Enum):
    """A rule that may withhold a permission; the value says who can change it."""

    CRM_PROFILE = "a CRM administrator, in Setup → Security Control → Profiles"
    BOOKS_ROLE = "a Zoho Books administrator, in Settings → Users & Roles"
    BILLING_ROLE = "a Zoho Billing administrator, in Settings → Users & Roles"
    INTEGRATION_GRANT = "an administrator of this integration, by changing the integration user's grants"
    OWNERSHIP = "the owner of the integration, who alone may do it"
    RECORD_SCOPE = "a Zoho Books administrator, by assigning the customer to the user"


PUBLIC = "public"
MANAGE = "integration.manage"
"""Administrators of the integration: the CRM profile's permission to manage Zoho Finance."""
AUDIT = "audit.view"
LIMIT_RAISE = "integration.limitRaise"
"""Only the owner of the integration, who answers for the licence."""
ADMINISTRATION = frozenset(
    {
        *(MANAGE, AUDIT, LIMIT_RAISE, "integration.setUp", "capabilities.upgrade"),
        *("integration.usersAdd", "integration.usersUpdate", "integration.usersRemove"),
        *("migration.view", "migration.run", "migration.pause", "migration.resume"),
        *("migration.cancel", "migration.retry", "migration.rollBack"),
    }
)
"""Permissions that come with the CRM profile's permission to manage Zoho Finance; each mutation has its own."""

FINANCE = {
    "estimates": Product.BOOKS,
    "invoices": Product.BOOKS,
    "salesOrders": Product.BOOKS,
    "purchaseOrders": Product.BOOKS,
    "subscriptions": Product.BILLING,
}
"""The finance modules and the product that holds each."""
PARTIES = {"customers": Product.BOOKS}
"""Modules that only a product knows: the CRM profile has no say in them."""
DIRECTORY = frozenset({"accounts", "contacts"})
"""Modules that only the CRM knows."""
MODULES = frozenset({*FINANCE, *PARTIES, *DIRECTORY})
MOST_DECISIONS = 2_000
"""That are remembered of one viewer, who may ask about any name: the schema has far fewer permissions."""
_FIELD = re.compile(r"[A-Za-z][0-9A-Za-z]{0,63}")


@dataclass(frozen=True, slots=True)
class ModuleGrant:
    """What one source allows on one module. Field names are those of the published schema."""

    actions: frozenset[Action] = frozenset()
    hidden: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset()
    assigned_only: bool = False

    def allows(self, action: Action, field: str | None) -> bool:
        """Whether the action is granted, and for a field, that it is neither hidden nor, for writes, read-only."""
        if action not in self.actions:
            return False
        return field is None or field not in (self.hidden if action is Action.VIEW else self.hidden | self.read_only)

    def __or__(self, other: "ModuleGrant") -> "ModuleGrant":
        """The union: what either allows."""
        if not self.actions or not other.actions:
            return self if self.actions else other
        return ModuleGrant(
            self.actions | other.actions,
            self.hidden & other.hidden,
            (self.read_only | self.hidden) & (other.read_only | other.hidden),
            self.assigned_only and other.assigned_only,
        )


NOTHING = ModuleGrant()
EVERYTHING = ModuleGrant(frozenset(Action))

VIEW_ONLY = frozenset({Action.VIEW})
VIEW_CREATE_EDIT = frozenset({Action.VIEW, Action.CREATE, Action.EDIT})
CAPABILITIES: Mapping[CapabilitySet, Mapping[str, frozenset[Action]]] = {
    CapabilitySet.ESTIMATES_ONLY: {
        "estimates": VIEW_CREATE_EDIT,
        "invoices": VIEW_ONLY,
        "salesOrders": VIEW_ONLY,
        "purchaseOrders": VIEW_ONLY,
    },
    CapabilitySet.ALL_FINANCE_MODULES: {
        "estimates": VIEW_CREATE_EDIT,
        "invoices": VIEW_CREATE_EDIT,
        "salesOrders": VIEW_CREATE_EDIT,
        "purchaseOrders": VIEW_CREATE_EDIT,
    },
}
"""The announcement's capability sets, which are about Books. Neither holds delete, approve or e-mail."""
IN_BILLING: Mapping[str, frozenset[Action]] = {"subscriptions": frozenset({Action.VIEW, Action.CREATE})}
"""What an integration user of Billing may hold, whatever the set: the module's list, view and create."""


def capable(product: Product, capability_set: CapabilitySet) -> Mapping[str, frozenset[Action]]:
    """What an integration user of a product may hold at most."""
    return IN_BILLING if product is Product.BILLING else CAPABILITIES[capability_set]


@dataclass(frozen=True, slots=True)
class ProductAccess:
    """A viewer's access to one product and the grants that come with it, by module."""

    product: Product
    kind: AccessKind
    grants: Mapping[str, ModuleGrant] = field(default_factory=dict)
    role: str | None = None
    capability_set: CapabilitySet | None = None
    migrated_at: datetime | None = None
    app_url: str | None = None
    """Where the product's own pages begin; absent for those with no direct access to the product."""

    @property
    def source(self) -> Source:
        """The rule that withholds what these grants lack."""
        if self.kind is AccessKind.INTEGRATION_USER:
            return Source.INTEGRATION_GRANT
        return Source.BILLING_ROLE if self.product is Product.BILLING else Source.BOOKS_ROLE


@dataclass(frozen=True)
class Viewer:
    """The signed-in CRM user: who it is and everything that decides what they may do."""

    id: str
    organization_id: str
    name: str
    email: str
    profile_name: str
    profile: Mapping[str, ModuleGrant]
    access: tuple[ProductAccess, ...]
    administers: bool = False
    owns: bool = False
    """Whether the organization's connections are the viewer's."""
    acting_user_field: str = "cf_acting_user"
    """The products' custom field that takes the e-mail address of an integration user."""
    reference_field: str = "cf_gateway_reference"
    """The products' custom field that takes our own reference of a write."""
    freshness_seconds: int = 30
    """How old an answer may be where an operation does not say it."""

    @cached_property
    def by_product(self) -> Mapping[Product, ProductAccess]:
        """The access to each product that the organization has connected."""
        return {access.product: access for access in self.access}

    def access_to(self, product: Product) -> ProductAccess:
        """The access to a product; one of kind NONE when there is none."""
        return self.by_product.get(product) or ProductAccess(product, AccessKind.NONE)

    @cached_property
    def _decisions(self) -> dict[str, "Decision"]:
        return {}

    def decide(self, permission: str) -> "Decision":
        """Decide one permission; repeated questions cost a dictionary look-up.

        Raises `UnknownPermission` for a word that names no module or action, or what no field can be called.
        """
        try:
            return self._decisions[permission]
        except KeyError:
            decision = _decide(self, permission)
            if len(self._decisions) >= MOST_DECISIONS:
                self._decisions.clear()
            return self._decisions.setdefault(permission, decision)

    def may(self, permission: str) -> bool:
        """Whether the permission is granted."""
        return self.decide(permission).granted

    def own_grants(self) -> Iterable[ModuleGrant]:
        """What the products grant, module by module."""
        return (grant for access in self.access for grant in access.grants.values())

    def grant(self, module: str) -> ModuleGrant:
        """What the products together grant on a module."""
        total = NOTHING
        for access in self.access:
            total |= access.grants.get(module, NOTHING)
        return total


def actor(organization_id: str, member_id: str, name: str, email: str) -> Viewer:
    """Somebody as the audit names who did something: what they may do is not asked here."""
    return Viewer(
        id=member_id, organization_id=organization_id, name=name, email=email, profile_name="", profile={}, access=()
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer that explains itself."""

    permission: str
    granted: bool
    missing_from: tuple[Source, ...] = ()
    through: tuple[Product, ...] = ()
    """The products whose access grants it."""

    @property
    def granted_by(self) -> str | None:
        """Who can grant what is missing; absent when nothing is."""
        return " and ".join(source.value for source in self.missing_from) or None


class UnknownPermission(ValueError):
    """There is no such permission."""


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission taken apart."""

    module: str
    action: Action
    field: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Permission":
        """Take `module.action[.field]` apart; raises `UnknownPermission`."""
        module, _, rest = text.partition(".")
        action, dot, name = rest.partition(".")
        if module not in MODULES or action not in set(Action) or (dot and not _FIELD.fullmatch(name)):
            raise UnknownPermission(text)
        return cls(module, Action(action), name or None)


def _decide(viewer: Viewer, text: str) -> Decision:
    if text == PUBLIC:
        return Decision(text, granted=True)
    if text in ADMINISTRATION:
        if viewer.administers and (viewer.owns or text != LIMIT_RAISE):
            return Decision(text, granted=True, through=(Product.CRM,))
        alone = text == LIMIT_RAISE and not viewer.owns
        lacking = (Source.CRM_PROFILE,) * (not viewer.administers) + (Source.OWNERSHIP,) * alone
        return Decision(text, granted=False, missing_from=lacking)
    permission = Permission.parse(text)
    missing = tuple(_missing(viewer, permission))
    return Decision(text, not missing, missing, () if missing else tuple(_through(viewer, permission)))


def _missing(viewer: Viewer, permission: Permission) -> Iterable[Source]:
    module = permission.module
    by_profile = viewer.profile.get(module, NOTHING)
    if module not in PARTIES and not by_profile.allows(permission.action, permission.field):
        yield Source.CRM_PROFILE
    if module not in DIRECTORY and not viewer.grant(module).allows(permission.action, permission.field):
        yield viewer.access_to((FINANCE | PARTIES)[module]).source


def _through(viewer: Viewer, permission: Permission) -> Iterable[Product]:
    if permission.module in DIRECTORY:
        yield Product.CRM
    for access in viewer.access:
        if access.grants.get(permission.module, NOTHING).allows(permission.action, permission.field):
            yield access.product
