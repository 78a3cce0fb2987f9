"""The audit's chain: what is recorded and settled is fixed in its order, and whatever is tampered with is found."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from services.audit import Action, Audit, State, Subject
from services.chain import snapshot
from services.outcomes import Outcomes
from services.policy import Product
from services.proof import Break, Fault, Proof, prove
from services.storage.chain import AuditLink
from services.storage.engine import Database
from services.storage.rights import NotBound, grant
from tests.services.tampering import COPY, TAMPERINGS, cut, cut_events

CREATED = Action(name="invoices.create", product=Product.BOOKS, subject=Subject("invoices", "1"))


@pytest.fixture
async def company(company: Any) -> Any:
    await company.member("staff")
    return company


async def record(company: Any, times: int = 1, state: State = State.APPLIED) -> list[str]:
    errand = await company.errand("staff")
    audit = Audit(company.database)
    return [await audit.record(errand, CREATED, state) for _ in range(times)]


async def write(company: Any, *states: State) -> str:
    """Begin a write and settle it, in one step or more; its event's id."""
    outcomes = Outcomes(company.database)
    begun = await outcomes.begin(await company.errand("staff"), CREATED, key=secrets.token_hex(4), digest="d")
    for state in states:
        await outcomes.settle(begun.outcome.id, state, record_id="7", number="INV-7")
    return begun.outcome.audit_event_id


async def proof(company: Any, noted: str | None = None) -> Proof:
    async with snapshot(company.database) as chain:
        return await prove(chain, company.id, noted)


async def broken(company: Any) -> Break:
    found = (await proof(company)).broken
    assert found is not None
    return found


async def links(company: Any) -> list[AuditLink]:
    async with snapshot(company.database) as chain:
        return [link async for link in chain.links(company.id)]


async def tamper(company: Any, *statements: str, **given: Any) -> None:
    """As a superuser does who knows the tables: triggers are switched off."""
    async with company.database.session() as session:
        for statement in ("SET LOCAL session_replication_role = replica", *statements):
            named = {name: value for name, value in {"o": company.id, **given}.items() if f":{name}" in statement}
            await session.exec(text(statement).bindparams(**named))


async def test_every_fact_is_a_link_of_its_own(company: Any) -> None:
    written = await write(company, State.UNCERTAIN, State.APPLIED)
    (recorded,) = await record(company)
    chained = await links(company)
    assert [(link.sequence, link.event_id) for link in chained] == [
        (1, written),
        (2, written),
        (3, written),
        (4, recorded),
    ]
    assert (await proof(company)).events == 2


async def test_an_event_names_the_link_that_proves_it_as_it_is_now(company: Any) -> None:
    written = await write(company, State.APPLIED)
    event = await Audit(company.database).get(company.id, written)
    (_, settled) = await links(company)
    assert event
    assert (event.sequence, event.hash) == (2, settled.hash)


async def test_an_empty_audit_holds(company: Any) -> None:
    assert (await proof(company)).broken is None


async def test_organizations_have_chains_of_their_own(company: Any, found: Any) -> None:
    other = await found()
    await other.member("staff")
    for one in (company, other, company):
        await record(one)
    assert [link.sequence for link in await links(company)] == [1, 2]
    assert [link.sequence for link in await links(other)] == [1]
    assert (await proof(other)).broken is None


async def test_who_records_at_the_same_time_is_chained_one_after_the_other(company: Any) -> None:
    async with asyncio.timeout(30):
        await asyncio.gather(
            *(write(company, State.APPLIED) for _ in range(15)), *(record(company, 3) for _ in range(5))
        )
    assert [link.sequence for link in await links(company)] == list(range(1, 46))
    assert ((await proof(company)).broken, (await proof(company)).events) == (None, 30)


