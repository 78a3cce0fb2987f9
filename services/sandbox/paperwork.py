"""Handlers of the four document kinds of Books, made for a kind: list, one, create, update, delete, moves."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Text, type_coerce
from sqlmodel import col, select
from starlette.responses import Response

from services.sandbox import conversions, custom_fields, documents, exact, listing, lists, moves, pdf, records, totals
from services.sandbox.desk import Body, Desk, Work, created, done, party_of
from services.sandbox.documents import invalid
from services.sandbox.errors import WRONG_STATUS, refused
from services.sandbox.kinds import Kind, Move
from services.sandbox.listing import Condition
from services.sandbox.store import Record

MOST_IDS = 200


def many(kind: Kind) -> Work:
    asked = lists.DOCUMENTS[kind.name]

    def work(desk: Desk) -> Response:
        if kind.name == "salesorders" and desk.query.get("salesorder_ids"):
            return _by_ids(kind, desk)
        if kind.name == "invoices" and desk.query.get("response_option"):
            return _counted(kind, desk)
        return listing.list_all(asked, desk, kind.name)

    return work


def _by_ids(kind: Kind, desk: Desk) -> Response:
    """The full records of the ids given, where a list gives rows; ids that are unknown are left out."""
    desk.allow(kind.name, "view")
    asked, ids = lists.DOCUMENTS[kind.name], desk.query["salesorder_ids"].split(",")
    if len(ids) > MOST_IDS:
        raise invalid("salesorder_ids")
    where = [*listing.conditions(asked, desk), col(Record.id).in_(ids)]
    at = listing.page(asked, desk)
    statement = select(type_coerce(col(Record.body), Text)).where(*where).order_by(col(Record.id))
    texts = list(desk.session.connection().execute(statement.limit(at.size)).scalars())
    return listing.answer(kind.name, listing.shown(asked, desk, texts), listing.context(asked, at, more=False))


def _counted(kind: Kind, desk: Desk) -> Response:
    """`response_option` 1 to 4: rows, count and sums (in the base currency), each where the option includes it."""
    desk.allow(kind.name, "view")
    option = desk.query["response_option"]
    if option not in ("0", "1", "2", "3", "4"):
        raise invalid("response_option")
    asked = lists.DOCUMENTS[kind.name]
    at, where = listing.page(asked, desk), listing.conditions(asked, desk)
    texts, more = listing.rows(asked, desk, at, where) if option in "014" else ([], False)
    context = listing.context(asked, at, more) | {"response_option": int(option)}
    everything = _sums(desk, where)
    if option in "123":
        context["total"] = everything["count"]
    if option in "134":
        context["sum_columns"] = {key: everything[key] for key in ("total", "balance")}
    shown = listing.shown(asked, desk, texts) if option in "014" else None
    return listing.answer(kind.name, shown, context)


def _sums(desk: Desk, where: list[Condition]) -> dict[str, Any]:
    rows = [
        exact.decode(row) for row in desk.session.connection().execute(select(col(Record.row)).where(*where)).scalars()
    ]
    return {"count": len(rows)} | {
        key: sum((totals.rounded(row[key] * row["exchange_rate"]) for row in rows), Decimal("0.00"))
        for key in ("total", "balance")
    }


def one(kind: Kind) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "view")
        if desk.query.get("accept") == "pdf":
            return Response(pdf.printed(kind, found(kind, desk)), media_type="application/pdf")
        text = records.read_text(desk.session, desk.organization_id, kind.name, desk.path["id"])
        if text is None:
            raise refused(1002, kind.messages["missing"])
        if desk.caller.assigned is not None or desk.caller.hidden_fields(kind.name):
            body = exact.decode(text)
            desk.see(party_of(body))
            text = exact.encode(desk.shown(kind.name, body))
        content = f'{{"code":0,"message":"success","{kind.singular}":{text}}}'
        return Response(content, media_type="application/json;charset=UTF-8")

    return work


def found(kind: Kind, desk: Desk) -> Body:
    return desk.require(kind.name, desk.path["id"], kind.messages["missing"])


def create(kind: Kind) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "create")
        given = dict(desk.given)
        desk.writable(kind.name, given)
        source = conversions.source(kind, given, desk)
        if source:
            given = conversions.continued(given, source)
        body = made(kind, given, desk)
        if source:
            conversions.link(kind, body, source, desk)
        if desk.query.get("send") == "true":
            moves.sent(kind, body, desk.stamp, desk.today)
        desk.put(kind.name, body)
        return created(kind.messages["create"], **{kind.singular: desk.shown(kind.name, body)})

    return work


def made(kind: Kind, given: Mapping[str, Any], desk: Desk) -> Body:
    """A draft from the fields given, not yet stored."""
    if kind.name != "salesorders" and given.get("line_items") in (None, []):
        raise refused(4016)
    party = _party(kind, given, desk)
    return documents.create(kind, given, party, _number(kind, given, desk), desk.stamp, desk.around)


def _party(kind: Kind, given: Mapping[str, Any], desk: Desk) -> Body:
    party_id = given.get(kind.party_id_key)
    if not party_id:
        raise invalid(kind.party_id_key)
    party = desk.find("contacts", str(party_id))
    if party is None or party["contact_type"] != kind.party:
        raise refused(6, f"The {kind.party} does not exist.")
    if party["status"] != "active":
        raise refused(6, f"The {kind.party} is inactive.")
    desk.see(party["contact_id"])
    return party


def _number(kind: Kind, given: Mapping[str, Any], desk: Desk) -> str:
    """The next number, or the one given along with ``ignore_auto_number_generation=true``."""
    number = str(given.get(kind.number_key) or "")
    own = desk.query.get("ignore_auto_number_generation") == "true"
    if own != bool(number) or len(number) > 100:
        raise invalid(kind.number_key)
    if not own:
        return records.next_number(desk.session, desk.organization_id, kind.name, kind.prefix)
    _unused(kind, number, desk)
    return number


def _unused(kind: Kind, number: str, desk: Desk, *, but: str = "") -> None:
    if records.taken(desk.session, desk.organization_id, kind.name, "number", number, but=but):
        raise refused(4, f"The {kind.singular} number {number} already exists.")


def update(kind: Kind) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "edit")
        body = found(kind, desk)
        desk.writable(kind.name, desk.given)
        if body["status"] in kind.locked:
            raise refused(WRONG_STATUS, f"The {kind.singular} is {body['status']} and cannot be changed.")
        _change(kind, body, desk.given, desk)
        desk.put(kind.name, body)
        return done(kind.messages["update"], **{kind.singular: desk.shown(kind.name, body)})

    return work


def _change(kind: Kind, body: Body, given: Mapping[str, Any], desk: Desk) -> None:
    if "line_items" in given and not given["line_items"] and kind.name != "salesorders":
        raise refused(4016)
    party_id = given.get(kind.party_id_key)
    if party_id and str(party_id) != body[kind.party_id_key]:
        documents.hand_over(kind, body, _party(kind, given, desk), desk.around)
    number = given.get(kind.number_key)
    if number and number != body[kind.number_key]:
        _unused(kind, str(number), desk, but=body[kind.id_key])
        body[kind.number_key] = str(number)
    documents.change(kind, body, given, desk.stamp, desk.around)
    moves.reckon(kind, body, desk.today)


def delete(kind: Kind) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "delete")
        body = found(kind, desk)
        if conversions.followed(body):
            raise refused(36)
        desk.drop(kind.name, body[kind.id_key], body)
        return done(kind.messages["delete"])

    return work


def move(kind: Kind, step: Move) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow(kind.name, step.permission)
        body = found(kind, desk)
        if step.permission == "approve" and desk.caller.role.name != "Admin":
            moves.decidable(kind, body, desk.stamp)
        moves.make(kind, body, step, desk.stamp, desk.today)
        desk.put(kind.name, body)
        return done(step.message)

    return work


def set_custom_fields(kind: Kind) -> Work:
    """The body is the list of fields itself, or an object that holds it."""

    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "edit")
        body, given = found(kind, desk), desk.sent
        if isinstance(given, dict):
            given = given.get("custom_fields")
        desk.writable(kind.name, {"custom_fields": given})
        if not isinstance(given, list):
            raise invalid("custom_fields")
        body["custom_fields"] = custom_fields.merged(desk.organization_id, kind.name, body["custom_fields"], given)
        body["custom_field_hash"] = custom_fields.hashed(body["custom_fields"])
        documents.touch(body, desk.stamp)
        desk.put(kind.name, body)
        return done("Custom Fields Updated Successfully")

    return work


def set_address(kind: Kind, which: str) -> Work:
    """`which` is billing or shipping."""

    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "edit")
        body, key = found(kind, desk), f"{which}_address"
        desk.writable(kind.name, {key: desk.given})
        known = body[key].keys() & desk.given.keys()
        body[key] = body[key] | {name: str(desk.given[name] or "") for name in known}
        documents.touch(body, desk.stamp)
        desk.put(kind.name, body)
        return done(f"{which.title()} address updated", **{key: body[key]})

    return work


def substatus(kind: Kind) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "edit")
        body = found(kind, desk)
        body["current_sub_status"] = desk.path["code"]
        documents.touch(body, desk.stamp)
        desk.put(kind.name, body)
        return done("Sales Order status updated successfully.")

    return work
