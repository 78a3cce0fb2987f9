from pathlib import Path

import httpx
import pytest
from sqlmodel import col, func, select

from services.sandbox import Sandbox
from services.sandbox.store import Organization, Person, Record


def counts(sandbox: Sandbox) -> dict[tuple[str, str], int]:
    by_kind = select(Organization.key, Record.kind, func.count()).where(
        col(Record.organization_id).in_([Organization.books_id, Organization.billing_id, Organization.crm_id])
    )
    with sandbox.store.session() as session:
        rows = session.exec(by_kind.group_by(Organization.key, Record.kind)).all()
    return {(key, kind): count for key, kind, count in rows}


def test_the_demo_organization_is_as_large_as_promised(sandbox: Sandbox) -> None:
    found = counts(sandbox)
    least = {"crm_accounts": 60, "crm_contacts": 120, "subscriptions": 300}
    documents = dict.fromkeys(("estimates", "invoices", "salesorders", "purchaseorders"), 500)
    for kind, count in {**least, **documents}.items():
        assert found["demo", kind] >= count, kind
    with sandbox.store.session() as session:
        assert len(session.exec(select(Person).where(Person.crm_id == "20077000001")).all()) >= 25


def test_a_store_is_filled_once(seeded: Path) -> None:
    again = Sandbox(seeded)
    copy = Sandbox.copy_of(seeded)
    assert counts(again) == counts(copy)
    for sandbox in (again, copy):
        sandbox.close()


def test_records_are_the_same_in_every_sandbox(sandbox: Sandbox) -> None:
    other = Sandbox()
    everything = select(Record.kind, Record.id, Record.body).order_by(Record.organization_id, Record.kind, Record.id)
    with sandbox.store.session() as one, other.store.session() as two:
        assert one.exec(everything).all() == two.exec(everything).all()
    other.close()


@pytest.fixture
def path(seeded: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "sandbox.db"
    copy.write_bytes(seeded.read_bytes())
    return copy


async def test_what_was_written_is_there_after_a_restart(path: Path) -> None:
    url = "https://www.zohoapis.eu/books/v3/contacts"
    first = Sandbox(path)
    headers = {"Authorization": f"Bearer {first.access_token('owner@demo.example')}"}
    async with httpx.AsyncClient(transport=first.transport(), headers=headers) as http:
        made = (await http.post(url, json={"contact_name": "Lantern Press"})).json()["contact"]["contact_id"]
    first.close()
    second = Sandbox(path)
    async with httpx.AsyncClient(transport=second.transport(), headers=headers) as http:
        assert (await http.get(f"{url}/{made}")).json()["contact"]["contact_name"] == "Lantern Press"
        another = (await http.post(url, json={"contact_name": "Lantern Books"})).json()["contact"]["contact_id"]
    assert another > made
    second.close()


def test_about_a_quarter_of_the_customers_is_assigned(sandbox: Sandbox) -> None:
    caller = sandbox.access.caller(sandbox.access_token("assigned@demo.example"), "books", now=sandbox.now())
    contacts = counts(sandbox)["demo", "contacts"]
    assert caller
    assert 0.2 < len(caller.assigned or ()) / contacts < 0.3
