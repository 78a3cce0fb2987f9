"""Who did something and when, in the products' own notation."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Stamp:
    """`at` carries the organization's time zone."""

    user_id: str
    name: str
    email: str
    at: datetime

    @property
    def time(self) -> str:
        return written(self.at)

    @property
    def day(self) -> str:
        return self.at.date().isoformat()


def moment(timestamp: float, time_zone: str) -> datetime:
    return datetime.fromtimestamp(int(timestamp), ZoneInfo(time_zone))


def written(at: datetime) -> str:
    """``2013-11-18T02:17:40-0800``: the offset without a colon."""
    return at.strftime("%Y-%m-%dT%H:%M:%S%z")


def sortable(time: str) -> str:
    """The same moment in UTC, so that texts compare as moments do; raises ValueError."""
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(text: object) -> date:
    """``yyyy-mm-dd`` and nothing else; raises ValueError."""
    if not isinstance(text, str) or len(text) != 10:
        raise ValueError(text)
    return date.fromisoformat(text)


def following(time: str) -> datetime:
    return datetime.fromisoformat(time) + timedelta(seconds=1)


def days_after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
