"""Lists of each kind: every filter and order against our own computation over the sandbox's records."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.harness import Gateway
from tests.resolvers.reading import KINDS, Body, Kind, all_pages, called, data, kept, only_error, raw

Predicate = Callable[[Body], bool]
BOOKS = [kind for kind in KINDS.values() if kind.product == "books"]
DUE = {"estimates": "expiry_date", "invoices": "due_date", "salesOrders": "shipment_date"}
UNPAID = {"sent", "viewed", "overdue", "partially_paid", "unpaid"}


def numbers(kind: Kind, records: list[Body], predicate: Predicate) -> set[str]:
    return {body[kind.number_key] for body in records if predicate(body)}


async def found(gateway: Gateway, kind: Kind, where: str) -> set[str]:
    return {row["number"] for row in await all_pages(gateway, "owner", f"{kind.plural}(where: {{{where}}})", "number")}


def text(key: str, value: str, *operators: str) -> Mapping[str, Predicate]:
    """Conditions on a text; the products compare without case."""
    value = value.lower()
    known: dict[str, Predicate] = {
        "equals": lambda body: str(body[key]).lower() == value,
        "startsWith": lambda body: str(body[key]).lower().startswith(value),
        "contains": lambda body: value in str(body[key]).lower(),
    }
    return {operator: known[operator] for operator in operators or known}


def compared(key: str, value: Any, names: str) -> Mapping[str, Predicate]:
    """Five conditions on an ordered value; one that is not there satisfies none."""

    def there(test: Callable[[Any], bool]) -> Predicate:
        return lambda body: body[key] not in ("", None) and test(body[key])

    tests: list[Callable[[Any], bool]] = [
        lambda v: v == value,
        lambda v: v < value,
        lambda v: v <= value,
        lambda v: v > value,
        lambda v: v >= value,
    ]
    return {name: there(test) for name, test in zip(names.split(), tests, strict=True) if name != "-"}


AMOUNTS = "equals lessThan atMost greaterThan atLeast"
DAYS = "on before until after since"


def conditions(kind: Kind, sample: Body) -> list[tuple[str, Predicate]]:
    """(condition, what it means) for everything that the kind can be filtered by, after a record as example."""
    exact = ("equals",) if kind.plural == "invoices" else ()
    party = f"{kind.party}Name"
    made = [
        ("number", sample[kind.number_key], text(kind.number_key, sample[kind.number_key])),
        ("number", sample[kind.number_key][:-2], text(kind.number_key, sample[kind.number_key][:-2], "startsWith")),
        ("number", sample[kind.number_key][-3:], text(kind.number_key, sample[kind.number_key][-3:], "contains")),
        ("referenceNumber", sample["reference_number"], text("reference_number", sample["reference_number"], *exact)),
        (party, sample[f"{kind.party}_name"], text(f"{kind.party}_name", sample[f"{kind.party}_name"], *exact)),
        ("total", sample["total"], compared("total", sample["total"], AMOUNTS)),
        ("date", sample["date"], compared("date", sample["date"], DAYS if kind.party == "customer" else "on - - - -")),
    ]
    if key := DUE.get(kind.plural):
        published = key.split("_")[0] + "Date"
        days = "on - - - -" if kind.plural == "estimates" else DAYS
        made.append((published, sample[key], compared(key, sample[key], days)))
    if kind.plural == "invoices":
        made.append(("balance", sample["balance"], compared("balance", sample["balance"], AMOUNTS)))
    return [
        (f'{name}: {{{operator}: "{value}"}}', means)
        for name, value, operators in made
        for operator, means in operators.items()
    ]


def sample_of(records: list[Body]) -> Body:
    """A record of the middle that has everything."""
    whole = [body for body in records if body["reference_number"] and body["line_items"] and body["custom_fields"]]
    return whole[len(whole) // 2]


@pytest.mark.parametrize("kind", BOOKS, ids=lambda kind: kind.plural)
async def test_every_condition_finds_exactly_the_records_that_meet_it(gateway: Gateway, kind: Kind) -> None:
    records = kept(gateway.sandbox, kind.path)
    for condition, means in conditions(kind, sample_of(records)):
        expected = numbers(kind, records, means)
        assert await found(gateway, kind, condition) == expected, condition


@pytest.mark.parametrize("kind", BOOKS, ids=lambda kind: kind.plural)
async def test_search_lines_custom_fields_party_and_time_of_change_find_their_records(
    gateway: Gateway, kind: Kind
) -> None:
    records = kept(gateway.sandbox, kind.path)
    sample, party = sample_of(records), f"{kind.party}_id"
    where = f'{{ {kind.plural}(where: {{number: {{equals: "{sample[kind.number_key]}"}}}}) {{ nodes {{'
    node = await data(gateway, "owner", f"{where} {kind.party} {{ id }} lineItems {{ itemId name }} }} }} }}")
    (row,) = node[kind.plural]["nodes"]
    line, changed = row["lineItems"][0], sample["last_modified_time"]
    word = sample[f"{kind.party}_name"].split()[0].lower()
    searched = (kind.number_key, "reference_number", f"{kind.party}_name")
    asked: dict[str, Predicate] = {
        f'{kind.party}Id: "{row[kind.party]["id"]}"': lambda body: body[party] == sample[party],
        f'itemId: "{line["itemId"]}"': lambda body: (
            raw(line["itemId"]) in [one["item_id"] for one in body["line_items"]]
        ),
        f'search: "{word}"': lambda body: any(word in str(body[key]).lower() for key in searched),
        f'lastModifiedSince: "{changed}"': lambda body: body["last_modified_time"] >= changed,
    }
    if kind.plural != "purchaseOrders":
        name = line["name"]
        asked[f'itemName: {{equals: "{name}"}}'] = lambda body: name in [one["name"] for one in body["line_items"]]
    if kind.plural != "salesOrders":
        value = sample["custom_fields"][0]["value"]
        asked[f'customField: {{equals: "{value}"}}'] = lambda body: value in [f["value"] for f in body["custom_fields"]]
    for condition, means in asked.items():
        assert await found(gateway, kind, condition) == numbers(kind, records, means), condition


@pytest.mark.parametrize(
    ("plural", "status", "words"),
    [
        *(("estimates", word, {word}) for word in ("draft", "sent", "accepted", "declined", "invoiced", "expired")),
        *(("invoices", word, {word}) for word in ("draft", "overdue", "paid", "partially_paid", "void", "viewed")),
        ("invoices", "unpaid", UNPAID),
        *(("salesOrders", word, {word}) for word in ("draft", "open", "invoiced", "partially_invoiced", "void")),
        *(("purchaseOrders", word, {word}) for word in ("draft", "open", "billed", "cancelled")),
        *(("subscriptions", word, {word}) for word in ("live", "trial", "unpaid", "non_renewing", "future", "expired")),
        *(("subscriptions", word, {word}) for word in ("cancelled", "cancelled_from_dunning", "trial_expired")),
    ],
)
async def test_a_status_finds_the_records_that_are_in_it(
    gateway: Gateway, plural: str, status: str, words: set[str]
) -> None:
    kind = KINDS[plural]
    rows = await all_pages(gateway, "owner", f"{plural}(where: {{status: {status.upper()}}})", "id rawStatus status")
    expected = {body[kind.id_key] for body in kept(gateway.sandbox, kind.path) if body["status"] in words}
    assert {raw(row["id"]) for row in rows} == expected
    assert all(row["status"] == row["rawStatus"].upper() for row in rows)


ORDERS = {
    "CREATED_AT": "created_time",
    "DATE": "date",
    "TOTAL": "total",
    "NUMBER": "number",
    "PARTY_NAME": "party",
    "DUE_DATE": "due_date",
    "BALANCE": "balance",
    "SHIPMENT_DATE": "shipment_date",
    "DELIVERY_DATE": "delivery_date",
    "LAST_MODIFIED_AT": "last_modified_time",
}
FIRST_FOUR = ("CREATED_AT", "DATE", "TOTAL", "NUMBER", "PARTY_NAME")
OFFERED = {
    "estimates": FIRST_FOUR,
    "invoices": (*FIRST_FOUR, "DUE_DATE", "BALANCE"),
    "salesOrders": (*FIRST_FOUR, "SHIPMENT_DATE", "LAST_MODIFIED_AT"),
    "purchaseOrders": (*FIRST_FOUR, "DELIVERY_DATE"),
    "subscriptions": (),
}


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize(("plural", "order"), [(plural, order) for plural, some in OFFERED.items() for order in some])
async def test_an_order_puts_all_records_in_it(gateway: Gateway, plural: str, order: str, direction: str) -> None:
    kind, key = KINDS[plural], ORDERS[order]
    column = {"number": kind.number_key, "party": f"{kind.party}_name"}.get(key, key)
    values = {body[kind.id_key]: body[column] for body in kept(gateway.sandbox, kind.path)}
    rows = await all_pages(gateway, "owner", f"{plural}(orderBy: {{field: {order}, direction: {direction}}})", "id")
    ids = [raw(row["id"]) for row in rows]
    assert sorted(ids) == sorted(values)
    listed = [v.casefold() if isinstance(v := values[one], str) else v for one in ids]
    assert all(one <= other if direction == "ASC" else one >= other for one, other in pairwise(listed))


@pytest.mark.parametrize(
    ("field", "path"),
    [
        (f"{plural}(orderBy: {{field: {order}, direction: ASC}})", ["orderBy"])
        for plural, offered in OFFERED.items()
        for order in ORDERS
        if order not in offered
    ]
    + [
        ("estimates(where: {status: PENDING_APPROVAL})", ["where", "status"]),
        ("invoices(where: {status: APPROVED})", ["where", "status"]),
        ("subscriptions(where: {status: DUNNING})", ["where", "status"]),
        ("subscriptions(where: {status: PAUSED})", ["where", "status"]),
    ],
)
async def test_what_a_product_cannot_apply_is_refused_with_path_and_hint_and_without_a_call(
    gateway: Gateway, field: str, path: list[str]
) -> None:
    answer, calls = await called(gateway, "owner", f"{{ {field} {{ nodes {{ id }} }} }}")
    error = only_error(answer)
    assert (error["code"], error["field"], calls) == ("UNSUPPORTED_BY_PRODUCT", path, [])
    assert error["hint"].startswith(("It can order them by", "It can search for"))


async def test_a_subscription_is_found_by_customer_and_by_a_part_of_its_reference(gateway: Gateway) -> None:
    kind, records = KINDS["subscriptions"], kept(gateway.sandbox, "subscriptions")
    first = await data(gateway, "owner", "{ subscriptions(first: 1) { nodes { referenceNumber customer { id } } } }")
    sample = first["subscriptions"]["nodes"][0]
    customer, part = sample["customer"]["id"], sample["referenceNumber"][:-1]
    assert await found(gateway, kind, f'customerId: "{customer}"') == numbers(
        kind, records, lambda body: body["customer_id"] == raw(customer)
    )
    assert await found(gateway, kind, f'referenceNumber: {{contains: "{part}"}}') == numbers(
        kind, records, lambda body: part.lower() in body["reference_id"].lower()
    )


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.plural)
async def test_every_custom_view_shows_what_its_title_says(gateway: Gateway, kind: Kind) -> None:
    views = (await data(gateway, "owner", f"{{ customViews(module: {kind.module}) {{ id name }} }}"))["customViews"]
    records = kept(gateway.sandbox, kind.path)
    meant: dict[str, set[str]] = {
        "Unpaid": UNPAID if kind.plural == "invoices" else {"unpaid"},
        "Closed": {"closed", "invoiced"},
        "Active": {"live", "trial", "dunning", "unpaid", "non_renewing"},
        "Past Due": {"dunning", "unpaid"},
        "All": {body["status"] for body in records},
    }
    for view in views:
        if view["name"].endswith("Month"):
            continue
        words = meant.get(view["name"], {view["name"].lower().replace(" ", "_").replace("-", "_")})
        rows = await all_pages(gateway, "owner", f'{kind.plural}(view: "{view["id"]}")', "id")
        assert {raw(row["id"]) for row in rows} == {b[kind.id_key] for b in records if b["status"] in words}, view


async def test_the_cancellations_of_this_month_and_the_last_are_views(gateway: Gateway) -> None:
    views = (await data(gateway, "owner", "{ customViews(module: SUBSCRIPTIONS) { id name } }"))["customViews"]
    ids = {view["name"]: view["id"] for view in views}
    records, today = kept(gateway.sandbox, "subscriptions"), gateway.sandbox.today
    for name, month in (("Cancelled This Month", today.month), ("Cancelled Last Month", today.month - 1)):
        rows = await all_pages(gateway, "owner", f'subscriptions(view: "{ids[name]}")', "id cancelledAt")
        began = f"{today.year}-{month:02d}"
        meant = {b["subscription_id"] for b in records if str(b.get("cancelled_at") or "").startswith(began)}
        assert {raw(row["id"]) for row in rows} == meant


async def test_conditions_together_all_have_to_be_met(gateway: Gateway) -> None:
    kind, records = KINDS["invoices"], kept(gateway.sandbox, "invoices")
    asked = 'status: PAID, total: {atLeast: "1000", lessThan: "5000"}, date: {since: "2026-01-01", until: "2026-06-30"}'
    expected = numbers(
        kind,
        records,
        lambda body: (
            body["status"] == "paid"
            and Decimal(1000) <= body["total"] < Decimal(5000)
            and "2026-01-01" <= body["date"] <= "2026-06-30"
        ),
    )
    assert expected
    assert await found(gateway, kind, asked) == expected


async def test_aliases_stand_as_they_were_written_on_records_that_come_again(gateway: Gateway) -> None:
    answer = await gateway.ask("owner", "{ invoices(first: 20) { nodes { customer { LEVEL: email record: id } } } }")
    assert all(set(node["customer"]) == {"LEVEL", "record"} for node in answer["data"]["invoices"]["nodes"])
