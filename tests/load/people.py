"""Who uses the gateway: fifty people, each of some role of the demo, and what their roles let them see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.policy import CapabilitySet

BOOKS = ("estimates", "invoices", "salesOrders", "purchaseOrders")
ALL = (*BOOKS, "subscriptions")
NOBODY = frozenset[tuple[str, str]]()


@dataclass(frozen=True, kw_only=True)
class Role:
    """What a person is in the CRM and in the products, and what follows from it: the model's side of the rules.

    `missing`: what keeps a module from them, by product, as errors name it; `hidden`: fields that are null.
    """

    profile: str = "Standard"
    books: str | None = None
    billing: str | None = None
    connected: tuple[str, ...] = ()
    migrated: bool = True
    seat: CapabilitySet | None = None
    sees: tuple[str, ...] = ()
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hidden: frozenset[tuple[str, str]] = NOBODY
    assigned_only: bool = False


_NO_BILLING = {"subscriptions": ("BILLING_ROLE",)}
_STAFF = Role(books="Staff", connected=("CRM", "BOOKS"), sees=BOOKS, missing=_NO_BILLING)
ROLES: Mapping[str, Role] = {
    "owner": Role(
        profile="Administrator", books="Admin", billing="Admin", connected=("CRM", "BOOKS", "BILLING"), sees=ALL
    ),
    "staff": _STAFF,
    "assigned": Role(
        books="Staff (Assigned Customers Only)",
        connected=("CRM", "BOOKS"),
        sees=BOOKS,
        missing=_NO_BILLING,
        assigned_only=True,
    ),
    "approver": Role(books="Approver", connected=("CRM", "BOOKS"), sees=BOOKS, missing=_NO_BILLING),
    "both": Role(books="Staff", billing="Staff", connected=("CRM", "BOOKS", "BILLING"), sees=ALL),
    "readonly": Role(
        profile="Read Only Finance",
        books="Staff",
        billing="Staff",
        connected=("CRM", "BOOKS", "BILLING"),
        sees=ALL,
        hidden=frozenset({("estimates", "discount"), ("invoices", "balance")}),
    ),
    "sales": Role(seat=CapabilitySet.ALL_FINANCE_MODULES, sees=BOOKS, missing=_NO_BILLING),
    "estimator": Role(seat=CapabilitySet.ESTIMATES_ONLY, sees=BOOKS, missing=_NO_BILLING),
    "legacy": Role(migrated=False, sees=ALL),
    "billing": Role(
        billing="Staff",
        connected=("CRM", "BILLING"),
        sees=("subscriptions",),
        missing=dict.fromkeys(BOOKS, ("BOOKS_ROLE",)),
    ),
    "outsider": Role(
        profile="No Finance",
        missing={
            **dict.fromkeys(BOOKS, ("CRM_PROFILE", "BOOKS_ROLE")),
            "subscriptions": ("CRM_PROFILE", "BILLING_ROLE"),
        },
    ),
}
SHARES = {
    "both": 8,
    "staff": 14,
    "readonly": 6,
    "sales": 6,
    "approver": 5,
    "legacy": 4,
    "estimator": 3,
    "billing": 3,
    "outsider": 1,
}
"""Of fifty people."""


@dataclass(frozen=True)
class Person:
    """Somebody of a role; the demo's own people are the first of theirs."""

    name: str
    role: str

    @property
    def email(self) -> str:
        return f"{self.name}@demo.example"


def crowd(count: int) -> Iterator[Person]:
    """So many people, in the shares of fifty."""
    roles = [role for role, share in SHARES.items() for _ in range(share)]
    for number in range(count):
        role = roles[number * len(roles) // count % len(roles)]
        yield Person(f"{role}-{number + 1:02}", role)
