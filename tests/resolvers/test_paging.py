"""Connections: bounds, cursors, and pages of lists that change between them; all five kinds merged into one."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from services.sandbox import Fault, Sandbox, records
from tests.harness import Gateway
from tests.resolvers.copying import read_copy
from tests.resolvers.reading import KINDS, Body, Kind, all_pages, called, codes, data, kept, only_error, raw

DEMO = "20098765001"
INVOICES = "query($n: Int, $a: String) { invoices(first: $n, after: $a) { %s } }"
PAGE = "edges { cursor node { id number } } nodes { id } asOf totalCount"
INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
DOCUMENT = "id __typename number date module"


def remove(sandbox: Sandbox, kind: Kind, *bodies: Body) -> None:
    with sandbox.store.session() as session:
        for body in bodies:
            records.drop(session, DEMO, kind.path, body[kind.id_key])


def insert(sandbox: Sandbox, kind: Kind, like: Body, count: int, **changes: Any) -> None:
    """New records like another one, with ids beyond all others."""
    with sandbox.store.session() as session:
        for _ in range(count):
            new = sandbox.store.next_id(DEMO)
            body = {**like, kind.id_key: new, kind.number_key: f"X-{new[-6:]}", **changes}
            records.put(session, DEMO, kind.path, body)


def newest(sandbox: Sandbox, kind: Kind) -> list[Body]:
    return sorted(kept(sandbox, kind.path), key=lambda body: (body["created_time"], body[kind.id_key]), reverse=True)


async def page(gateway: Gateway, field: str, after: str | None, selection: str = "id") -> tuple[list[Any], str | None]:
    """One page's nodes, and the cursor to go on with."""
    query = f"query($a: String) {{ {field} {{ nodes {{ {selection} }} {INFO} }} }}"
    (found,) = (await data(gateway, "owner", query, a=after)).values()
    return found["nodes"], found["pageInfo"]["endCursor"] if found["pageInfo"]["hasNextPage"] else None


async def test_a_connection_is_a_relay_connection_with_the_moment_of_its_rows(gateway: Gateway) -> None:
    found = (await data(gateway, "owner", INVOICES % f"{PAGE} {INFO}", n=3))["invoices"]
    info, edges = found["pageInfo"], found["edges"]
    assert [edge["node"]["id"] for edge in edges] == [node["id"] for node in found["nodes"]]
    assert (info["startCursor"], info["endCursor"]) == (edges[0]["cursor"], edges[-1]["cursor"])
    assert (info["hasNextPage"], info["hasPreviousPage"], found["totalCount"]) == (True, False, None)
    assert found["asOf"].endswith("+00:00")
    following = (await data(gateway, "owner", INVOICES % f"{PAGE} {INFO}", n=3, a=edges[0]["cursor"]))["invoices"]
    assert [edge["cursor"] for edge in following["edges"]][:2] == [edge["cursor"] for edge in edges[1:]]
    assert following["pageInfo"]["hasPreviousPage"]


@pytest.mark.parametrize(("asked", "given"), [(None, 20), (1, 1), (100, 100)])
async def test_a_page_has_as_many_rows_as_asked_for(gateway: Gateway, asked: int | None, given: int) -> None:
    answer, calls = await called(gateway, "owner", INVOICES % "nodes { id }", n=asked)
    assert (len(answer["data"]["invoices"]["nodes"]), len(calls)) == (given, 1)


@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1])
@pytest.mark.parametrize("field", ["invoices", "documents", "accounts", "contacts", "auditTrail"])
async def test_a_page_of_another_size_is_refused(gateway: Gateway, field: str, first: int) -> None:
    answer, calls = await called(gateway, "owner", f"{{ {field}(first: {first}) {{ nodes {{ id }} }} }}")
    error = only_error(answer)
    assert (error["code"], error["field"], error["path"], calls) == ("BAD_USER_INPUT", ["first"], [field], [])


FOREIGN = {
    "another kind": "estimates(after: $a)",
    "another order": "invoices(after: $a, orderBy: {field: TOTAL, direction: DESC})",
    "another direction": "invoices(after: $a, orderBy: {field: CREATED_AT, direction: ASC})",
    "another filter": "invoices(after: $a, where: {status: PAID})",
    "the merged list": "documents(after: $a)",
    "accounts": "accounts(after: $a)",
    "contacts": "contacts(after: $a)",
    "the audit trail": "auditTrail(after: $a)",
}


@pytest.mark.parametrize("field", FOREIGN.values(), ids=FOREIGN)
async def test_a_cursor_of_another_list_is_refused(gateway: Gateway, field: str) -> None:
    _, cursor = await page(gateway, "invoices(first: 1, after: $a)", None)
    answer, calls = await called(gateway, "owner", f"query($a: String) {{ {field} {{ nodes {{ id }} }} }}", a=cursor)
    error = only_error(answer)
    assert (error["code"], error["field"], calls) == ("BAD_USER_INPUT", ["after"], [])


