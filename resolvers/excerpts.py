"""Pages of documents: from the copy for who may be answered from it and allows its age, else as the products tell."""

from collections.abc import Callable, Sequence
from functools import partial

from resolvers import pagination
from resolvers.context import Context
from services.documents import Document, Module
from services.errors import GatewayError
from services.kinds import MODULE_OF
from services.listing import Stream, Window, window
from services.records.answers import UNREACHABLE, Sight
from services.records.excerpt import Excerpt

Report = Callable[[Module, Exception], None]


async def page(
    context: Context,
    asked: pagination.Asked,
    excerpt: Excerpt | None,
    streams: Sequence[Stream],
    report: Report | None = None,
) -> pagination.Page:
    """The page that the streams would tell; with `report` a stream may be missing, and is reported.

    `excerpt` is the same list in the copy; None where the copy cannot tell it.
    """
    if excerpt is not None:
        known = await _known(context, asked, excerpt, tolerant=report is not None)
        if known is not None:
            context.errand.saved += len(streams)
            return known
    read = await _told(context, asked, streams, report)
    context.loaders.saw([row.record for row in read.rows], read.at)
    return asked.page(read, None if excerpt is None else _counted_if_old(context, excerpt))


async def _known(
    context: Context, asked: pagination.Asked, excerpt: Excerpt, *, tolerant: bool
) -> pagination.Page | None:
    answers = context.services.answers
    try:
        sight = await answers.sight(context.errand, _modules(excerpt))
    except UNREACHABLE:
        if tolerant:
            return None  # whichever product answers is asked
        raise
    if sight is None:
        return None
    read = await answers.window(sight, excerpt, _named(excerpt))
    if read is None:
        return None
    context.loaders.saw([row.record for row in read.rows], read.at)
    return asked.page(read, partial(answers.count, sight, excerpt))


async def _told(context: Context, asked: pagination.Asked, streams: Sequence[Stream], report: Report | None) -> Window:
    try:
        read = await window(streams, asked.rank, asked.first, asked.after, tolerant=report is not None)
    except UNREACHABLE as error:
        modules = {_module(stream) for stream in streams}
        raise await context.services.answers.advised(error, context.viewer, modules) from error
    for name, failure in read.failures.items():
        await _missing(context, Module(name.partition(".")[0]), failure, report)
    return read


async def _missing(context: Context, module: Module, failure: GatewayError, report: Report | None) -> None:
    told = failure
    if isinstance(failure, UNREACHABLE):
        told = await context.services.answers.advised(failure, context.viewer, [module])
    if report is not None:
        report(module, told)


def _counted_if_old(context: Context, excerpt: Excerpt) -> pagination.Count | None:
    """Of an account's or contact's documents the count is told though the copy may be older than the rows."""
    if any(part.parties is None for part in excerpt.parts):
        return None

    async def count() -> int | None:
        sight: Sight | None = await context.services.answers.whatever(context.viewer, _modules(excerpt))
        return await context.services.answers.count(sight, excerpt) if sight else None

    return count


def _modules(excerpt: Excerpt) -> list[Module]:
    return [part.kind.module for part in excerpt.parts]


def _module(stream: Stream) -> Module:
    return Module(stream.name.partition(".")[0])


def _named(excerpt: Excerpt) -> Callable[[Document], str]:
    """As the streams are named: by the module, with the party where a list is of some only."""
    if excerpt.parts[0].parties is None:
        return lambda record: MODULE_OF[type(record)].value
    return lambda record: f"{MODULE_OF[type(record)]}.{record.customer_id}"
