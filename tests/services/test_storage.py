import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from services.storage import models
from services.storage.engine import Database
from services.storage.sealing import Opaque, Seal, Unsealable


async def test_the_upgraded_schema_is_what_the_models_say(database: Database) -> None:
    await database.check_current()


async def test_replicas_that_upgrade_at_once_leave_one_schema(empty_url: str) -> None:
    replicas = [Database(empty_url) for _ in range(3)]
    await asyncio.gather(*(replica.upgrade() for replica in replicas))
    await replicas[0].check_current()
    for replica in replicas:
        await replica.close()


async def test_a_session_keeps_nothing_when_an_error_leaves_it(database: Database) -> None:
    row = models.Organization(name="Harbor Foods", data_center="eu", edition="free", crm_org_id=models.new_id())

    async def fail() -> None:
        async with database.session() as session:
            session.add(row)
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.session() as session:
        assert await session.get(models.Organization, row.id) is None


async def test_a_crm_organization_is_known_once(found: Callable[..., Any], database: Database) -> None:
    company = await found()
    async with database.session() as session:
        known = await session.get_one(models.Organization, company.id)
    with pytest.raises(IntegrityError):
        await company.add(
            models.Organization(name="Copy", data_center="eu", edition="free", crm_org_id=known.crm_org_id)
        )


@pytest.mark.parametrize("spelling", ["postgres://", "postgresql://", "postgresql+psycopg://"])
def test_a_database_address_may_be_spelt_in_all_usual_ways(spelling: str) -> None:
    assert Database(f"{spelling}user:secret@db.example/x").conninfo == "postgresql://user:secret@db.example/x"


async def test_times_come_back_as_the_instants_they_were(found: Callable[..., Any], database: Database) -> None:
    company, before = await found(), models.now()
    async with database.session() as session:
        stored = (await session.exec(select(models.Organization).where(models.Organization.id == company.id))).one()
    assert stored.created_at.utcoffset() is not None
    assert abs((stored.created_at - before).total_seconds()) < 60


def test_a_secret_opens_where_it_was_sealed() -> None:
    seal = Seal([bytes(32)])
    sealed = seal.close("1000.secret", "connections/1")
    assert b"secret" not in sealed
    assert seal.open(sealed, "connections/1") == "1000.secret"


@pytest.mark.parametrize("about", ["connections/2", ""])
def test_a_secret_opens_nowhere_else(about: str) -> None:
    seal = Seal([bytes(32)])
    with pytest.raises(Unsealable):
        seal.open(seal.close("1000.secret", "connections/1"), about)


def test_a_new_key_seals_while_the_old_one_still_opens() -> None:
    old, new = bytes(32), bytes([1] * 32)
    sealed = Seal([old]).close("1000.secret", "x")
    rotated = Seal([new, old])
    assert rotated.open(sealed, "x") == "1000.secret"
    assert not rotated.is_newest(sealed)
    assert Seal([new]).open(rotated.close("1000.secret", "x"), "x") == "1000.secret"


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 40])
def test_a_damaged_secret_is_refused(damage: bytes) -> None:
    with pytest.raises(Unsealable):
        Seal([bytes(32)]).open(damage, "x")


def test_a_changed_secret_is_refused() -> None:
    seal = Seal([bytes(32)])
    sealed = bytearray(seal.close("1000.secret", "x"))
    sealed[-1] ^= 1
    with pytest.raises(Unsealable):
        seal.open(bytes(sealed), "x")


def test_a_text_that_clients_hold_looks_the_same_each_time_and_opens_for_what_it_is_good_for() -> None:
    opaque = Opaque([bytes(32)])
    sealed = opaque.close("2026-11-22", "invoices")
    assert "2026" not in sealed
    assert opaque.close("2026-11-22", "invoices") == sealed
    assert opaque.open(sealed, "invoices") == "2026-11-22"
    assert opaque.close("2026-11-22", "estimates") != sealed
    with pytest.raises(Unsealable):
        opaque.open(sealed, "estimates")


def test_a_text_that_clients_hold_opens_while_its_key_is_there() -> None:
    old, new = bytes(32), bytes([1] * 32)
    sealed = Opaque([old]).close("text", "x")
    assert Opaque([new, old]).open(sealed, "x") == "text"
    with pytest.raises(Unsealable):
        Opaque([new]).open(sealed, "x")


@pytest.mark.parametrize("damage", ["", "a", "abc", "=", "é", "\ud800", "a" * 22, "a" * 5000, "ab\0d" * 10, "dGV4dA"])
def test_what_no_key_has_sealed_is_refused(damage: str) -> None:
    with pytest.raises(Unsealable):
        Opaque([bytes(32)]).open(damage, "x")
