from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

Ask = Callable[..., Awaitable[httpx.Response]]

ROW = """
    customer_id customer_name email plan_name subscription_id name status amount created_at activated_at
    current_term_ends_at current_term_starts_at last_billing_at next_billing_at expires_at interval
    interval_unit auto_collect created_time updated_time reference_id salesperson_id salesperson_name
    currency_code currency_symbol
"""
FULL = """
    subscription_id name status amount created_at activated_at current_term_starts_at current_term_ends_at
    last_billing_at next_billing_at expires_at interval interval_unit auto_collect created_time updated_time
    reference_id salesperson_id salesperson_name child_invoice_id currency_code currency_symbol end_of_term
    product_id product_name plan addons coupon card payment_terms payment_terms_label can_add_bank_account
    customer custom_fields taxes contactpersons notes payment_gateways subscription_number trial_starts_at
    trial_ends_at cancelled_at
"""
PLAN = "plan_code name quantity price discount total setup_fee plan_description tax_id trial_days"
CUSTOMER = """
    customer_id display_name salutation first_name last_name email tags company_name phone mobile website
    department designation currency_code unused_credits outstanding is_gapps_customer updated_time created_time
"""
PLANS = """
    plan_code name recurring_price unit interval interval_unit billing_cycles trial_period setup_fee product_id
    tax_id product_type description status addons created_time updated_time
"""
STATUSES = """
    live trial dunning unpaid non_renewing cancelled creation_failed cancelled_from_dunning expired
    trial_expired future paused
"""


async def _new(billing: Ask, **fields: Any) -> dict[str, Any]:
    rows = (await billing("GET", "/customers")).json()["customers"]
    customer = next(row["customer_id"] for row in rows if row["currency_code"] == "EUR")
    draft = {"customer_id": customer, "plan": {"plan_code": "tm-plus-m", "quantity": 2}} | fields
    answer = await billing("POST", "/subscriptions", json=draft)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["subscription"]
    return made


async def test_rows_and_records_have_the_documented_fields(billing: Ask) -> None:
    row = (await billing("GET", "/subscriptions", per_page=1)).json()["subscriptions"][0]
    assert set(ROW.split()) <= row.keys()
    assert "plan" not in row
    full = (await billing("GET", f"/subscriptions/{row['subscription_id']}")).json()["subscription"]
    assert set(FULL.split()) <= full.keys()
    assert set(PLAN.split()) <= full["plan"].keys()
    customer = (await billing("GET", "/customers", per_page=1)).json()["customers"][0]
    assert set(CUSTOMER.split()) <= customer.keys()
    plan = (await billing("GET", "/plans", per_page=1)).json()["plans"][0]
    assert set(PLANS.split()) <= plan.keys()


async def test_every_status_and_several_currencies_occur(billing: Ask) -> None:
    pages = [(await billing("GET", "/subscriptions", page=number)).json() for number in (1, 2)]
    rows = [row for page in pages for row in page["subscriptions"]]
    assert len(rows) >= 300
    assert {row["status"] for row in rows} == set(STATUSES.split())
    assert len({row["currency_code"] for row in rows}) > 3
    assert {row["interval_unit"] for row in rows} == {"weeks", "months", "years"}


@pytest.mark.parametrize("status", STATUSES.split())
async def test_each_status_can_be_asked_for(billing: Ask, status: str) -> None:
    rows = (await billing("GET", "/subscriptions", filter_by=f"SubscriptionStatus.{status.upper()}")).json()
    assert {row["status"] for row in rows["subscriptions"]} == {status}


async def test_an_unknown_filter_is_refused_with_code_2(billing: Ask) -> None:
    answer = await billing("GET", "/subscriptions", filter_by="SubscriptionStatus.ASLEEP")
    assert (answer.status_code, answer.json()["code"]) == (400, 2)


async def test_a_new_subscription_is_priced_and_runs_for_its_term(billing: Ask) -> None:
    made = await _new(billing, addons=[{"addon_code": "ad-seat", "quantity": 3}])
    assert (made["status"], made["amount"]) == ("live", 201.35)
    assert made["next_billing_at"] == made["current_term_ends_at"] > made["current_term_starts_at"]
    happened = (await billing("GET", f"/subscriptions/{made['subscription_id']}/recentactivities")).json()["activities"]
    assert [set(entry) for entry in happened] == [{"activity_id", "description", "activity_time", "commented_by"}]


async def test_a_plan_with_a_trial_begins_with_it_and_a_later_start_waits(billing: Ask) -> None:
    assert (await _new(billing, plan={"plan_code": "ws-team-m"}))["status"] == "trial"
    assert (await _new(billing, starts_at="2099-01-01"))["status"] == "future"


