"""Documents that change, as they do: what the copy is told, for those who may see it at that moment."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from resolvers import documents
from resolvers.context import Context, forbidden
from services.documents import Document, Module
from services.errand import Errand
from services.errors import Forbidden, GatewayError, NotFound
from services.kinds import KINDS
from services.policy import Viewer
from services.records import notices
from services.records.notices import Change, Notice

FEW = 5
"""Records of one notice that are looked up for a viewer who sees some only; of more they are told that there are."""
LOOK_UP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """What became of one record, or of several: then there is no `record_id`."""

    module: Module
    change: Change
    record_id: str | None = None
    as_of: datetime | None = None


async def watched(
    _root: object, context: Context, modules: Sequence[Module] | None = None
) -> AsyncIterator[DocumentChange]:
    """What changes from now on; each viewer is told of what they may see when it happens."""
    wanted = list(KINDS) if modules is None else list(dict.fromkeys(modules))
    _check(context, wanted, named=modules is not None)
    organization_id, me = context.viewer.organization_id, context.viewer.id
    async with context.services.events.subscribe(notices.topic(organization_id)) as told:
        await anext(told)  # at first there is nothing that could have been missed
        async for payload in told:
            if happened := _happened(payload, wanted):
                viewer = await context.services.identity.member(organization_id, me)
                for change in _bundled(viewer, happened):
                    if seen := await _seen(context, viewer, change):
                        yield seen


def document_id(change: DocumentChange, context: Context) -> str | None:
    """The global id."""
    return change.record_id and context.global_id(change.module, change.record_id)


async def document(change: DocumentChange, context: Context) -> Document | None:
    """The record under the viewer's own access; None when it is gone."""
    if change.record_id is None or change.change is Change.DELETED:
        return None
    decision = context.viewer.decide(f"{change.module}.view")
    if not decision.granted:
        raise forbidden(decision, "DocumentChange.document")
    try:
        return await documents.fetch(context, change.module, change.record_id)
    except NotFound:
        return None


def _check(context: Context, wanted: Collection[Module], *, named: bool) -> None:
    """Raises `Forbidden` for a module that is named and may not be seen, or when none may be."""
    decisions = [context.viewer.decide(f"{module}.view") for module in wanted]
    refused = [decision for decision in decisions if not decision.granted]
    if refused and (named or len(refused) == len(decisions)):
        raise forbidden(refused[0], "Live.documentChanged")


def _happened(payload: str | None, wanted: Collection[Module]) -> list[DocumentChange]:
    """What a notice is about. That a module is read for the first time is no change of its documents."""
    if payload is None:
        return [DocumentChange(module, Change.SEVERAL) for module in wanted]
    notice: Notice = notices.read(payload)
    if notice.module not in wanted or not notice.changed or notice.as_of is None:
        return []
    module = Module(notice.module)
    if not notice.ids:
        return [DocumentChange(module, Change.SEVERAL, None, notice.as_of)]
    return [DocumentChange(module, change, record_id, notice.as_of) for record_id, change in notice.ids.items()]


def _bundled(viewer: Viewer, happened: list[DocumentChange]) -> list[DocumentChange]:
    """For a viewer who sees some records only, many are one: each would have to be looked up."""
    first = happened[0]
    if len(happened) <= FEW or first.record_id is None or not viewer.grant(first.module).assigned_only:
        return happened
    return [DocumentChange(first.module, Change.SEVERAL, None, first.as_of)]


async def _seen(context: Context, viewer: Viewer, change: DocumentChange) -> DocumentChange | None:
    """What this viewer is told of it."""
    if not viewer.may(f"{change.module}.view"):
        return None
    if change.record_id is None or not viewer.grant(change.module).assigned_only:
        return change
    return await _within_scope(context, viewer, change)


async def _within_scope(context: Context, viewer: Viewer, change: DocumentChange) -> DocumentChange | None:
    """One who sees some records only is told of those that the product shows them; of deleted ones it shows none."""
    if change.change is Change.DELETED:
        return None
    errand = Errand(viewer, context.errand.request_id, monotonic() + LOOK_UP_SECONDS)
    try:
        await context.services.documents.one(errand, KINDS[change.module], change.record_id or "")
    except (Forbidden, NotFound):
        return None
    except GatewayError:
        return DocumentChange(change.module, Change.SEVERAL, None, change.as_of)
    return change
