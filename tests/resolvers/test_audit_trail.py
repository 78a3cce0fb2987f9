"""The audit trail: found by what is asked, in pages, by administrators of the organization, and kept as it is."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, select, text, update

from services.storage.models import AuditEvent
from tests.harness import Demo
from tests.resolvers.office import ESTIMATE, INVOICE, SUBSCRIPTION, Office, fresh

WEST = 'mutation($i: InvoiceCreateInput!) { invoiceCreate(input: $i, idempotencyKey: "w") { auditEventId } }'
PAGE = """query($first: Int, $after: String, $where: AuditFilter) {
  auditTrail(first: $first, after: $after, where: $where) {
    edges { cursor node { id } } pageInfo { hasNextPage endCursor }
  }
}"""


@pytest.fixture(scope="module")
async def trail(demo: Demo) -> AsyncIterator[dict[str, Any]]:
    """A gateway with a short history: three writes, of which one was refused, by three people."""
    async with demo.gateway() as gateway:
        office = Office(gateway)
        invoice = await office.create("staff", INVOICE)
        bad = await office.create("sales", ESTIMATE, lineItems=[])
        subscription = await office.create("billing", SUBSCRIPTION)
        changed = await office.update("sales", INVOICE, invoice["invoice"]["id"], notes="new")
        payloads = {"invoice": invoice, "bad": bad, "subscription": subscription, "changed": changed}
        named = {name: payload["auditEventId"] for name, payload in payloads.items()}
        yield {"office": office, "record": invoice["invoice"]["id"], **named}


async def found(trail: dict[str, Any], **where: Any) -> list[str]:
    """The names of the events that match, newest first."""
    names = {event: name for name, event in trail.items() if name not in ("office", "record")}
    return [names[event["id"]] for event in await trail["office"].events(**where)]


async def person_id(office: Office, person: str) -> str:
    return str((await office.ask(person, "{ viewer { id } }"))["data"]["viewer"]["id"])


async def test_everything_is_there_newest_first(trail: dict[str, Any]) -> None:
    assert await found(trail) == ["changed", "subscription", "bad", "invoice"]


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ({"actions": ["invoices.create"]}, ["invoice"]),
        ({"actions": ["invoices.create", "invoices.edit"]}, ["changed", "invoice"]),
        ({"actions": ["invoices.delete"]}, []),
        ({"outcomes": ["REJECTED"]}, ["bad"]),
        ({"outcomes": ["UNCERTAIN"]}, []),
        ({"outcomes": ["APPLIED"], "product": "BOOKS"}, ["changed", "invoice"]),
        ({"product": "BILLING"}, ["subscription"]),
        ({"product": "CRM"}, []),
        ({"since": "2000-01-01T00:00:00Z", "until": "2000-01-02T00:00:00Z"}, []),
        (
            {"since": "2000-01-01T00:00:00Z", "outcomes": ["REJECTED", "APPLIED"]},
            ["changed", "subscription", "bad", "invoice"],
        ),
        ({"requestId": "nobody's"}, []),
    ],
)
async def test_events_are_found_by_what_is_asked(
    trail: dict[str, Any], where: dict[str, Any], names: list[str]
) -> None:
    assert await found(trail, **where) == names


async def test_events_are_found_by_person_record_and_request(trail: dict[str, Any]) -> None:
    office = trail["office"]
    assert await found(trail, actorId=await person_id(office, "sales")) == ["changed", "bad"]
    assert await found(trail, subjectId=trail["record"]) == ["changed", "invoice"]
    (event, *_) = await office.events(outcomes=["REJECTED"])
    assert await found(trail, requestId=event["requestId"]) == ["bad"]


async def test_events_are_found_by_time(trail: dict[str, Any]) -> None:
    query = "{ auditTrail(first: 4) { nodes { at } } }"
    times = [node["at"] for node in (await trail["office"].ask("owner", query))["data"]["auditTrail"]["nodes"]]
    assert await found(trail, since=times[1]) == ["changed", "subscription"]
    assert await found(trail, until=times[1]) == ["bad", "invoice"]
    assert await found(trail, since=times[2], until=times[1]) == ["bad"]


@pytest.mark.parametrize("first", [1, 2, 3, 100])
async def test_pages_hold_every_event_once(trail: dict[str, Any], first: int) -> None:
    office, seen, after = trail["office"], [], None
    for _ in range(10):
        page = (await office.ask("owner", PAGE, first=first, after=after))["data"]["auditTrail"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == [trail[name] for name in ("changed", "subscription", "bad", "invoice")]


async def test_a_page_stays_right_when_something_happens_meanwhile(own_office: Office) -> None:
    office = own_office
    made = [(await office.create("staff", INVOICE))["auditEventId"] for _ in range(3)]
    page = (await office.ask("owner", PAGE, first=2))["data"]["auditTrail"]
    await office.create("staff", INVOICE)
    rest = (await office.ask("owner", PAGE, first=2, after=page["pageInfo"]["endCursor"]))["data"]["auditTrail"]
    assert [edge["node"]["id"] for edge in page["edges"] + rest["edges"]] == made[::-1]


@pytest.mark.parametrize(
    "variables",
    [
        {"first": 0},
        {"first": 101},
        {"first": -1},
        {"after": "nonsense"},
        {"after": "e30"},
        {"where": {"actorId": "nonsense"}},
        {"where": {"subjectId": ""}},
        {"where": {"outcomes": ["INTENT"]}},
        {"where": {"since": "yesterday"}},
        {"where": {"since": "2026-11-02T00:00:00"}},
    ],
    ids=str,
)
async def test_what_cannot_be_asked_is_refused(trail: dict[str, Any], variables: dict[str, Any]) -> None:
    (error,) = (await trail["office"].ask("owner", PAGE, **variables))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_cursor_belongs_to_its_filter(trail: dict[str, Any]) -> None:
    page = (await trail["office"].ask("owner", PAGE, first=1))["data"]["auditTrail"]
    cursor = page["pageInfo"]["endCursor"]
    (error,) = (await trail["office"].ask("owner", PAGE, after=cursor, where={"product": "BOOKS"}))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("person", ["staff", "sales", "billing", "approver", "readonly", "legacy", "outsider"])
async def test_only_administrators_read_it(trail: dict[str, Any], person: str) -> None:
    answer = await trail["office"].ask(person, PAGE)
    (error,) = answer["errors"]
    assert answer["data"] == {"auditTrail": None}
    assert (error["extensions"]["code"], error["extensions"]["required"]) == ("FORBIDDEN", "audit.view")


async def test_it_is_not_read_through_node_either(trail: dict[str, Any]) -> None:
    query = "query($id: ID!) { node(id: $id) { __typename ... on AuditEvent { action } } }"
    answer = await trail["office"].ask("staff", query, id=trail["invoice"])
    assert not (answer.get("data") or {}).get("node")


async def test_other_organizations_see_their_own_events_only(trail: dict[str, Any]) -> None:
    office = trail["office"]
    query = "{ invoices(first: 1) { nodes { customer { id } } } }"
    west = (await office.ask("staff@west.example", query))["data"]["invoices"]["nodes"][0]["customer"]["id"]
    draft = {"customerId": west, "lineItems": [{"name": "A", "rate": "1"}]}
    made = (await office.ask("staff@west.example", WEST, i=draft))["data"]["invoiceCreate"]["auditEventId"]
    theirs = (await office.ask("owner@west.example", PAGE))["data"]["auditTrail"]["edges"]
    assert [edge["node"]["id"] for edge in theirs] == [made]
    assert made not in [event["id"] for event in await office.events()]
    query = "query($id: ID!) { node(id: $id) { __typename } }"
    answer = await office.ask("owner@west.example", query, id=trail["invoice"])
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_settled_events_stay_as_they_are_in_the_database(trail: dict[str, Any]) -> None:
    office, row = trail["office"], AuditEvent
    async with office.session() as session:
        before = [event.model_dump() for event in await session.exec(select(row).order_by(row.id))]
    for statement in (
        update(row).values(outcome="APPLIED"),
        update(row).values(outcome="UNCERTAIN"),
        update(row).values(actor_name="Nobody"),
        update(row).values(calls=[]),
        delete(row),
        delete(row).where(col(row.outcome) == "REJECTED"),
        text("TRUNCATE audit_events CASCADE"),
    ):
        with pytest.raises(IntegrityError, match="audit events are kept as they are"):
            async with office.session() as session:
                await session.exec(statement)
    async with office.session() as session:
        assert [event.model_dump() for event in await session.exec(select(row).order_by(row.id))] == before


async def test_an_open_event_can_only_be_settled(own_office: Office) -> None:
    office, row = own_office, AuditEvent
    await office.party()
    office.fault("status", INVOICE, "POST", status=500)
    office.fault("status", INVOICE, "GET", status=400)
    payload = await office.create("staff", INVOICE, fresh())
    assert payload["outcome"] == "UNCERTAIN"
    for values in ({"actor_email": "x@demo.example"}, {"action": "x"}, {"request_id": "x"}, {"access": None}):
        with pytest.raises(IntegrityError, match="audit events are kept as they are"):
            async with office.session() as session:
                await session.exec(update(row).values(values))
    event = await office.event(payload)
    assert (event["outcome"], event["actor"]["email"]) == ("UNCERTAIN", "staff@demo.example")
