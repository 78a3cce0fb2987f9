"""Where records are made: the organization, its people, its days, its ids and its dice."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from services.sandbox.catalog import names
from services.sandbox.stamps import Stamp
from services.sandbox.store import Organization, Person

MONTHS = 24
_FOREIGN = {"EUR": ("USD", "GBP", "CHF", "JPY"), "USD": ("EUR", "GBP"), "INR": ("USD", "EUR")}


@dataclass(frozen=True)
class Scene:
    organization: Organization
    people: tuple[Person, ...]
    today: date
    dice: Random
    books_id: Callable[[], str]
    billing_id: Callable[[], str]
    crm_id: Callable[[], str]

    @property
    def owner(self) -> Person:
        return self.people[0]

    @property
    def writers(self) -> tuple[Person, ...]:
        """Who may make documents in Books."""
        return tuple(
            person
            for person in self.people
            if person.books_status == "active" and person.books_role not in (None, "Timesheet Staff")
        )

    @property
    def crm_owners(self) -> tuple[Person, ...]:
        return tuple(person for person in self.people if person.crm_status == "active" and person.crm_confirmed)

    @property
    def places(self) -> tuple[tuple[str, str, str], ...]:
        return names.PLACES[self.organization.country_code]

    def currency(self, order: int) -> str:
        """Seven parties in ten trade in the base currency."""
        base = self.organization.currency_code
        foreign = _FOREIGN[base]
        return foreign[order // 10 % len(foreign)] if order % 10 in (2, 5, 7) else base

    def day_at(self, offset: int) -> datetime:
        """That many days into the 24 months before today, at a time of its own."""
        first = self.today - timedelta(days=MONTHS * 365 // 12)
        return self.at(first + timedelta(days=offset), offset * 37 % 600)

    def at(self, day: date, minute: int) -> datetime:
        """Between eight and eighteen o'clock; today's records end at midnight."""
        local = datetime.combine(day, time(8), ZoneInfo(self.organization.time_zone))
        return local + timedelta(minutes=minute % 600)

    def stamp(self, person: Person, at: datetime) -> Stamp:
        return Stamp(person.books_user_id or "", person.name, person.email, at)
