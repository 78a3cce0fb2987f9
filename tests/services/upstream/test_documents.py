import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from services.documents import Document, Estimate, Module, SalesOrder, Subscription
from services.errors import Forbidden, NotFound, UpstreamRejected, UpstreamUnavailable
from services.kinds import KINDS, Kind
from services.policy import Product
from services.sandbox.faults import Fault

from .conftest import Desk

OWNER, STAFF, BILLING, ASSIGNED = (f"{name}@demo.example" for name in ("owner", "staff", "billing", "assigned"))
EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
ESTIMATES, SALES_ORDERS = KINDS[Module.ESTIMATES], KINDS[Module.SALES_ORDERS]


async def first(desk: Desk, kind: Kind, count: int = 1, email: str = OWNER) -> list[Document]:
    return (await desk.documents.rows(desk.errand(email), kind, {}, 1, count)).rows


@EACH
async def test_a_list_row_is_typed_and_says_it_is_no_full_record(desk: Desk, kind: Kind) -> None:
    before = datetime.now(UTC)
    page = await desk.documents.rows(desk.errand(OWNER), kind, {}, 1, 7)
    assert [type(row) for row in page.rows] == [kind.type] * 7
    assert page.more
    assert before <= page.at <= datetime.now(UTC)
    for row in page.rows:
        assert row.id.isdecimal()
        assert isinstance(row.total, Decimal)
        assert row.status in kind.statuses
        assert row.customer_id
        assert not row.complete


@EACH
async def test_pages_follow_one_another_to_the_end(desk: Desk, kind: Kind) -> None:
    page, more, seen = 1, True, set()
    while more:
        rows = await desk.documents.rows(desk.errand("owner@west.example"), kind, {}, page, 25)
        seen |= {row.id for row in rows.rows}
        page, more = page + 1, rows.more
    assert len(seen) > 25 * (page - 2)


@EACH
async def test_a_full_record_has_what_its_row_has_and_more(desk: Desk, kind: Kind) -> None:
    row = (await first(desk, kind))[0]
    full = await desk.documents.one(desk.errand(OWNER), kind, row.id)
    assert type(full) is kind.type
    assert full.complete
    assert (full.id, full.number, full.total, full.status) == (row.id, row.number or full.number, row.total, row.status)
    assert (full.customer_id, full.customer_name) == (row.customer_id, row.customer_name)
    assert full.plan if isinstance(full, Subscription) else full.line_items  # type: ignore[attr-defined]


@EACH
async def test_several_are_known_by_id_and_an_unknown_one_is_absent(desk: Desk, kind: Kind) -> None:
    ids = [row.id for row in await first(desk, kind, 3)]
    found = await desk.documents.several(desk.errand(OWNER), kind, [*ids, ids[0], "460000000000000"])
    assert sorted(found) == sorted(ids)
    assert all(isinstance(document, kind.type) and document.complete for document in found.values())


@EACH
async def test_an_unknown_id_is_not_found(desk: Desk, kind: Kind) -> None:
    with pytest.raises(NotFound):
        await desk.documents.one(desk.errand(OWNER), kind, "460000000000000")


async def test_many_sales_orders_are_one_call_a_hundred(desk: Desk) -> None:
    ids = [row.id for row in await first(desk, SALES_ORDERS, 150)]
    desk.sandbox.clear_calls()
    found = await desk.documents.several(desk.errand(OWNER), SALES_ORDERS, ids)
    assert len(found) == 150
    assert all(isinstance(order, SalesOrder) and order.line_items for order in found.values())
    assert desk.calls(product="books") == 2


async def test_one_that_cannot_be_asked_for_has_its_error_and_the_others_arrive(desk: Desk) -> None:
    one, other = (row.id for row in await first(desk, ESTIMATES, 2))
    desk.sandbox.fault(Fault("status", f"/estimates/{one}", status=503))
    found = await desk.documents.several(desk.errand(OWNER), ESTIMATES, [one, other])
    assert isinstance(found[one], UpstreamUnavailable)
    assert isinstance(found[other], Estimate)


async def test_all_sales_orders_of_a_failed_call_have_its_error(desk: Desk) -> None:
    desk.sandbox.fault(Fault("garbage", "/salesorders"))
    found = await desk.documents.several(desk.errand(OWNER), SALES_ORDERS, ["1", "2"])
    assert [type(error) for error in found.values()] == [UpstreamRejected, UpstreamRejected]


