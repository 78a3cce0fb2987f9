"""What rows are read against: base currency, rates, time zone and the plans' names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.records.lists import Lists
from services.records.sources import Body
from services.storage.engine import Database
from services.storage.models import now
from services.storage.records import Base, Record

DAILY = timedelta(days=1)
"""How long base currency, time zone and rates are taken for known."""


@dataclass(frozen=True)
class PlanRow:
    """A plan as far as subscriptions need it; `product` is absent where the product does not tell it."""

    code: str
    name: str
    product: str | None
    trial_days: int


@dataclass(frozen=True)
class Frame:
    """`rates`: currency → units of the base currency for one."""

    currency: str
    zone: ZoneInfo
    rates: Mapping[str, Decimal]
    plans: Mapping[str, list[PlanRow]] = field(default_factory=dict)

    def day(self, at: datetime) -> date:
        """The calendar day in the organization's time zone."""
        return at.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """The instant at which the day begins there."""
        return datetime.combine(day, time(), self.zone)

    def based(self, amount: Decimal | None, rate: Decimal | None) -> Decimal | None:
        """An amount in the base currency, rounded half-even to its digits; None where the rate is unknown."""
        if amount is None or rate is None:
            return None
        return (amount * rate).quantize(Decimal(1).scaleb(-get_currency_precision(self.currency)), ROUND_HALF_EVEN)

    def plan(self, body: Body, code: str | None, name: str | None) -> PlanRow | None:
        """The plan of a subscription. List rows name it only; a name that several plans share decides nothing."""
        named = self.plans.get(name or "", [])
        if code is not None:
            return next((plan for plan in named if plan.code == code), None)
        exact = [plan for plan in named if plan.product and body.get("name") == f"{plan.product}-{plan.name}"]
        found = exact or named
        return found[0] if len(found) == 1 else None


class Frames:
    """The frames of organizations: what a frame is made of is asked for once a day."""

    def __init__(self, database: Database, lists: Lists) -> None:
        self._database = database
        self._lists = lists

    async def of(self, organization_id: str, module: str) -> Frame:
        """What rows of the module are read against; raises as the products do, and `ShareSpent`."""
        async with self._database.session() as session:
            base = await session.get(Base, organization_id)
            if base is not None and base.read_at >= now() - DAILY:
                return await _frame_of(session, base, module)
        base = await self._read(organization_id)
        async with self._database.session() as session:
            return await _frame_of(session, base, module)

    async def _read(self, organization_id: str) -> Base:
        currency, zone, rates = await self._lists.base(organization_id)
        base = Base(organization_id=organization_id, currency=currency, time_zone=zone, rates=rates, read_at=now())
        values = base.model_dump()
        statement = insert(Base).values(values).on_conflict_do_update(index_elements=["organization_id"], set_=values)
        async with self._database.session() as session:
            await session.exec(statement)
        return base


async def _frame_of(session: AsyncSession, base: Base, module: str) -> Frame:
    """As the copy has it; only subscriptions need the plans."""
    plans = await _plans(session, base.organization_id) if module == "subscriptions" else ()
    rates = {code: Decimal(rate) for code, rate in base.rates.items()}
    return Frame(base.currency, ZoneInfo(base.time_zone), rates, _by_name(plans))


async def _plans(session: AsyncSession, organization_id: str) -> list[PlanRow]:
    asked = select(Record.id, Record.body).where(
        Record.organization_id == organization_id, Record.module == "plans", col(Record.deleted_at).is_(None)
    )
    return [_plan(code, body) for code, body in await session.exec(asked)]


def _by_name(plans: Iterable[PlanRow]) -> dict[str, list[PlanRow]]:
    found: dict[str, list[PlanRow]] = {}
    for plan in plans:
        found.setdefault(plan.name, []).append(plan)
    return found


def _plan(code: str, body: Mapping[str, Any]) -> PlanRow:
    trial = str(body.get("trial_period") or 0)
    return PlanRow(code, body.get("name") or "", body.get("product_name"), int(trial) if trial.isdecimal() else 0)
