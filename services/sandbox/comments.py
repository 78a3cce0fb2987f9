"""Comments and history of documents."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from services.sandbox.desk import Body, Desk, Work, created, done, success
from services.sandbox.documents import invalid
from services.sandbox.errors import refused
from services.sandbox.kinds import Kind
from services.sandbox.paperwork import found


def _kept(desk: Desk, document_id: str) -> Body:
    return desk.find("comments", document_id) or {"transaction_id": document_id, "comments": []}


def many(kind: Kind) -> Work:
    """Newest first; the oldest entry tells who made the document."""

    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "view")
        body = found(kind, desk)
        kept = _kept(desk, body[kind.id_key])["comments"]
        return success(comments=[*reversed(kept), _birth(kind, body)])

    return work


def _birth(kind: Kind, body: Body) -> Body:
    maker = {"user_id": body["created_by_id"], "name": body["created_by_name"]}
    text = f"{kind.singular.title()} created for {body['total']}"
    return _entry(kind, body, f"{body[kind.id_key]}00", text, maker, body["created_time"], "system")


def _entry(
    kind: Kind, body: Body, comment_id: str, text: str, by: Mapping[str, str], at: str, comment_type: str
) -> dict[str, Any]:
    return {
        "comment_id": comment_id,
        kind.id_key: body[kind.id_key],
        "description": text,
        "commented_by_id": by["user_id"],
        "commented_by": by["name"],
        "comment_type": comment_type,
        "date": at[:10],
        "date_description": at[:10],
        "time": at[11:16],
        "operation_type": "Added" if comment_type == "system" else "",
        "transaction_id": body[kind.id_key],
        "transaction_type": kind.singular,
    }


def add(kind: Kind) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "edit")
        body, text, stamp = found(kind, desk), desk.given.get("description"), desk.stamp
        if not isinstance(text, str) or not text.strip():
            raise invalid("description")
        by = {"user_id": stamp.user_id, "name": stamp.name}
        comment = _entry(kind, body, desk.new_id(), text, by, stamp.time, kind.singular)
        kept = _kept(desk, body[kind.id_key])
        desk.put("comments", kept | {"comments": [*kept["comments"], comment]})
        return created(kind.messages["comment"], comment=comment)

    return work


def delete(kind: Kind) -> Work:
    def work(desk: Desk) -> Response:
        desk.allow(kind.name, "edit")
        kept = _kept(desk, found(kind, desk)[kind.id_key])
        left = [comment for comment in kept["comments"] if comment["comment_id"] != desk.path["comment_id"]]
        if len(left) == len(kept["comments"]):
            raise refused(1002, "The comment does not exist.")
        desk.put("comments", kept | {"comments": left})
        return done("The comment has been deleted.")

    return work
