from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.errors import LimitReached
from services.rollout import Feature, Phase, Rollout, availability
from services.storage.engine import Database
from services.storage.models import Organization
from services.storage.rollout import RolloutPhase
from services.upstream.auth import DATA_CENTERS

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(days=30), NOW + timedelta(days=30)
BELOW = ("Free", "Standard", "Professional")


def organization(data_center: str, edition: str) -> Organization:
    return Organization(name="Harbor Foods", data_center=data_center, edition=edition, crm_org_id="1")


def phase(starts_at: datetime, *editions: str, note: str | None = None) -> Phase:
    return Phase(Feature.INTEGRATION_USERS, "com", editions or ("*",), starts_at, note)


@pytest.mark.parametrize(
    ("phases", "edition", "available", "since"),
    [
        ([], "Free", False, None),
        ([phase(BEFORE)], "anything", True, BEFORE),
        ([phase(NOW)], "Free", True, NOW),
        ([phase(AFTER)], "Free", False, AFTER),
        ([phase(BEFORE, *BELOW)], "professional", True, BEFORE),
        ([phase(BEFORE, *BELOW)], "enterprise", False, None),
        ([phase(BEFORE, *BELOW), phase(AFTER)], "enterprise", False, AFTER),
        ([phase(BEFORE, *BELOW), phase(AFTER)], "Standard", True, BEFORE),
    ],
)
def test_the_first_phase_that_covers_the_edition_decides(
    phases: list[Phase], edition: str, available: bool, since: datetime | None
) -> None:
    found = availability(phases, edition, NOW)
    assert (found.available, found.since) == (available, since)


def test_an_edition_that_no_phase_covers_is_told_the_note_of_the_last() -> None:
    found = availability([phase(BEFORE, *BELOW, note="Enterprise follows.")], "Ultimate", NOW)
    assert (found.available, found.note) == (False, "Enterprise follows.")


@pytest.mark.parametrize("data_center", sorted(DATA_CENTERS))
@pytest.mark.parametrize("edition", ["free", "Standard", "Professional", "enterprise", "Ultimate"])
async def test_the_announcements_phases_leave_out_the_larger_editions_in_the_us_alone(
    database: Database, data_center: str, edition: str
) -> None:
    left_out = data_center == "com" and edition.title() not in BELOW
    for feature in Feature:
        found = await Rollout(database).available(organization(data_center, edition), feature)
        assert found.available is not left_out


async def test_who_is_outside_his_phase_is_told_what_and_where(database: Database) -> None:
    with pytest.raises(LimitReached, match="Enterprise") as refusal:
        await Rollout(database).require(organization("com", "enterprise"))
    told = refusal.value.extensions
    assert (told["code"], told["feature"], told["dataCenter"]) == ("LIMIT_REACHED", "INTEGRATION_USERS", "com")
    assert told["edition"] == "enterprise"
    assert "later phase" in told["hint"]
    assert "availableFrom" not in told


async def test_a_further_phase_is_a_row(own_database: Database) -> None:
    starts_at = datetime.now(UTC) + timedelta(days=3)
    rollout, place = Rollout(own_database), organization("com", "enterprise")

    async def add(**values: Any) -> None:
        row = RolloutPhase(feature=Feature.INTEGRATION_USERS, data_center="com", editions=["*"], **values)
        async with own_database.session() as session:
            session.add(row)

    await add(starts_at=starts_at)
    with pytest.raises(LimitReached, match=f"{starts_at:%Y-%m-%d}") as refusal:
        await rollout.require(place)
    assert refusal.value.extensions["availableFrom"] == starts_at.isoformat()
    await add(starts_at=datetime.now(UTC) - timedelta(minutes=1))
    await rollout.require(place)
    assert len(await rollout.phases("com", Feature.INTEGRATION_USERS)) == 3
