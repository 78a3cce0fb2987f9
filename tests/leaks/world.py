"""People and what they may see: the model, written from the rules and not from the gateway's code."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypedDict

from tests.leaks import facts
from tests.leaks.canaries import ANY, Canary

BOOKS, BILLING, CRM = "BOOKS", "BILLING", "CRM"
DOCUMENTS = ("estimates", "invoices", "salesOrders", "purchaseOrders")
MODULES = {BOOKS: (*DOCUMENTS, "customers"), BILLING: ("subscriptions", "customers"), CRM: ("accounts", "contacts")}
FIELDS = {
    "estimates": ("number", "customer", "total", "notes", "lineItems", "salesperson", "customFields", "subTotal"),
    "invoices": ("number", "customer", "total", "balance", "notes", "lineItems", "customFields", "paymentMade"),
    "salesOrders": ("number", "customer", "total", "terms", "lineItems", "referenceNumber", "createdBy", "discount"),
    "purchaseOrders": ("number", "vendor", "total", "notes", "lineItems", "taxTotal", "adjustment"),
    "subscriptions": ("number", "customer", "name", "total", "amount", "mrr", "plan", "activities"),
    "customers": ("outstanding",),
    "accounts": ("name", "phone", "website"),
    "contacts": ("name", "email", "phone"),
}
"""The fields that can be hidden by themselves."""
ORIGIN = {module: (BOOKS, module) for module in (*DOCUMENTS, "customers")} | {
    "subscriptions": (BILLING, "subscriptions"),
    "billed": (BILLING, "customers"),
    "accounts": (CRM, "accounts"),
    "contacts": (CRM, "contacts"),
}
"""The product that a canary comes from, and the module whose permission shows it."""
SAME = {"total": ("total", "amount", "mrr")}
"""Values of a subscription that stand in several fields."""

Shown = Mapping[str, frozenset[str]]
"""Modules that are seen, each with the fields that are hidden."""


def everything(product: str) -> Shown:
    """All modules of a product with all fields."""
    return dict.fromkeys(MODULES[product], frozenset())


@dataclass(frozen=True, kw_only=True)
class Person:
    """All that decides what somebody may see; `seat` is what an integration user of Books was granted."""

    key: str
    company: str
    owner: str
    profile: Shown
    roles: Mapping[str, Shown]
    connected: frozenset[str] = frozenset()
    migrated: bool = True
    assigned_only: bool = False
    seat: Shown | None = None

    def access(self, product: str) -> str | None:
        """Under whose access they work in a product."""
        if product == CRM:
            return self.key if CRM in self.connected else self.owner
        if self.migrated and product in self.connected:
            return self.key
        if product == BOOKS and self.seat is not None:
            return self.owner
        uses = any(module in self.profile for module in MODULES[product] if module != "customers")
        return self.owner if uses and not self.migrated and self.seat is None else None

    def shown(self, product: str) -> Shown:
        """What their access to a product shows."""
        access = self.access(product)
        if access is None:
            return {}
        if self.migrated and product in self.connected:
            return self.roles.get(product, {})
        if product == BOOKS and self.seat is not None:
            return {**self.seat, "customers": frozenset()} if self.seat else {}
        return everything(product)

    def scoped(self, product: str) -> bool:
        """Whether the product shows them the records of some customers only."""
        return product == BOOKS and self.assigned_only and self.access(BOOKS) == self.key

    def sees(self, module: str, field: str) -> bool:
        """Whether profile and products both show a field."""
        by_profile = module == "customers" or _shows(self.profile, module, field)
        by_product = module in MODULES[CRM] or any(_shows(self.shown(one), module, field) for one in (BOOKS, BILLING))
        return by_profile and by_product

    @property
    def sees_all(self) -> bool:
        """Whether nothing of their company is hidden from them."""
        finance = (BOOKS, BILLING)
        whole = all(self.shown(one) == everything(one) and not self.scoped(one) for one in finance)
        return whole and all(self.profile.get(module) == frozenset() for one in MODULES for module in MODULES[one])

    def told(self, module: str) -> str:
        """How much of a module a product tells them under their own access."""
        product, name = ORIGIN[module]
        if product == BOOKS and self.assigned_only:
            return "s"
        return "r" if self.roles.get(product, {}).get(name) else "a"

    def may_see(self, canary: Canary) -> bool:
        """Whether they may be shown it: what they were told, or what the copy may tell who sees all."""
        product, module = ORIGIN[canary.module]
        fields = SAME.get(canary.field, (canary.field,)) if module == "subscriptions" else (canary.field,)
        if canary.company != self.company or not any(self.sees(module, field) for field in fields):
            return False
        if canary.access in (ANY, self.access(product)):
            return not self.scoped(product) or facts.is_assigned(self.key, canary.module, canary.record)
        if product == CRM or canary.told != "a" or self.scoped(product):
            return False
        return any(_shows(self.shown(product), module, field) for field in fields)


def _shows(shown: Shown, module: str, field: str) -> bool:
    return module in shown and field not in shown[module]


class World:
    """Everybody as they are, as they were, and as they are about to be."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._history = {person.key: [person] for person in people}
        self._in_force = dict.fromkeys(self._history, 0)

    @property
    def people(self) -> Sequence[str]:
        """All by their keys."""
        return tuple(self._history)

    def person(self, key: str) -> Person:
        """As they are now, or are about to be."""
        return self._history[key][-1]

    def since(self, key: str) -> int:
        """The moment from which on they may be seen as they were."""
        return self._in_force[key]

    def states(self, key: str, since: int) -> Sequence[Person]:
        """As they were, one after another, from a moment on."""
        return self._history[key][since:]

    def change(self, person: Person) -> None:
        """Somebody is about to be changed."""
        self._history[person.key].append(person)

    def changed(self, key: str) -> None:
        """The change is in force for everybody who asks from now on."""
        self._in_force[key] = len(self._history[key]) - 1


