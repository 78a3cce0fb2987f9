"""The records that every sandbox starts with."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from services.sandbox import Sandbox
from services.sandbox.store import Record

DEMO, CRM = "20098765001", "20077000001"


def _bodies(sandbox: Sandbox, kind: str, organization_id: str = DEMO) -> list[dict[str, Any]]:
    chosen = select(Record.body).where(Record.organization_id == organization_id, Record.kind == kind)
    with sandbox.store.session() as session:
        return [dict(body) for body in session.exec(chosen)]


@pytest.mark.parametrize(
    ("organization_id", "kind", "least"),
    [
        (CRM, "crm_accounts", 60),
        (CRM, "crm_contacts", 120),
        (DEMO, "estimates", 500),
        (DEMO, "invoices", 500),
        (DEMO, "salesorders", 500),
        (DEMO, "purchaseorders", 500),
        (DEMO, "subscriptions", 300),
        ("60012000001", "invoices", 40),
        ("62012000001", "estimates", 40),
    ],
)
def test_there_is_enough_of_everything(sandbox: Sandbox, organization_id: str, kind: str, least: int) -> None:
    assert len(_bodies(sandbox, kind, organization_id)) >= least


def test_two_sandboxes_hold_the_same_records(sandbox: Sandbox) -> None:
    other = Sandbox()
    for kind in ("contacts", "invoices", "subscriptions"):
        assert _bodies(other, kind) == _bodies(sandbox, kind)
    other.close()


def test_invoices_add_up_and_follow_from_orders_and_estimates(sandbox: Sandbox) -> None:
    orders = {body["salesorder_id"]: body for body in _bodies(sandbox, "salesorders")}
    estimates = {body["estimate_id"]: body for body in _bodies(sandbox, "estimates")}
    followed = 0
    for invoice in _bodies(sandbox, "invoices"):
        assert invoice["sub_total"] == sum(Decimal(line["item_total"]) for line in invoice["line_items"])
        source = orders.get(invoice["salesorder_id"]) or estimates.get(invoice["estimate_id"])
        if source:
            followed += 1
            assert source["customer_id"] == invoice["customer_id"]
            assert source["date"] <= invoice["date"] <= "2026-11-15"
    assert followed > 250


def test_statuses_agree_with_dates_and_balances(sandbox: Sandbox) -> None:
    for invoice in _bodies(sandbox, "invoices"):
        if invoice["status"] in ("paid", "void"):
            assert invoice["balance"] == 0
        if invoice["status"] == "overdue":
            assert invoice["due_date"] < "2026-11-15"
            assert invoice["balance"] == invoice["total"]
        if invoice["status"] == "sent":
            assert invoice["due_date"] >= "2026-11-15"


def test_documents_wait_for_approval_in_every_kind_and_trade_in_several_currencies(sandbox: Sandbox) -> None:
    for kind in ("estimates", "invoices", "salesorders", "purchaseorders"):
        bodies = _bodies(sandbox, kind)
        assert Counter(body["status"] for body in bodies)["pending_approval"]
        assert len({body["currency_code"] for body in bodies}) > 2
        assert min(body["date"] for body in bodies) < "2024-12-01"


def test_accounts_are_linked_in_every_way_that_life_knows(sandbox: Sandbox) -> None:
    contacts = _bodies(sandbox, "contacts")
    by_account = Counter(
        (body["zcrm_account_id"], body["contact_type"]) for body in contacts if body["zcrm_account_id"]
    )
    customers = {account for account, side in by_account if side == "customer"}
    vendors = {account for account, side in by_account if side == "vendor"}
    assert customers & vendors
    assert vendors - customers
    assert max(by_account.values()) == 2
    assert {body["id"] for body in _bodies(sandbox, "crm_accounts", CRM)} - customers - vendors
    assert any(body["zcrm_contact_id"] and not body["zcrm_account_id"] for body in contacts)
    assert any(not body["zcrm_contact_id"] and not body["zcrm_account_id"] for body in contacts)


def test_where_products_are_apart_customers_have_their_own_ids(sandbox: Sandbox) -> None:
    customers = {body["customer_id"] for body in _bodies(sandbox, "customers", "60012000002")}
    contacts = {body["contact_id"] for body in _bodies(sandbox, "contacts", "60012000001")}
    assert customers
    assert not customers & contacts
    assert {body["customer_id"] for body in _bodies(sandbox, "subscriptions", "60012000002")} <= customers
