"""Reports through the front door: the figures of the demo organization, reckoned from the sandbox's own records."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.wiring.recording import rebuild
from services.reports.catalogue import SYSTEM
from services.sandbox.goods import CURRENCIES, exchange_rate
from tests.harness import Demo, Gateway
from tests.resolvers.reading import data, kept, only_error

RECURRING = {"live", "non_renewing", "dunning", "unpaid"}
GONE = {"cancelled", "cancelled_from_dunning", "expired"}
MONTHS = {"months": Decimal(1), "years": Decimal(12), "weeks": Decimal(7) * 12 / Decimal("365.25")}
RESULT = "columns { key currency } rows totals asOf chart withheld { title permission }"


@pytest.fixture(scope="module")
async def reporting(demo: Demo) -> AsyncIterator[Gateway]:
    """A gateway whose copy has just been read."""
    async with demo.gateway() as gateway:
        services = gateway.app.state.endpoint.services
        viewer = await services.identity.viewer("owner@demo.example")
        await rebuild(services.copy, viewer.organization_id)
        yield gateway


@pytest.fixture
def today() -> date:
    return datetime.now(ZoneInfo("Europe/Berlin")).date()


async def ids(gateway: Gateway, person: str = "billing") -> dict[str, str]:
    found = await data(gateway, person, "{ reports { id name } }")
    return {report["name"]: report["id"] for report in found["reports"]}


async def result(gateway: Gateway, key: str, person: str = "billing", arguments: str = "") -> dict[str, Any]:
    report = (await ids(gateway))[SYSTEM[key].name]
    query = f"query($id: ID!) {{ report(id: $id) {{ run{arguments} {{ {RESULT} }} }} }}"
    answer: dict[str, Any] = (await data(gateway, person, query, id=report))["report"]["run"]
    return answer


async def rows(gateway: Gateway, key: str, **more: Any) -> list[dict[str, Any]]:
    answer = await result(gateway, key, **more)
    return [dict(zip((c["key"] for c in answer["columns"]), row, strict=True)) for row in answer["rows"]]


def day(text: str) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def recurred(body: Any, on: date) -> bool:
    """Whether it recurred at the end of a day, by its own dates; no status begins after the record's last change."""
    begun, changed = day(body["activated_at"]), date.fromisoformat(body["updated_time"][:10])
    told = day(body["expires_at"]) if body["status"] in GONE else day(body["pause_date"])
    ended = min(told, changed) if told else None
    never = body["status"] in {"trial", "future", "creation_failed", "trial_expired"}
    return begun is not None and not never and begun <= on and (ended is None or on < ended)


def rounded(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-CURRENCIES[currency][3]), ROUND_HALF_EVEN)


def mrr(body: Any) -> Decimal:
    months = int(body["interval"]) * MONTHS[body["interval_unit"]]
    own = rounded(Decimal(str(body["amount"])) / months, body["currency_code"])
    return rounded(own * exchange_rate(body["currency_code"], "EUR"), "EUR")


def ends(today: date) -> list[tuple[str, date]]:
    """The last twelve months and the last day of each, today in this one."""
    found = [today]
    while len(found) < 12:
        found.append(found[-1].replace(day=1) - timedelta(days=1))
    return [(f"{end:%Y-%m}", end) for end in reversed(found)]


async def test_mrr_and_active_subscriptions_are_those_of_the_products_records(reporting: Gateway, today: date) -> None:
    bodies = kept(reporting.sandbox, "subscriptions")
    worth, active = await rows(reporting, "mrr"), await rows(reporting, "active-subscriptions")
    for (month, end), row, count in zip(ends(today), worth, active, strict=True):
        there = [body for body in bodies if recurred(body, end)]
        assert (row["period"], row["mrr"]) == (month, str(sum(map(mrr, there), Decimal("0.00"))))
        assert count["active"] == str(len(there))
        assert count["customers"] == str(len({body["customer_id"] for body in there}))


async def test_statuses_signups_and_renewals_are_those_of_the_products_records(reporting: Gateway, today: date) -> None:
    bodies = kept(reporting.sandbox, "subscriptions")
    by_status = {row["status"]: int(row["subscriptions"]) for row in await rows(reporting, "subscriptions-by-status")}
    assert by_status == Counter(body["status"].replace("_", " ").title() for body in bodies)
    created = Counter(body["created_at"][:7] for body in bodies if body["status"] != "creation_failed")
    signups = {row["period"]: int(row["signups"]) for row in await rows(reporting, "signups")}
    assert signups == {month: created[month] for month, _ in ends(today)}
    renewing = [body for body in bodies if body["status"] in RECURRING - {"non_renewing"} and body["next_billing_at"]]
    due = [body for body in renewing if today <= date.fromisoformat(body["next_billing_at"]) < today + timedelta(30)]
    assert len(await rows(reporting, "renewals-due")) == len(due)


