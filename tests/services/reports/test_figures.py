"""Every figure against the same one reckoned day by day."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.policy import Viewer
from services.reports.catalogue import SYSTEM
from services.reports.run import Order, run
from services.reports.values import Choice, Filters, Grain, Group, Result, Span
from services.storage.engine import Database
from tests.services.conftest import Company
from tests.services.reports import reckoning
from tests.services.reports.histories import PLANS, RATES, Life, by_chance, keep
from tests.services.reports.reckoning import DAY, Books, first_recurred, months, rate, recurs, text, worth

Row = dict[str, Any]
YEAR = Choice(span=Span.LAST_TWELVE_MONTHS)


class Copy:
    """A company's copy, with what is in it."""

    def __init__(self, database: Database, viewer: Viewer, lives: list[Life], today: date) -> None:
        self.database, self.viewer, self.lives, self.today = database, viewer, lives, today

    async def result(self, key: str, choice: Choice | None = None, as_of: date | None = None) -> Result:
        order = Order(SYSTEM[key], choice or SYSTEM[key].choice, as_of)
        (result,) = await run(self.database, self.viewer, [order])
        if isinstance(result, Exception):
            raise result
        return result

    async def rows(self, key: str, choice: Choice | None = None, as_of: date | None = None) -> list[Row]:
        result = await self.result(key, choice, as_of)
        return [dict(zip((c.key for c in result.columns), row, strict=True)) for row in result.rows]

    async def totals(self, key: str, choice: Choice | None = None) -> Row:
        result = await self.result(key, choice)
        assert result.totals
        return dict(zip((c.key for c in result.columns), result.totals, strict=True))

    @property
    def months(self) -> list[tuple[str, date, date]]:
        first = (self.today.replace(day=1) - 330 * DAY).replace(day=1)
        found = months(first, self.today)[-12:]
        assert len(found) == 12
        return found


@pytest.fixture
async def copy(company: Company, viewer: Callable[..., Viewer], today: date) -> Copy:
    lives = by_chance(7, 300, today - timedelta(days=500), today)
    await keep(company.database, company.id, lives)
    return Copy(company.database, viewer(company.id), lives, today)


PARTS = ("new", "expansion", "reactivation", "contraction", "churn")


async def test_mrr_and_its_movement_are_what_the_days_say(copy: Copy) -> None:
    books, rows = Books(copy.lives), await copy.rows("mrr-movement")
    mrr, arr = await copy.rows("mrr"), await copy.rows("arr")
    for (name, begin, end), row, simple, yearly in zip(copy.months, rows, mrr, arr, strict=True):
        assert row["period"] == simple["period"] == name
        assert {part: row[part] for part in PARTS} == {p: text(v) for p, v in books.movement(begin, end).items()}
        assert (row["opening"], row["closing"]) == (text(books.mrr(begin - DAY)), text(books.mrr(end)))
        assert (simple["mrr"], yearly["arr"]) == (text(books.mrr(end)), text(12 * books.mrr(end)))
        assert simple["growth"] == rate(books.mrr(end) - books.mrr(begin - DAY), books.mrr(begin - DAY))


@pytest.mark.parametrize("grain", [Grain.MONTH, Grain.QUARTER, Grain.YEAR])
@pytest.mark.parametrize("group", [None, Group.PLAN, Group.CURRENCY])
async def test_movements_add_up_for_every_period_and_group(copy: Copy, grain: Grain, group: Group | None) -> None:
    choice = Choice(span=Span.LAST_TWENTY_FOUR_MONTHS, grain=grain, group=group)
    rows = await copy.rows("mrr-movement", choice)
    before: dict[Any, Decimal] = {}
    assert rows
    for row in rows:
        value = {key: Decimal(row[key]) for key in (*PARTS, "opening", "closing", "net")}
        gained = value["new"] + value["expansion"] + value["reactivation"]
        assert value["opening"] + gained - value["contraction"] - value["churn"] == value["closing"]
        assert value["opening"] == before.get(row.get("group"), value["opening"])
        before[row.get("group")] = value["closing"]


async def test_by_plan_a_change_of_plan_leaves_one_and_enters_the_other(copy: Copy) -> None:
    rows = await copy.rows("mrr-movement", Choice(group=Group.PLAN))
    assert len(rows) == 12 * len(PLANS)
    for code, title in PLANS.items():
        books = Books(copy.lives, code)
        own = {row["period"]: row for row in rows if row["group"] == title}
        for name, begin, end in copy.months:
            moved = {part: text(amount) for part, amount in books.movement(begin, end).items()}
            assert {part: own[name][part] for part in PARTS} == moved
            assert own[name]["closing"] == text(books.mrr(end))


