"""Documents: one of a kind, pages of a kind, the pages of an account or contact, and all five kinds merged."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec.structs import replace
from strawberry.utils.str_converters import to_camel_case

from resolvers import conditions, excerpts, pagination
from resolvers.context import Context, forbidden
from resolvers.excerpts import Report
from services.documents import Document, LineItem, Module
from services.errors import BadUserInput, Forbidden, GatewayError, UnsupportedByProduct
from services.kinds import KINDS, Kind, Order, kind_of
from services.listing import Stream, ranking
from services.policy import Source
from services.records.criteria import Criteria, criteria
from services.records.excerpt import Excerpt, Part
from services.storage.clock import now
from services.upstream.envelopes import Rows

Resolver = Callable[..., Awaitable[Any]]


def one(module: Module) -> Resolver:
    """The record of a global id."""

    async def resolve(_root: Any, context: Context, id: str) -> Document:  # noqa: A002
        return await fetch(context, module, context.record_id(module, id))

    return resolve


async def fetch(context: Context, module: Module, record_id: str) -> Document:
    """A record, as a list tells it where that is known; a scoped viewer learns that the scope withholds it."""
    if context.fresh > 0 and (known := await context.loaders.known(module).load(record_id)):
        return known
    try:
        return await context.loaders.documents(module).load(record_id)
    except Forbidden as error:
        raise _scoped(error, context, module) from error


def _scoped(error: Forbidden, context: Context, module: Module) -> Forbidden:
    if not context.viewer.grant(module).assigned_only:
        return error
    return Forbidden(
        "The record belongs to a customer who is not assigned to you.",
        hint=f"Ask {Source.RECORD_SCOPE.value}.",
        **{**error.details, "missingFrom": [Source.RECORD_SCOPE.name], "grantedBy": Source.RECORD_SCOPE.value},
        required=f"{module}.view",
    )


def lines(record: Any, context: Context) -> list[LineItem] | None:
    """The lines; without their discounts where the document's is hidden from the viewer, which is their sum."""
    items: list[LineItem] | None = record.line_items
    if not items or context.viewer.may(f"{kind_of(record).module}.view.discount"):
        return items
    return [replace(line, discount_amount=None) for line in items]


def many(module: Module, requirement: conditions.Requirement) -> Resolver:
    """A page of a kind: filtered, ordered, or through a custom view."""
    kind = KINDS[module]

    async def resolve(
        _root: Any,
        context: Context,
        first: int | None = None,
        after: str | None = None,
        where: Any = None,
        order_by: Any = None,
        view: str | None = None,
    ) -> pagination.Page:
        filters = conditions.params(kind, where, context.viewer, requirement)
        if view is not None and "filter_by" in filters:
            raise BadUserInput("A custom view and a status cannot be combined here.", field=("view",))
        filters |= _view(kind, view, context)
        order, descending = _order(kind, order_by, context) if order_by else _NEWEST
        return await _page(context, kind, filters, order, descending, first, after)

    return resolve


_NEWEST = (Order.CREATED_AT, True)


def _order(kind: Kind, order_by: Any, context: Context) -> tuple[Order, bool]:
    """The order asked for; raises `Forbidden` where it would tell of a field that is hidden from the viewer."""
    order: Order = order_by.field
    field = kind.party if order is Order.PARTY_NAME else to_camel_case(order.name.lower())
    decision = context.viewer.decide(f"{kind.module}.view.{field}")
    if not decision.granted:
        raise forbidden(decision, f"DocumentOrderField.{order.name}")
    return order, order_by.direction.value == "desc"


def _view(kind: Kind, view: str | None, context: Context) -> dict[str, str]:
    if view is None:
        return {}
    module, _, place = context.record_id("view", view, "view").partition("_")
    titles = list(kind.views)
    if module != kind.module or not place.isdigit() or int(place) >= len(titles):
        raise BadUserInput(
            f"That custom view is not one of {kind.word}s.", field=("view",), hint="Query `customViews`."
        )
    conditions.permit(context.viewer, f"Query.{kind.plural}", f"{kind.module}.view", "status")  # it is what they tell
    return {"filter_by": kind.views[titles[int(place)]]}


async def _page(
    context: Context,
    kind: Kind,
    filters: Mapping[str, str],
    order: Order,
    descending: bool,
    first: int | None,
    after: str | None,
) -> pagination.Page:
    rank = ranking(order, descending=descending)
    asked = pagination.asked(context, rank, first, after, kind.module, filters, None)
    streams = [_stream(context, kind, {**filters, **_sort(kind, order, descending)})]
    meant = criteria(kind, filters)
    if meant is None:
        return await excerpts.page(context, asked, None, streams)
    excerpt = Excerpt((Part(kind, 0, meant),), order, descending, asked.first, asked.after)
    return await excerpts.page(context, asked, excerpt, streams)


def _sort(kind: Kind, order: Order, descending: bool) -> dict[str, str]:
    if order in kind.sort:
        return {"sort_column": kind.sort[order], "sort_order": "D" if descending else "A"}
    if not kind.sort and descending and order in (Order.CREATED_AT, Order.DATE):
        return {}  # newest first is the only order the product has, by its own default
    names = ", ".join(sorted(known.name for known in kind.sort)) or "CREATED_AT (newest first)"
    raise UnsupportedByProduct(
        f"Zoho {kind.product.title()} cannot order {kind.word}s by {order.name}{'' if descending else ' ascending'}.",
        hint=f"It can order them by: {names}.",
        field=["orderBy"],
    )


