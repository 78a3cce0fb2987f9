"""What is done to a record beside changing its fields: once, in a status that allows it, by one person at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from services.acts import AWAITS, DECIDES, OWN_DECIDERS, PENDING, Act
from services.audit import FieldChange, State
from services.documents import BooksDocument, Document, Module, SalesOrder
from services.drafts import camel
from services.errand import Errand
from services.errors import Conflict, Forbidden, GatewayError, UpstreamRejected
from services.kinds import KINDS, Kind
from services.marks import acts_for_himself, marks
from services.outcomes import Outcome, Outcomes
from services.policy import Product, Source, Viewer
from services.upstream.documents import Documents

Attempt = Callable[[Outcome, list[FieldChange]], Awaitable[Document | None]]
"""Makes a write; what it will change is told before anything is sent. None: done, but the record cannot be read."""
T = TypeVar("T")
log = structlog.get_logger(__name__)

PAUSE = 0.05
"""Seconds between looks at what has become of somebody who is faster."""


class Overtaken(Conflict):
    """The record's present state does not allow it; `present` is the record."""

    def __init__(self, message: str, present: Document) -> None:
        self.present = present
        super().__init__(message, hint="Look at its present state before going on.")


@dataclass(frozen=True)
class Step:
    """An act on one record: what is sent, and which attributes of the record (as text) show that it was done."""

    kind: Kind
    record_id: str
    act: Act
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    shows: Mapping[str, str] = field(default_factory=dict)

    @property
    def details(self) -> dict[str, Any]:
        """What looking it up will need."""
        shown = {"results": sorted(self.act.results), "shows": dict(self.shows)}
        return {"on": on(self.kind, self.record_id), "act": self.act.name, **shown}

    @property
    def given(self) -> dict[str, Any]:
        """What tells two acts of one name apart."""
        return {**self.params, **(self.body or {})}

    @property
    def watched(self) -> tuple[str, ...]:
        """The attributes that it changes."""
        return (*(("status",) if self.act.results else ()), *self.shows)


def on(kind: Kind, record_id: str) -> str:
    """The name of a record among those that are acted on."""
    return f"{kind.module}:{record_id}"


def impossible(kind: Kind, status: str, act: Act) -> str | None:
    """Why the status does not allow the act; None when it does."""
    if status in act.possible:
        return None
    if status == PENDING and act.name in AWAITS:
        return f"The {kind.word} awaits approval; until then it cannot be {act.done}."
    return f"The {kind.word} is {status.replace('_', ' ')}: it cannot be {act.done}."


def impartial(act: Act, viewer: Viewer) -> bool:
    """Whether it matters that the viewer decides on what others submitted; it does not for all roles."""
    return act.name in DECIDES and viewer.access_to(Product.BOOKS).role not in OWN_DECIDERS


def own_submission(record: Document, act: Act, viewer: Viewer) -> bool:
    """Whether the viewer submitted what is to be decided, in a role that does not decide on its own submissions."""
    submitter = record.submitted_by_email if isinstance(record, BooksDocument) else None
    return submitter is not None and submitter.casefold() == viewer.email.casefold() and impartial(act, viewer)


OWN_SUBMISSION = "You submitted it yourself: somebody else has to decide on it."


