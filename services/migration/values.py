"""Migrations as administrators see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.candidates import Reason
from services.directory import Person
from services.migration.states import ItemState, State
from services.policy import AccessKind, CapabilitySet
from services.usage import Touched


class Purpose(StrEnum):
    """Why there is a migration."""

    USERS = "USERS"
    CAPABILITIES = "CAPABILITIES"
    WINDOW_CLOSED = "WINDOW_CLOSED"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A migration and how far it is: `done` of `total` members have a result, pending ones have none yet."""

    id: str
    organization_id: str
    purpose: Purpose
    state: State
    requested_by: Person | None
    """None when it began by itself, since the window had closed."""
    capability_set: CapabilitySet
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    total: int
    migrated: int
    skipped: int
    failed: int
    rolled_back: int
    estimated_completion_at: datetime | None
    """From the pace so far; None while nothing is going on, or before the first result."""

    @property
    def dry_run(self) -> bool:
        """Whether it only tells what would happen."""
        return self.state is State.PREVIEW

    @property
    def done(self) -> int:
        """Members with a result."""
        return self.migrated + self.skipped + self.failed + self.rolled_back

    @property
    def pending(self) -> int:
        """Members without a result."""
        return self.total - self.done


@dataclass(frozen=True, kw_only=True)
class Item:
    """One member in a migration. In a preview PENDING means: would be migrated.

    `mattered`: what the member's operations of the last 30 days touched and what is lost of it.
    """

    id: str
    migration_id: str
    position: int
    user: Person
    from_access: AccessKind
    to_access: AccessKind
    state: ItemState
    reason: Reason | None
    message: str | None
    attempts: int
    permissions_gained: Sequence[str]
    permissions_lost: Sequence[str]
    mattered: Sequence[Touched]
    settled_at: datetime | None
    emailed_at: datetime | None


@dataclass(frozen=True)
class Runs:
    """Migrations, the newest first, and whether older ones follow."""

    runs: Sequence[Run] = ()
    more: bool = False


@dataclass(frozen=True)
class Items:
    """Items in their order, and whether more follow."""

    items: Sequence[Item] = ()
    more: bool = False
