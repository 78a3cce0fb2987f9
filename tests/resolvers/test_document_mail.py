"""Documents mailed from the user's own address: by the product under their token, or over SMTP."""

import asyncio
import email.policy
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

import pytest

from gateway.settings import Mail
from services.sandbox import records
from tests.harness import Demo, running
from tests.post_office import PostOffice, opened
from tests.resolvers.office import (
    DEMO,
    ESTIMATE,
    INVOICE,
    PAYLOAD,
    PURCHASE_ORDER,
    SALES_ORDER,
    Case,
    Office,
    custom,
    fresh,
    record_id,
)
from tests.resolvers.test_life_cycle import become, done, status
from tests.resolvers.test_lost_answers import grow_old

BOOKS = (ESTIMATE, INVOICE, SALES_ORDER, PURCHASE_ORDER)
TO = ["purchasing@customer.example"]
each_kind = pytest.mark.parametrize("case", BOOKS, ids=lambda case: case.name)
SENT = {"estimate": "sent", "invoice": "sent", "salesOrder": "open", "purchaseOrder": "open"}


@pytest.fixture
async def post() -> AsyncIterator[PostOffice]:
    async with opened(PostOffice()) as office:
        yield office


@pytest.fixture
async def posting(demo: Demo, post: PostOffice) -> AsyncIterator[Office]:
    """A gateway that sends over SMTP."""
    async with demo.gateway() as gateway:
        mail = Mail(host="127.0.0.1", port=post.port, tls="none", sender="no-reply@gateway.example")
        async with running(gateway.settings.model_copy(update={"mail": mail}), gateway.sandbox) as other:
            yield Office(other)


@pytest.fixture(autouse=True)
def _recovered(office: Office) -> Iterator[None]:
    yield
    office.recover()


async def send(office: Office, person: str, case: Case, record: str, key: str | None = None, **given: Any) -> Any:
    """The whole answer to `estimateEmail` and its like."""
    mutation = (
        f"mutation($id: ID!, $input: EmailInput!, $key: ID!) {{ {case.name}Email(id: $id, input: $input,"
        f" idempotencyKey: $key) {{ {PAYLOAD} {case.name} {{ id rawStatus }} }} }}"
    )
    return await office.ask(person, mutation, id=record, input=given, key=key or fresh())


async def mailed(office: Office, person: str, case: Case, record: str, key: str | None = None, **given: Any) -> Any:
    answer = await send(office, person, case, record, key, **given)
    assert "errors" not in answer, answer
    return answer["data"][f"{case.name}Email"]


def by_product(office: Office, record: str) -> list[dict[str, Any]]:
    """What the product has sent of the document."""
    with office.gateway.sandbox.store.session() as session:
        kept = records.read(session, DEMO, "mails", record_id(record))
    return list(kept["mails"]) if kept else []


def as_files(office: Office) -> list[EmailMessage]:
    """What the demo has kept instead of sending it."""
    found = []
    for path in sorted((office.gateway.settings.data / "mail").glob("*.eml")):
        message = message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        found.append(message)
    return found


@each_kind
@pytest.mark.parametrize("person", ["staff", "owner"])
async def test_a_product_users_mail_leaves_from_his_own_address(office: Office, person: str, case: Case) -> None:
    record = await office.made("owner", case)
    office.gateway.sandbox.clear_calls()
    cc = ["books@customer.example"]
    payload = await mailed(office, person, case, record, to=TO, cc=cc, subject="Our offer", body="<p>Hello</p>")
    assert (payload["outcome"], payload[case.name]["rawStatus"]) == ("APPLIED", SENT[case.name])
    (mail,) = by_product(office, record)
    assert (mail["from"], mail["to_mail_ids"], mail["cc_mail_ids"]) == (f"{person}@demo.example", TO, cc)
    assert (mail["subject"], mail["body"]) == ("Our offer", "<p>Hello</p>")
    assert {call.email for call in office.gateway.sandbox.calls(product="books")} == {f"{person}@demo.example"}
    event = await office.event(payload)
    assert event["changes"][0]["field"] == "email"
    assert "Our offer" in str(event["changes"][0]["after"])


