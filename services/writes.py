"""Creating and changing documents: one intent, one effect, one audit event, and never an invented outcome."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec

from services import drafts, marks
from services.acts import Act, ActName
from services.audit import Action, Audit, FieldChange, State, Subject
from services.correspondence import Correspondence, Way
from services.correspondence import problems as mistakes
from services.documents import Document
from services.drafts import Problem, Values, camel
from services.errand import Errand, UpstreamCall
from services.errors import BadUserInput, Conflict, GatewayError, NotFound, UpstreamRejected
from services.kinds import KINDS, Kind
from services.life_cycle import Attempt, LifeCycle, Overtaken, Step, changed, on
from services.outcomes import GRACE, Begun, Outcome, Outcomes, Stage
from services.policy import Viewer
from services.storage.failures import FAILURES
from services.upstream.documents import Documents
from services.upstream.wire import AnswerLost

SKEW = timedelta(minutes=5)
"""How far the products' clocks may be from ours."""
PAGE, PAGES = 100, 10
"""How many of a customer's newest records are looked through for a lost write."""
PAUSES = (0.0, 0.3, 1.0)
"""Seconds before each look-up in the request that lost the answer."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a write: the record where there is one to show, the mistakes, and its audit event."""

    document: Document | None
    outcome: State
    user_errors: Sequence[Problem]
    audit_event_id: str | None


