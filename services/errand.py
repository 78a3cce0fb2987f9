"""For whom something is done, until when, and what it took."""

from dataclasses import dataclass, field
from time import monotonic

from services.policy import Viewer


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """One call to a product, as the audit keeps it. `actor` is the e-mail address whose access it ran under."""

    product: str
    method: str
    path: str
    status: int | None
    duration_ms: float
    actor: str


@dataclass(slots=True)
class Errand:
    """One request of one viewer: services do their work on it and leave their upstream calls in it.

    `deadline` is a reading of `time.monotonic()`; every wait inside the errand ends there.
    """

    viewer: Viewer
    request_id: str
    deadline: float
    calls: list[UpstreamCall] = field(default_factory=list)

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, never below zero."""
        return max(0.0, self.deadline - monotonic())