def _stream(context: Context, kind: Kind, params: Mapping[str, str], name: str = "", rank: int = 0) -> Stream:
    async def read(page: int, per_page: int) -> Rows[Any]:
        return await context.services.documents.rows(context.errand, kind, params, page, per_page)

    return Stream(name or kind.module, rank, read)


def related(module: Module, what: str) -> Resolver:
    """The documents of a CRM account or contact (`what`), newest first: those of the customers linked with it."""
    kind = KINDS[module]

    async def resolve(
        record: Any, context: Context, first: int | None = None, after: str | None = None
    ) -> pagination.Page:
        rank = ranking(Order.CREATED_AT)
        asked = pagination.asked(context, rank, first, after, module, what, record.id)
        listed = await _of_parties(context, kind, what, record.id, Order.CREATED_AT)
        if not listed.streams:
            return pagination.empty(now())
        excerpt = Excerpt(listed.parts, Order.CREATED_AT, descending=True, first=asked.first, after=asked.after)
        return await excerpts.page(context, asked, excerpt, listed.streams)

    return resolve


@dataclass(frozen=True, slots=True)
class _Listed:
    """The documents of a kind in a list: where the products tell them, and which part of the copy they are, if any."""

    streams: Sequence[Stream]
    parts: tuple[Part, ...]


async def _of_parties(context: Context, kind: Kind, what: str, crm_id: str, order: Order, rank: int = 0) -> _Listed:
    linked = await context.loaders.parties.load((kind.product, what, crm_id))
    parties = tuple(party.id for party in linked if party.contact_type in (None, kind.party))
    sort = _sort(kind, order, descending=True)
    streams = [
        _stream(context, kind, {f"{kind.party}_id": party, **sort}, f"{kind.module}.{party}", rank) for party in parties
    ]
    return _Listed(streams, (Part(kind, rank, Criteria(), parties),))


def merged(requirement: conditions.Requirement) -> Resolver:
    """All kinds in one list by date, newest first; a kind that is missing is named in one error."""

    async def resolve(
        _root: Any,
        context: Context,
        first: int | None = None,
        after: str | None = None,
        modules: list[Module] | None = None,
        where: Any = None,
        *,
        info: Any,
    ) -> pagination.Page:
        async def listed(kind: Kind, rank: int) -> _Listed:
            filters = conditions.params(kind, where, context.viewer, requirement)
            stream = _stream(context, kind, {**filters, **_sort(kind, Order.DATE, descending=True)}, rank=rank)
            meant = criteria(kind, filters)
            return _Listed([stream], () if meant is None else (Part(kind, rank, meant),))

        identity = (modules, where and sorted(_flat(where)))
        return await _merge(context, info, modules, first, after, identity, listed)

    return resolve


def merged_of(what: str) -> Resolver:
    """All kinds of a CRM account or contact in one list by date, newest first."""

    async def resolve(
        record: Any,
        context: Context,
        first: int | None = None,
        after: str | None = None,
        modules: list[Module] | None = None,
        *,
        info: Any,
    ) -> pagination.Page:
        async def listed(kind: Kind, rank: int) -> _Listed:
            return await _of_parties(context, kind, what, record.id, Order.DATE, rank)

        return await _merge(context, info, modules, first, after, (modules, what, record.id), listed)

    return resolve


async def _merge(
    context: Context,
    info: Any,
    modules: list[Module] | None,
    first: int | None,
    after: str | None,
    identity: Any,
    listed: Callable[[Kind, int], Awaitable[_Listed]],
) -> pagination.Page:
    rank = ranking(Order.DATE)
    asked = pagination.asked(context, rank, first, after, "documents", identity)
    report = partial(_report, context, info)
    found = await _all(context, modules, listed, report)
    streams = [stream for one in found for stream in one.streams]
    if not streams:
        return pagination.empty(now())
    parts = tuple(part for one in found for part in one.parts)
    whole = all(one.parts for one in found)
    excerpt = Excerpt(parts, Order.DATE, descending=True, first=asked.first, after=asked.after) if whole else None
    return await excerpts.page(context, asked, excerpt, streams, report)


async def _all(
    context: Context,
    modules: list[Module] | None,
    listed: Callable[[Kind, int], Awaitable[_Listed]],
    report: Report,
) -> list[_Listed]:
    """The kinds that the viewer sees; one that cannot be told is reported."""
    kinds = [kind for kind in KINDS.values() if modules is None or kind.module in modules]
    seen = [kind for kind in kinds if _seen(context, kind, report)]
    made = await asyncio.gather(*(listed(kind, _RANK[kind.module]) for kind in seen), return_exceptions=True)
    found: list[_Listed] = []
    for kind, result in zip(seen, made, strict=True):
        if isinstance(result, _Listed):
            found.append(result)
        elif isinstance(result, GatewayError):
            report(kind.module, result)
        else:
            raise result
    return found


_RANK = {module: place for place, module in enumerate(KINDS)}


def _seen(context: Context, kind: Kind, report: Report) -> bool:
    decision = context.viewer.decide(f"{kind.module}.view")
    if not decision.granted:
        report(kind.module, forbidden(decision, f"{kind.word}s in the list"))
    return decision.granted


def _report(context: Context, info: Any, module: Module, error: Exception) -> None:
    context.report(error, info, f"{info.parent_type.name}.{info.field_name}", module)


def _flat(where: Any) -> list[str]:
    return [f"{name}={value!r}" for name, value in conditions.given(where)]