class Writes:
    """Writes under the access of the errand's viewer."""

    def __init__(
        self,
        documents: Documents,
        outcomes: Outcomes,
        audit: Audit,
        way: Way | None = None,
        wrote: "Wrote | None" = None,
    ) -> None:
        """`wrote` is told of every record that a write has left."""
        self._documents = documents
        self._outcomes = outcomes
        self._audit = audit
        self._life_cycle = LifeCycle(documents, outcomes)
        self._wrote = wrote
        self.correspondence = Correspondence(documents, outcomes, self._life_cycle, way)

    async def create(
        self, errand: Errand, kind: Kind, draft: Values, key: str, refused: Sequence[Problem] = ()
    ) -> Written:
        """Create a record. `refused`: fields the viewer may not set, found before."""
        action = Action(name=f"{kind.module}.create", permission=f"{kind.module}.create", **_about(kind))
        wrong = [*refused, *drafts.problems(kind, draft, creating=True, own=marks.own(errand.viewer))]
        details = {"party_id": draft.get("customer_id")}
        return await self._once(errand, action, key, wrong, draft, details, self._creation(errand, kind, draft))

    async def update(
        self, errand: Errand, kind: Kind, record_id: str, draft: Values, key: str, refused: Sequence[Problem] = ()
    ) -> Written:
        """Change a record."""
        about = _about(kind, record_id)
        action = Action(name=f"{kind.module}.edit", permission=f"{kind.module}.edit", **about)
        wrong = [*refused, *drafts.problems(kind, draft, creating=False, own=marks.own(errand.viewer))]
        return await self._once(errand, action, key, wrong, draft, {}, self._change(errand, kind, record_id, draft))

    async def act(self, errand: Errand, step: Step, key: str) -> Written:
        """Do something to a record."""
        action = _acting(step.kind, step.act, step.record_id)
        attempt = self._life_cycle.step(errand, step)
        return await self._once(errand, action, key, (), step.given, step.details, attempt)

    async def convert(self, errand: Errand, kind: Kind, record_id: str, act: Act, target: Kind, key: str) -> Written:
        """Make another document of a record."""
        action = replace(_acting(kind, act), subject=Subject(target.module))
        attempt = self._life_cycle.conversion(errand, kind, record_id, act, target)
        details = {"on": on(kind, record_id), "act": act.name}
        return await self._once(errand, action, key, (), {"id": record_id}, details, attempt)

    async def email(self, errand: Errand, kind: Kind, record_id: str, given: Values, key: str) -> Written:
        """Mail a record from the viewer's own address."""
        act = kind.acts[ActName.EMAIL]
        wrong = list(mistakes(kind, given, errand.viewer))
        attempt = self.correspondence.mailing(errand, kind, record_id, given)
        details = {"on": on(kind, record_id), "act": act.name}
        return await self._once(errand, _acting(kind, act, record_id), key, wrong, given, details, attempt)

    async def outcome(self, errand: Errand, key: str) -> Written | None:
        """What became of the viewer's write under a key; an uncertain one is looked up now."""
        found = await self._outcomes.get(errand.viewer.organization_id, errand.viewer.id, key)
        if found is None:
            return None
        return await self._shown(errand, await self.look_up(errand, found))

    async def look_up(self, errand: Errand, outcome: Outcome) -> Outcome:
        """Ask the product whether an uncertain write was made, and settle it when that is certain."""
        if outcome.state is not State.UNCERTAIN or _hidden(errand, outcome):
            return outcome
        calls = list[UpstreamCall]()  # other things may be asked for the errand at the same time
        try:
            record = await self._found(replace(errand, calls=calls), outcome)
        except GatewayError:
            return outcome  # the product cannot say now; it will be asked again
        finally:
            errand.calls += calls
        if record is not None:
            return await self._applied(errand, outcome, record, calls, changed(outcome, record))
        if not await self._outcomes.is_older(outcome.id, GRACE):
            return outcome
        never = Problem(("input",), "The product never received it.", "UPSTREAM_UNAVAILABLE", "Send it with a new key.")
        return await self._outcomes.settle(outcome.id, State.REJECTED, user_errors=[_json(never)], calls=calls)

    def _creation(self, errand: Errand, kind: Kind, draft: Values) -> Attempt:
        async def attempt(outcome: Outcome, changes: list[FieldChange]) -> Document:
            changes += [FieldChange(camel(name), None, value) for name, value in draft.items()]
            return await self._documents.create(errand, kind, drafts.body(kind, draft, _marks(errand, outcome)))

        return attempt

    def _change(self, errand: Errand, kind: Kind, record_id: str, draft: Values) -> Attempt:
        async def attempt(outcome: Outcome, changes: list[FieldChange]) -> Document:
            before = await self._documents.one(errand, kind, record_id)
            _check_discounts(before, draft)
            await self._outcomes.note(outcome.id, {"modified": before.last_modified_time})
            changes += [
                FieldChange(camel(name), getattr(before, _ATTRIBUTES.get(name, name), None), value)
                for name, value in draft.items()
            ]
            body = drafts.body(kind, draft, _marks(errand, outcome))
            return await self._documents.update(errand, kind, record_id, body)

        return attempt

    async def _once(
        self,
        errand: Errand,
        action: Action,
        key: str,
        wrong: Sequence[Problem],
        draft: Values,
        details: Mapping[str, Any],
        attempt: Attempt,
    ) -> Written:
        _check_key(key)
        if wrong:
            event = await self._audit.record(
                errand, action, State.REJECTED, user_errors=list(map(_json, wrong)), calls=()
            )
            return Written(None, State.REJECTED, wrong, event)
        digest = _digest(action, draft)
        begun = await self._outcomes.begin(errand, action, key=key, digest=digest, details=details)
        if begun.stage is not Stage.NEW:
            return await self._again(errand, begun)
        return await self._tried(errand, begun.outcome, attempt)

    async def _again(self, errand: Errand, begun: Begun) -> Written:
        outcome = await self.look_up(errand, begun.outcome)
        if outcome.state is State.INTENT:
            raise Conflict("The same write is under way.", hint="Ask `writeOutcome` in a moment.")
        return await self._shown(errand, outcome)

    async def _tried(self, errand: Errand, outcome: Outcome, attempt: Attempt) -> Written:
        before, changes = len(errand.calls), list[FieldChange]()
        try:
            record = await attempt(outcome, changes)
        except AnswerLost:
            return await self._lost(errand, outcome, errand.calls[before:], changes)
        except GatewayError as error:
            return await self._refused(outcome, error, errand.calls[before:])
        except BaseException:  # cancelled, or a mistake of our own: what was sent may have been done
            calls = errand.calls[before:]
            await asyncio.shield(self._outcomes.settle(outcome.id, State.UNCERTAIN, calls=calls, changes=changes))
            raise
        settled = await self._applied(errand, outcome, record, errand.calls[before:], changes)
        return Written(record, State.APPLIED, (), settled.audit_event_id)

    async def _applied(
        self,
        errand: Errand,
        outcome: Outcome,
        record: Document | None,
        calls: Sequence[Any],
        changes: Sequence[FieldChange],
    ) -> Outcome:
        record_id, number = (record.id, record.number) if record else (None, None)
        settled = await self._outcomes.settle(
            outcome.id, State.APPLIED, record_id=record_id, number=number, calls=calls, changes=changes
        )
        if record and self._wrote:
            await self._wrote(errand.viewer, record)
        return settled

    async def _refused(self, outcome: Outcome, error: GatewayError, calls: Sequence[Any]) -> Written:
        problem = _problem(error, "id" if "act" in outcome.details else "input")
        settled = await self._outcomes.settle(outcome.id, State.REJECTED, user_errors=[_json(problem)], calls=calls)
        if not isinstance(error, UpstreamRejected | NotFound | Conflict | BadUserInput):
            own = copy(error)  # equal reads of several requests share one failure
            own.details = error.details | {"auditEventId": settled.audit_event_id}
            raise own from error
        present = error.present if isinstance(error, Overtaken) and error.present.id == outcome.record_id else None
        return Written(present, State.REJECTED, [problem], settled.audit_event_id)

    async def _lost(
        self, errand: Errand, outcome: Outcome, calls: Sequence[Any], changes: Sequence[FieldChange]
    ) -> Written:
        uncertain = await self._outcomes.settle(outcome.id, State.UNCERTAIN, calls=calls, changes=changes)
        for pause in PAUSES:
            if pause >= errand.remaining:
                break
            await asyncio.sleep(pause)
            uncertain = await self.look_up(errand, uncertain)
            if uncertain.state is not State.UNCERTAIN:
                break
        return await self._shown(errand, uncertain)

    async def _shown(self, errand: Errand, outcome: Outcome) -> Written:
        problems = [Problem(tuple(e["field"]), e["message"], e["code"], e.get("hint")) for e in outcome.user_errors]
        document = None
        overtaken = any(problem.code == Conflict.code for problem in problems)
        if (outcome.state is State.APPLIED or overtaken) and outcome.record_id and outcome.record_module:
            document = await self._readable(errand, outcome)
        state = State.UNCERTAIN if outcome.state is State.INTENT else outcome.state
        return Written(document, state, problems, outcome.audit_event_id)

    async def _readable(self, errand: Errand, outcome: Outcome) -> Document | None:
        try:
            return await self._documents.one(errand, _kind(outcome), outcome.record_id or "")
        except GatewayError:
            return None  # what became of the write is known even when the record cannot be shown

    async def _found(self, errand: Errand, outcome: Outcome) -> Document | None:
        """The record as written, None when it has not been; `Conflict` when that cannot be told."""
        kind = _kind(outcome)
        if "invoices" in outcome.details:
            return await self._life_cycle.billed(errand, outcome)
        if outcome.record_id and "act" in outcome.details:
            return await self._life_cycle.done(errand, kind, outcome)
        if outcome.record_id:
            return await self._changed(errand, kind, outcome, outcome.record_id)
        if "party_id" not in outcome.details:
            return None  # before a conversion is sent, whose it will be is noted
        newest = {"sort_column": "created_time", "sort_order": "D"} if kind.sort else {}
        asked = {f"{kind.party}_id": outcome.details["party_id"], **newest}
        for page in range(1, PAGES + 1):
            rows = await self._documents.rows(errand, kind, asked, page, PAGE)
            recent = [row for row in rows.rows if _may_be(row, outcome)]
            if record := await self._carrier(errand, kind, outcome, recent):
                return record
            if not rows.more or (newest and len(recent) < len(rows.rows)):
                _check_assigned(errand, kind, rows.rows)
                return None
        raise Conflict("There are too many records since to look them all through.")

    async def _carrier(self, errand: Errand, kind: Kind, outcome: Outcome, rows: Sequence[Document]) -> Document | None:
        """The record with the write's reference; rows that show another's need not be asked for in full.

        What was not made by the write never will be, so that nothing is looked at twice for it.
        """
        others = await self._outcomes.others(outcome.id)
        known = len(others)
        try:
            for row in rows:
                if row.id not in others:
                    record = await self._shows(errand, kind, outcome, row)
                    if _carries(errand, record, outcome):
                        return record
                    await self._check_overwritten(errand, record)
                    others |= {row.id} if record.custom_fields else set()  # one that shows none may hide them
            return None
        finally:
            if len(others) > known:
                with suppress(*FAILURES):
                    await self._outcomes.note(outcome.id, {"others": sorted(others)})

    async def _shows(self, errand: Errand, kind: Kind, outcome: Outcome, row: Document) -> Document:
        """The row, when it shows that it is another's; else the record: rows may leave the fields' names out."""
        foreign = _reference(errand, row) not in (None, outcome.id)
        return row if foreign else await self._documents.one(errand, kind, row.id)

    async def _check_overwritten(self, errand: Errand, record: Document) -> None:
        """Raises `Conflict` when a later change's reference may lie over that of the record's creation."""
        reference = _reference(errand, record)
        if reference and await self._outcomes.obscures(reference, record.id):
            raise Conflict("A record has been changed since; by which write it was made cannot be told.")

    async def _changed(self, errand: Errand, kind: Kind, outcome: Outcome, record_id: str) -> Document | None:
        """The record when the change has been made, None when it has not; `Conflict` when another one lies over it."""
        record = await self._documents.one(errand, kind, record_id)
        if _carries(errand, record, outcome):
            return record
        modified = outcome.details.get("modified", _NEVER_SENT)
        if modified is _NEVER_SENT or (modified and modified == record.last_modified_time):
            return None
        raise Conflict("Somebody has changed the record since; whether this change came first cannot be told.")