async def test_cancelling_at_the_end_can_be_taken_back_and_at_once_cannot(billing: Ask) -> None:
    made = await _new(billing)
    path = f"/subscriptions/{made['subscription_id']}"
    ending = (await billing("POST", f"{path}/cancel", cancel_at_end="true")).json()
    assert ending["subscription"]["status"] == "non_renewing"
    assert ending["subscription"]["expires_at"] == made["current_term_ends_at"]
    assert (await billing("POST", f"{path}/reactivate")).json()["subscription"]["status"] == "live"
    assert (await billing("POST", f"{path}/cancel")).json()["subscription"]["status"] == "cancelled"
    assert (await billing("POST", f"{path}/reactivate")).status_code == 400


async def test_a_renewal_is_postponed_into_the_future_only(billing: Ask) -> None:
    path = f"/subscriptions/{(await _new(billing))['subscription_id']}/postpone"
    assert (await billing("POST", path, json={"renewal_at": "2020-01-01"})).json()["code"] == 2
    later = (await billing("POST", path, json={"renewal_at": "2099-01-01"})).json()["subscription"]
    assert later["next_billing_at"] == "2099-01-01"


async def test_a_change_at_the_end_of_the_term_is_scheduled(billing: Ask) -> None:
    made = await _new(billing)
    path = f"/subscriptions/{made['subscription_id']}"
    assert (await billing("GET", f"{path}/scheduledchanges")).status_code == 404
    change = {"plan": {"plan_code": "tm-plus-y"}, "end_of_term": True}
    kept = (await billing("PUT", path, json=change)).json()["subscription"]
    assert (kept["plan"]["plan_code"], "scheduled_changes" in kept) == ("tm-plus-m", False)
    planned = (await billing("GET", f"{path}/scheduledchanges")).json()["subscription"]
    assert planned["plan"]["plan_code"] == "tm-plus-y"
    changed = (await billing("PUT", path, json={"plan": {"plan_code": "tm-plus-y"}})).json()["subscription"]
    assert (changed["interval_unit"], changed["amount"]) == ("years", 895)


async def test_reference_and_custom_fields_are_set(billing: Ask) -> None:
    path = f"/subscriptions/{(await _new(billing))['subscription_id']}"
    await billing("POST", f"{path}/reference", json={"reference_id": "ours-1"})
    fields = [{"label": "Acting User", "value": "sales@demo.example"}]
    assert (await billing("POST", f"{path}/customfields", json={"custom_fields": fields})).json()["code"] == 0
    full = (await billing("GET", path)).json()["subscription"]
    assert full["reference_id"] == "ours-1"
    assert [field["value"] for field in full["custom_fields"]] == ["sales@demo.example"]
    found = (await billing("GET", "/subscriptions", reference_contains="ours")).json()["subscriptions"]
    assert [row["subscription_id"] for row in found] == [full["subscription_id"]]


@pytest.mark.parametrize(
    ("draft", "status", "code"),
    [
        ({"plan": {"plan_code": "tm-plus-m"}}, 400, 2),
        ({"customer_id": "999", "plan": {"plan_code": "tm-plus-m"}}, 404, 1002),
        ({"customer_id": "known"}, 400, 2),
        ({"customer_id": "known", "plan": {"plan_code": "none"}}, 404, 1002),
        ({"customer_id": "known", "plan": {"plan_code": "tm-plus-m", "quantity": 0}}, 400, 2),
        ({"customer_id": "known", "plan": {"plan_code": "tm-plus-m", "price": "NaN"}}, 400, 2),
    ],
)
async def test_a_bad_draft_is_refused(billing: Ask, draft: dict[str, Any], status: int, code: int) -> None:
    known = (await billing("GET", "/customers", per_page=1)).json()["customers"][0]["customer_id"]
    given = draft | ({"customer_id": known} if draft.get("customer_id") == "known" else {})
    answer = await billing("POST", "/subscriptions", json=given)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_customers_are_the_books_contacts_and_are_found_by_their_crm_record(billing: Ask, books: Ask) -> None:
    row = (await billing("GET", "/customers", filter_by="Status.Crm", per_page=1)).json()["customers"][0]
    contact = (await books("GET", f"/contacts/{row['customer_id']}")).json()["contact"]
    found = (await billing("GET", f"/customers/reference/{contact['zcrm_contact_id']}")).json()["customer"]
    assert found["display_name"].startswith(contact["company_name"].split(" (")[0])
    assert (await billing("GET", "/customers/reference/1")).status_code == 404


async def test_books_staff_without_billing_is_refused(billing: Ask) -> None:
    answer = await billing("GET", "/subscriptions", "staff")
    assert answer.status_code in (400, 401)
    assert (await billing("GET", "/subscriptions", "billing")).json()["code"] == 0


async def test_transactions_are_invoices_and_their_payments(billing: Ask) -> None:
    rows = (await billing("GET", "/transactions", filter_by="TransactionType.PAYMENT", per_page=5)).json()[
        "transactions"
    ]
    assert {row["type"] for row in rows} == {"payment"}
    assert all({"transaction_id", "reference_id", "date", "type", "status", "amount"} <= row.keys() for row in rows)
