import asyncio
import gzip
from collections.abc import AsyncIterator
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest

from services.documents import Document, Module
from services.errand import Errand
from services.errors import (
    DeadlineExceeded,
    Forbidden,
    GatewayError,
    NotFound,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from services.kinds import KINDS
from services.policy import Product
from services.sandbox.faults import Fault
from services.upstream.auth import Authorization
from services.upstream.client import Client, Patience, Timeouts
from services.upstream.envelopes import Rows
from services.upstream.wire import AnswerLost
from tests.harness import struck, until

from .conftest import Desk, Open, Tokens

STAFF = "staff@demo.example"
ESTIMATES = KINDS[Module.ESTIMATES]
READ, WRITE = "/books/v3/estimates", "/estimates"


async def read(desk: Desk, errand: Errand | None = None) -> Rows[Document]:
    return await desk.documents.rows(errand or desk.errand(STAFF), ESTIMATES, {}, 1, 5)


async def content(desk: Desk) -> dict[str, Any]:
    customer = (await desk.books.customers(desk.errand(STAFF), {"contact_type": "customer"}, 1, 1)).rows[0]
    lines = [{"name": "Delivery", "rate": Decimal("0.10"), "quantity": Decimal(3)}]
    return {"customer_id": customer.id, "reference_number": "draft", "line_items": lines}


async def draft(desk: Desk, errand: Errand | None = None) -> Any:
    return await desk.documents.create(errand or desk.errand(STAFF), ESTIMATES, await content(desk))


async def found(desk: Desk, reference: str) -> int:
    desk.sandbox.clear_faults()
    rows = await desk.documents.rows(desk.errand(STAFF), ESTIMATES, {"reference_number": reference}, 1, 5)
    return len(rows.rows)


@pytest.mark.parametrize(
    ("fault", "error", "attempts"),
    [
        (Fault("refuse", READ), UpstreamUnavailable, 4),
        (Fault("cut", READ), UpstreamUnavailable, 4),
        (Fault("lost_answer", READ), UpstreamUnavailable, 4),
        (Fault("status", READ, status=503), UpstreamUnavailable, 4),
        (Fault("status", READ, status=500), UpstreamUnavailable, 4),
        (Fault("html", READ, status=502), UpstreamUnavailable, 4),
        (Fault("html", READ, status=200), UpstreamRejected, 1),
        (Fault("html", READ, status=400), UpstreamRejected, 1),
        (Fault("garbage", READ), UpstreamRejected, 1),
        (Fault("missing_field", READ, field="estimate_id"), UpstreamRejected, 1),
        (Fault("missing_field", READ, field="estimates"), UpstreamRejected, 1),
        (Fault("missing_field", READ, field="code"), UpstreamRejected, 1),
        (Fault("code", READ, code=9999), UpstreamRejected, 1),
        (Fault("code", READ, code=1002), NotFound, 1),
        (Fault("status", READ, status=400, code=2), UpstreamRejected, 1),
        (Fault("status", READ, status=404, code=1002), NotFound, 1),
        (Fault("status", READ, status=403, code=57), Forbidden, 1),
        (Fault("rate_limit", READ, code=45), UpstreamRateLimited, 1),
    ],
)
async def test_a_failing_read_has_a_coded_error_and_leaves_its_attempts(
    desk: Desk, fault: Fault, error: type[GatewayError], attempts: int
) -> None:
    desk.sandbox.fault(fault)
    errand = desk.errand(STAFF)
    with pytest.raises(error) as failed:
        await read(desk, errand)
    assert type(failed.value) is error
    assert failed.value.details["product"] == "BOOKS"
    assert len(errand.calls) == attempts
    assert {(call.product, call.method, call.path, call.actor) for call in errand.calls} == {
        ("BOOKS", "GET", "/books/v3/estimates", STAFF)
    }


@pytest.mark.parametrize("kind", ["refuse", "cut", "lost_answer", "status", "html"])
async def test_a_read_that_failed_once_is_repeated(desk: Desk, kind: Any) -> None:
    desk.sandbox.fault(Fault(kind, READ, times=1))
    errand = desk.errand(STAFF)
    assert (await read(desk, errand)).rows
    assert len(errand.calls) == 2


async def test_a_product_s_own_words_for_a_refusal_are_told(desk: Desk) -> None:
    desk.sandbox.fault(Fault("status", READ, status=400, code=9999, message="Not so."))
    with pytest.raises(UpstreamRejected) as refused:
        await read(desk)
    assert refused.value.details == {"product": "BOOKS", "productCode": 9999, "productMessage": "Not so."}


@pytest.mark.parametrize("code", [44, 1070, 43])
async def test_a_spent_minute_is_waited_for(desk: Desk, code: int) -> None:
    desk.sandbox.fault(Fault("rate_limit", READ, code=code, retry_after=1, times=1))
    started = monotonic()
    assert (await read(desk)).rows
    assert monotonic() - started >= 1


async def test_too_many_calls_at_once_are_repeated_without_being_asked_to_wait(desk: Desk) -> None:
    desk.sandbox.fault(Fault("rate_limit", READ, code=1070, times=2))
    assert (await read(desk)).rows


async def test_an_old_throttle_inside_a_success_is_a_throttle(desk: Desk) -> None:
    desk.sandbox.fault(Fault("code", READ, code="43"))
    with pytest.raises(UpstreamRateLimited):
        await read(desk, desk.errand(STAFF, seconds=1))


async def test_nobody_waits_for_a_budget_beyond_his_deadline(desk: Desk) -> None:
    desk.sandbox.fault(Fault("rate_limit", READ, code=44, retry_after=50))
    started = monotonic()
    for _ in range(2):
        with pytest.raises(UpstreamRateLimited) as limited:
            await read(desk, desk.errand(STAFF, seconds=5))
    assert monotonic() - started < 2
    assert 48 <= limited.value.details["retryAfter"] <= 51
    assert desk.calls("*/estimates") == 1


async def test_a_product_that_is_silent_is_out_of_reach(open_desk: Open) -> None:
    desk = open_desk(timeouts=Timeouts(attempt=0.1))
    await read(desk)
    desk.sandbox.fault(Fault("black_hole", READ))
    with pytest.raises(UpstreamUnavailable):
        await read(desk)


async def test_a_wait_for_an_answer_ends_at_the_deadline(desk: Desk) -> None:
    await read(desk)
    desk.sandbox.fault(Fault("delay", READ, seconds=5))
    started = monotonic()
    with pytest.raises(DeadlineExceeded):
        await read(desk, desk.errand(STAFF, seconds=0.2))
    assert monotonic() - started < 1


async def test_a_write_that_found_nobody_has_not_happened(desk: Desk) -> None:
    desk.sandbox.fault(Fault("refuse", WRITE, method="POST"))
    errand = desk.errand(STAFF)
    with pytest.raises(UpstreamUnavailable) as failed:
        await draft(desk, errand)
    assert not isinstance(failed.value, AnswerLost)
    assert [call.status for call in errand.calls] == [None]
    assert await found(desk, "draft") == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault("lost_answer", WRITE, method="POST"),
        Fault("cut", WRITE, method="POST"),
        Fault("garbage", WRITE, method="POST"),
        Fault("missing_field", WRITE, method="POST", field="estimate_id"),
        Fault("html", WRITE, method="POST", status=200, applied=True),
        Fault("status", WRITE, method="POST", status=502, applied=True),
    ],
)
async def test_a_write_whose_answer_is_lost_is_not_repeated(desk: Desk, fault: Fault) -> None:
    desk.sandbox.fault(fault)
    errand = desk.errand(STAFF)
    with pytest.raises(AnswerLost):
        await draft(desk, errand)
    assert len(errand.calls) == 1
    assert await found(desk, "draft") == 1


