"""Who is answered from the copy, and that our own writes are in it at once."""

import asyncio
import secrets
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic

import pytest
from sqlalchemy import text

from services.directory_values import Customer
from services.documents import Document, Module
from services.errand import Errand
from services.errors import Forbidden
from services.kinds import KINDS, Order
from services.policy import Product, Source
from services.records.criteria import Criteria
from services.records.excerpt import Excerpt, Part
from services.records.readers import require, withheld
from services.upstream.books import BooksCustomer
from tests.services.records.conftest import Office

EPOCH = datetime.fromtimestamp(0, UTC)


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
    asked = await errand(office, "billing")
    record = await office.assembly.services.documents.one(
        asked, KINDS[Module.SUBSCRIPTIONS], next(iter(office.held("subscriptions")))
    )
    await office.copy().wrote(asked.viewer, record)
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


async def test_what_has_been_told_of_a_record_or_a_customer_is_told_again_until_the_copy_changes(
    office: Office,
) -> None:
    await office.read("contacts", "invoices")
    answers, asked = office.assembly.services.answers, await errand(office, "staff")
    asked.within, kind = 3600, KINDS[Module.INVOICES]
    record_id, party = (next(iter(office.held(one, Product.BOOKS))) for one in ("invoices", "contacts"))

    async def told() -> tuple[Document, Customer]:
        sight = await answers.sight(asked, [kind.module])
        assert sight
        customers = await answers.customers(asked, "contacts", BooksCustomer, [party], EPOCH)
        return (await answers.documents(sight, kind, [record_id]))[record_id], customers[party]

    await told()  # from now on changes are heard
    before = await told()
    async with office.database.session() as session:
        await (await session.connection()).execute(text("LOCK TABLE records IN ACCESS EXCLUSIVE MODE"))
        async with asyncio.timeout(5):
            again = await told()
    assert again == before
    assert again[1] is not before[1]  # each request dates its own
    changed = office.held("invoices", Product.BOOKS)[record_id] | {"reference_number": "changed"}
    office.put("invoices", changed, Product.BOOKS)
    await office.copy().refresh(office.organization_id, "invoices", record_id)
    async with asyncio.timeout(5):
        while (await told())[0].reference_number != "changed":  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_who_wants_the_same_page_at_once_is_answered_by_one_statement(office: Office) -> None:
    await office.read("invoices")
    answers, asked = office.assembly.services.answers, await errand(office, "staff")
    asked.within, kind = 3600, KINDS[Module.INVOICES]
    excerpt = Excerpt((Part(kind, 0, Criteria()),), Order.CREATED_AT, descending=True, first=5, after=None)
    sight = await answers.sight(asked, [kind.module])
    assert sight
    pages = await asyncio.gather(*(answers.window(sight, excerpt, lambda one: one.id) for _ in range(5)))
    assert pages[0]
    assert all(page and page.rows is pages[0].rows for page in pages)