Wrote = Callable[[Viewer, Document], Awaitable[None]]
"""(who wrote, the record as the product showed it to them)"""
_ATTRIBUTES = {"discount": "discount_total"}


_NEVER_SENT = object()
"""Before a change is sent, what it changes is noted."""


def _may_be(row: Document, outcome: Outcome) -> bool:
    """Whether the record may have been made by the write, as far as its time tells."""
    try:
        made = datetime.fromisoformat(row.created_time or "")
    except ValueError:
        return True
    return made.tzinfo is None or made >= outcome.started_at - SKEW


def _carries(errand: Errand, record: Document, outcome: Outcome) -> bool:
    return _reference(errand, record) == outcome.id


def _reference(errand: Errand, record: Document) -> str | None:
    field = errand.viewer.reference_field
    return next((str(one.value) for one in record.custom_fields if one.api_name == field and one.value), None)


def _hidden(errand: Errand, outcome: Outcome) -> bool:
    """Whether our reference is among what the product does not show this viewer: then nothing can be told."""
    return bool(outcome.record_module) and "customFields" in errand.viewer.grant(outcome.record_module or "").hidden


def _check_assigned(errand: Errand, kind: Kind, rows: Sequence[Document]) -> None:
    """Raises `Conflict` when the customer may no longer be among those this viewer sees."""
    if not rows and errand.viewer.grant(kind.module).assigned_only:
        raise Conflict("The customer may not be assigned to the user any more; whether it was made cannot be told.")


