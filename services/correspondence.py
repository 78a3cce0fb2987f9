"""Mailing a document from the user's own address: by Books under the user's token, or over SMTP where there is none."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from html import unescape
from typing import Any, Protocol

from email_validator import EmailNotValidError, validate_email

from services.acts import ActName
from services.audit import FieldChange
from services.documents import Document, Module
from services.drafts import Problem, Values
from services.errand import Errand
from services.errors import BadUserInput, GatewayError, UpstreamRejected, UpstreamUnavailable
from services.kinds import Kind
from services.letters import ASCII, Address, Unsendable
from services.life_cycle import Attempt, LifeCycle
from services.mail import NotSent, Unknown
from services.outcomes import Outcome, Outcomes
from services.policy import AccessKind, Viewer
from services.upstream.documents import Documents, Letter, Receiver
from services.upstream.wire import AnswerLost

MOST_ADDRESSES, LONGEST_SUBJECT, LONGEST_BODY = 50, 500, 100_000
BLIND_COPIES = frozenset({Module.SALES_ORDERS, Module.PURCHASE_ORDERS})
"""The kinds of which Books documents blind copies (facts §1.6)."""
_FIELDS: Mapping[str, str] = {"to": "to_mail_ids", "cc": "cc_mail_ids", "bcc": "bcc_mail_ids"}
_TAG = re.compile(r"<[a-zA-Z/!][^>]*>")
_BREAK = re.compile(r"<(br|/p|/div|/tr|/li|/h\d)\b[^>]*>", re.IGNORECASE)


class Way(Protocol):
    """A way out. `send` returns once the message is somebody else's responsibility; raises `NotSent`."""

    async def send(self, message: EmailMessage, recipients: Sequence[str] = ()) -> None:
        """Send one message to the recipients, named in its header or not."""


@dataclass(frozen=True)
class Preview:
    """The mail that leaves when nothing else is said."""

    sender: Address
    subject: str
    body: str
    to: Sequence[Receiver]
    file_name: str | None


class Correspondence:
    """Mails of documents; `way` is how those of users without a token of their own leave."""

    def __init__(self, documents: Documents, outcomes: Outcomes, life_cycle: LifeCycle, way: Way | None) -> None:
        self._documents = documents
        self._outcomes = outcomes
        self._life_cycle = life_cycle
        self._way = way

    async def preview(self, errand: Errand, kind: Kind, record: Document) -> Preview:
        """The product's default mail, as it leaves from the viewer."""
        letter = await self._documents.letter(errand, kind, record.id)
        sender = Address(errand.viewer.name, errand.viewer.email)
        chosen = [one for one in letter.to_contacts if one.email]
        return Preview(sender, letter.subject or "", letter.body or "", chosen, letter.file_name)

    def mailing(self, errand: Errand, kind: Kind, record_id: str, given: Values) -> Attempt:
        """Mail the document; what is left out of `given` is the product's default. A draft counts as sent then."""
        act = kind.acts[ActName.EMAIL]

        async def attempt(outcome: Outcome, changes: list[FieldChange]) -> Document | None:
            before = await self._life_cycle.ready(errand, kind, record_id, act, outcome)
            mail = await self._completed(errand, kind, record_id, given)
            send = self._by_product if by_product(errand.viewer, kind) else self._by_smtp
            told = {"from": errand.viewer.email, **{name: mail[name] for name in (*_FIELDS, "subject")}}
            changes.append(FieldChange("email", None, told))
            await send(errand, kind, before, mail, outcome, changes)
            after = await self._life_cycle.readable(errand, kind, record_id)
            if after is not None and after.status != before.status:
                changes.append(FieldChange("status", before.status, after.status))
            return after

        return attempt

    async def _completed(self, errand: Errand, kind: Kind, record_id: str, given: Values) -> dict[str, Any]:
        mail = {"cc": [], "bcc": [], **{name: value for name, value in given.items() if value is not None}}
        if any(name not in mail for name in ("to", "subject", "body")):
            letter = await self._documents.letter(errand, kind, record_id)
            mail = {**_default(letter), **mail}
        if not mail["to"]:
            raise BadUserInput(
                "The document has no contact person with an address.", field=("input", "to"), hint="Set `to`."
            )
        return mail

    async def _by_product(
        self,
        errand: Errand,
        kind: Kind,
        before: Document,
        mail: Mapping[str, Any],
        outcome: Outcome,
        _changes: list[FieldChange],
    ) -> None:
        results = _marking(kind, before.status)
        was = {"status": before.status} if results else {}
        details = {"modified": before.last_modified_time, "results": sorted(results), "was": was}
        await self._outcomes.note(outcome.id, details)
        addressed = {key: mail[name] for name, key in _FIELDS.items() if mail[name]}
        body = {"send_from_org_email_id": False, **addressed, "subject": mail["subject"], "body": mail["body"]}
        call = self._documents.act(errand, kind, before.id, kind.acts[ActName.EMAIL].path, body=body)
        await self._life_cycle.made(errand, kind, before, call)

    async def _by_smtp(
        self,
        errand: Errand,
        kind: Kind,
        before: Document,
        mail: Mapping[str, Any],
        outcome: Outcome,
        changes: list[FieldChange],
    ) -> None:
        if self._way is None:
            raise UpstreamUnavailable("No mail server is set up.", hint="Ask the operator to set GATEWAY_MAIL__HOST.")
        pdf = await self._documents.pdf(errand, kind, before.id) if mail.get("attach_pdf", True) else None
        message = _message(errand.viewer, mail, outcome.id, (before.number or before.id, pdf))
        changes.append(FieldChange("messageId", None, str(message["Message-ID"])))
        noted = {"modified": before.last_modified_time, "messageId": str(message["Message-ID"])}
        await self._outcomes.note(outcome.id, noted)
        await _sent(errand, self._way, message, [*mail["to"], *mail["cc"], *mail["bcc"]])
        await self._counted_as_sent(errand, kind, before)

    async def _counted_as_sent(self, errand: Errand, kind: Kind, before: Document) -> None:
        """What Books does by itself when it mails; the mail has left, whether or not this succeeds."""
        act = next((kind.acts[name] for name in _MARKS if name in kind.acts), None)
        if act is None or before.status not in act.possible & _UNSENT:
            return
        try:
            await self._documents.act(errand, kind, before.id, act.path)
            await self._life_cycle.signed(errand, kind, before)
        except GatewayError:
            return