async def test_a_filter_by_plan_shows_what_the_group_of_the_plan_shows(copy: Copy) -> None:
    one = await copy.rows("mrr-movement", Choice(filters=Filters(plans=("team",))))
    grouped = await copy.rows("mrr-movement", Choice(group=Group.PLAN))
    assert one == [{k: v for k, v in row.items() if k != "group"} for row in grouped if row["group"] == "Team"]


async def test_a_filter_by_customer_and_currency_leaves_the_others_out(copy: Copy) -> None:
    choice = Choice(filters=Filters(customers=("c1", "c2"), currencies=("USD",)))
    chosen = [life for life in copy.lives if life.customer in ("c1", "c2") and life.currency == "USD"]
    rows = await copy.rows("active-subscriptions", choice)
    assert [row["active"] for row in rows] == [str(len(Books(chosen).active(end))) for _, _, end in copy.months]


async def test_active_subscriptions_and_customers_are_those_of_the_last_day(copy: Copy) -> None:
    books, rows = Books(copy.lives), await copy.rows("active-subscriptions")
    for (_, begin, end), row in zip(copy.months, rows, strict=True):
        assert row["active"] == str(len(books.active(end)))
        assert row["change"] == str(len(books.active(end)) - len(books.active(begin - DAY)))
        assert row["customers"] == str(len(books.customers(end)))


async def test_arpu_and_ltv_are_by_customer(copy: Copy) -> None:
    books, arpu, ltv = Books(copy.lives), await copy.rows("arpu"), await copy.rows("ltv")
    for (_, begin, end), row, life in zip(copy.months, arpu, ltv, strict=True):
        had, has = books.customers(begin - DAY), books.customers(end)
        average, lost = books.mrr(end) / len(has), len(had - has)
        assert (row["customers"], row["arpu"]) == (str(len(has)), text(average))
        assert (life["lost"], life["rate"]) == (str(lost), rate(lost, len(had)))
        assert life["ltv"] == (text(average * len(had) / lost) if lost else None)


async def test_churn_and_retention_compare_the_ends_of_a_period(copy: Copy) -> None:
    books = Books(copy.lives)
    churn, net = await copy.rows("churn-rate"), await copy.rows("net-revenue-retention")
    gross = await copy.rows("gross-revenue-retention")
    for (_, begin, end), row, kept, held in zip(copy.months, churn, net, gross, strict=True):
        opening, lost, parts = books.mrr(begin - DAY), books.lost(begin, end), books.movement(begin, end)
        assert (row["opening"], row["churned"]) == (str(len(books.active(begin - DAY))), str(len(lost)))
        assert row["rate"] == rate(len(lost), len(books.active(begin - DAY)))
        assert row["mrr_rate"] == rate(parts["churn"], opening)
        left = opening - parts["contraction"] - parts["churn"]
        assert held["rate"] == rate(left, opening)
        assert kept["rate"] == rate(left + parts["expansion"], opening)


async def test_signups_and_activations_count_first_days(copy: Copy) -> None:
    made, begun = await copy.rows("signups"), await copy.rows("activations")
    for (_, begin, end), row, first in zip(copy.months, made, begun, strict=True):
        new = reckoning.counted(copy.lives, lambda life: life.states[0].day, begin, end)
        new = [life for life in new if life.states[0].status != "creation_failed"]
        assert row["signups"] == str(len(new))
        assert row["trials"] == str(sum(life.states[0].status == "trial" for life in new))
        assert row["customers"] == str(len({life.customer for life in new}))
        started = reckoning.counted(copy.lives, first_recurred, begin, end)
        worths = [next(state.worth for state in life.states if state.recurring) for life in started]
        assert (first["activations"], first["mrr"]) == (str(len(started)), text(sum(worths)))


async def test_a_trial_is_converted_by_what_comes_after_it(copy: Copy) -> None:
    rows = await copy.rows("trials")
    for (_, begin, end), row in zip(copy.months, rows, strict=True):
        found: Counter[str] = Counter()
        for life in copy.lives:
            place = next((n for n, state in enumerate(life.states) if state.status == "trial"), None)
            if place is None or not begin <= life.states[place].day <= end:
                continue
            converted = any(state.recurring for state in life.states[place:])
            found["converted" if converted else "open" if life.states[-1].status == "trial" else "lost"] += 1
        assert {key: row[key] for key in ("converted", "open", "lost")} == {
            key: str(found[key]) for key in ("converted", "open", "lost")
        }
        assert row["trials"] == str(found.total())
        assert row["rate"] == rate(found["converted"], found["converted"] + found["lost"])