async def test_a_cursor_of_another_organization_is_refused(gateway: Gateway) -> None:
    _, cursor = await page(gateway, "invoices(first: 1, after: $a)", None)
    answer, calls = await called(gateway, "owner@west.example", INVOICES % "nodes { id }", a=cursor)
    assert (only_error(answer)["code"], calls) == ("BAD_USER_INPUT", [])


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.plural)
async def test_paging_through_a_list_gives_every_record_once_newest_first(gateway: Gateway, kind: Kind) -> None:
    rows = await all_pages(gateway, "owner", kind.plural, "id createdAt", first=37)
    ids = [raw(row["id"]) for row in rows]
    assert sorted(ids) == sorted(body[kind.id_key] for body in kept(gateway.sandbox, kind.path))
    assert all(one["createdAt"] >= other["createdAt"] for one, other in pairwise(rows))


async def test_rows_that_come_and_go_between_two_pages_move_no_other_row(own_gateway: Gateway) -> None:
    gateway, kind = own_gateway, KINDS["invoices"]
    before = newest(gateway.sandbox, kind)
    nodes, cursor = await page(gateway, "invoices(first: 20, after: $a)", None)
    insert(gateway.sandbox, kind, before[0], 30, created_time="2026-11-15T23:00:00+0100")
    second, cursor = await page(gateway, "invoices(first: 20, after: $a)", cursor)
    remove(gateway.sandbox, kind, *before[5:40])
    third, cursor = await page(gateway, "invoices(first: 20, after: $a)", cursor)
    remove(gateway.sandbox, kind, *before[:5], *before[55:62])
    insert(gateway.sandbox, kind, before[60], 3, created_time=before[70]["created_time"])
    rest = nodes + second + third
    while cursor:
        more, cursor = await page(gateway, "invoices(first: 50, after: $a)", cursor)
        rest += more
    ids = [raw(node["id"]) for node in rest]
    still = {body[kind.id_key] for body in kept(gateway.sandbox, kind.path)}
    assert len(ids) == len(set(ids))
    assert {body[kind.id_key] for body in before} & still <= set(ids)


def expected_documents(sandbox: Sandbox, *plurals: str) -> list[tuple[str, str]]:
    """(date, id) of all documents, newest first."""
    date = {"subscriptions": "created_at"}
    found = [
        (body.get(date.get(plural, "date")) or str(body["created_time"])[:10], body[KINDS[plural].id_key])
        for plural in plurals or KINDS
        for body in kept(sandbox, KINDS[plural].path)
    ]
    return sorted(found, reverse=True)


async def test_all_five_kinds_are_one_list_by_date_in_which_each_stands_once(gateway: Gateway) -> None:
    rows = await all_pages(gateway, "owner", "documents", DOCUMENT)
    expected = expected_documents(gateway.sandbox)
    assert sorted(raw(row["id"]) for row in rows) == sorted(id for _, id in expected)  # noqa: A001
    assert [row["date"] for row in rows] == [day for day, _ in expected]
    assert {row["__typename"] for row in rows} == {kind.type for kind in KINDS.values()}
    modules = {kind.type: kind.module for kind in KINDS.values()}
    assert all(row["module"] == modules[row["__typename"]] for row in rows)


async def test_the_merged_list_is_the_same_whatever_the_size_of_its_pages(gateway: Gateway) -> None:
    small, cursor = await page(gateway, "documents(first: 13, after: $a)", None)
    while cursor and len(small) < 130:
        more, cursor = await page(gateway, "documents(first: 13, after: $a)", cursor)
        small += more
    large, cursor = await page(gateway, "documents(first: 100, after: $a)", None)
    large += (await page(gateway, "documents(first: 30, after: $a)", cursor))[0]
    assert small == large


async def test_the_merged_list_survives_what_comes_and_goes_between_its_pages(own_gateway: Gateway) -> None:
    gateway = own_gateway
    before = {id for _, id in expected_documents(gateway.sandbox, "estimates", "invoices")}  # noqa: A001
    field = "documents(first: 60, after: $a, modules: [ESTIMATES, INVOICES])"
    nodes, cursor = await page(gateway, field, None)
    for number, kind in enumerate((KINDS["estimates"], KINDS["invoices"]), 1):
        bodies = newest(gateway.sandbox, kind)
        remove(gateway.sandbox, kind, *bodies[: 20 * number])
        insert(gateway.sandbox, kind, bodies[0], 15, date="2026-11-15")
    while cursor:
        more, cursor = await page(gateway, field, cursor)
        nodes += more
    ids = [raw(node["id"]) for node in nodes]
    still = {id for _, id in expected_documents(gateway.sandbox, "estimates", "invoices")}  # noqa: A001
    assert len(ids) == len(set(ids))
    assert before & still <= set(ids)