async def test_recording_beside_changes_of_access_ends(company: Any) -> None:
    """Both take the organization's lock at the end of a transaction, in whatever order they are asked for."""

    async def both(number: int) -> None:
        changed = text("UPDATE members SET books_role = 'other' WHERE organization_id = :o").bindparams(o=company.id)
        copied = text(COPY).bindparams(o=company.id)
        async with company.database.session() as session:
            for statement in (changed, copied) if number % 2 else (copied, changed):
                await session.exec(statement)

    await record(company)
    async with asyncio.timeout(30):
        await asyncio.gather(*map(both, range(10)))
    assert ((await proof(company)).broken, (await proof(company)).events) == (None, 11)


async def test_nothing_is_chained_of_what_was_rolled_back(company: Any) -> None:
    await record(company)

    async def fail() -> None:
        async with company.database.session() as session:
            await session.exec(text(COPY).bindparams(o=company.id))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert len(await links(company)) == 1


async def test_what_was_recorded_before_the_chain_is_chained_by_the_upgrade(empty_url: str, found: Any) -> None:
    database = Database(empty_url)
    await database.upgrade("0011")
    company = await found(database)
    async with database.session() as session:
        await (await session.connection()).execute(
            text(
                "INSERT INTO audit_events (id, organization_id, at, actor_id, actor_name, actor_email, action, outcome,"
                " changes, user_errors, calls, request_id) SELECT 'e' || n, :o, timestamptz '2026-01-01' + n * interval"
                " '1 day', '', 'Gateway', '', 'x', 'APPLIED', '[]', '[]', '[]', 'r' FROM generate_series(1, 5) n"
            ).bindparams(o=company.id)
        )
    await database.upgrade()
    assert ((await proof(company)).broken, (await proof(company)).events) == (None, 5)
    assert [link.at.day for link in await links(company)] == [2, 3, 4, 5, 6]
    await database.close()


@pytest.mark.parametrize("how", TAMPERINGS)
async def test_tampering_is_found_at_its_place(company: Any, how: str) -> None:
    await record(company, 6)
    assert (await proof(company)).broken is None
    done = TAMPERINGS[how]
    await tamper(company, *done.statements)
    found = await broken(company)
    assert (found.fault, found.sequence) == (done.fault, done.sequence), found
    assert done.words in found.message


async def test_an_intent_that_is_rewritten_while_the_chain_goes_on_is_found(company: Any) -> None:
    """Only the trigger that keeps events is switched off: the database chains the forgery itself."""
    await record(company)
    settled = await write(company, State.APPLIED)
    opened = await write(company)
    async with company.database.session() as session:
        await session.exec(text("ALTER TABLE audit_events DISABLE TRIGGER audit_kept"))
        await session.exec(text("UPDATE audit_events SET outcome = 'REJECTED' WHERE id = :e").bindparams(e=settled))
        await session.exec(text("SET CONSTRAINTS ALL IMMEDIATE"))
        await session.exec(text("ALTER TABLE audit_events ENABLE TRIGGER audit_kept"))
    found = await broken(company)
    assert (found.fault, found.sequence, found.event_id) == (Fault.CHANGED, 5, settled)
    assert "after it was settled: outcome" in found.message
    await tamper(company, cut("= 5"), "UPDATE audit_events SET outcome = 'APPLIED' WHERE id = :e", e=settled)
    async with company.database.session() as session:
        await session.exec(text("ALTER TABLE audit_events DISABLE TRIGGER audit_kept"))
        await session.exec(text("UPDATE audit_events SET actor_id = 'x' WHERE id = :e").bindparams(e=opened))
        await session.exec(text("SET CONSTRAINTS ALL IMMEDIATE"))
        await session.exec(text("ALTER TABLE audit_events ENABLE TRIGGER audit_kept"))
    found = await broken(company)
    assert (found.fault, found.sequence, found.event_id) == (Fault.CHANGED, 5, opened)
    assert "what it may not: actor_id" in found.message