@pytest.mark.parametrize("kind", ["lost_answer", "black_hole", "status", "html"])
async def test_a_write_for_which_no_token_could_be_had_has_not_happened(open_desk: Open, kind: Any) -> None:
    desk = open_desk(timeouts=Timeouts(attempt=0.2))
    body = await content(desk)
    desk.clock.advance(3590)
    desk.sandbox.fault(Fault(kind, "/oauth/v2/token"))
    errand = desk.errand(STAFF)
    with pytest.raises(UpstreamUnavailable) as failed:
        await desk.documents.create(errand, ESTIMATES, body)
    assert type(failed.value) is UpstreamUnavailable
    assert failed.value.details == {"product": Product.BOOKS}
    assert errand.calls == []


async def test_a_write_that_lasts_too_long_may_have_happened(open_desk: Open) -> None:
    desk = open_desk(timeouts=Timeouts(attempt=0.2))
    desk.sandbox.fault(Fault("delay", WRITE, method="POST", seconds=0.4))
    with pytest.raises(AnswerLost):
        await draft(desk)
    await until(lambda: desk.calls(f"*{WRITE}", method="POST"))
    assert await found(desk, "draft") == 1


async def test_a_write_refused_before_it_was_looked_at_is_made_once(desk: Desk) -> None:
    desk.sandbox.fault(Fault("rate_limit", WRITE, method="POST", code=1070, times=2))
    assert (await draft(desk)).reference_number == "draft"
    assert await found(desk, "draft") == 1


async def test_a_write_whose_token_was_refused_is_made_once_with_another(open_desk: Open) -> None:
    first, second = open_desk(), open_desk()
    second.connections[STAFF, Product.BOOKS] = first.connection(STAFF)
    body = await content(first)
    second.sandbox.fault(Fault("status", WRITE, method="POST", status=401, code=57, times=1))
    errand = second.errand(STAFF)
    await second.documents.create(errand, ESTIMATES, body)
    assert [call.status for call in errand.calls] == [401, 201]
    assert await found(second, "draft") == 1


