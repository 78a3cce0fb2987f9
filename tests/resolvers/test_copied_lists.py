"""Lists from the copy against the products' own answers: the same rows in the same order, page by page."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from random import Random
from typing import Any

import psycopg
import pytest

from services.sandbox import records
from tests.harness import Demo, Gateway
from tests.resolvers.copying import read_copy
from tests.resolvers.office import DEMO, record_id
from tests.resolvers.reading import KINDS, Body, Kind, called, data, kept

ORDERS = {
    "estimates": ("CREATED_AT", "DATE", "TOTAL", "PARTY_NAME", "NUMBER"),
    "invoices": ("CREATED_AT", "DATE", "TOTAL", "PARTY_NAME", "NUMBER", "DUE_DATE", "BALANCE"),
    "salesOrders": ("CREATED_AT", "DATE", "TOTAL", "PARTY_NAME", "NUMBER", "SHIPMENT_DATE", "LAST_MODIFIED_AT"),
    "purchaseOrders": ("CREATED_AT", "DATE", "TOTAL", "PARTY_NAME", "NUMBER", "DELIVERY_DATE"),
    "subscriptions": ("CREATED_AT",),
}
DAYS = {"invoices": ("date", "dueDate"), "salesOrders": ("date", "shipmentDate"), "estimates": ("date",)}
CASES = 12
"""Lists of each kind."""


@pytest.fixture(scope="module")
async def copied(demo: Demo) -> AsyncIterator[Gateway]:
    """A gateway whose copy has just been read."""
    async with demo.gateway() as gateway:
        await read_copy(gateway)
        yield gateway


def _texts(random: Random, name: str, value: str) -> str:
    start = random.randrange(len(value))
    part = {"equals": value.swapcase(), "startsWith": value[: start + 1], "contains": value[start : start + 4]}
    operator = random.choice(sorted(part))
    return f'{name}: {{ {operator}: "{part[operator]}" }}'


def _conditions(random: Random, kind: Kind, body: Body) -> Iterator[str]:
    """Conditions that the record meets, most of them."""
    yield f"status: {body['status'].upper()}"
    if kind.plural == "subscriptions":
        return
    if kind.plural != "invoices":
        yield _texts(random, f"{kind.party}Name", body[f"{kind.party}_name"])
    yield _texts(random, "number", body[kind.number_key])
    if body["reference_number"]:
        yield f'referenceNumber: {{ equals: "{body["reference_number"]}" }}'
    yield f'total: {{ {random.choice(("atMost", "atLeast", "lessThan", "greaterThan"))}: "{body["total"]}" }}'
    for name in DAYS.get(kind.plural, ()):
        key = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        yield f'{name}: {{ {random.choice(("since", "until", "before", "after"))}: "{body[key] or body["date"]}" }}'
    yield f'lastModifiedSince: "{body["last_modified_time"]}"'


def _asked(random: Random, kind: Kind, bodies: Sequence[Body]) -> str:
    """The arguments of a list: conditions that the product can be asked for, an order, a direction."""
    unsearchable = {"pending_approval", "approved", "closed", "rejected", "dunning", "paused", "creation_failed"}
    body = random.choice([one for one in bodies if one["status"] not in unsearchable and one[_party(kind)].isascii()])
    conditions = [one for one in _conditions(random, kind, body) if random.random() < 0.35]
    order = random.choice(ORDERS[kind.plural])
    direction = "DESC" if kind.plural == "subscriptions" else random.choice(("ASC", "DESC"))
    narrowed = f"where: {{ {' '.join(conditions)} }}, " if conditions else ""
    return f"{narrowed}orderBy: {{ field: {order}, direction: {direction} }}"


def _party(kind: Kind) -> str:
    return f"{kind.party}_name"


async def _page(gateway: Gateway, field: str, first: int, after: str | None, within: int) -> tuple[Body, int]:
    name, _, arguments = field.partition("|")
    listed = ", ".join(filter(None, (f"first: {first}", "after: $after", arguments)))
    query = (
        f"query($after: String) @fresh(within: {within}) {{ {name}({listed}) {{ totalCount "
        "pageInfo { hasNextPage endCursor } edges { cursor node { __typename id number rawStatus total { amount } "
        "createdAt lastModifiedAt } } } }"
    )
    answer, calls = await called(gateway, "owner", query, after=after)
    assert "errors" not in answer, answer["errors"]
    return answer["data"][name], len(calls)


async def _walked(gateway: Gateway, field: str, first: int, ages: Sequence[int]) -> list[Any]:
    """All rows of the first pages, each page as old as it says."""
    rows: list[Any] = []
    after = None
    for within in ages:
        page, calls = await _page(gateway, field, first, after, within)
        assert (calls == 0) == bool(within) or "UNPAID" in field, field
        rows += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return [*rows, "end"]
    return rows


@pytest.mark.parametrize("plural", ORDERS)
async def test_a_list_from_the_copy_is_the_list_of_the_product(copied: Gateway, plural: str) -> None:
    random, kind = Random(plural), KINDS[plural]
    bodies = kept(copied.sandbox, KINDS[plural].path)
    for _ in range(CASES):
        field, first = f"{plural}|{_asked(random, kind, bodies)}", random.choice((3, 10, 40))
        live = await _walked(copied, field, first, (0, 0, 0))
        assert await _walked(copied, field, first, (600, 600, 600)) == live, field
        assert await _walked(copied, field, first, (0, 600, 0)) == live, field
        assert await _walked(copied, field, first, (600, 0, 600)) == live, field


@pytest.mark.parametrize(
    "field",
    [
        "documents|",
        "documents|modules: [INVOICES, SUBSCRIPTIONS]",
        'documents|where: { total: { atLeast: "500" } }, modules: [ESTIMATES, INVOICES, SALES_ORDERS]',
        'documents|where: { number: { contains: "00" } }, modules: [PURCHASE_ORDERS, ESTIMATES]',
    ],
)
async def test_all_kinds_merged_are_the_same_from_the_copy(copied: Gateway, field: str) -> None:
    live = await _walked(copied, field, 35, (0, 0, 0, 0))
    assert await _walked(copied, field, 35, (600,) * 4) == live
    assert await _walked(copied, field, 35, (0, 600, 600, 0)) == live


async def test_the_rows_of_a_list_are_counted(copied: Gateway) -> None:
    page, calls = await _page(copied, "invoices|where: { status: PAID }", 1, None, 600)
    assert (page["totalCount"], calls) == (sum(b["status"] == "paid" for b in kept(copied.sandbox, "invoices")), 0)
    page, _ = await _page(copied, "invoices|where: { status: PAID }", 1, None, 0)
    assert page["totalCount"] is None


@pytest.mark.parametrize(
    "field",
    [
        'invoices|where: { search: "INV" }',
        "invoices|where: { status: UNPAID }",
        'invoices|where: { itemName: { contains: "a" } }',
        'estimates|where: { customerName: { contains: "é" } }',
        'estimates|where: { customField: { contains: "a" } }',
    ],
)
async def test_what_the_copy_cannot_tell_exactly_the_product_tells(copied: Gateway, field: str) -> None:
    live, _ = await _page(copied, field, 50, None, 0)
    page, calls = await _page(copied, field, 50, None, 600)
    assert calls > 0
    assert page == live


@pytest.mark.parametrize("plural", ["invoices", "estimates"])
async def test_a_record_that_is_gone_leaves_the_copy_when_somebody_asks_for_it(
    own_gateway: Gateway, plural: str
) -> None:
    await read_copy(own_gateway)
    with psycopg.connect(own_gateway.environment()["GATEWAY_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("UPDATE records SET read_at = read_at - interval '10 minutes'")
    listed = f"query @fresh(within: 600) {{ {plural}(first: 1) {{ nodes {{ id }} }} }}"
    gone = (await data(own_gateway, "owner", listed))[plural]["nodes"][0]["id"]
    with own_gateway.sandbox.store.session() as session:
        records.drop(session, DEMO, KINDS[plural].path, record_id(gone))
    one = f'query @fresh(within: 0) {{ {plural[:-1]}(id: "{gone}") {{ number }} }}'
    assert (await own_gateway.ask("owner", one))["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    async with asyncio.timeout(10):
        while (await data(own_gateway, "owner", listed))[plural]["nodes"][0]["id"] == gone:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