def by_product(viewer: Viewer, kind: Kind) -> bool:
    """Whether the product itself sends for the viewer: under their own token, so from their own address."""
    return viewer.access_to(kind.product).kind is AccessKind.PRODUCT_USER


def problems(kind: Kind, given: Values, viewer: Viewer) -> Iterator[Problem]:
    """Every mistake that can be seen without asking the product."""
    yield from _addresses(given)
    subject, body = given.get("subject"), given.get("body")
    if subject is not None and not (0 < len(subject) <= LONGEST_SUBJECT and subject.isprintable()):
        message = f"A subject is one line of 1 to {LONGEST_SUBJECT} printable characters."
        yield Problem(("input", "subject"), message, hint="Leave it out for the product's own.")
    if body is not None and not (body.strip() and len(body) <= LONGEST_BODY):
        message = f"A body has 1 to {LONGEST_BODY} characters."
        yield Problem(("input", "body"), message, hint="Leave it out for the product's own.")
    if not by_product(viewer, kind):
        return
    if given.get("bcc") and kind.module not in BLIND_COPIES:
        yield Problem(("input", "bcc"), f"Zoho Books sends no blind copies of {kind.word}s.", hint="Use `cc`.")
    if given.get("attach_pdf") is False:
        message = "Whether Zoho Books attaches the PDF is set in its e-mail templates."
        yield Problem(("input", "attachPdf"), message, hint="Leave it out.")


def _addresses(given: Values) -> Iterator[Problem]:
    if given.get("to") == []:
        yield Problem(("input", "to"), "There must be somebody to write to.", hint="Leave it out for the contacts.")
    listed = [(name, place, one) for name in _FIELDS for place, one in enumerate(given.get(name) or ())]
    if len(listed) > MOST_ADDRESSES:
        yield Problem(("input", "to"), f"{len(listed)} addresses are more than {MOST_ADDRESSES}.")
    for name, place, one in listed[:MOST_ADDRESSES]:
        try:
            validate_email(one, check_deliverability=False, allow_smtputf8=False)
        except EmailNotValidError as error:
            yield Problem(("input", name, str(place)), f"This is not an address: {' '.join(str(error).split())}")


_MARKS = (ActName.MARK_SENT, ActName.OPEN)
_UNSENT = frozenset({"draft", "approved"})


def _marking(kind: Kind, status: str) -> frozenset[str]:
    """The statuses of which mailing makes one; none for what has been sent before."""
    act = next((kind.acts[name] for name in _MARKS if name in kind.acts), None)
    return act.results if act and status in act.possible & _UNSENT else frozenset()


def _default(letter: Letter) -> dict[str, Any]:
    to = [one.email for one in letter.to_contacts if one.selected and one.email]
    return {"to": to, "subject": " ".join((letter.subject or "").split()), "body": letter.body or ""}


async def _sent(errand: Errand, way: Way, message: EmailMessage, recipients: Sequence[str]) -> None:
    try:
        async with asyncio.timeout(errand.remaining):
            await way.send(message, recipients)
    except (Unknown, TimeoutError) as error:
        raise AnswerLost("The mail server's answer was lost.") from error
    except NotSent as error:
        raise UpstreamRejected("The mail server did not take the message.", productMessage=str(error)) from error


def _message(viewer: Viewer, mail: Mapping[str, Any], reference: str, file: tuple[str, bytes | None]) -> EmailMessage:
    """The message from the viewer, in text and where the body has markup in HTML; raises `BadUserInput`."""
    sender = Address(viewer.name, viewer.email)
    message = EmailMessage(ASCII)
    try:
        message["From"] = sender.header()
    except Unsendable as error:
        raise BadUserInput(f"Your own address cannot be written from: {viewer.email}.") from error
    for header in ("to", "cc"):
        if mail[header]:
            message[header.title()] = [HeaderAddress(addr_spec=_ascii(one)) for one in mail[header]]
    message["Subject"] = mail["subject"]
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = f"<{reference}@{sender.domain}>"
    message.set_content(_as_text(mail["body"]))
    if _TAG.search(mail["body"]):
        message.add_alternative(mail["body"], subtype="html")
    name, pdf = file
    if pdf is not None:
        message.add_attachment(pdf, maintype="application", subtype="pdf", filename=f"{_file(name)}.pdf")
    return message


def _ascii(address: str) -> str:
    return validate_email(address, check_deliverability=False, allow_smtputf8=False).ascii_email or address


def _as_text(body: str) -> str:
    """The body without its markup."""
    if not _TAG.search(body):
        return body
    return unescape(_TAG.sub("", _BREAK.sub("\n", body))).strip()


def _file(number: str) -> str:
    return re.sub(r"[^\w.-]+", "_", number)