async def test_the_merged_list_can_be_narrowed_to_modules_and_by_what_all_of_them_know(gateway: Gateway) -> None:
    rows = await all_pages(
        gateway, "owner", 'documents(modules: [INVOICES, SALES_ORDERS], where: {total: {atLeast: "40000"}})', "id"
    )
    expected = {
        body[kind.id_key]
        for kind in (KINDS["invoices"], KINDS["salesOrders"])
        for body in kept(gateway.sandbox, kind.path)
        if body["total"] >= 40000
    }
    assert expected
    assert {raw(row["id"]) for row in rows} == expected


@pytest.mark.parametrize(
    ("person", "refused"),
    [
        ("staff", {"SUBSCRIPTIONS": ["BILLING_ROLE"]}),
        ("billing", {key: ["BOOKS_ROLE"] for key in ("ESTIMATES", "INVOICES", "SALES_ORDERS", "PURCHASE_ORDERS")}),
        ("owner", {}),
    ],
)
async def test_a_kind_that_may_not_be_seen_is_left_out_and_named_once(
    gateway: Gateway, person: str, refused: Mapping[str, list[str]]
) -> None:
    query = "{ documents(first: 50) { nodes { module } } again: documents(first: 5) { nodes { id } } }"
    answer = await gateway.ask(person, query)
    errors = [error["extensions"] for error in answer.get("errors", ())]
    assert {error["module"]: error["missingFrom"] for error in errors} == refused
    assert len(errors) == 2 * len(refused), "once for each field that asks"
    assert {error["coordinate"] for error in errors} <= {"Query.documents"}
    assert answer["data"]["documents"]["nodes"]
    assert {node["module"] for node in answer["data"]["documents"]["nodes"]}.isdisjoint(refused)


async def test_a_kind_that_cannot_be_searched_so_is_left_out_and_named_once(gateway: Gateway) -> None:
    query = '{ documents(first: 100, where: {search: "a"}) { nodes { module } } }'
    answer = await gateway.ask("owner", query)
    error = only_error(answer)
    assert (error["code"], error["module"]) == ("UNSUPPORTED_BY_PRODUCT", "SUBSCRIPTIONS")
    assert {node["module"] for node in answer["data"]["documents"]["nodes"]} == {
        "ESTIMATES",
        "INVOICES",
        "SALES_ORDERS",
        "PURCHASE_ORDERS",
    }


async def test_when_a_product_is_down_the_others_documents_still_arrive(own_gateway: Gateway) -> None:
    own_gateway.sandbox.fault(Fault("status", product="billing", status=404, code=5))
    answer = await own_gateway.ask("owner", "{ documents(first: 100) { nodes { module } } viewer { email } }")
    error = only_error(answer)
    assert (error["module"], error["coordinate"], error["product"]) == ("SUBSCRIPTIONS", "Query.documents", "BILLING")
    assert error["code"].startswith(("UPSTREAM_", "NOT_FOUND"))
    assert {node["module"] for node in answer["data"]["documents"]["nodes"]} >= {"ESTIMATES", "INVOICES"}
    assert answer["data"]["viewer"]["email"] == "owner@demo.example"


async def test_when_every_product_is_down_the_field_is_null_with_a_coded_error(own_gateway: Gateway) -> None:
    for product in ("books", "billing"):
        own_gateway.sandbox.fault(Fault("html", product=product, status=200))
    answer = await own_gateway.ask("owner", "{ documents(first: 5) { nodes { id } } viewer { email } }")
    assert answer["data"] == {"documents": None, "viewer": {"email": "owner@demo.example"}}
    assert set(codes(answer)) == {"UPSTREAM_REJECTED"}


async def test_a_list_that_the_product_sorts_in_another_way_is_refused_before_rows_are_lost(
    own_gateway: Gateway,
) -> None:
    kind, names = KINDS["invoices"], ("eBay", "Zebra", "alpha")
    with own_gateway.sandbox.store.session() as session:  # it takes capitals to be other letters
        for place, body in enumerate(kept(own_gateway.sandbox, kind.path)):
            records.put(session, DEMO, kind.path, {**body, "customer_name": names[place % len(names)]})
    listed = "invoices(first: 20, orderBy: {field: PARTY_NAME, direction: ASC}) { nodes { customer { name } } }"
    error = only_error(await own_gateway.ask("owner", f"query @fresh(within: 0) {{ {listed} }}"))
    assert (error["code"], error["field"], error["path"]) == ("UNSUPPORTED_BY_PRODUCT", ["orderBy"], ["invoices"])
    await read_copy(own_gateway)
    found = await data(own_gateway, "owner", f"query @fresh(within: 600) {{ {listed} }}")
    assert {row["customer"]["name"] for row in found["invoices"]["nodes"]} == {"alpha"}