def _about(kind: Kind, record_id: str | None = None) -> dict[str, Any]:
    return {"product": kind.product, "subject": Subject(kind.module, record_id)}


def _acting(kind: Kind, act: Act, record_id: str | None = None) -> Action:
    return Action(name=f"{kind.module}.{act.name}", permission=act.requires, **_about(kind, record_id))


def _kind(outcome: Outcome) -> Kind:
    return next(kind for kind in KINDS.values() if kind.module == outcome.record_module)


def _marks(errand: Errand, outcome: Outcome) -> dict[str, str]:
    return marks.marks(errand.viewer, outcome.product, outcome.id)


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= 200 or not key.isprintable():  # noqa: PLR2004
        raise BadUserInput("An idempotency key has 1 to 200 printable characters.", field=("idempotencyKey",))


def _digest(action: Action, draft: Values) -> str:
    """Equal for equal input to the same action on the same record."""
    return sha256(msgspec.json.encode([action.name, action.subject.id, draft], order="sorted")).hexdigest()


def _check_discounts(before: Document, draft: Values) -> None:
    """A discount on the whole would silently take the lines' own away in the product."""
    lines = getattr(before, "line_items", ())
    if draft.get("discount") and "line_items" not in draft and any(line.discount_amount for line in lines):
        raise Conflict(
            "Lines of the document have discounts of their own; a discount on the whole would take their place.",
            hint="Give `lineItems` as well, without discounts.",
        )


def _problem(error: GatewayError, field: str) -> Problem:
    said = error.details.get("productMessage")
    path = (isinstance(error, BadUserInput) and error.field) or (field,)
    return Problem(path, f"The product says: {said}" if said else error.message, error.code, error.hint)


def _json(problem: Problem) -> dict[str, Any]:
    return {"field": list(problem.field), "message": problem.message, "code": problem.code, "hint": problem.hint}
