"""Status changes of documents, and what goes with them."""

from typing import Any

from services.sandbox import documents, totals
from services.sandbox.errors import WRONG_STATUS, refused
from services.sandbox.kinds import Kind, Move
from services.sandbox.stamps import Stamp


def make(kind: Kind, body: dict[str, Any], move: Move, stamp: Stamp, today: str) -> None:
    """Raises Refusal from any status that the move may not start from."""
    if body["status"] not in move.sources:
        raise refused(WRONG_STATUS, f"The {kind.singular} is {body['status']}: {move.path} is not possible.")
    body["status"] = move.target
    body["current_sub_status"] = move.target
    _sign(body, move, stamp)
    _date(kind, body, move, stamp, today)
    documents.touch(body, stamp)


def decidable(kind: Kind, body: dict[str, Any], stamp: Stamp) -> None:
    """Nobody but an administrator decides on their own submissions: an assumption of ours."""
    if body["submitter_id"] == stamp.user_id:
        raise refused(WRONG_STATUS, f"The {kind.singular} was submitted by yourself.")


def _sign(body: dict[str, Any], move: Move, stamp: Stamp) -> None:
    if move.path == "submit":
        body["submitter_id"] = stamp.user_id
        body["submitted_by"] = body["submitted_by_name"] = stamp.name
        body["submitted_by_email"] = stamp.email
        body["submitted_date"] = stamp.day
    if move.path in ("approve", "reject"):
        body["approver_id"] = stamp.user_id


def _date(kind: Kind, body: dict[str, Any], move: Move, stamp: Stamp, today: str) -> None:
    """What is late at once, and the days of acceptance and refusal."""
    if move.target in ("accepted", "declined"):
        body[f"{move.target}_date"] = stamp.day
    reckon(kind, body, today)
    if kind.name == "invoices":
        body["balance"] = totals.open_balance(body)
    if "order_status" in body:
        body["order_status"] = body["status"]
    if kind.name == "purchaseorders":
        body["billed_status"] = "billed" if body["status"] == "billed" else ""


_ON_TIME = {"invoices": "sent", "salesorders": "open"}


def reckon(kind: Kind, body: dict[str, Any], today: str) -> None:
    """What is sent or open is overdue as long as its day has passed."""
    on_time = _ON_TIME.get(kind.name)
    if on_time and body["status"] in (on_time, "overdue"):
        late = bool(body[kind.due_key]) and body[kind.due_key] < today
        body["status"] = body["current_sub_status"] = "overdue" if late else on_time


def sent(kind: Kind, body: dict[str, Any], stamp: Stamp, today: str) -> None:
    """What an e-mail does to a document: a draft counts as sent, except one that waits for approval."""
    if body["status"] == "pending_approval":
        raise refused(WRONG_STATUS, f"The {kind.singular} waits for approval and cannot be sent.")
    body["is_emailed"] = True
    move = next((each for each in kind.moves if each.target in ("sent", "open")), None)
    if move and body["status"] in ("draft", "approved"):
        make(kind, body, move, stamp, today)
    else:
        documents.touch(body, stamp)
