"""What a process remembers is bounded, and each access remembers for itself."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from services.documents import Document, Invoice
from services.records.full import APART, SETTLED, Known
from services.records.memory import Memory
from services.records.recalled import CUSTOMERS, LINKED, Access, Recalled
from services.records.sources import instant

MINE = Access("demo", "mine", scoped=False)


@dataclass
class Told:
    """What is asked for, and what is told then."""

    asked: list[str] = field(default_factory=list)

    async def __call__(self, keys: Any) -> dict[str, Any]:
        self.asked += keys
        return {key: Invoice(id=key, status="sent") for key in keys}


def test_what_was_used_least_lately_goes_first() -> None:
    memory: Memory[str, int] = Memory(entries=2, size=100)
    memory.put("a", 1)
    memory.put("b", 2)
    memory.get("a")
    memory.put("c", 3)
    assert [memory.get(key) for key in "abc"] == [1, None, 3]


def test_so_many_bytes_are_held_at_most() -> None:
    memory: Memory[str, int] = Memory(entries=100, size=100)
    for number in range(10):
        memory.put(str(number), number, 40)
    assert len(memory) == 2
    memory.put("too large", 0, 101)
    assert memory.get("too large") is None


async def test_each_access_is_told_by_itself() -> None:
    recalled, told = Recalled(timedelta(minutes=5), 100), Told()
    for access in (MINE, MINE, MINE._replace(connection="yours"), MINE._replace(scoped=True)):
        await recalled.several(access, CUSTOMERS, ["1"], 0, told)
    assert told.asked == ["1", "1", "1"]


async def test_what_is_too_old_is_asked_for_again() -> None:
    recalled, told = Recalled(timedelta(0), 100), Told()
    for within in (0, 0, 60):
        await recalled.several(MINE, CUSTOMERS, ["1"], within, told)
    assert told.asked == ["1", "1"]


async def test_a_customer_that_has_changed_is_asked_for_again_and_so_is_whom_he_is_linked_with() -> None:
    recalled, told = Recalled(timedelta(minutes=5), 100), Told()

    async def linked(keys: Any) -> dict[str, Any]:
        return {key: [Invoice(id="1", status="sent")] for key in keys}

    async def all_known() -> list[str]:
        await recalled.several(MINE, CUSTOMERS, ["1", "2"], 0, told)
        _, fetched = await recalled.several(MINE, LINKED, [("account", "9")], 0, linked)
        asked, told.asked = told.asked, []
        return [*asked, *map(str, fetched)]

    await all_known()
    recalled.forget_customers("demo", {"1"})
    assert await all_known() == ["1", "('account', '9')"]
    recalled.forget_customers("demo", {"3"})
    assert await all_known() == []
    recalled.forget_customers("demo", {"3"}, new=True)
    assert await all_known() == ["('account', '9')"]
    recalled.forget_customers("another", {"1"})
    assert await all_known() == []


async def test_what_changed_while_it_was_fetched_is_not_remembered() -> None:
    recalled, told = Recalled(timedelta(minutes=5), 100), Told()

    async def overtaken(keys: Any) -> dict[str, Any]:
        recalled.forget_customers("demo", {"1"})
        return await told(keys)

    await recalled.several(MINE, CUSTOMERS, ["1"], 0, overtaken)
    await recalled.several(MINE, CUSTOMERS, ["1"], 0, told)
    assert told.asked == ["1", "1"]


def _invoice(**more: Any) -> Document:
    return Invoice(**{"id": "1", "status": "sent", "last_modified_time": "2026-03-01T10:00:00+0100", **more})


def test_a_full_record_holds_while_the_row_is_as_it_was() -> None:
    modified = instant("2026-03-01T09:00:00Z")
    assert modified is not None
    known = Known(_invoice(), modified + SETTLED)
    assert known.holds(_invoice())
    assert known.holds(_invoice(last_modified_time="2026-03-01T09:00:00+0000"))
    assert not known.holds(_invoice(status="overdue"))
    assert not known.holds(_invoice(last_modified_time="2026-03-01T10:00:01+0100"))
    assert not known.holds(_invoice(last_modified_time=None))
    assert not Known(_invoice(), modified + SETTLED / 2).holds(_invoice())


def test_a_full_record_that_was_read_within_what_is_allowed_holds_unless_the_row_is_newer() -> None:
    modified = instant("2026-03-01T09:00:00Z")
    assert modified is not None
    known = Known(_invoice(), modified + SETTLED / 2)
    assert known.holds(_invoice(), modified)
    assert known.holds(_invoice(last_modified_time="2026-03-01T09:59:59+0100"), modified)
    assert not known.holds(_invoice(), modified + SETTLED)
    assert not Known(_invoice(), modified + APART / 2).holds(_invoice(), modified)
    assert not known.holds(_invoice(status="overdue"), modified)
    assert not known.holds(_invoice(last_modified_time="2026-03-01T10:00:01+0100"), modified)
