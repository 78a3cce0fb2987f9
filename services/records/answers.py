# ruff: noqa: S608 - the SQL is put together from our own texts; every value is bound
"""Queries answered from the copy: who may be, how old the answer may be, and one statement for all of it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from copy import copy as twin
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from math import ceil
from time import monotonic
from typing import Any

from msgspec.json import Decoder

from services.directory_values import Customer
from services.documents import Document
from services.errand import Errand
from services.errors import DeadlineExceeded, GatewayError, UpstreamRateLimited, UpstreamUnavailable
from services.kinds import KINDS, Kind
from services.listing import Window
from services.lookups import Lookups
from services.policy import Viewer
from services.records.copy import Copy
from services.records.criteria import late
from services.records.excerpt import Excerpt, placed
from services.records.memory import Memory
from services.records.moments import Moments, Standing, Standings
from services.records.readers import withheld
from services.storage.models import now
from services.storage.statements import Statements
from services.upstream.documents import recorded

UNREACHABLE = (UpstreamRateLimited, UpstreamUnavailable, DeadlineExceeded)
"""What an older answer can help with."""
Named = Callable[[Document], str]
"""The stream that tells a record when the products are asked."""
AHEAD = 0.3
"""Of the age that an answer may have, what is left of it when the copy is brought up to date meanwhile."""
QUARTER = 900
"""Seconds; the days of all time zones end with one."""
CLOCKS_APART = 60
"""Seconds by which the database may think later of the end of a day than we do."""
SOMETIMES = 15
"""Seconds between looks in that time."""
_ZONE = "WITH zone AS (SELECT time_zone FROM record_bases WHERE organization_id = %(organization)s)"
_THESE = "WHERE organization_id = %(organization)s AND module = %(module)s AND id = ANY(%(ids)s) AND deleted_at IS NULL"


@dataclass(frozen=True, slots=True)
class Sight:
    """The copy of some modules as one may see it: true as of a moment, and how it stood then."""

    organization_id: str
    at: datetime
    generations: tuple[int, ...]


class Answers:
    """From the copy in the database, or as this process remembers it."""

    def __init__(self, statements: Statements, copy: Copy, moments: Moments, pages: Memory[Any, Any]) -> None:
        """`pages` keeps whole records, the same for all who may see all of them."""
        self._statements = statements
        self._copy = copy
        self._pages = pages
        self._reads: Lookups[Any, Any] = Lookups(0, lambda *_: False)
        self.moments = moments

    async def aclose(self) -> None:
        """Stop what is under way."""
        await self._reads.aclose()

    async def sight(self, errand: Errand, modules: Collection[str]) -> Sight | None:
        """The copy, as young as the errand wants it: brought up to date if need be, by one call for all who wait.

        None where the product is to answer: the viewer does not see every record, the answer is to be live, or the
        copy is not there or may not be brought up to date now. Raises when the product cannot be reached for it.
        """
        if errand.within <= 0 or not modules or any(withheld(errand.viewer, module) for module in modules):
            return None
        return await self._seen(errand, modules, now() - timedelta(seconds=errand.within))

    async def whatever(self, viewer: Viewer, modules: Collection[str]) -> Sight | None:
        """The copy however old it is, for who may be answered from it."""
        if any(withheld(viewer, module) for module in modules):
            return None
        return _sight(viewer.organization_id, await self.moments.known(viewer.organization_id), modules)

    async def window(self, sight: Sight, excerpt: Excerpt, named: Named) -> Window | None:
        """The excerpt; None when a status in it may have changed by itself meanwhile."""
        key = ("rows", sight.organization_id, excerpt.key)
        known: tuple[Any, Window] | None = self._pages.get(key)
        state = _state(sight.generations)
        if known is not None and known[0] == state:
            return replace(known[1], at=sight.at)
        found = await self._reads.get(key, state, lambda: self._read(sight, excerpt, named))
        if found is None:
            return None
        read: Window = found[0]
        self._pages.put(key, (state, read), found[1])
        return replace(read, at=sight.at)

    async def count(self, sight: Sight, excerpt: Excerpt) -> int:
        """How many rows the whole list has."""
        key = ("count", sight.organization_id, replace(excerpt, first=0, after=None).key)
        known, state = self._pages.get(key), _state(sight.generations)
        if known is None or known[0] != state:
            known = (state, await self._reads.get(key, state, lambda: self._count(sight, excerpt)))
            self._pages.put(key, known, 100)
        counted: int = known[1]
        return counted

    async def documents(self, sight: Sight, kind: Kind, ids: Collection[str]) -> dict[str, Document]:
        """Records by id as list rows tell them; those that are not known, or may have turned, are absent."""

        async def read(missed: Collection[str]) -> list[tuple[Document, int]]:
            statement = f"{_ZONE} SELECT body::text, complete, {late(kind)} FROM records {_THESE}"
            rows = await self._these(statement, sight.organization_id, kind.module, missed)
            return [(_document(kind, body, complete), len(body)) for body, complete, turned in rows if not turned]

        return await self._known((sight.organization_id, kind.module), ids, _state(sight.generations), read)

    async def customers(
        self, errand: Errand, module: str, made: type[Customer], ids: Collection[str], oldest: datetime
    ) -> dict[str, Customer]:
        """Customers as list rows of `module` tell them, where the viewer sees all and the copy is not too old."""
        self.moments.hear(errand.viewer.organization_id)
        if not ids or withheld(errand.viewer, module):
            return {}
        standing = (await self.moments.known(errand.viewer.organization_id)).get(module)
        if standing is None or standing.as_of is None or standing.as_of < oldest:
            return {}

        async def read(missed: Collection[str]) -> list[tuple[Customer, int]]:
            statement = f"SELECT body::text FROM records {_THESE}"
            rows = await self._these(statement, errand.viewer.organization_id, module, missed)
            return [(_rows(made).decode(body), len(body)) for (body,) in rows]

        known = await self._known((errand.viewer.organization_id, module), ids, _state((standing.generation,)), read)
        found = {id: twin(one) for id, one in known.items()}  # noqa: A001
        for one in found.values():
            one.as_of = standing.as_of
        return found

    async def advised(self, error: GatewayError, viewer: Viewer, modules: Collection[str]) -> GatewayError:
        """The error of a product that could not be asked, with how old an answer would have to be allowed to be."""
        if any(withheld(viewer, module) for module in modules):
            return error
        with suppress(Exception):  # the database may be what fails
            seen = _sight(viewer.organization_id, await self.moments.known(viewer.organization_id), modules)
            if seen is not None:
                return _advising(error, seen.at)
        return error

    async def _seen(self, errand: Errand, modules: Collection[str], oldest: datetime) -> Sight | None:
        organization_id = errand.viewer.organization_id
        for ask in (self.moments.known, self.moments.now):
            standings = await ask(organization_id)
            seen = _sight(organization_id, standings, modules)
            if seen is None:
                return None
            if seen.at >= oldest:
                self._renew(seen, standings, modules, oldest + AHEAD * timedelta(seconds=errand.within))
                return seen
        if not await self._brought(errand, modules, oldest):
            return None
        return _sight(organization_id, await self.moments.now(organization_id), modules)

    def _renew(self, seen: Sight, standings: Standings, modules: Collection[str], young: datetime) -> None:
        """Have what will soon be too old brought up to date before anybody has to wait for it."""
        if seen.at < young:
            for module in modules:
                as_of = standings[module].as_of
                if as_of is not None and as_of < young:
                    self._copy.soon(seen.organization_id, module)

    async def _brought(self, errand: Errand, modules: Collection[str], oldest: datetime) -> bool:
        """Whether all modules have been brought up to date, in half of the time that there is."""
        organization_id, deadline = errand.viewer.organization_id, monotonic() + errand.remaining / 2
        wanted = (self._copy.at_least(organization_id, module, oldest, deadline) for module in modules)
        reached = await asyncio.gather(*wanted, return_exceptions=True)
        for one in reached:
            if isinstance(one, UNREACHABLE):
                raise await self.advised(one, errand.viewer, modules)
            if isinstance(one, BaseException) and not isinstance(one, GatewayError):
                raise one
        return all(isinstance(one, datetime) and one >= oldest for one in reached)

    async def _read(self, sight: Sight, excerpt: Excerpt, named: Named) -> tuple[Window, int] | None:
        organization = {"organization": sight.organization_id}
        if excerpt.turning:
            statement, given = excerpt.turned()
            if (await self._statements.rows(statement, given | organization))[0][0]:
                return None
        statement, given = excerpt.rows()
        rows = await self._statements.rows(statement, given | organization)
        if any(row[3] for row in rows):
            return None
        found = [_document(KINDS[module], body, complete) for module, body, complete, _ in rows[: excerpt.first]]
        placed_rows = placed(excerpt, found, [named(one) for one in found])
        window = Window(placed_rows, len(rows) > excerpt.first, sight.at)
        return window, sum(len(row[1]) for row in rows)

    async def _count(self, sight: Sight, excerpt: Excerpt) -> int:
        statement, given = excerpt.count()
        [(count,)] = await self._statements.rows(statement, given | {"organization": sight.organization_id})
        return int(count)

    async def _known(
        self,
        whose: tuple[str, str],
        ids: Collection[str],
        state: Any,
        read: Callable[[Collection[str]], Awaitable[Any]],
    ) -> dict[str, Any]:
        """Records of (organization, module) by id: as remembered in this state of the copy, or read with sizes."""
        held = {id: self._pages.get(("record", *whose, id)) for id in ids}  # noqa: A001
        found = {id: one[1] for id, one in held.items() if one is not None and one[0] == state}  # noqa: A001
        missed = [id for id in ids if id not in found]  # noqa: A001
        key = ("records", *whose, *missed)
        for one, size in await self._reads.get(key, state, lambda: read(missed)) if missed else ():
            found[one.id] = one
            self._pages.put(("record", *whose, one.id), (state, one), size)
        return found

    async def _these(
        self, statement: str, organization_id: str, module: str, ids: Collection[str]
    ) -> Sequence[tuple[Any, ...]]:
        given = {"organization": organization_id, "module": str(module), "ids": list(ids)}
        return await self._statements.rows(statement, given)


def _state(generations: tuple[int, ...]) -> tuple[Any, ...]:
    """While it is equal, what was read of the copy holds: nothing was changed, and no day has ended."""
    quarter, since = divmod(now().timestamp(), QUARTER)
    return generations, quarter, min(since, CLOCKS_APART) // SOMETIMES


def _sight(organization_id: str, standings: Standings, modules: Collection[str]) -> Sight | None:
    """The modules together; None while one has not been read."""
    found: list[Standing] = [standings[module] for module in modules if module in standings]
    moments = [one.as_of for one in found if one.as_of is not None]
    if len(moments) < len(modules):
        return None
    return Sight(organization_id, min(moments), tuple(one.generation for one in found))


def _advising(error: GatewayError, at: datetime) -> GatewayError:
    age = ceil((now() - at).total_seconds()) + 1
    told = twin(error)  # equal reads of several requests share one failure
    advice = f"The gateway knows it as of {age} seconds ago; an older answer is allowed with `@fresh(within: …)`."
    told.hint = f"{error.hint} {advice}" if error.hint else advice
    return told


def _document(kind: Kind, body: str, complete: bool) -> Document:
    """A list row; so is shown what was read in full, too: whether that still holds is decided elsewhere."""
    if complete:
        return recorded(kind, body)
    row: Document = _rows(kind.type).decode(body)
    return row


@cache
def _rows(made: Any) -> Decoder[Any]:
    return Decoder(made)