async def test_a_cohort_is_followed_month_by_month(copy: Copy) -> None:
    rows = await copy.rows("retention-cohorts")
    ends = [end for _, _, end in copy.months]
    cohorts = [reckoning.counted(copy.lives, first_recurred, begin, end) for _, begin, end in copy.months]
    expected: list[dict[str, str | None]] = [
        {
            "period": name,
            "size": str(len(cohort)),
            **{
                f"p{k}": rate(len([c for c in cohort if recurs(c.at_end_of(end))]), len(cohort))
                for k, end in enumerate(ends[n:])
            },
        }
        for n, ((name, _, _), cohort) in enumerate(zip(copy.months, cohorts, strict=True))
        if cohort
    ]
    assert [{key: value for key, value in row.items() if value is not None} for row in rows] == expected


async def test_what_was_lost_is_told_by_reason_plan_and_tenure(copy: Copy) -> None:
    lost = [one for _, begin, end in copy.months for one in Books(copy.lives).lost(begin, end)]
    for key, column, title in (
        ("churn-by-reason", "reason", lambda _, now: now.status.replace("_", " ").title()),
        ("churn-by-plan", "plan", lambda was, _: PLANS[was.plan]),
    ):
        found: dict[str, list[Decimal]] = defaultdict(list)
        for _, was, state in lost:
            found[title(was, state)].append(worth(was))
        rows = {row[column]: (row["churned"], row["mrr"]) for row in await copy.rows(key)}
        assert rows == {name: (str(len(amounts)), text(sum(amounts))) for name, amounts in found.items()}
    tenures = await copy.rows("churn-by-tenure")
    assert sum(int(row["churned"]) for row in tenures) == len(lost)


async def test_revenue_is_earned_day_by_day_in_months_of_any_length(copy: Copy) -> None:
    rows = {row["plan"]: row["revenue"] for row in await copy.rows("revenue-by-plan")}
    first, last = copy.months[0][1], copy.today
    earned = {title: text(Books(copy.lives, code).earned(first, last)) for code, title in PLANS.items()}
    assert rows == earned


async def test_statuses_and_plans_are_those_of_the_last_day(copy: Copy) -> None:
    now = [state for life in copy.lives if (state := life.at_end_of(copy.today))]
    rows = await copy.rows("subscriptions-by-status")
    counts = Counter(state.status.replace("_", " ").title() for state in now)
    assert {row["status"]: int(row["subscriptions"]) for row in rows} == counts
    by_plan = {row["plan"]: (row["active"], row["mrr"]) for row in await copy.rows("subscriptions-by-plan")}
    for code, title in PLANS.items():
        books = Books(copy.lives, code)
        assert by_plan[title] == (str(len(books.active(copy.today))), text(books.mrr(copy.today)))


async def test_renewals_are_those_due_and_renewing(copy: Copy) -> None:
    renewing = [life for life in copy.lives if recurs(s := life.at_end_of(copy.today)) and s.status != "non_renewing"]
    due = [life for life in renewing if life.due and copy.today <= life.due < copy.today + timedelta(days=30)]
    rows = await copy.rows("renewals-due")
    assert [(row["day"], row["number"]) for row in rows] == sorted((str(life.due), life.id.upper()) for life in due)
    amounts = {life.id.upper(): text(life.amount * RATES[life.currency]) for life in due}
    assert {row["number"]: row["amount"] for row in rows} == amounts
    weeks = [life for life in renewing if life.due and copy.today <= life.due < copy.today + timedelta(days=84)]
    assert (await copy.totals("renewal-summary"))["renewals"] == str(len(weeks))


async def test_as_of_an_earlier_day_nothing_that_came_later_shows(copy: Copy) -> None:
    day = copy.today - timedelta(days=77)
    rows = await copy.rows("mrr-movement", as_of=day)
    assert rows[-1]["period"] == day.isoformat()[:7]
    assert rows[-1]["closing"] == text(Books(copy.lives).mrr(day))
    status = await copy.rows("subscriptions-by-status", as_of=day)
    existed = [life for life in copy.lives if life.at_end_of(day)]
    assert sum(int(row["subscriptions"]) for row in status) == len(existed)


async def test_totals_are_those_of_the_whole_time(copy: Copy) -> None:
    books, totals = Books(copy.lives), await copy.totals("mrr-movement")
    first, last = copy.months[0][1], copy.today
    assert (totals["opening"], totals["closing"]) == (text(books.mrr(first - DAY)), text(books.mrr(last)))
    rows = await copy.rows("mrr-movement")
    assert {part: totals[part] for part in PARTS} == {p: text(sum(Decimal(row[p]) for row in rows)) for p in PARTS}


async def test_recent_activity_is_newest_first(copy: Copy) -> None:
    rows = await copy.rows("recent-activity")
    days = sorted((state.day for life in copy.lives for state in life.states), reverse=True)
    assert [row["day"] for row in rows] == [str(day) for day in days[:50]]
