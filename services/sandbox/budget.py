"""What an organization may spend: calls a minute, at once and a day."""

from collections import deque
from dataclasses import dataclass, field

from services.sandbox.errors import Refusal, refused

DAY = 86_400
MINUTE = 60


@dataclass(frozen=True)
class Limits:
    """Per organization and product; CRM counts calls at once and credits a day only. Lifetimes in seconds."""

    minute: int = 100
    concurrent: int = 10
    day: int = 10_000
    crm_concurrent: int = 20
    crm_day: int = 100_000
    tokens_per_10_minutes: int = 10
    active_tokens: int = 10
    """Of one refresh token; the oldest is dropped."""
    access_token_lifetime: int = 3600


@dataclass
class Spending:
    """One organization's calls to one product; the minute slides, the day ends at midnight UTC."""

    limits: Limits
    product: str
    running: int = 0
    today: int = 0
    used_today: int = 0
    recent: deque[float] = field(default_factory=deque)

    def begin(self, now: float) -> None:
        """Raises the product's refusal when a limit is reached; otherwise to be followed by `end`."""
        self._turn(now)
        reached = self._reached()
        if reached:
            raise refused(reached) if self.product != "crm" else Refusal(429, *_CRM_REACHED)
        self.running += 1
        self.used_today += 1
        self.recent.append(now)

    def end(self) -> None:
        self.running -= 1

    def headers(self, now: float) -> dict[str, str]:
        """They describe the day only, as Books' do; Reset in seconds."""
        limit = self._day_limit
        return {
            "X-Rate-Limit-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(max(limit - self.used_today, 0)),
            "X-Rate-Limit-Reset": str(DAY - int(now) % DAY),
        }

    @property
    def _day_limit(self) -> int:
        return self.limits.crm_day if self.product == "crm" else self.limits.day

    def _turn(self, now: float) -> None:
        today = int(now // DAY)
        if today != self.today:
            self.today, self.used_today = today, 0
        while self.recent and self.recent[0] <= now - MINUTE:
            self.recent.popleft()

    def _reached(self) -> int | None:
        """The code of the limit that is reached."""
        crm = self.product == "crm"
        if self.running >= (self.limits.crm_concurrent if crm else self.limits.concurrent):
            return 1070
        if not crm and len(self.recent) >= self.limits.minute:
            return 44
        return 45 if self.used_today >= self._day_limit else None


_CRM_REACHED = ("TOO_MANY_REQUESTS", "You have made too many requests. Try again after some time.")


class Budgets:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._spending: dict[tuple[str, str], Spending] = {}

    def of(self, product: str, organization_id: str) -> Spending:
        key = (product, organization_id)
        spending = self._spending.get(key)
        if spending is None:
            spending = self._spending[key] = Spending(self.limits, product)
        return spending

    def reset(self, limits: Limits | None = None) -> None:
        """All of it unspent again, under new limits when given."""
        self.limits = limits or self.limits
        self._spending.clear()