class LifeCycle:
    """Acts under the access of the errand's viewer."""

    def __init__(self, documents: Documents, outcomes: Outcomes) -> None:
        self._documents = documents
        self._outcomes = outcomes

    def step(self, errand: Errand, step: Step) -> Attempt:
        """A change of status, or of a subscription's terms."""
        kind, act = step.kind, step.act

        async def attempt(outcome: Outcome, changes: list[FieldChange]) -> Document | None:
            before = await self.ready(errand, kind, step.record_id, act, outcome)
            was = {name: _text(getattr(before, name)) for name in step.watched}
            await self._outcomes.note(outcome.id, {"modified": before.last_modified_time, "was": was})
            changes += _changes(was, None)
            call = self._documents.act(errand, kind, before.id, act.path, params=step.params, body=step.body)
            await self.made(errand, kind, before, call)
            await self.signed(errand, kind, before)
            after = await self.readable(errand, kind, before.id)
            changes[:] = _changes(was, after)
            return after

        return attempt

    def conversion(self, errand: Errand, kind: Kind, record_id: str, act: Act, target: Kind) -> Attempt:
        """Another document made from this one."""

        async def attempt(outcome: Outcome, changes: list[FieldChange]) -> Document | None:
            before = await self.ready(errand, kind, record_id, act, outcome)
            changes.append(FieldChange(f"{kind.module[:-1]}Id", None, before.id))
            return await self.made(errand, kind, before, self._converted(errand, before, target, outcome))

        return attempt

    async def _converted(self, errand: Errand, before: Document, target: Kind, outcome: Outcome) -> Document:
        if isinstance(before, SalesOrder):
            return await self._billed_at_once(errand, before, target, outcome)
        party = {"party_id": before.customer_id, "modified": before.last_modified_time}
        body = continued(await self._documents.wire(errand, KINDS[Module.ESTIMATES], before.id))
        await self._outcomes.note(outcome.id, party)
        noted = marks(errand.viewer, target.product, outcome.id)
        fields = [{"api_name": name, "value": text} for name, text in noted.items()]
        named = {_NAMES_ESTIMATE[target.module]: before.id, "custom_fields": fields}
        return await self._documents.create(errand, target, body | named)

    async def _billed_at_once(self, errand: Errand, order: SalesOrder, target: Kind, outcome: Outcome) -> Document:
        await self._outcomes.note(outcome.id, {"invoices": [made.id for made in order.invoices], "order": order.id})
        invoice = await self._documents.instantly(errand, target, "fromsalesorder", {"salesorder_id": order.id})
        await self.signed(errand, target, invoice)
        return invoice

    async def billed(self, errand: Errand, outcome: Outcome) -> Document | None:
        """The invoice that a sales order was made into, found through the order; `Conflict` when it may be another."""
        order = await self._documents.present(errand, KINDS[Module.SALES_ORDERS], outcome.details["order"])
        known = outcome.details["invoices"]
        new = [made.id for made in order.invoices if made.id not in known] if isinstance(order, SalesOrder) else []
        if len(new) > 1:
            raise Conflict("Several invoices have been made from the order since; which is this one cannot be told.")
        return await self._documents.one(errand, KINDS[Module.INVOICES], new[0]) if new else None

    async def done(self, errand: Errand, kind: Kind, outcome: Outcome) -> Document | None:
        """The record when the act has been done, None when it has not; `Conflict` when that cannot be told."""
        details = outcome.details
        if "modified" not in details:
            return None
        if not (details.get("results") or details.get("shows")):
            raise Conflict("Nothing on the record tells whether the mail has left.")
        record = await self._documents.present(errand, kind, outcome.record_id or "")
        if _shown(record, details):
            return record
        if details["modified"] and record.last_modified_time == details["modified"]:
            return None
        raise Conflict("Somebody has changed the record since; whether this came first cannot be told.")

    async def ready(self, errand: Errand, kind: Kind, record_id: str, act: Act, outcome: Outcome) -> Document:
        """The record, when the act can be done to it now; raises `Overtaken`, and `Forbidden` for one's own."""
        overtaken = await self._outlasted(errand, outcome)
        record = await self._documents.present(errand, kind, record_id)
        if overtaken:
            present = record.status.replace("_", " ")
            raise Overtaken(f"Somebody else was faster: the {kind.word} is {present} now.", record)
        if reason := impossible(kind, record.status, act):
            raise Overtaken(reason, record)
        if own_submission(record, act, errand.viewer):
            raise Forbidden(OWN_SUBMISSION, required=act.requires, missingFrom=[Source.BOOKS_ROLE.name])
        return record

    async def made(self, errand: Errand, kind: Kind, before: Document, call: Awaitable[T]) -> T:
        """What the call answers; when it is refused because the status is another by now, `Overtaken`."""
        try:
            return await call
        except UpstreamRejected as error:
            present = await self.readable(errand, kind, before.id)
            if present is None or present.status == before.status:
                raise
            now = present.status.replace("_", " ")
            raise Overtaken(f"Somebody else was faster: the {kind.word} is {now} now.", present) from error

    async def signed(self, errand: Errand, kind: Kind, record: Document) -> None:
        """Have the record tell the integration user who acted; it is done whether or not that succeeds."""
        viewer = errand.viewer
        field_name = viewer.acting_user_field
        told = any(one.api_name == field_name and one.value == viewer.email for one in record.custom_fields)
        if told or not field_name or acts_for_himself(viewer, kind.product):
            return
        try:
            await self._documents.set_custom_fields(errand, kind, record.id, {field_name: viewer.email})
        except GatewayError as error:
            log.warning("a record does not tell who acted", module=kind.module, record=record.id, reason=error.message)

    async def readable(self, errand: Errand, kind: Kind, record_id: str) -> Document | None:
        """The record as it is now, when it can be read."""
        try:
            return await self._documents.present(errand, kind, record_id)
        except GatewayError:
            return None

    async def _outlasted(self, errand: Errand, outcome: Outcome) -> bool:
        """Wait for those who began before; whether one of them has, or may have, done something."""
        while rivals := outcome.details.get("rivals"):
            states = await self._outcomes.states(rivals)
            if State.INTENT not in states:
                return bool(states & {State.APPLIED, State.UNCERTAIN})
            if errand.remaining <= PAUSE:
                raise Conflict("Somebody else is doing something to it at this moment.", hint="Try again.")
            await asyncio.sleep(PAUSE)
        return False


_NAMES_ESTIMATE: Mapping[Module, str] = {
    Module.SALES_ORDERS: "estimate_id",
    Module.INVOICES: "invoiced_estimate_id",
}
"""What names the estimate in what is made from it (facts §1.6)."""
_CONTINUED = (
    *("customer_id", "reference_number", "discount", "discount_type", "is_discount_before_tax", "is_inclusive_tax"),
    *("shipping_charge", "adjustment", "adjustment_description", "notes", "terms", "exchange_rate"),
    *("salesperson_id", "salesperson_name"),
)
_CONTINUED_LINE = ("item_id", "name", "description", "unit", "rate", "quantity", "discount", "tax_id")


def continued(estimate: Mapping[str, Any]) -> dict[str, Any]:
    """What a document made from an estimate takes over from it, in the product's words; what is empty is left out."""
    lines = [_chosen(line, _CONTINUED_LINE) for line in estimate.get("line_items") or ()]
    return {**_chosen(estimate, _CONTINUED), "line_items": lines}


def _chosen(record: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: record[name] for name in names if record.get(name) not in (None, "")}


def changed(outcome: Outcome, record: Document) -> list[FieldChange]:
    """What an act that was looked up has changed."""
    return _changes(outcome.details.get("was") or {}, record)


def _changes(was: Mapping[str, Any], record: Document | None) -> list[FieldChange]:
    return [FieldChange(camel(name), before, _text(getattr(record, name, None))) for name, before in was.items()]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _shown(record: Document, details: Mapping[str, Any]) -> bool:
    """Whether the record is as the act leaves it."""
    results, shows = details.get("results") or (), details.get("shows") or {}
    as_shown = all(_text(getattr(record, name, None)) == text for name, text in shows.items())
    return as_shown and (not results or record.status in results)
