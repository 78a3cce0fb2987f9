"""What lies on an edge: within a month, no day long, back again, and in months of different lengths."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from services.errors import BadUserInput, UpstreamUnavailable
from services.policy import Viewer
from services.reports.catalogue import SYSTEM
from services.reports.periods import periods
from services.reports.run import Order, run
from services.reports.values import Choice, Grain, Group, Span
from tests.services.conftest import Company
from tests.services.reports.histories import Life, State, day, keep

SPRING = Choice(span=Span.CUSTOM, since=day("2026-01-01"), until=day("2026-04-30"))
Ask = Callable[..., Any]


@pytest.fixture
def ask(company: Company, viewer: Callable[..., Viewer]) -> Ask:
    """The rows of a report from January to April 2026 about subscriptions that have lived as given."""

    async def asked(key: str, *lives: Life, choice: Choice = SPRING) -> list[dict[str, Any]]:
        await keep(company.database, company.id, lives)
        (result,) = await run(company.database, viewer(company.id), [Order(SYSTEM[key], choice)])
        if isinstance(result, Exception):
            raise result
        return [dict(zip((c.key for c in result.columns), row, strict=True)) for row in result.rows]

    return asked


def life(*states: tuple[str, str, int] | tuple[str, str, int, str], name: str = "s1") -> Life:
    """A subscription by (day, status, MRR[, plan])."""
    return Life(name, [_state(*state) for state in states])


def _state(at: str, status: str, mrr: int, plan: str = "basic") -> State:
    return State(day(at), status, plan, Decimal(mrr))


def column(rows: list[dict[str, Any]], key: str) -> list[str]:
    return [row[key] for row in rows]


async def test_upgrades_within_a_month_count_once_as_what_is_left_of_them(ask: Ask) -> None:
    upgraded = life(("2026-01-10", "live", 10), ("2026-02-03", "live", 50), ("2026-02-20", "live", 30))
    rows = await ask("mrr-movement", upgraded)
    assert column(rows, "new") == ["10.00", "0.00", "0.00", "0.00"]
    assert column(rows, "expansion") == ["0.00", "20.00", "0.00", "0.00"]
    assert column(rows, "contraction") == ["0.00"] * 4


async def test_an_upgrade_in_the_first_month_is_all_new(ask: Ask) -> None:
    rows = await ask("mrr-movement", life(("2026-01-10", "live", 10), ("2026-01-11", "live", 50)))
    assert (rows[0]["new"], rows[0]["expansion"]) == ("50.00", "0.00")


async def test_a_pause_of_no_day_changes_nothing(ask: Ask) -> None:
    paused = life(("2026-01-10", "live", 10), ("2026-02-15", "paused", 10), ("2026-02-15", "live", 10))
    rows = await ask("mrr-movement", paused)
    assert column(rows, "closing") == ["10.00"] * 4
    assert column(rows, "churn") == column(rows, "reactivation") == ["0.00"] * 4


async def test_a_pause_of_no_day_at_the_end_of_a_month_changes_nothing(ask: Ask) -> None:
    paused = life(("2026-01-10", "live", 10), ("2026-02-28", "paused", 10), ("2026-02-28", "live", 10))
    assert column(await ask("churn-rate", paused), "churned") == ["0"] * 4


async def test_who_comes_back_is_reactivated_and_not_new(ask: Ask) -> None:
    back = life(("2026-01-10", "live", 10), ("2026-02-15", "cancelled", 10), ("2026-04-01", "live", 12))
    rows = await ask("mrr-movement", back)
    assert column(rows, "new") == ["10.00", "0.00", "0.00", "0.00"]
    assert column(rows, "churn") == ["0.00", "10.00", "0.00", "0.00"]
    assert column(rows, "reactivation") == ["0.00", "0.00", "0.00", "12.00"]


async def test_who_was_lost_and_came_back_within_a_month_was_never_lost(ask: Ask) -> None:
    back = life(("2026-01-10", "live", 10), ("2026-02-05", "cancelled", 10), ("2026-02-25", "live", 10))
    assert column(await ask("churn-rate", back), "churned") == ["0"] * 4


async def test_free_subscriptions_that_begin_to_pay_expand(ask: Ask) -> None:
    rows = await ask("mrr-movement", life(("2026-01-10", "live", 0), ("2026-03-01", "live", 9)))
    assert column(rows, "expansion") == ["0.00", "0.00", "9.00", "0.00"]


async def test_a_change_of_plan_adds_up_for_both_plans(ask: Ask) -> None:
    changed = life(("2026-01-10", "live", 10, "basic"), ("2026-03-31", "live", 40, "team"))
    rows = await ask("mrr-movement", changed, choice=replace(SPRING, group=Group.PLAN))
    march = {row["group"]: row for row in rows if row["period"] == "2026-03"}
    assert [march["Basic"][part] for part in ("contraction", "churn", "closing")] == ["10.00", "0.00", "0.00"]
    assert [march["Team"][part] for part in ("expansion", "new", "closing")] == ["40.00", "0.00", "40.00"]


@pytest.mark.parametrize(("since", "until"), [("2026-01-01", "2026-01-31"), ("2026-02-01", "2026-02-28")])
async def test_a_whole_month_earns_the_mrr_whatever_its_length(ask: Ask, since: str, until: str) -> None:
    choice = Choice(span=Span.CUSTOM, since=day(since), until=day(until))
    rows = await ask("revenue-by-plan", life(("2025-12-31", "live", 84)), choice=choice)
    assert column(rows, "revenue") == ["84.00"]


async def test_half_of_february_earns_half(ask: Ask) -> None:
    rows = await ask("revenue-by-plan", life(("2026-02-15", "live", 84), ("2026-03-01", "cancelled", 84)))
    assert column(rows, "revenue") == ["42.00"]


async def test_the_last_day_of_a_month_belongs_to_it(ask: Ask) -> None:
    ends = life(("2026-01-31", "live", 10), ("2026-02-28", "cancelled", 10))
    rows = await ask("mrr-movement", ends)
    assert (column(rows, "new")[0], column(rows, "churn")[1]) == ("10.00", "10.00")


async def test_quarters_compare_their_own_ends(ask: Ask) -> None:
    short = life(("2026-01-10", "live", 10), ("2026-03-15", "cancelled", 10))
    rows = await ask("mrr-movement", short, choice=replace(SPRING, grain=Grain.QUARTER))
    assert column(rows, "period") == ["2026-Q1", "2026-Q2"]
    assert column(rows, "new") == column(rows, "churn") == ["0.00", "0.00"]


async def test_a_report_without_any_subscription_has_its_periods(ask: Ask) -> None:
    assert column(await ask("mrr"), "mrr") == ["0.00"] * 4


async def test_before_the_first_reading_there_is_no_figure(company: Company, viewer: Callable[..., Viewer]) -> None:
    with pytest.raises(UpstreamUnavailable):
        await run(company.database, viewer(company.id), [Order(SYSTEM["mrr"], SPRING)])


def test_periods_begin_where_their_grain_does_and_end_today() -> None:
    made = periods(Choice(span=Span.CUSTOM, since=day("2026-01-15"), grain=Grain.MONTH), day("2026-03-10"))
    assert made.labels == ("2026-01", "2026-02", "2026-03")
    assert made.bounds == (day("2026-01-01"), day("2026-02-01"), day("2026-03-01"), day("2026-03-11"))
    assert [made.place(day(text)) for text in ("2025-12-31", "2026-02-28", "2026-03-11")] == [0, 2, 4]


def test_a_leap_day_is_a_day_of_its_month() -> None:
    assert periods(Choice(span=Span.PREVIOUS_MONTH), day("2028-03-05")).bounds == (day("2028-02-01"), day("2028-03-01"))


def test_too_many_periods_are_refused() -> None:
    with pytest.raises(BadUserInput):
        periods(Choice(span=Span.CUSTOM, since=date(1900, 1, 1)), day("2026-03-10"))
