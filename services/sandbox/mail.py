"""E-mails of documents: what would be sent, and sending, which counts as having sent the document."""

from typing import Any

from starlette.responses import Response

from services.sandbox import moves
from services.sandbox.desk import Body, Desk, Work, done, success
from services.sandbox.documents import invalid
from services.sandbox.kinds import Kind
from services.sandbox.paperwork import found
from services.sandbox.pdf import printed

MOST_AT_ONCE = 10
_ADDRESSES = ("to_mail_ids", "cc_mail_ids", "bcc_mail_ids")


def content(kind: Kind) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "view")
        return success(data=_draft(kind, found(kind, desk), desk))

    return work


def _draft(kind: Kind, body: Body, desk: Desk) -> Body:
    title = f"{kind.singular.title()} {body[kind.number_key]}"
    return {
        "body": f"Please find attached {title}.",
        "subject": f"{title} from {desk.organization.name}",
        "emailtemplates": [{"selected": True, "name": "Default", "email_template_id": f"{desk.organization_id}900901"}],
        "to_contacts": [_receiver(person) for person in body["contact_persons_associated"]],
        "from_emails": [{"user_name": desk.caller.name, "selected": True, "email": desk.caller.email}],
        "file_name": body[kind.number_key],
        "file_name_without_extension": body[kind.number_key],
        kind.party_id_key: body[kind.party_id_key],
        "error_list": [],
    }


def _receiver(person: Body) -> dict[str, Any]:
    return {
        "contact_person_id": person["contact_person_id"],
        "first_name": person["first_name"],
        "last_name": person["last_name"],
        "email": person["contact_person_email"],
        "phone": person["phone"],
        "mobile": person["mobile"],
        "salutation": "",
        "selected": True,
    }


def send(kind: Kind) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "edit")
        body = found(kind, desk)
        _check(desk.optional, body)
        moves.sent(kind, body, desk.stamp, desk.today)
        desk.put(kind.name, body)
        _keep(kind, body, desk)
        return done(kind.messages["email"])

    return work


def _keep(kind: Kind, body: Body, desk: Desk) -> None:
    """What has left, the newest last, under the document's id; without a sender it is the user."""
    own = body[kind.id_key]
    kept = desk.find("mails", own) or {"transaction_id": own, "mails": []}
    by_organization = desk.optional.get("send_from_org_email_id") is True
    sender = f"accounts@{desk.organization.key}.example" if by_organization else desk.caller.email
    told = {**_draft(kind, body, desk), **desk.optional, "from": sender, "pdf": printed(kind, body).decode("latin-1")}
    names = ("from", *_ADDRESSES, "subject", "body", "pdf")
    desk.put("mails", kept | {"mails": [*kept["mails"], {name: told.get(name) for name in names}]})


def _check(given: Body, document: Body) -> None:
    """Without receivers the document's contact persons get the mail; there must be somebody."""
    for name in _ADDRESSES:
        addresses = given.get(name, [])
        if not isinstance(addresses, list) or not all(isinstance(each, str) and "@" in each for each in addresses):
            raise invalid(name)
    if not given.get("to_mail_ids") and not any(
        person["contact_person_email"] for person in document["contact_persons_associated"]
    ):
        raise invalid("to_mail_ids")


def send_many(kind: Kind) -> Work:
    """``POST /estimates/email?estimate_ids=a,b``: ten at the most, all or none."""

    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "edit")
        name = f"{kind.singular}_ids"
        ids = [each for each in desk.query.get(name, "").split(",") if each]
        if not 1 <= len(ids) <= MOST_AT_ONCE:
            raise invalid(name)
        for each in ids:
            body = desk.require(kind.name, each, kind.messages["missing"])
            moves.sent(kind, body, desk.stamp, desk.today)
            desk.put(kind.name, body)
        return done(f"Mission accomplished! We've sent all the {kind.name}.")

    return work
