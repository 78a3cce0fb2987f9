"""Our own writes, of every module, are in the copy before anybody asks."""

import secrets
from time import monotonic

import pytest

from services.documents import Module
from services.errand import Errand
from services.kinds import KINDS
from services.policy import Product
from services.writes import Written
from tests.services.records.conftest import Office


async def errand(office: Office) -> Errand:
    viewer = await office.assembly.services.identity.viewer("owner@demo.example")
    return Errand(viewer, secrets.token_hex(4), monotonic() + 30)


def held(office: Office, module: Module, *statuses: str) -> str:
    kind = KINDS[module]
    found = office.held(kind.plural, kind.product)
    return next(record_id for record_id, body in found.items() if body["status"] in statuses)


async def updated(office: Office, module: Module, record_id: str) -> Written:
    key = secrets.token_hex(8)
    draft = {"reference_number": "R-1"}
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
