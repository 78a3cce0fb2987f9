from collections.abc import Awaitable, Callable

import httpx
import pytest

Ask = Callable[..., Awaitable[httpx.Response]]
KINDS = ("estimates", "invoices", "salesorders", "purchaseorders")
REFUSED = (401, 57)


def _verdict(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_person_without_the_module_is_refused(books: Ask, kind: str) -> None:
    assert _verdict(await books("GET", f"/{kind}", "timesheet")) == REFUSED


@pytest.mark.parametrize("kind", ["estimates", "invoices", "salesorders"])
async def test_assigned_customers_are_all_that_an_assigned_user_sees(books: Ask, kind: str) -> None:
    mine = {row["contact_id"] for row in (await books("GET", "/contacts", "assigned")).json()["contacts"]}
    rows = (await books("GET", f"/{kind}", "assigned")).json()[kind]
    assert 0 < len(rows) < 300
    assert {row["customer_id"] for row in rows} <= mine


async def test_another_customers_record_is_refused_by_id(books: Ask) -> None:
    mine = {row["contact_id"] for row in (await books("GET", "/contacts", "assigned")).json()["contacts"]}
    rows = (await books("GET", "/salesorders")).json()["salesorders"]
    foreign = next(row for row in rows if row["customer_id"] not in mine)
    assert _verdict(await books("GET", f"/salesorders/{foreign['salesorder_id']}", "assigned")) == REFUSED
    assert _verdict(await books("GET", f"/contacts/{foreign['customer_id']}", "assigned")) == REFUSED
    by_ids = await books("GET", "/salesorders", "assigned", salesorder_ids=foreign["salesorder_id"])
    assert by_ids.json()["salesorders"] == []
    draft = {"customer_id": foreign["customer_id"], "line_items": [{"name": "x", "rate": 1}]}
    assert _verdict(await books("POST", "/estimates", "assigned", json=draft)) == REFUSED


async def test_an_assigned_user_sees_the_customer_that_he_has_made(books: Ask) -> None:
    made = (await books("POST", "/contacts", "assigned", json={"contact_name": "Quarry Tools"})).json()["contact"]
    assert (await books("GET", f"/contacts/{made['contact_id']}", "assigned")).status_code == 200


async def test_hidden_fields_are_left_out_of_rows_and_records(books: Ask) -> None:
    row = (await books("GET", "/invoices", "restricted", per_page=1)).json()["invoices"][0]
    assert "salesperson_name" not in row
    full = (await books("GET", f"/invoices/{row['invoice_id']}", "restricted")).json()["invoice"]
    assert not {"salesperson_name", "notes"} & full.keys()
    assert "notes" in (await books("GET", f"/invoices/{row['invoice_id']}")).json()["invoice"]


async def test_setting_a_field_that_is_read_only_is_refused_and_nothing_is_written(books: Ask) -> None:
    row = (await books("GET", "/estimates", status="draft", per_page=1)).json()["estimates"][0]
    path = f"/estimates/{row['estimate_id']}"
    assert _verdict(await books("PUT", path, "restricted", json={"notes": "new", "discount": 5})) == REFUSED
    lines = [{"name": "x", "rate": 1, "discount": 1}]
    assert _verdict(await books("PUT", path, "restricted", json={"line_items": lines})) == REFUSED
    assert (await books("GET", path)).json()["estimate"]["notes"] != "new"
    assert (await books("PUT", path, "restricted", json={"notes": "new"})).status_code == 200


async def test_a_module_that_is_only_viewed_takes_no_writes(books: Ask) -> None:
    row = (await books("GET", "/purchaseorders", "restricted", status="draft")).json()["purchaseorders"][0]
    path = f"/purchaseorders/{row['purchaseorder_id']}"
    for method, at in (("POST", "/purchaseorders"), ("PUT", path), ("DELETE", path), ("POST", f"{path}/status/open")):
        assert _verdict(await books(method, at, "restricted", json={"notes": "x"})) == REFUSED


async def test_only_administrators_list_users(books: Ask) -> None:
    assert _verdict(await books("GET", "/users", "staff")) == REFUSED
    me = (await books("GET", "/users/me", "staff")).json()["user"]
    assert (await books("GET", f"/users/{me['user_id']}", "staff")).json()["user"]["name"] == me["name"]
