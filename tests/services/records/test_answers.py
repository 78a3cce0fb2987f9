"""Who is answered from the copy, and that our own writes are in it at once."""

import secrets
from decimal import Decimal
from time import monotonic

import pytest

from services.documents import Module
from services.errand import Errand
from services.errors import Forbidden
from services.kinds import KINDS
from services.policy import Source
from services.records.readers import require, withheld
from tests.services.records.conftest import Office


async def errand(office: Office, person: str) -> Errand:
    viewer = await office.assembly.services.identity.viewer(f"{person}@demo.example")
    return Errand(viewer, secrets.token_hex(4), monotonic() + 30)


async def test_our_own_write_is_in_the_copy_at_once(office: Office) -> None:
    await office.read("plans", "subscriptions")
    body = next(body for body in office.held("subscriptions").values() if body["status"] == "live")
    asked, record_id = await errand(office, "billing"), body["subscription_id"]
    draft = {"plan": {"plan_code": body["plan"]["plan_code"], "quantity": Decimal(9)}}
    written = await office.assembly.services.writes.update(
        asked, KINDS[Module.SUBSCRIPTIONS], record_id, draft, "k" * 16
    )
    assert written.document, written.user_errors
    row = await office.record(record_id)
    assert row["amount"] == office.held("subscriptions")[record_id]["amount"] == written.document.total
    assert (await office.states(record_id))[-1]["amount"] == row["amount"]
    copy = office.copy()
    await copy.pull(office.organization_id, "subscriptions")
    assert (await copy.check(office.organization_id, "subscriptions")).drift == {}


async def test_a_write_before_the_first_reading_leaves_no_copy(office: Office) -> None:
    record = await office.assembly.services.documents.one(
        await errand(office, "billing"), KINDS[Module.SUBSCRIPTIONS], next(iter(office.held("subscriptions")))
    )
    await office.copy().wrote(office.organization_id, record)
    assert not await office.rows("SELECT id FROM records WHERE organization_id = :o")


@pytest.mark.parametrize(
    ("person", "module", "missing"),
    [
        ("owner", "subscriptions", ()),
        ("billing", "subscriptions", ()),
        ("staff", "invoices", ()),
        ("assigned", "invoices", (Source.RECORD_SCOPE,)),
        ("outsider", "invoices", (Source.CRM_PROFILE, Source.BOOKS_ROLE)),
    ],
)
async def test_only_who_sees_every_record_is_answered(
    office: Office, person: str, module: str, missing: tuple[Source, ...]
) -> None:
    viewer = (await errand(office, person)).viewer
    assert withheld(viewer, module) == missing
    if missing:
        with pytest.raises(Forbidden):
            require(viewer, module)


async def test_counts_are_known_where_the_copy_is_and_may_answer(office: Office) -> None:
    owner = (await errand(office, "owner")).viewer
    party = next(iter(office.held("subscriptions").values()))["customer_id"]
    assert await office.readers.count(owner, "subscriptions", [party]) is None
    await office.read("plans", "subscriptions")
    expected = sum(body["customer_id"] == party for body in office.held("subscriptions").values())
    assert await office.readers.count(owner, "subscriptions", [party]) == expected
    scoped = (await errand(office, "assigned")).viewer
    assert await office.readers.count(scoped, "invoices", [party]) is None
