from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

Ask = Callable[..., Awaitable[httpx.Response]]
KINDS = ("estimates", "invoices", "salesorders", "purchaseorders")


async def _rows(books: Ask, kind: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await books("GET", f"/{kind}", **query)).json()[kind]
    return rows


@pytest.mark.parametrize("kind", KINDS)
async def test_pages_follow_one_another_without_gap_or_repetition(books: Ask, kind: str) -> None:
    key, seen = f"{kind[:-1]}_id", []
    for number in (1, 2, 3):
        answer = (await books("GET", f"/{kind}", page=number, per_page=200)).json()
        seen += [row[key] for row in answer[kind]]
        assert answer["page_context"]["has_more_page"] is (number < 3)
    assert len(seen) == len(set(seen)) == 500


async def test_more_than_200_a_page_is_200(books: Ask) -> None:
    answer = (await books("GET", "/estimates", per_page=500)).json()
    assert answer["page_context"]["per_page"] == len(answer["estimates"]) == 200


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({"status": "draft"}, lambda row: row["status"] == "draft"),
        ({"filter_by": "Status.Accepted"}, lambda row: row["status"] == "accepted"),
        ({"customer_name_contains": "FOODS"}, lambda row: "Foods" in row["customer_name"]),
        ({"customer_name_startswith": "amber"}, lambda row: row["customer_name"].startswith("Amber")),
        ({"estimate_number": "EST-000007"}, lambda row: row["estimate_number"] == "EST-000007"),
        ({"total_greater_than": "5000.50"}, lambda row: row["total"] > 5000.50),
        ({"total_less_equals": "500"}, lambda row: row["total"] <= 500),
        ({"date_start": "2026-01-01", "date_end": "2026-02-28"}, lambda row: "2026-01" <= row["date"] < "2026-03"),
        ({"date_before": "2025-01-01"}, lambda row: row["date"] < "2025-01-01"),
        ({"expiry_date_after": "2026-11-15"}, lambda row: row["expiry_date"] > "2026-11-15"),
        ({"search_text": "bakery"}, lambda row: "Bakery" in row["customer_name"]),
        (
            {"last_modified_time": "2026-06-01T00:00:00+0200"},
            lambda row: row["last_modified_time"] >= "2026-06-01",
        ),
    ],
)
async def test_a_filter_leaves_the_rows_that_match(
    books: Ask, query: dict[str, str], holds: Callable[[dict[str, Any]], bool]
) -> None:
    rows = await _rows(books, "estimates", **query)
    assert rows
    assert len(rows) < 500
    assert all(map(holds, rows))


async def test_filters_reach_into_the_lines(books: Ask) -> None:
    rows = await _rows(books, "invoices", item_name_contains="standing", per_page=1)
    invoice = (await books("GET", f"/invoices/{rows[0]['invoice_id']}")).json()["invoice"]
    assert any("Standing desk" in line["name"] for line in invoice["line_items"])


async def test_unpaid_invoices_are_all_that_are_still_owed(books: Ask) -> None:
    statuses = {row["status"] for row in await _rows(books, "invoices", filter_by="Status.Unpaid")}
    assert {"sent", "overdue", "partially_paid"} <= statuses
    assert not statuses & {"paid", "draft", "void"}


async def test_sales_orders_take_lists_of_values(books: Ask) -> None:
    rows = await _rows(books, "salesorders", salesorder_number_in="SO-000001,SO-000002")
    assert sorted(row["salesorder_number"] for row in rows) == ["SO-000001", "SO-000002"]


@pytest.mark.parametrize("order", ["A", "D"])
async def test_rows_are_sorted_as_asked(books: Ask, order: str) -> None:
    totals = [row["total"] for row in await _rows(books, "invoices", sort_column="total", sort_order=order)]
    assert totals == sorted(totals, reverse=order == "D")


@pytest.mark.parametrize(
    "query",
    [
        {"filter_by": "Status.Nonsense"},
        {"status": "pending_approval"},
        {"sort_column": "notes"},
        {"sort_order": "down"},
        {"page": "0"},
        {"per_page": "-1"},
        {"date_start": "2026-02-30"},
        {"total_greater_than": "much"},
        {"total": "NaN"},
        {"search_text": "x" * 101},
        {"last_modified_time": "yesterday"},
    ],
)
async def test_a_value_that_cannot_be_read_is_refused_with_code_2(books: Ask, query: dict[str, str]) -> None:
    answer = await books("GET", "/estimates", **query)
    assert (answer.status_code, answer.json()["code"]) == (400, 2)


async def test_unknown_parameters_are_ignored(books: Ask) -> None:
    assert len(await _rows(books, "estimates", per_page=3, **{"date.start": "2020-01-01", "colour": "red"})) == 3


async def test_sales_orders_by_their_ids_come_with_all_detail(books: Ask) -> None:
    ids = [row["salesorder_id"] for row in await _rows(books, "salesorders", per_page=3)]
    orders = await _rows(books, "salesorders", salesorder_ids=",".join([*ids, "999"]))
    assert sorted(order["salesorder_id"] for order in orders) == sorted(ids)
    assert all(order["line_items"] and "created_by_id" in order for order in orders)


async def test_response_options_count_and_sum_invoices(books: Ask) -> None:
    counted = (await books("GET", "/invoices", response_option=3)).json()
    assert "invoices" not in counted
    assert counted["page_context"]["total"] == 500
    assert counted["page_context"]["sum_columns"]["total"] > counted["page_context"]["sum_columns"]["balance"] > 0


async def test_contacts_are_found_by_their_crm_records(books: Ask) -> None:
    some = (await books("GET", "/contacts", filter_by="Status.Crm", per_page=1)).json()["contacts"][0]
    full = (await books("GET", f"/contacts/{some['contact_id']}")).json()["contact"]
    linked = await _rows(books, "contacts", zcrm_account_id=full["zcrm_account_id"])
    assert some["contact_id"] in [row["contact_id"] for row in linked]
    assert len(linked) < 4


async def test_documents_of_one_customer_are_listed_by_his_id(books: Ask) -> None:
    row = (await _rows(books, "estimates", per_page=1))[0]
    mine = await _rows(books, "estimates", customer_id=row["customer_id"])
    assert {each["customer_id"] for each in mine} == {row["customer_id"]}
    assert 1 <= len(mine) < 100
