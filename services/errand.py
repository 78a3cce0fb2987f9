"""For whom something is done, until when, and what it took."""

from dataclasses import dataclass, field
from time import monotonic

from msgspec import Struct

from services.policy import Viewer


class UpstreamCall(Struct, frozen=True):
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

    `deadline` and `began` are readings of `time.monotonic()`: every wait inside the errand ends at the one, and what
    anybody asked for after the other is as fresh as if this errand had. `saved` counts the calls that were not needed,
    because what they would have told was known. `within`: how many seconds old an answer may be; 0 asks the products.
    """

    viewer: Viewer
    request_id: str
    deadline: float
    calls: list[UpstreamCall] = field(default_factory=list)
    saved: int = 0
    began: float = field(default_factory=monotonic)
    within: float = 0.0

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, never below zero."""
        return max(0.0, self.deadline - monotonic())