async def test_equal_reads_under_one_access_are_one_call(desk: Desk) -> None:
    errands = [desk.errand(STAFF) for _ in range(20)]
    answers = await asyncio.gather(*(read(desk, errand) for errand in errands))
    assert all(answer.rows == answers[0].rows for answer in answers)
    assert desk.calls("*/estimates") == 1
    assert sum(len(errand.calls) for errand in errands) == 1


async def test_equal_reads_under_two_accesses_are_two_calls(desk: Desk) -> None:
    both = (STAFF, "assigned@demo.example")
    staff, assigned = await asyncio.gather(*(read(desk, desk.errand(person)) for person in both))
    assert staff.rows != assigned.rows
    assert {call.email for call in desk.sandbox.calls(product="books")} == set(both)


async def test_who_joined_a_read_is_not_bound_by_the_first_one_s_deadline(desk: Desk) -> None:
    await read(desk)
    desk.sandbox.fault(Fault("delay", READ, seconds=0.3, times=1))
    hasty, patient = await asyncio.gather(
        read(desk, desk.errand(STAFF, seconds=0.1)), read(desk), return_exceptions=True
    )
    assert isinstance(hasty, DeadlineExceeded)
    assert isinstance(patient, Rows)
    assert patient.rows


async def test_who_joined_a_read_survives_the_first_one_s_leaving(desk: Desk) -> None:
    await read(desk)
    desk.sandbox.fault(Fault("delay", READ, seconds=0.5, times=1))
    first = asyncio.create_task(read(desk))
    await struck(desk.sandbox)
    second = asyncio.create_task(read(desk))
    for _ in range(10):
        await asyncio.sleep(0)
    first.cancel()
    assert (await second).rows


async def test_a_product_that_keeps_failing_is_left_alone(desk: Desk) -> None:
    await read(desk)
    desk.sandbox.fault(Fault("status", product="books", status=503))
    for _ in range(5):
        with pytest.raises(UpstreamUnavailable):
            await read(desk)
    assert desk.calls("*/estimates", status=503) == 5
    desk.sandbox.clear_faults()
    with pytest.raises(UpstreamUnavailable) as failed:
        await read(desk)
    assert failed.value.details["retryAfter"] <= 10


async def test_one_product_down_leaves_the_others(desk: Desk) -> None:
    desk.sandbox.fault(Fault("refuse", product="books"))
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            await read(desk)
    assert (await desk.crm.accounts(desk.errand(STAFF), 1, 5)).rows


async def test_keys_of_a_provider_are_fetched_without_our_access(desk: Desk) -> None:
    body = await desk.client.fetch("https://accounts.zoho.eu/oauth/v2/keys")
    assert b'"keys"' in body
    with pytest.raises(UpstreamRejected):
        await desk.client.fetch("https://accounts.zoho.eu/nothing")


@pytest.fixture
async def networked() -> AsyncIterator[Client]:
    client = Client(Authorization(Tokens(), "id", "secret"))
    yield client
    await client.aclose()


async def test_over_a_real_network_a_refused_connection_means_nothing_was_sent(networked: Client) -> None:
    with pytest.raises(UpstreamUnavailable) as failed:
        await networked.send("POST", "http://127.0.0.1:9/", {}, b"{}", monotonic() + 5)
    assert not isinstance(failed.value, AnswerLost)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"])
async def test_over_a_real_network_a_connection_that_breaks_after_sending_is_an_answer_lost(
    networked: Client, answer: bytes
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(AnswerLost):
            await networked.send("POST", f"http://127.0.0.1:{port}/", {}, b"{}", monotonic() + 5)


async def test_over_a_real_network_an_answer_is_received(networked: Client) -> None:
    body = gzip.compress(b"{}")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nX-Rate-Limit-Remaining: 7\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}"
        writer.write(head.encode() + b"\r\n\r\n" + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        received = await networked.send("GET", f"http://127.0.0.1:{port}/?a=b", {}, None, monotonic() + 5)
    assert (received.status, received.body) == (200, b"{}")
    assert received.headers.get("x-rate-limit-remaining") == "7"


@pytest.mark.parametrize(("first", "longest"), [(0.2, 2.4), (0.25, 3.0), (5.0, 8.0), (600.0, 600.0)])
def test_pauses_grow_but_a_product_that_is_there_again_is_soon_asked_again(first: float, longest: float) -> None:
    patience = Patience()
    pauses = [[patience.after(attempt, first) for _ in range(300)] for attempt in range(1, patience.attempts + 1)]
    assert all(first / 2 <= pause <= longest for several in pauses for pause in several)
    assert sum(pauses[1]) > sum(pauses[0]) or longest == first
