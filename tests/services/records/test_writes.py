"""Our own writes, of every module, are in the copy before anybody asks."""

import secrets
from dataclasses import replace
from datetime import date
from time import monotonic
from typing import Any

import pytest

from services.documents import Module
from services.errand import Errand
from services.kinds import KINDS
from services.policy import Product, Viewer
from services.writes import Written
from tests.services.records.conftest import Office


async def errand(office: Office) -> Errand:
    viewer = await office.assembly.services.identity.viewer("owner@demo.example")
    return Errand(viewer, secrets.token_hex(4), monotonic() + 30)


def held(office: Office, module: Module, *statuses: str) -> str:
    kind = KINDS[module]
    found = office.held(kind.plural, kind.product)
    return next(record_id for record_id, body in found.items() if body["status"] in statuses)


async def updated(office: Office, module: Module, record_id: str, **draft: Any) -> Written:
    key = secrets.token_hex(8)
    draft = draft or {"reference_number": "R-1"}
    return await office.assembly.services.writes.update(await errand(office), KINDS[module], record_id, draft, key)


@pytest.mark.parametrize("module", [module for module in Module if KINDS[module].product is Product.BOOKS])
async def test_a_change_is_in_the_copy_and_counts_as_one(office: Office, module: Module) -> None:
    copy = await office.read(module)
    record_id = held(office, module, "draft")
    before = await copy.state(office.organization_id, module)
    written = await updated(office, module, record_id)
    assert written.document, written.user_errors
    after = await copy.state(office.organization_id, module)
    row = await office.record(record_id)
    assert row["body"]["reference_number"] == "R-1"
    assert not [name for name in row["body"] if name.startswith("gateway")]
    assert after.generation == before.generation + 1
    assert after.as_of == before.as_of
    await copy.pull(office.organization_id, module)
    assert (await copy.check(office.organization_id, module)).drift == {}


_DAYS = {
    Module.ESTIMATES: "expiry_date",
    Module.INVOICES: "due_date",
    Module.SALES_ORDERS: "shipment_date",
    Module.PURCHASE_ORDERS: "delivery_date",
}


@pytest.mark.parametrize("module", Module)
async def test_what_a_write_empties_is_empty_in_the_copy(office: Office, module: Module) -> None:
    copy = await office.read("plans", module)
    record_id = held(office, module, "draft", "live")
    day = {_DAYS[module]: date(2030, 1, 31)} if module in _DAYS else {}
    key = "reference_id" if module is Module.SUBSCRIPTIONS else "reference_number"
    for value, to in (("R-1", day), (None, dict.fromkeys(day))):
        written = await updated(office, module, record_id, reference_number=value, **to)
        assert written.document, written.user_errors
        body = (await office.record(record_id))["body"]
        assert (body[key], *(body[name] for name in to)) == (value, *(one and str(one) for one in to.values()))
    await copy.pull(office.organization_id, module)
    assert (await copy.check(office.organization_id, module)).drift == {}


async def test_what_is_hidden_from_the_writer_stays_as_known(office: Office) -> None:
    copy = await office.read("estimates")
    record_id = held(office, Module.ESTIMATES, "draft")
    await updated(office, Module.ESTIMATES, record_id)
    asked = await errand(office)
    record = await office.assembly.services.documents.one(asked, KINDS[Module.ESTIMATES], record_id)
    record.reference_number = None
    await copy.wrote(blind(asked.viewer, "estimates", "referenceNumber"), record)
    assert (await office.record(record_id))["body"]["reference_number"] == "R-1"
    await copy.wrote(asked.viewer, record)
    assert (await office.record(record_id))["body"]["reference_number"] is None


async def test_what_was_read_after_a_write_is_not_replaced_by_its_answer(office: Office) -> None:
    copy = await office.read("estimates")
    asked, record_id = await errand(office), held(office, Module.ESTIMATES, "draft")
    answer = await office.assembly.services.documents.one(asked, KINDS[Module.ESTIMATES], record_id)
    changed = office.held("estimates", Product.BOOKS)[record_id] | {"reference_number": "within the same second"}
    office.put("estimates", changed, Product.BOOKS)
    assert await copy.refresh(office.organization_id, "estimates", record_id)
    await copy.wrote(asked.viewer, answer)
    assert (await office.record(record_id))["body"]["reference_number"] == "within the same second"


def blind(viewer: Viewer, module: str, *hidden: str) -> Viewer:
    """As somebody from whom Books hides fields."""
    books = viewer.access_to(Product.BOOKS)
    grants = {**books.grants, module: replace(books.grants[module], hidden=frozenset(hidden))}
    others = [one for one in viewer.access if one.product is not Product.BOOKS]
    return replace(viewer, access=(*others, replace(books, grants=grants)))


async def test_a_conversion_changes_what_it_was_made_from_as_well(office: Office) -> None:
    await office.read("estimates", "salesOrders")
    estimate_id = held(office, Module.ESTIMATES, "accepted", "sent", "draft")
    kind, target = KINDS[Module.ESTIMATES], KINDS[Module.SALES_ORDERS]
    act = next(act for name, act in kind.acts.items() if name.name == "CONVERT_TO_SALES_ORDER")
    writes = office.assembly.services.writes
    written = await writes.convert(await errand(office), kind, estimate_id, act, target, secrets.token_hex(8))
    assert written.document, written.user_errors
    order = await office.record(written.document.id)
    assert order["module"] == "salesOrders"
    origin = await office.record(estimate_id)
    assert origin["status"] == office.held("estimates", Product.BOOKS)[estimate_id]["status"] == "accepted"
    assert written.document.id in origin["body"]["salesorder_ids"]