async def test_a_product_user_sees_what_the_product_shows_him(desk: Desk) -> None:
    mine = {row.customer_id for row in await first(desk, ESTIMATES, 200, ASSIGNED)}
    others = [row for row in await first(desk, ESTIMATES, 200) if row.customer_id not in mine]
    with pytest.raises(Forbidden):
        await desk.documents.one(desk.errand(ASSIGNED), ESTIMATES, others[0].id)


def lines(*amounts: str) -> list[dict[str, Any]]:
    return [{"name": "Delivery", "rate": Decimal(amount), "quantity": Decimal(3)} for amount in amounts]


@pytest.mark.parametrize("module", [module for module in Module if module is not Module.SUBSCRIPTIONS])
async def test_a_document_is_created_exactly_and_under_its_maker_s_name(desk: Desk, module: Module) -> None:
    kind = KINDS[module]
    party = (await desk.books.customers(desk.errand(STAFF), {"contact_type": kind.party}, 1, 1)).rows[0]
    body = {f"{kind.party}_id": party.id, "line_items": lines("0.10", "1234567.89")}
    made = await desk.documents.create(desk.errand(STAFF), kind, body)
    assert made.complete
    assert made.customer_id == party.id
    assert made.created_by_name == desk.sandbox.person(STAFF).name
    assert made.sub_total == Decimal("3703703.97")  # type: ignore[attr-defined]


async def test_a_document_is_changed(desk: Desk) -> None:
    customer = (await desk.books.customers(desk.errand(STAFF), {"contact_type": "customer"}, 1, 1)).rows[0]
    body = {"customer_id": customer.id, "line_items": lines("10.00")}
    made = await desk.documents.create(desk.errand(STAFF), ESTIMATES, body)
    changed = await desk.documents.update(desk.errand(STAFF), ESTIMATES, made.id, {"reference_number": "R-1"})
    assert (changed.id, changed.reference_number) == (made.id, "R-1")
    assert changed.last_modified_time != made.last_modified_time


async def test_a_subscription_is_created_for_a_customer(desk: Desk) -> None:
    kind = KINDS[Module.SUBSCRIPTIONS]
    customer = (await desk.billing.customers(desk.errand(BILLING), {}, 1, 1)).rows[0]
    plan = (await desk.billing.plans(desk.errand(BILLING), {"filter_by": "PlanStatus.ACTIVE"}, 1, 1)).rows[0]
    body = {"customer_id": customer.id, "plan": {"plan_code": plan.code, "quantity": 2}}
    made = await desk.documents.create(desk.errand(BILLING), kind, body)
    assert isinstance(made, Subscription)
    assert made.customer_id == customer.id
    assert made.plan is not None
    assert made.plan.code == plan.code


async def test_a_mistake_is_told_in_the_product_s_words(desk: Desk) -> None:
    with pytest.raises(UpstreamRejected) as refused:
        await desk.documents.create(desk.errand(STAFF), ESTIMATES, {"customer_id": "1", "line_items": []})
    assert refused.value.details["product"] == Product.BOOKS
    assert refused.value.details["productCode"]
    assert refused.value.details["productMessage"]


async def test_an_empty_text_is_absent(desk: Desk) -> None:
    customer = (await desk.books.customers(desk.errand(STAFF), {"contact_type": "customer"}, 1, 1)).rows[0]
    body = {
        "customer_id": customer.id,
        "line_items": lines("10.00"),
        "notes": 'He said: "" twice',
        "reference_number": "",
    }
    made = await desk.documents.create(desk.errand(STAFF), ESTIMATES, body)
    assert isinstance(made, Estimate)
    assert made.reference_number is None
    assert made.notes == 'He said: "" twice'


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["close", "spaced"])
async def test_an_empty_text_is_absent_however_a_product_spaces_its_answers(
    desk: Desk, open_desk: Any, separators: tuple[str, str]
) -> None:
    told = {"code": 0, "estimate": {"estimate_id": "1", "status": "draft", "date": "", "notes": 'a: "" b', "terms": ""}}
    text = json.dumps(told, separators=separators)
    answers = httpx.MockTransport(lambda request: _token(request) or httpx.Response(200, text=text))
    estimate = await open_desk(transport=answers).documents.one(desk.errand(STAFF), ESTIMATES, "1")
    assert (estimate.date, estimate.notes, estimate.terms) == (None, 'a: "" b', None)


def _token(request: httpx.Request) -> httpx.Response | None:
    if not request.url.path.endswith("/token"):
        return None
    told = {"access_token": "t", "expires_in": 3600, "api_domain": "https://www.zohoapis.eu", "token_type": "Bearer"}
    return httpx.Response(200, json=told)
