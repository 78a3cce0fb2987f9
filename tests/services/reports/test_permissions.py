"""What reports tell viewers from whom something is hidden: nothing of it, in no form."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from services.errors import Forbidden
from services.policy import Viewer
from services.reports.access import columns_for, refusals
from services.reports.catalogue import SYSTEM
from services.reports.run import Order, run
from services.reports.values import AMOUNT, Choice, ColumnKind, Filters, Group, Result
from tests.services.conftest import Company
from tests.services.reports.histories import by_chance, keep


@pytest.fixture
async def filled(company: Company, today: date) -> Company:
    await keep(company.database, company.id, by_chance(3, 60, today - timedelta(days=300), today))
    return company


async def every(company: Company, viewer: Viewer, choice: Choice | None = None) -> dict[str, Any]:
    orders = [Order(one, choice or one.choice) for one in SYSTEM.values()]
    results = await run(company.database, viewer, orders)
    return dict(zip(SYSTEM, results, strict=True))


@pytest.mark.parametrize("hidden", sorted(AMOUNT))
async def test_who_may_not_see_amounts_sees_no_money_in_any_report(
    filled: Company, viewer: Callable[..., Viewer], hidden: str
) -> None:
    for key, result in (await every(filled, viewer(filled.id, frozenset({hidden})))).items():
        if isinstance(result, Forbidden):
            assert SYSTEM[key].needs >= AMOUNT
            assert result.details["required"] == f"subscriptions.view.{hidden}"
            continue
        assert not [column for column in result.columns if column.kind is ColumnKind.MONEY]
        titles = [column.title for column in SYSTEM[key].columns if AMOUNT & column.needs]
        assert [withheld.title for withheld in result.withheld] == titles
        assert all(len(row) == len(result.columns) for row in [*result.rows, result.totals or result.columns])


async def test_who_may_not_see_plans_gets_no_report_by_plan(filled: Company, viewer: Callable[..., Viewer]) -> None:
    blind = viewer(filled.id, frozenset({"plan"}))
    results = await every(filled, blind)
    refused = {key for key, result in results.items() if isinstance(result, Forbidden)}
    assert refused == {"subscriptions-by-plan", "churn-by-plan", "revenue-by-plan"}
    for result in results.values():
        assert isinstance(result, Forbidden) or "Plan" not in [column.title for column in result.columns]


@pytest.mark.parametrize("choice", [Choice(group=Group.PLAN), Choice(filters=Filters(plans=("team",)))])
async def test_a_hidden_field_can_neither_group_nor_filter(
    filled: Company, viewer: Callable[..., Viewer], choice: Choice
) -> None:
    blind = viewer(filled.id, frozenset({"plan"}))
    (result,) = await run(filled.database, blind, [Order(SYSTEM["signups"], choice)])
    assert isinstance(result, Forbidden)
    assert [problem.code for problem in refusals(blind, choice)] == ["FORBIDDEN"]


async def test_who_may_not_see_statuses_gets_no_figure_at_all(filled: Company, viewer: Callable[..., Viewer]) -> None:
    results = await every(filled, viewer(filled.id, frozenset({"status"})))
    assert all(isinstance(result, Forbidden) for result in results.values())


async def test_who_sees_only_some_subscriptions_is_refused(filled: Company, viewer: Callable[..., Viewer]) -> None:
    for result in (await every(filled, viewer(filled.id, assigned_only=True))).values():
        assert isinstance(result, Forbidden)
        assert result.details["missingFrom"] == ["RECORD_SCOPE"]


async def test_a_report_is_about_its_own_organization(
    filled: Company, found: Callable[..., Any], viewer: Callable[..., Viewer]
) -> None:
    other = await found()
    assert other.id != filled.id
    await keep(other.database, other.id, [])
    for result in (await every(other, viewer(other.id))).values():
        assert isinstance(result, Result)
        assert not [cell for row in result.rows for cell in row[1:] if cell not in (None, "0", "0.00")]


def test_every_column_of_money_needs_the_amount(viewer: Callable[..., Viewer]) -> None:
    for definition in SYSTEM.values():
        for column in definition.columns:
            assert column.kind is not ColumnKind.MONEY or column.needs >= AMOUNT
        shown, withheld = columns_for(viewer("o"), definition, definition.choice)
        assert ([column.key for column in shown], withheld) == ([column.key for column in definition.columns], [])
