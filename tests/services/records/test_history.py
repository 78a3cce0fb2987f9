"""What became of subscriptions: their states, and what they were worth in each."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from services.records.copy import Copy
from services.sandbox.stamps import written
from tests.services.records.conftest import Office

SUBSCRIPTIONS = "subscriptions"
TODAY = datetime.now(UTC).date()
ID = "70000000000000001"


def at(day: str, hour: int = 12) -> str:
    return written(datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC))


def live(office: Office, **changes: Any) -> dict[str, Any]:
    """A monthly subscription of 49.00 EUR since March 3rd, on the plan `ws-team-m` with its 14 days of trial."""
    model = next(
        body
        for body in office.held(SUBSCRIPTIONS).values()
        if body["plan_name"] == "Team" and body["currency_code"] == "EUR"
    )
    return model | {
        "subscription_id": ID,
        "status": "live",
        "amount": Decimal("49.00"),
        "created_time": at("2026-03-03"),
        "created_at": "2026-03-03",
        "activated_at": "2026-03-03",
        "updated_time": at("2026-03-03"),
        "trial_starts_at": "",
        "cancelled_at": "",
        "expires_at": "",
        **changes,
    }


async def begun(office: Office, **changes: Any) -> Copy:
    office.put(SUBSCRIPTIONS, live(office, **changes))
    return await office.read("plans", SUBSCRIPTIONS)


async def becomes(office: Office, copy: Copy, **changes: Any) -> None:
    """The product says otherwise now, and the copy has heard of it."""
    body = office.held(SUBSCRIPTIONS)[ID]
    office.put(SUBSCRIPTIONS, body | {"updated_time": written(datetime.now(UTC))} | changes)
    await copy.pull(office.organization_id, SUBSCRIPTIONS)


async def told(office: Office) -> list[tuple[str, date, Decimal]]:
    return [(row["status"], row["day"], row["base_mrr"]) for row in await office.states(ID)]


@pytest.mark.parametrize(
    ("changes", "states"),
    [
        ({}, [("live", date(2026, 3, 3), "49.00")]),
        (
            {"activated_at": "2026-03-17"},
            [("trial", date(2026, 3, 3), "0"), ("live", date(2026, 3, 17), "49.00")],
        ),
        (
            {"activated_at": "2026-04-01"},
            [("future", date(2026, 3, 3), "0"), ("live", date(2026, 4, 1), "49.00")],
        ),
        (
            {"status": "cancelled", "expires_at": "2026-05-31", "updated_time": at("2026-07-01")},
            [("live", date(2026, 3, 3), "49.00"), ("cancelled", date(2026, 5, 31), "0")],
        ),
        (
            {
                "status": "trial_expired",
                "activated_at": "",
                "expires_at": "2026-03-17",
                "updated_time": at("2026-03-18"),
            },
            [("trial", date(2026, 3, 3), "0"), ("trial_expired", date(2026, 3, 17), "0")],
        ),
        (
            {"status": "non_renewing", "expires_at": "2026-12-03", "updated_time": at("2026-06-05")},
            [("live", date(2026, 3, 3), "49.00"), ("non_renewing", date(2026, 6, 5), "49.00")],
        ),
        ({"status": "future", "activated_at": ""}, [("future", date(2026, 3, 3), "0")]),
    ],
    ids=["live", "trial converted", "later start", "cancelled", "trial expired", "non-renewing", "future"],
)
async def test_a_first_reading_tells_what_the_dates_tell(
    office: Office, changes: dict[str, Any], states: list[tuple[str, date, str]]
) -> None:
    await begun(office, **changes)
    assert await told(office) == [(status, day, Decimal(mrr)) for status, day, mrr in states]
    assert {row["source"] for row in await office.states(ID)} == {"REPORTED"}


async def test_upgrade_pause_and_reactivation_are_states_of_their_own(office: Office) -> None:
    copy = await begun(office)
    for changes in (
        {"amount": Decimal("149.00")},
        {"status": "paused"},
        {"status": "live"},
        {"status": "live", "reference_id": "a change that does not count"},
        {"status": "cancelled", "expires_at": str(TODAY), "cancelled_at": str(TODAY)},
    ):
        await becomes(office, copy, **changes)
    found = [(status, mrr) for status, _, mrr in await told(office)]
    assert found == [
        ("live", Decimal("49.00")),
        ("live", Decimal("149.00")),
        ("paused", Decimal(0)),
        ("live", Decimal("149.00")),
        ("cancelled", Decimal(0)),
    ]


async def test_states_follow_each_other_without_gap(office: Office) -> None:
    copy = await begun(office)
    await becomes(office, copy, amount=Decimal("60.00"))
    await becomes(office, copy, status="paused")
    first, second, third = await office.states(ID)
    assert (first["until_day"], second["until_day"], third["until_day"]) == (second["day"], third["day"], None)
    assert (second["before_base_mrr"], third["before_base_mrr"]) == (Decimal("49.00"), Decimal("60.00"))
    assert (first["before_status"], third["before_status"]) == (None, "live")
    assert second["source"] == "OBSERVED"


async def test_a_day_belongs_to_the_organizations_time_zone(office: Office) -> None:
    """Half past eleven at night UTC is the next day in Berlin."""
    await begun(office, activated_at="", status="future", created_at="2026-03-04", created_time=at("2026-03-03", 23))
    assert (await told(office))[0][1] == date(2026, 3, 4)


async def test_a_deleted_subscription_recurs_no_longer(office: Office) -> None:
    copy = await begun(office)
    office.drop(SUBSCRIPTIONS, ID)
    await copy.check(office.organization_id, SUBSCRIPTIONS)
    assert [(status, mrr) for status, _, mrr in await told(office)][-1] == ("deleted", Decimal(0))
    assert (await office.record(ID))["deleted_at"]


async def test_a_rate_that_changes_is_no_change_of_price(office: Office) -> None:
    copy = await begun(office, currency_code="USD")
    before = await told(office)
    async with office.database.session() as session:
        await (await session.connection()).execute(text('UPDATE record_bases SET rates = rates || \'{"USD": "2"}\''))
    await becomes(office, copy, reference_id="touched")
    assert await told(office) == before


async def test_every_state_adds_up_to_what_the_subscriptions_are_worth_now(office: Office) -> None:
    await office.read("plans", SUBSCRIPTIONS)
    moved = await office.rows(
        "SELECT sum(base_mrr - before_base_mrr) AS total FROM subscription_history WHERE organization_id = :o"
    )
    now = await office.rows("SELECT sum(base_mrr) AS total FROM records WHERE organization_id = :o")
    standing = await office.rows(
        "SELECT sum(base_mrr) AS total FROM subscription_history WHERE organization_id = :o AND day <= :d"
        " AND (until_day IS NULL OR until_day > :d)",
        d=TODAY + timedelta(days=1),
    )
    assert moved == now == standing
