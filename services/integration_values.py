"""The integration of an organization as values: what is connected, its integration users, and what changed."""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, reduce
from operator import or_
from typing import Generic, TypeVar

from services import grants
from services.audit import State
from services.directory import Person
from services.drafts import Problem
from services.policy import NOTHING, CapabilitySet, ModuleGrant, Product
from services.rollout import Availability, Phase
from services.storage.models import Organization

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What became of a change: the value when it was made, otherwise all mistakes, and its audit event."""

    value: T | None
    problems: Sequence[Problem]
    audit_event_id: str

    @property
    def outcome(self) -> State:
        """APPLIED or REJECTED."""
        return State.REJECTED if self.problems else State.APPLIED


@dataclass(frozen=True, slots=True)
class ProductConnection:
    """A product and the owner's connection to it."""

    product: Product
    connected: bool
    owner: Person | None = None
    api_domain: str | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which administrators migrate by hand. `remaining_days` are begun ones, 0 once it has closed."""

    opens_at: datetime
    closes_at: datetime
    remaining_days: int
    auto_migration_done_at: datetime | None = None

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self.remaining_days == 0


DAY = timedelta(days=1)
WINDOW_MONTHS = 3


def window_of(organization: Organization, at: datetime) -> Window | None:
    """The organization's window as it is at a moment; None for those who had integration users from the start."""
    opens, closes = organization.window_opens_at, organization.window_closes_at
    if opens is None or closes is None:
        return None
    remaining = -((at - closes) // DAY) if at < closes else 0
    return Window(opens, closes, remaining, organization.auto_migrated_at)


def months_later(at: datetime, months: int) -> datetime:
    """The same day and time some months later, or the last day of a month that is shorter."""
    years, month = divmod(at.month - 1 + months, 12)
    year, month = at.year + years, month + 1
    return at.replace(year=year, month=month, day=min(at.day, monthrange(year, month)[1]))


@dataclass(frozen=True, kw_only=True)
class IntegrationState:
    """The integration as its administrators see it. `rollout` are the phases of its data centre."""

    data_center: str
    edition: str
    products: tuple[ProductConnection, ...]
    available: Availability
    rollout: tuple[Phase, ...]
    limit: int
    count: int
    window: Window | None
    capability_set: CapabilitySet
    freshness_seconds: int


@dataclass(frozen=True, kw_only=True)
class SetUp:
    """What `integrationSetUp` asks for. Without an owner those stay who have connected the products."""

    data_center: str
    edition: str
    owner_member_id: str | None = None
    products: Sequence[Product] = ()
    new_sign_up: bool = False


@dataclass(frozen=True, slots=True)
class NewUser:
    """A member to be made an integration user of a product; `granted` None is all that the capability set holds."""

    member_id: str
    product: Product
    granted: grants.Grants | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A product that gives an integration user permissions. `narrowed`: less than the capability set holds."""

    product: Product
    capability_set: CapabilitySet
    grants: grants.Grants
    narrowed: bool
    since: datetime


@dataclass(frozen=True)
class IntegrationUser:
    """A member who works under the owner's connections, within grants of their own; by product."""

    member_id: str
    name: str
    email: str
    status: str
    sources: tuple[Source, ...] = ()

    @cached_property
    def grants(self) -> Mapping[str, ModuleGrant]:
        """All sources together (union), by module."""
        modules = {module for source in self.sources for module in source.grants}
        return {
            module: reduce(or_, (source.grants.get(module, NOTHING) for source in self.sources))
            for module in sorted(modules)
        }

    @cached_property
    def permissions(self) -> Mapping[str, tuple[Product, ...]]:
        """Every permission (`module.action`) with the products it comes from."""
        return {
            f"{module}.{action}": tuple(
                source.product for source in self.sources if source.grants.get(module, NOTHING).allows(action, None)
            )
            for module, grant in self.grants.items()
            for action in sorted(grant.actions)
        }

    @property
    def key(self) -> "Key":
        """The place in the list."""
        return self.email, self.member_id


Key = tuple[str, str]
"""Where an integration user stands in the list: (address, member's id)."""


@dataclass(frozen=True)
class Users:
    """Integration users by address, whether more follow, and how many match in all."""

    users: list[IntegrationUser] = field(default_factory=list)
    more: bool = False
    total: int = 0