async def test_a_tail_that_was_cut_off_is_found_by_the_head_noted_earlier(company: Any) -> None:
    await record(company, 3)
    early = (await proof(company)).head
    await record(company, 3)
    noted = (await proof(company)).head
    assert (await proof(company, early.hash)).noted
    await tamper(
        company,
        cut_events("> 4"),
        cut("> 4"),
    )
    await record(company, 3)
    found = await proof(company, noted.hash)
    assert (found.broken, found.noted, found.head.sequence) == (None, False, 7)
    assert (await proof(company, early.hash)).noted


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_links SET entry = 'x' WHERE organization_id = :o",
        "UPDATE audit_links SET at = at WHERE organization_id = :o",
        "DELETE FROM audit_links WHERE organization_id = :o",
        "TRUNCATE audit_links",
        "TRUNCATE audit_anchors",
        "UPDATE audit_anchors SET sequence = 9 WHERE organization_id = :o",
        "DELETE FROM audit_anchors WHERE organization_id = :o",
    ],
)
async def test_links_and_anchors_cannot_be_changed_or_removed(company: Any, statement: str) -> None:
    await record(company, 2)
    await tamper(company, "INSERT INTO audit_anchors VALUES (:o, 0, '', now(), '', now())")
    with pytest.raises(IntegrityError, match="kept as it is"):
        async with company.database.session() as session:
            await session.exec(text(statement).bindparams(**({"o": company.id} if ":o" in statement else {})))
    assert len(await links(company)) == 2


@pytest.fixture
async def served(company: Any) -> AsyncIterator[Database]:
    """The database as a role of its own sees it, which serves the gateway."""
    role = f"serving_{secrets.token_hex(4)}"
    async with company.database.session() as session:
        await session.exec(text(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'"))
        await grant(session, role)
    database = Database(company.database.url.set(username=role, password=role))
    yield database
    await database.close()
    async with company.database.session() as session:
        await session.exec(text(f"DROP OWNED BY {role}"))
        await session.exec(text(f"DROP ROLE {role}"))


async def test_a_role_without_ownership_does_all_that_the_gateway_does(company: Any, served: Database) -> None:
    owned, company.database = company.database, served
    await served.upgrade()
    await write(company, State.UNCERTAIN, State.APPLIED)
    await record(company)
    assert ((await proof(company)).broken, (await proof(company)).events) == (None, 2)
    company.database = owned


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET actor_email = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events CASCADE",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_chained ON audit_events",
        "UPDATE audit_links SET entry = ''",
        "DELETE FROM audit_links",
        "INSERT INTO audit_links VALUES ('o', 99, 'e', now(), '', '')",
        "INSERT INTO audit_anchors VALUES ('o', 99, '', now(), '', now())",
        "SELECT audit_link(e, now()) FROM audit_events e",
        "CREATE OR REPLACE FUNCTION audit_chained() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SET session_replication_role = replica",
        "DELETE FROM alembic_version",
        "CREATE TABLE audit_shadow (id text)",
    ],
)
async def test_a_role_without_ownership_cannot_tamper(company: Any, served: Database, statement: str) -> None:
    await record(company)
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        async with served.session() as session:
            await (await session.connection()).execute(text(statement))
    assert (await proof(company)).broken is None


async def test_a_table_of_a_serving_role_does_not_take_the_links(company: Any, served: Database) -> None:
    await record(company)
    async with served.session() as session:
        connection = await session.connection()
        await connection.execute(text("CREATE TEMP TABLE audit_links (LIKE audit_links)"))
        await connection.execute(text(COPY).bindparams(o=company.id))
    assert ((await proof(company)).broken, (await proof(company)).events) == (None, 2)


@pytest.mark.parametrize("role", ["postgres", "nobody_at_all"])
async def test_rights_are_given_only_where_they_bind(company: Any, role: str) -> None:
    with pytest.raises(NotBound):
        async with company.database.session() as session:
            await grant(session, role)
