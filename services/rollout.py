"""Where which feature is available, and since when: phases are data, so that the next one is no change of code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sqlmodel import col, select

from services.errors import LimitReached
from services.storage.engine import Database
from services.storage.models import now
from services.storage.rollout import RolloutPhase

EVERY = "*"
"""In a phase: all editions."""


class Feature(StrEnum):
    """What comes in phases."""

    INTEGRATION_USERS = "INTEGRATION_USERS"
    ALL_FINANCE_MODULES = "ALL_FINANCE_MODULES"
    """The wider set of capabilities for integration users."""


class Place(Protocol):
    """What phases ask about an organization: the row of one is such, and so is the input of a set-up."""

    @property
    def data_center(self) -> str:
        """A name of `upstream.auth.DATA_CENTERS`."""

    @property
    def edition(self) -> str:
        """Zoho's word for it, in any case."""


@dataclass(frozen=True, slots=True)
class Phase:
    """From `starts_at` on, a feature is available in a data centre to these editions (`*`: all)."""

    feature: str
    data_center: str
    editions: tuple[str, ...]
    starts_at: datetime
    note: str | None = None

    def covers(self, edition: str) -> bool:
        """Whether the edition takes part; its case does not matter."""
        return EVERY in self.editions or edition.casefold() in map(str.casefold, self.editions)


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a feature is available, since or from when (unknown: None), by which phase, and its note.

    `phase` is the one that decides: the first that made it available, otherwise the next that will, otherwise the last
    one of the data centre, which leaves this edition out.
    """

    available: bool
    since: datetime | None = None
    note: str | None = None
    phase: Phase | None = None


class Rollout:
    """The phases of all data centres, as the database has them at the moment of asking."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def phases(self, data_center: str | None = None, feature: str | None = None) -> list[Phase]:
        """All phases, or those of a data centre or feature, by feature, data centre and time."""
        query = select(RolloutPhase).order_by(
            col(RolloutPhase.feature), col(RolloutPhase.data_center), col(RolloutPhase.starts_at)
        )
        if data_center is not None:
            query = query.where(RolloutPhase.data_center == data_center)
        if feature is not None:
            query = query.where(RolloutPhase.feature == feature)
        async with self._database.session() as session:
            return [_phase(row) for row in await session.exec(query)]

    async def available(
        self, organization: Place, feature: str = Feature.INTEGRATION_USERS, at: datetime | None = None
    ) -> Availability:
        """Whether the organization has the feature at a moment, by default now."""
        phases = await self.phases(organization.data_center, feature)
        return availability(phases, organization.edition, at or now())

    async def require(self, organization: Place, feature: str = Feature.INTEGRATION_USERS) -> None:
        """Raise `LimitReached` unless the organization has the feature.

        Its extensions are `feature`, `dataCenter`, `edition` and, when that is known, `availableFrom`.
        """
        found = await self.available(organization, feature)
        if not found.available:
            raise not_yet(organization, feature, found)


def availability(phases: Sequence[Phase], edition: str, at: datetime) -> Availability:
    """What the phases of one feature in one data centre say for an edition at a moment."""
    covering = sorted((phase for phase in phases if phase.covers(edition)), key=_start)
    if covering:
        first = covering[0]
        return Availability(first.starts_at <= at, first.starts_at, first.note, first)
    last = max(phases, key=_start, default=None)
    return Availability(available=False, note=last.note if last else None, phase=last)


def not_yet(organization: Place, feature: str, found: Availability) -> LimitReached:
    """The refusal for an organization outside its phase."""
    word = WORDS[Feature(feature)]
    where = f"in the {organization.edition.capitalize()} edition of data centre {organization.data_center}"
    if found.since is not None:
        message = f"{word} are not available {where} yet, only from {found.since:%Y-%m-%d}."
    else:
        message = f"{word} are not available {where}."
    return LimitReached(
        message,
        hint=found.note or "They come to data centres and editions in phases; see `integration { rollout }`.",
        feature=str(feature),
        dataCenter=organization.data_center,
        edition=organization.edition,
        availableFrom=found.since.isoformat() if found.since else None,
    )


WORDS = {
    Feature.INTEGRATION_USERS: "Integration users",
    Feature.ALL_FINANCE_MODULES: "Integration users on all finance modules",
}


def _start(phase: Phase) -> datetime:
    return phase.starts_at


def _phase(row: RolloutPhase) -> Phase:
    return Phase(row.feature, row.data_center, tuple(row.editions), row.starts_at, row.note)
