"""Subscriptions that have lived: made by hand or by chance, as the copy keeps them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

from services.storage.engine import Database
from services.storage.models import now
from services.storage.records import Base, Record, RecordPull, SubscriptionChange

RECURRING = ("live", "non_renewing", "dunning", "unpaid")
PLANS: Mapping[str, str] = {"basic": "Basic", "team": "Team", "team-y": "Team Yearly"}
RATES = {"EUR": Decimal(1), "USD": Decimal("0.9217"), "JPY": Decimal("0.006090")}


@dataclass(frozen=True)
class State:
    """A state and the day on which it begins. `mrr`: in the base currency, of one that recurs."""

    day: date
    status: str
    plan: str = "basic"
    mrr: Decimal = Decimal(0)

    @property
    def recurring(self) -> bool:
        return self.status in RECURRING

    @property
    def worth(self) -> Decimal:
        return self.mrr if self.recurring else Decimal(0)


@dataclass(frozen=True)
class Life:
    """A subscription: its states in their order, several of a day included."""

    id: str
    states: Sequence[State]
    customer: str = "c1"
    currency: str = "EUR"
    due: date | None = None
    amount: Decimal = field(default=Decimal("10.00"))

    def at_end_of(self, day: date) -> State | None:
        """The last state that began on or before a day."""
        return next((state for state in reversed(self.states) if state.day <= day), None)


def day(text: str) -> date:
    return date.fromisoformat(text)


def by_chance(seed: int, count: int, since: date, until: date, customers: int = 12) -> list[Life]:
    """Subscriptions of all kinds: trials, upgrades, pauses of no day, returns, changes on one day and at month ends."""
    dice = Random(seed)
    return [_life(dice, f"s{n:05}", since, until, customers) for n in range(count)]


def _life(dice: Random, name: str, since: date, until: date, customers: int) -> Life:
    at = since + timedelta(days=dice.randrange((until - since).days + 1))
    status = dice.choice(("trial", "live", "live", "future", "creation_failed"))
    states = [State(at, status, dice.choice(list(PLANS)), _worth(dice))]
    for _ in range(dice.randrange(8)):
        at += timedelta(days=dice.choice((0, 0, 1, 3, 14, 28, 30, 31, 60)))
        if at > until:
            break
        states.append(_next(dice, states[-1], at))
    due = until + timedelta(days=dice.randrange(-5, 120))
    return Life(name, states, f"c{dice.randrange(customers)}", dice.choice(list(RATES)), due, _worth(dice))


def _next(dice: Random, state: State, at: date) -> State:
    words = (*RECURRING, "live", "live", "paused", "cancelled", "cancelled_from_dunning", "expired", "trial_expired")
    plan = dice.choice((state.plan, state.plan, *PLANS))
    return State(at, dice.choice(words), plan, dice.choice((state.mrr, _worth(dice))))


def _worth(dice: Random) -> Decimal:
    return Decimal(dice.randrange(0, 20000)) / 100


async def keep(database: Database, organization_id: str, lives: Iterable[Life], zone: str = "Europe/Berlin") -> None:
    """Put them into the copy of an organization, as if it had just been read."""
    rows = [row for life in lives for row in (*changes(organization_id, life), record(organization_id, life))]
    async with database.session() as session:
        session.add(Base(organization_id=organization_id, currency="EUR", time_zone=zone))
        session.add(RecordPull(organization_id=organization_id, module="subscriptions", as_of=now(), rows=len(rows)))
        session.add_all(rows)


def changes(organization_id: str, life: Life) -> Iterable[SubscriptionChange]:
    """Their rows: each repeats what was before, and says when the next one begins."""
    for place, state in enumerate(life.states):
        before = life.states[place - 1] if place else None
        after = life.states[place + 1] if place + 1 < len(life.states) else None
        yield SubscriptionChange(
            organization_id=organization_id,
            subscription_id=life.id,
            sequence=place + 1,
            at=datetime.combine(state.day, time(10), UTC),
            day=state.day,
            until_day=after.day if after else None,
            status=state.status,
            recurring=state.recurring,
            party_id=life.customer,
            plan_code=state.plan,
            plan_name=PLANS[state.plan],
            currency=life.currency,
            amount=life.amount,
            rate=RATES[life.currency],
            base_mrr=state.worth,
            before_status=before.status if before else None,
            before_plan_code=before.plan if before else None,
            before_base_mrr=before.worth if before else Decimal(0),
            source="OBSERVED",
        )


def record(organization_id: str, life: Life) -> Record:
    """The row of the subscription itself."""
    return Record(
        organization_id=organization_id,
        module="subscriptions",
        id=life.id,
        number=life.id.upper(),
        status=life.states[-1].status,
        party_id=life.customer,
        party_name=f"Customer {life.customer}",
        due_on=life.due,
    )