@each_kind
async def test_what_is_left_out_is_as_the_preview_tells(office: Office, case: Case) -> None:
    record = await office.made("owner", case)
    fields = "emailPreview { sender senderName subject body fileName to { name email selected } }"
    query = f"query($id: ID!) {{ {case.name}(id: $id) {{ number {fields} }} }}"
    found = (await office.ask("staff", query, id=record))["data"][case.name]
    preview = found["emailPreview"]
    assert preview["sender"] == "staff@demo.example"
    assert found["number"] in preview["subject"]
    await mailed(office, "staff", case, record)
    (mail,) = by_product(office, record)
    assert (mail["subject"], mail["body"]) == (preview["subject"], preview["body"])
    assert mail["to_mail_ids"] == [one["email"] for one in preview["to"] if one["selected"]]


async def test_the_preview_is_for_those_who_may_mail(office: Office) -> None:
    query = "query($id: ID!) { estimate(id: $id) { number emailPreview { sender } } }"
    record = await office.made("owner", ESTIMATE)
    answer = await office.ask("readonly", query, id=record)
    assert (answer["data"]["estimate"]["emailPreview"], answer["errors"][0]["extensions"]["required"]) == (
        None,
        "estimates.email",
    )


@each_kind
async def test_an_integration_users_mail_goes_over_smtp_from_his_crm_address(
    posting: Office, post: PostOffice, case: Case
) -> None:
    office = posting
    record = await office.made("owner", case)
    given: dict[str, Any] = {
        "to": TO,
        "cc": ["cc@customer.example"],
        "bcc": ["bcc@customer.example"],
        "body": "<p>A &amp; B</p>",
    }
    payload = await mailed(office, "sales", case, record, subject="Grüße", **given)
    assert (payload["outcome"], status(office, case, record)) == ("APPLIED", SENT[case.name])
    (message,) = post.taken
    assert message["From"].addresses[0].addr_spec == "sales@demo.example"
    assert (message["To"], message["Cc"], message["Bcc"]) == (TO[0], "cc@customer.example", None)
    assert set(post.recipients) == {*TO, "cc@customer.example", "bcc@customer.example"}
    assert message["Subject"] == "Grüße"
    text, html = (message.get_body((kind,)).get_content().strip() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert (text, html) == ("A & B", "<p>A &amp; B</p>")
    (file,) = message.iter_attachments()
    assert file.get_content_type() == "application/pdf"
    assert file.get_content().startswith(b"%PDF-1.4")
    number = office.stored(case, record)[f"{case.store[:-1]}_number"]
    assert (file.get_filename(), number.encode() in file.get_content()) == (f"{number}.pdf", True)
    assert by_product(office, record) == []
    assert custom(office.stored(case, record))["cf_acting_user"] == "sales@demo.example"
    event = await office.event(payload)
    assert {"field": "messageId", "before": None, "after": message["Message-ID"]} in event["changes"]
    assert (event["actor"]["email"], event["credential"]["email"]) == ("sales@demo.example", "owner@demo.example")


async def test_who_is_not_migrated_writes_from_his_own_address_too(posting: Office, post: PostOffice) -> None:
    record = await posting.made("owner", ESTIMATE)
    await mailed(posting, "legacy", ESTIMATE, record, to=TO, subject="Offer", body="plain text", attachPdf=False)
    (message,) = post.taken
    assert message["From"].addresses[0].addr_spec == "legacy@demo.example"
    assert (message.get_content_type(), message.get_content().strip()) == ("text/plain", "plain text")


async def test_an_integration_user_mails_only_what_he_may_edit(office: Office) -> None:
    record = await office.made("owner", INVOICE)
    answer = await send(office, "estimator", INVOICE, record, to=TO)
    assert answer["errors"][0]["extensions"]["missingFrom"] == ["INTEGRATION_GRANT"]


async def test_a_refusing_mail_server_leaves_the_document_as_it_was(posting: Office, post: PostOffice) -> None:
    record = await posting.made("owner", ESTIMATE)
    post.at_rcpt = lambda address: "550 no such user" if address.startswith("bcc") else "250 OK"
    payload = await mailed(posting, "sales", ESTIMATE, record, to=TO, bcc=["bcc@customer.example"])
    (error,) = payload["userErrors"]
    assert (payload["outcome"], error["code"]) == ("REJECTED", "UPSTREAM_REJECTED")
    assert "no such user" in error["message"]
    assert (post.taken, status(posting, ESTIMATE, record)) == ([], "draft")


async def test_a_lost_answer_of_the_mail_server_is_uncertain_and_never_sent_twice(own_office: Office) -> None:
    office, key = own_office, fresh()
    record = await office.made("owner", ESTIMATE)
    async with hanging_up() as port:
        mail = Mail(host="127.0.0.1", port=port, tls="none", sender="no-reply@gateway.example")
        settings = office.gateway.settings.model_copy(update={"mail": mail})
        async with running(settings, office.gateway.sandbox) as gateway:
            posting = Office(gateway)
            payload = await mailed(posting, "sales", ESTIMATE, record, key, to=TO)
            assert (payload["outcome"], status(office, ESTIMATE, record)) == ("UNCERTAIN", "draft")
            assert await mailed(posting, "sales", ESTIMATE, record, key, to=TO) == payload
            (change,) = [c for c in (await posting.event(payload))["changes"] if c["field"] == "messageId"]
            assert change["after"].endswith("@demo.example>")


@asynccontextmanager
async def hanging_up() -> AsyncIterator[int]:
    """A mail server that takes a message and hangs up instead of saying so; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                break
            writer.write(b"250 OK\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def test_the_same_key_mails_once(office: Office) -> None:
    record, key = await office.made("staff", INVOICE), fresh()
    first = await mailed(office, "staff", INVOICE, record, key, to=TO)
    again = await mailed(office, "staff", INVOICE, record, key, to=TO)
    assert (first["auditEventId"], len(by_product(office, record))) == (again["auditEventId"], 1)
    answer = await send(office, "staff", INVOICE, record, key, to=["other@customer.example"])
    assert answer["errors"][0]["extensions"]["code"] == "CONFLICT"


async def test_of_two_mails_at_once_one_leaves(office: Office) -> None:
    record = await office.made("staff", INVOICE)
    payloads = await asyncio.gather(*(mailed(office, who, INVOICE, record, to=TO) for who in ("staff", "owner")))
    assert sorted(payload["outcome"] for payload in payloads) == ["APPLIED", "REJECTED"]
    assert len(by_product(office, record)) == 1


async def test_a_lost_mail_of_a_draft_is_found_by_its_status(office: Office) -> None:
    record = await office.made("staff", ESTIMATE)
    office.fault("lost_answer", ESTIMATE, "POST", times=1)
    payload = await mailed(office, "staff", ESTIMATE, record, to=TO, subject="Offer", body="Hello")
    assert (payload["outcome"], len(by_product(office, record))) == ("APPLIED", 1)


async def test_a_lost_mail_of_what_was_sent_before_stays_uncertain(office: Office) -> None:
    record, key = await office.made("staff", ESTIMATE), fresh()
    become(office, ESTIMATE, record, status="accepted")
    office.fault("lost_answer", ESTIMATE, "POST", times=1)
    payload = await mailed(office, "staff", ESTIMATE, record, key, to=TO)
    assert payload["outcome"] == "UNCERTAIN"
    assert (await mailed(office, "staff", ESTIMATE, record, key, to=TO))["outcome"] == "UNCERTAIN"
    assert len(by_product(office, record)) == 1


async def test_a_lost_mail_that_leaves_no_trace_is_not_taken_for_one_that_never_left(office: Office) -> None:
    record, key = await office.made("staff", ESTIMATE), fresh()
    become(office, ESTIMATE, record, status="accepted")
    before = office.stored(ESTIMATE, record)["last_modified_time"]
    office.fault("lost_answer", ESTIMATE, "POST", times=1)
    await mailed(office, "staff", ESTIMATE, record, key, to=TO)
    become(office, ESTIMATE, record, last_modified_time=before)
    await grow_old(office, key)
    assert (await office.outcome("staff", key))["outcome"] == "UNCERTAIN"
    assert len(by_product(office, record)) == 1


@each_kind
@pytest.mark.parametrize("person", ["staff", "sales"])
async def test_a_submitted_document_is_not_mailed(office: Office, person: str, case: Case) -> None:
    record, files = await office.made("staff", case), len(as_files(office))
    await done(office, "staff", case, "Submit", record)
    payload = await mailed(office, person, case, record, to=TO)
    (error,) = payload["userErrors"]
    assert (payload["outcome"], error["code"], error["field"]) == ("REJECTED", "CONFLICT", ["id"])
    assert "awaits approval" in error["message"]
    assert (by_product(office, record), len(as_files(office))) == ([], files)


INJECTED = "x@customer.example\r\nBcc: victim@customer.example"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"to": ["nobody"]}, ["input", "to", "0"]),
        ({"to": [INJECTED]}, ["input", "to", "0"]),
        ({"to": TO, "cc": [*TO, INJECTED]}, ["input", "cc", "1"]),
        ({"to": ["Purchasing <x@customer.example>"]}, ["input", "to", "0"]),
        ({"to": ["a@customer.example, b@customer.example"]}, ["input", "to", "0"]),
        ({"to": []}, ["input", "to"]),
        ({"to": TO * 51}, ["input", "to"]),
        ({"subject": "Offer\r\nBcc: victim@customer.example"}, ["input", "subject"]),
        ({"subject": "Offer\nX-Header: 1"}, ["input", "subject"]),
        ({"subject": "Offer\u2028next"}, ["input", "subject"]),
        ({"subject": ""}, ["input", "subject"]),
        ({"body": "  "}, ["input", "body"]),
        ({"body": "x" * 100_001}, ["input", "body"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("person", ["staff", "sales"])
async def test_bad_input_is_refused_before_any_call(
    office: Office, person: str, given: dict[str, Any], field: list[str]
) -> None:
    record = await office.made("owner", SALES_ORDER)
    office.gateway.sandbox.clear_calls()
    payload = await mailed(office, person, SALES_ORDER, record, **given)
    (error,) = payload["userErrors"]
    assert (payload["outcome"], error["code"], error["field"]) == ("REJECTED", "BAD_USER_INPUT", field)
    assert office.gateway.sandbox.calls(product="books") == []


@pytest.mark.parametrize(("given", "field"), [({"bcc": TO}, "bcc"), ({"attachPdf": False}, "attachPdf")])
async def test_what_the_product_cannot_do_is_refused(office: Office, given: dict[str, Any], field: str) -> None:
    record = await office.made("staff", ESTIMATE)
    payload = await mailed(office, "staff", ESTIMATE, record, to=TO, **given)
    assert [error["field"] for error in payload["userErrors"]] == [["input", field]]


async def test_a_document_without_contact_persons_needs_an_address(office: Office) -> None:
    record = await office.made("staff", ESTIMATE)
    become(office, ESTIMATE, record, contact_persons_associated=[])
    payload = await mailed(office, "staff", ESTIMATE, record)
    (error,) = payload["userErrors"]
    assert (error["code"], error["field"]) == ("BAD_USER_INPUT", ["input", "to"])


async def test_a_printed_document_that_is_none_is_not_mailed(office: Office) -> None:
    record, files = await office.made("staff", ESTIMATE), len(as_files(office))
    office.fault("html", ESTIMATE, "GET", status=200, after=1)
    answer = await send(office, "sales", ESTIMATE, record, to=TO, subject="Offer", body="Hello")
    (error,) = answer["data"]["estimateEmail"]["userErrors"]
    assert (error["code"], len(as_files(office))) == ("UPSTREAM_REJECTED", files)
    assert status(office, ESTIMATE, record) == "draft"