def beginning() -> list[Person]:
    """Everybody as they are at first."""
    return [_person(*key.split("_")) for key in facts.KEYS]


def _person(company: str, local: str) -> Person:
    person = Person(
        key=f"{company}_{local}",
        company=company,
        owner=f"{company}_owner",
        profile={name: frozenset() for modules in MODULES.values() for name in modules},
        roles={BOOKS: everything(BOOKS), BILLING: everything(BILLING)},
    )
    return replace(person, **_DIFFERENCES[local])


class Difference(TypedDict, total=False):
    """What is otherwise than with most."""

    connected: frozenset[str]
    migrated: bool
    assigned_only: bool
    roles: Mapping[str, Shown]
    seat: Shown


_DIFFERENCES: Mapping[str, Difference] = {
    "owner": {"connected": frozenset({BOOKS, BILLING, CRM})},
    "staff": {"connected": frozenset({BOOKS, BILLING, CRM})},
    "scoped": {"connected": frozenset({BOOKS}), "assigned_only": True},
    "hidden": {
        "connected": frozenset({BOOKS, CRM}),
        "roles": {BOOKS: {module: frozenset(FIELDS[module][2:4]) for module in MODULES[BOOKS]}, BILLING: {}},
    },
    "billing": {"connected": frozenset({BOOKS, BILLING}), "assigned_only": True},
    "seat": {"seat": {"estimates": frozenset(), "invoices": frozenset({"balance"})}},
    "legacy": {"migrated": False},
}


def at_random(person: Person, chance: Random) -> Person:
    """The same person with other grants that the gateway alone knows of."""
    kind = chance.choice(("profile", "profile", "profile", "seat", "migrated", "connected"))
    if kind == "profile":
        every = {name for names in MODULES.values() for name in names}
        whole = chance.random() < 0.4
        return replace(person, profile=dict.fromkeys(sorted(every), frozenset()) if whole else _some(chance, every))
    if kind == "seat" and person.seat is not None:
        return replace(person, seat=_some(chance, DOCUMENTS))
    if kind == "migrated" and person.seat is None:
        return replace(person, migrated=not person.migrated)
    return person if person.key == person.owner else replace(person, connected=person.connected ^ {BOOKS})


def told_otherwise(person: Person, chance: Random) -> Person:
    """The same person with another role in the products, which then tell more or less."""
    if chance.random() < 0.4:
        return replace(person, assigned_only=not person.assigned_only)
    return replace(person, roles={product: _some(chance, MODULES[product]) for product in (BOOKS, BILLING)})


def _some(chance: Random, modules: Iterable[str]) -> Shown:
    """Most of the modules, in some of them a few fields hidden."""
    return {
        module: frozenset(field for field in FIELDS[module] if chance.random() < 0.25)
        if chance.random() < 0.5
        else frozenset()
        for module in sorted(modules)
        if chance.random() < 0.85
    }