async def test_by_plan_the_parts_are_the_whole(reporting: Gateway) -> None:
    plans = await result(reporting, "subscriptions-by-plan")
    whole = await result(reporting, "active-subscriptions")
    assert plans["totals"][1] == whole["totals"][1]
    assert sum(int(row[1]) for row in plans["rows"]) == int(plans["totals"][1])


async def test_a_result_says_its_currency_and_when_its_records_were_read(reporting: Gateway) -> None:
    answer = await result(reporting, "mrr")
    assert [column["currency"] for column in answer["columns"]] == [None, "EUR", "EUR", None]
    assert datetime.fromisoformat(answer["asOf"]) <= datetime.now().astimezone()
    assert answer["chart"] == "LINE"


async def test_days_can_be_chosen(reporting: Gateway, today: date) -> None:
    then = (today.replace(day=1) - timedelta(days=40)).replace(day=15)
    found = await rows(reporting, "mrr", arguments=f'(from: "{then}", to: "{then}")')
    assert [row["period"] for row in found] == [f"{then:%Y-%m}"]
    as_of = await rows(reporting, "mrr", arguments=f'(asOf: "{then}")')
    assert as_of[-1]["mrr"] == found[0]["mrr"]


@pytest.mark.parametrize("arguments", ['(asOf: "2999-01-01")', '(from: "2026-05-02", to: "2026-05-01")'])
async def test_days_that_cannot_be_are_refused(reporting: Gateway, arguments: str) -> None:
    report = (await ids(reporting))["MRR"]
    answer = await reporting.ask("billing", f'{{ report(id: "{report}") {{ run{arguments} {{ rows }} }} }}')
    assert only_error(answer)["code"] == "BAD_USER_INPUT"


async def test_the_folder_of_system_reports_holds_them_all(reporting: Gateway) -> None:
    query = '{ reports(folder: "Zoho Subscription Reports") { name system folder description mine basedOn } }'
    found = (await data(reporting, "billing", query))["reports"]
    assert [report["name"] for report in found] == [definition.name for definition in SYSTEM.values()]
    assert all(report["system"] and not report["mine"] and report["description"] for report in found)
    assert (await data(reporting, "billing", '{ reports(folder: "Private Reports") { name } }'))["reports"] == []


@pytest.mark.parametrize("person", ["assigned", "sales", "outsider", "staff"])
async def test_who_may_not_view_subscriptions_sees_no_report(reporting: Gateway, person: str) -> None:
    report = (await ids(reporting))["MRR"]
    for query in ("{ reports { name } }", f'{{ report(id: "{report}") {{ name }} }}', "{ dashboards { name } }"):
        error = only_error(await reporting.ask(person, query))
        assert (error["code"], error["required"]) == ("FORBIDDEN", "subscriptions.view")


@pytest.mark.parametrize("person", ["owner", "billing", "readonly"])
async def test_who_may_view_subscriptions_gets_every_dashboard_whole(reporting: Gateway, person: str) -> None:
    query = f"{{ dashboards {{ name components {{ title kind report {{ name }} result {{ {RESULT} }} }} }} }}"
    found = (await data(reporting, person, query))["dashboards"]
    assert [board["name"] for board in found] == ["Zoho Subscription Overview", "Zoho Subscription Insights"]
    for board in found:
        assert all(part["result"]["columns"] and part["result"]["withheld"] == [] for part in board["components"])


async def test_a_component_shows_what_its_report_says(reporting: Gateway) -> None:
    query = f"{{ dashboards {{ components {{ title result {{ {RESULT} }} }} }} }}"
    (overview, _) = (await data(reporting, "billing", query))["dashboards"]
    parts = {part["title"]: part["result"] for part in overview["components"]}
    report = await result(reporting, "mrr")
    assert parts["MRR by month"]["rows"] == report["rows"]
    assert parts["MRR"]["totals"][-1] == report["totals"][1]


async def test_reports_and_dashboards_are_nodes(reporting: Gateway) -> None:
    found = await data(reporting, "billing", "{ reports { id name } dashboards { id name } }")
    for one in (found["reports"][0], found["dashboards"][0]):
        query = "query($id: ID!) { node(id: $id) { id ... on Report { name } ... on Dashboard { name } } }"
        assert (await data(reporting, "billing", query, id=one["id"]))["node"] == one
        assert only_error(await reporting.ask("sales", query, id=one["id"]))["code"] == "FORBIDDEN"


async def test_no_product_is_called_for_a_report(reporting: Gateway) -> None:
    reporting.sandbox.clear_calls()
    await result(reporting, "mrr-movement")
    assert [call for call in reporting.sandbox.calls() if call.product == "billing"] == []


async def test_before_the_first_reading_a_report_says_so(own_gateway: Gateway) -> None:
    report = (await ids(own_gateway))["MRR"]
    answer = await own_gateway.ask("billing", f'{{ report(id: "{report}") {{ name run {{ rows }} }} }}')
    assert answer["data"]["report"] == {"name": "MRR", "run": None}
    assert only_error(answer)["code"] == "UPSTREAM_UNAVAILABLE"
