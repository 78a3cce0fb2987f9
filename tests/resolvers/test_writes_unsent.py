"""Writes that never reached the product, or that it would not take now: nothing is done, and that is certain."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlmodel import delete, update

from gateway.settings import Http
from services.sandbox import Fault
from services.sandbox.store import AccessToken
from services.storage.models import Connection
from tests.harness import running
from tests.resolvers.office import CASES, INVOICE, Case, Office, fresh

each_kind = pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)


@pytest.fixture(autouse=True)
def _recovered(office: Office) -> Iterator[None]:
    """Each test begins with products in good health."""
    yield
    office.recover()


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """The extensions of the one error."""
    (error,) = answer["errors"]
    return dict(error["extensions"])


async def refused(office: Office, key: str, code: str, case: Case = INVOICE) -> dict[str, Any]:
    """A create by the owner that is refused for certain: nothing is made, the key keeps the refusal."""
    before = office.count(case)
    extensions = told(await office.send_create("owner", case, await office.draft(case), key))
    assert extensions["code"] == code
    assert office.count(case) == before
    event = await office.event(extensions)
    assert (event["outcome"], event["userErrors"][0]["code"], event["changes"]) == ("REJECTED", code, [])
    again = await office.outcome("owner", key)
    assert (again["outcome"], again["userErrors"][0]["code"], again["document"]) == ("REJECTED", code, None)
    return event


@each_kind
async def test_a_refused_connection_wrote_nothing_and_a_new_key_works(office: Office, case: Case) -> None:
    key = fresh()
    await office.party(case)
    office.fault("refuse", case, "POST", times=1)
    event = await refused(office, key, "UPSTREAM_UNAVAILABLE", case)
    assert [(call["method"], call["status"]) for call in event["upstreamCalls"]] == [("POST", None)]
    before = office.count(case)
    assert (await office.create("owner", case, key))["outcome"] == "REJECTED"
    assert office.count(case) == before
    assert (await office.create("owner", case))["outcome"] == "APPLIED"


@each_kind
async def test_a_change_whose_record_cannot_be_read_is_not_made(office: Office, case: Case) -> None:
    key = fresh()
    record = await office.made("owner", case)
    office.gateway.sandbox.clear_calls()
    office.fault("status", case, "GET", status=400, code=9, message="Not today.")
    payload = await office.update("owner", case, record, key, referenceNumber="new")
    assert (payload["outcome"], "Not today." in payload["userErrors"][0]["message"]) == ("REJECTED", True)
    assert office.writes() == []


async def test_a_refused_change_wrote_nothing(office: Office) -> None:
    key = fresh()
    record = await office.made("owner", INVOICE)
    office.fault("refuse", INVOICE, "PUT", times=1)
    extensions = told(await office.send_update("owner", INVOICE, record, {"notes": "new"}, key))
    assert extensions["code"] == "UPSTREAM_UNAVAILABLE"
    assert office.stored(INVOICE, record)["notes"] == ""
    assert (await office.update("owner", INVOICE, record, notes="new"))["outcome"] == "APPLIED"


# Too many calls.


@pytest.mark.parametrize(
    "limit", [{"code": 44, "retry_after": 1}, {"code": 1070}], ids=["a minute, with Retry-After", "at once, without"]
)
async def test_a_call_that_was_too_many_is_repeated_and_done_once(own_office: Office, limit: dict[str, Any]) -> None:
    office, before = own_office, own_office.count(INVOICE)
    await office.party()
    office.fault("rate_limit", INVOICE, "POST", times=1, **limit)
    payload = await office.create("owner", INVOICE)
    assert payload["outcome"] == "APPLIED"
    assert office.count(INVOICE) == before + 1
    calls = (await office.event(payload))["upstreamCalls"]
    assert [call["status"] for call in calls] == [429, 201]


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [({"code": 44, "retry_after": 3600}, 3600), ({"code": 44}, None), ({"code": 45}, None)],
    ids=["an hour", "a minute, without Retry-After", "the day"],
)
async def test_a_budget_that_does_not_open_in_time_refuses_the_write(
    own_office: Office, limit: dict[str, Any], seconds: int | None
) -> None:
    gateway = own_office.gateway
    draft = await own_office.draft(INVOICE)
    settings = gateway.settings.model_copy(update={"http": Http(deadline_seconds=1.5)})
    async with running(settings, gateway.sandbox) as hurried:
        office = Office(hurried)
        office.fault("rate_limit", INVOICE, "POST", **limit)
        extensions = told(await office.send_create("owner", INVOICE, draft, key := fresh()))
        assert extensions["code"] == "UPSTREAM_RATE_LIMITED"
        assert extensions["retryAfter"] == seconds or (seconds is None and extensions["retryAfter"] >= 1)
        event = await office.event(extensions)
        assert (event["outcome"], len(event["upstreamCalls"])) == ("REJECTED", 1)
        assert (await office.outcome("owner", key))["outcome"] == "REJECTED"


# Tokens.


def expire(office: Office) -> None:
    """Zoho forgets every access token."""
    with office.gateway.sandbox.store.session() as session:
        session.exec(delete(AccessToken))
    office.gateway.sandbox.access.forget()


async def test_a_token_that_ends_in_the_middle_is_renewed_and_the_write_done_once(own_office: Office) -> None:
    gateway = own_office.gateway
    await own_office.create("staff", INVOICE)
    async with running(gateway.settings, gateway.sandbox) as other:
        office = Office(other)
        await office.party()
        expire(office)
        before = office.count(INVOICE)
        payload = await office.create("staff", INVOICE)
        assert payload["outcome"] == "APPLIED"
        assert office.count(INVOICE) == before + 1
        calls = (await office.event(payload))["upstreamCalls"]
        assert [(call["method"], call["status"]) for call in calls] == [("POST", 401), ("POST", 201)]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "refuse"}, "UPSTREAM_UNAVAILABLE"),
        ({"kind": "lost_answer"}, "UPSTREAM_UNAVAILABLE"),
        ({"kind": "status", "status": 500}, "UPSTREAM_UNAVAILABLE"),
        ({"kind": "token_error", "code": "invalid_code"}, "FORBIDDEN"),
        ({"kind": "token_error", "code": "Access Denied"}, "UPSTREAM_RATE_LIMITED"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
async def test_without_a_token_nothing_is_written(own_office: Office, fault: dict[str, Any], code: str) -> None:
    gateway = own_office.gateway
    await own_office.party()
    async with own_office.session() as session:
        await session.exec(update(Connection).values(access_token=None, expires_at=None))
    async with running(gateway.settings, gateway.sandbox) as other:
        office = Office(other, own_office.parties)
        gateway.sandbox.fault(Fault(path="*/oauth/v2/token", **fault))
        event = await refused(office, fresh(), code)
        assert event["upstreamCalls"] == []
        gateway.sandbox.clear_faults()
        assert (await office.create("owner", INVOICE))["outcome"] == "APPLIED"
