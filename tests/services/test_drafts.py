"""Drafts, checked and put into the products' words without asking anybody."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services import drafts
from services.documents import Module
from services.drafts import body, camel, problems
from services.kinds import KINDS

INVOICES, ORDERS, PURCHASES = KINDS[Module.INVOICES], KINDS[Module.SALES_ORDERS], KINDS[Module.PURCHASE_ORDERS]
SUBSCRIPTIONS = KINDS[Module.SUBSCRIPTIONS]
LINE = {"name": "A", "rate": Decimal(1)}
GOOD = {"customer_id": "1", "line_items": [LINE]}


def places(*args: Any, **kwargs: Any) -> list[str]:
    return [".".join(problem.field[1:]) for problem in problems(*args, **kwargs)]


@pytest.mark.parametrize(
    ("name", "spelled"), [("date", "date"), ("line_items", "lineItems"), ("reference_number", "referenceNumber")]
)
def test_names_are_told_as_the_schema_spells_them(name: str, spelled: str) -> None:
    assert camel(name) == spelled


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.module)
def test_what_a_new_record_needs_is_missed(kind: Any) -> None:
    party = "vendorId" if kind is PURCHASES else "customerId"
    others = {Module.SUBSCRIPTIONS: [party, "plan"], Module.SALES_ORDERS: [party]}
    needed = others.get(kind.module, [party, "lineItems"])
    assert places(kind, {}, creating=True) == needed


def test_a_change_may_leave_out_what_a_new_record_needs_but_not_empty_it() -> None:
    assert places(INVOICES, {"notes": "x"}, creating=False) == []
    assert places(INVOICES, {"line_items": []}, creating=False) == ["lineItems"]
    assert places(INVOICES, {"line_items": None}, creating=False) == ["lineItems"]
    assert places(INVOICES, {}, creating=False) == [""]


def test_lines_may_be_left_out_of_a_sales_order_but_not_be_empty() -> None:
    assert places(ORDERS, {"customer_id": "1"}, creating=True) == []
    assert places(ORDERS, {"customer_id": "1", "line_items": []}, creating=True) == ["lineItems"]
    assert places(ORDERS, {"line_items": []}, creating=False) == ["lineItems"]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "A", "quantity": Decimal(0)}, "quantity"),
        ({"name": "A", "quantity": Decimal("-0")}, "quantity"),
        ({"name": "A", "rate": Decimal("-0.01")}, "rate"),
        ({"name": "A" * 201}, "name"),
        ({"name": "A", "description": "d" * 2001}, "description"),
        ({"name": "A", "discount": {}}, "discount"),
        ({"name": "A", "discount": {"percent": Decimal(-1)}}, "discount.percent"),
    ],
)
def test_a_line_is_checked(line: dict[str, Any], place: str) -> None:
    lines = [LINE, line]
    assert places(INVOICES, {**GOOD, "line_items": lines}, creating=True) == [f"lineItems.1.{place}"]


@pytest.mark.parametrize(
    "line", [{"item_id": "1"}, {"id": "1"}, {"name": "A", "rate": Decimal(0)}, {"name": "A", "quantity": None}]
)
def test_a_line_that_says_what_it_is_is_good(line: dict[str, Any]) -> None:
    assert places(INVOICES, {**GOOD, "line_items": [line]}, creating=True) == []


def test_texts_are_as_long_as_they_may_be() -> None:
    for name, most in drafts._TEXTS.items():  # noqa: SLF001 - every row of the table
        if name in {"reference_number", "notes", "terms", "salesperson_name"}:
            assert places(INVOICES, {**GOOD, name: "x" * most}, creating=True) == []
            assert places(INVOICES, {**GOOD, name: "x" * (most + 1)}, creating=True) == [camel(name)]


@pytest.mark.parametrize("name", ["due_date", "expiry_date", "shipment_date", "delivery_date"])
def test_dates_stand_in_order(name: str) -> None:
    day = dt.date(2026, 11, 2)
    for later, wrong in ((day, []), (day - dt.timedelta(1), [camel(name)]), (None, [])):
        assert places(INVOICES, {**GOOD, "date": day, name: later}, creating=True) == wrong


def test_our_own_fields_are_only_ours_however_they_are_spelled() -> None:
    fields = [{"name": name} for name in ("cf_region", "cf_ours", " CF_Ours ")]
    assert places(INVOICES, {**GOOD, "custom_fields": fields}, creating=True, own=("cf_ours", "")) == [
        "customFields.1.name",
        "customFields.2.name",
    ]


# In the product's words.


def test_a_party_is_a_customer_or_a_vendor() -> None:
    assert body(INVOICES, {"customer_id": "1"}, {}) == {"customer_id": "1"}
    assert body(PURCHASES, {"customer_id": "1"}, {}) == {"vendor_id": "1"}


@pytest.mark.parametrize(
    ("discount", "written"),
    [
        ({"percent": Decimal("12.50")}, {"discount": "12.50%"}),
        ({"percent": Decimal(100)}, {"discount": "100%"}),
        ({"percent": Decimal("1E+1")}, {"discount": "10%"}),
        ({"amount": Decimal("0.10")}, {"discount": Decimal("0.10")}),
        ({"amount": Decimal("0.10"), "percent": None}, {"discount": Decimal("0.10")}),
    ],
)
def test_a_discount_on_the_whole_says_so(discount: dict[str, Any], written: dict[str, Any]) -> None:
    assert body(INVOICES, {"discount": discount}, {}) == {
        **written,
        "discount_type": "entity_level",
        "is_discount_before_tax": True,
    }


def test_no_discount_on_the_whole_says_nothing_of_the_lines() -> None:
    assert body(INVOICES, {"discount": None}, {}) == {"discount": Decimal(0)}


def test_discounts_on_lines_say_so() -> None:
    lines = [{"id": "7", "discount": {"percent": Decimal(5)}}, {"name": "B", "rate": Decimal("1.10")}]
    assert body(INVOICES, {"line_items": lines}, {}) == {
        "line_items": [{"line_item_id": "7", "discount": "5%"}, {"name": "B", "rate": Decimal("1.10")}],
        "discount_type": "item_level",
    }


def test_null_in_a_line_clears_what_can_be_cleared() -> None:
    line = dict.fromkeys(("id", "item_id", "name", "description", "unit", "rate", "quantity", "discount"))
    assert body(INVOICES, {"line_items": [{**line, "id": "7"}]}, {}) == {
        "line_items": [{"line_item_id": "7", "description": "", "unit": "", "discount": Decimal(0)}]
    }


def test_a_subscription_is_told_in_billings_words() -> None:
    draft = {
        "reference_number": "R",
        "plan": {"code": "P", "quantity": 2, "price": None},
        "addons": [{"code": "A", "price": Decimal("1.5")}],
        "auto_collect": False,
    }
    assert body(SUBSCRIPTIONS, draft, {}) == {
        "reference_id": "R",
        "plan": {"plan_code": "P", "quantity": 2},
        "addons": [{"addon_code": "A", "price": Decimal("1.5")}],
        "auto_collect": False,
    }


def test_null_clears_and_our_marks_come_last() -> None:
    draft = {"notes": None, "custom_fields": [{"name": "cf_region", "value": None}]}
    assert body(INVOICES, draft, {"cf_ours": "1"}) == {
        "notes": "",
        "custom_fields": [{"api_name": "cf_region", "value": ""}, {"api_name": "cf_ours", "value": "1"}],
    }


@given(some.decimals(0, 10**15, places=6, allow_nan=False))
def test_amounts_are_written_digit_by_digit(rate: Decimal) -> None:
    (line,) = body(INVOICES, {"line_items": [{"name": "A", "rate": rate}]}, {})["line_items"]
    assert line["rate"] is rate
