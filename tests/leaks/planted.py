"""Bugs to be found: each breaks one thing for as long as its block lasts. A stage is opened within the block."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import structlog

from gateway.live import operations
from gateway.plans import program
from resolvers import context, documents, relations
from resolvers.loaders import Loaders
from services.identity import Identity
from services.policy import Viewer
from services.records import answers, full, parties
from services.records.memory import Memory
from services.records.readers import withheld
from services.records.recalled import Access
from services.upstream import client
from services.upstream.flights import Flights, Read


def flights_joined_across_accesses() -> AbstractContextManager[Any]:
    """Reads under way are known by what is read alone."""
    return patch.object(client, "Read", lambda _access, what: Read("anybody", what))


class _Shared(dict[Read, Any]):
    """Forgets under whose access something was read."""

    def get(self, key: Read, default: Any = None) -> Any:
        return super().get(key._replace(access=""), default)

    def __setitem__(self, key: Read, value: Any) -> None:
        super().__setitem__(key._replace(access=""), value)

    def pop(self, key: Read, default: Any = None) -> Any:
        return super().pop(key._replace(access=""), default)


@contextmanager
def landed_values_kept_across_accesses() -> Iterator[None]:
    """What has landed is given to whoever began in time, under another access as well."""
    made = Flights.__init__

    def share(self: Flights, *given: Any) -> None:
        made(self, *given)
        self._landed = _Shared()

    with patch.object(Flights, "__init__", share):
        yield


def variants_chosen_without_grants() -> AbstractContextManager[Any]:
    """The first one who asks decides what a plan shows to all."""
    return patch.object(program.Program, "variant", _first_variant(program.Program.variant))


def _first_variant(variant: Callable[..., Any]) -> Callable[..., Any]:
    def first(self: program.Program, variables: Mapping[str, Any], viewed: Any) -> Any:
        known = self.__dict__.setdefault("_planted", {})
        flags = tuple(variables.get(name) for name in self.flags)
        if flags not in known:
            known[flags] = variant(self, variables, viewed)
        return known[flags]

    return first


def pages_for_those_who_do_not_see_all() -> AbstractContextManager[Any]:
    """The copy answers viewers with a record scope as well."""
    return patch.object(answers, "withheld", lambda _viewer, _module: ())


def directory_recalled_across_accesses() -> AbstractContextManager[Any]:
    """Customers, accounts and contacts are remembered for all of an organization."""
    return patch.object(
        parties, "access_of", lambda _viewer, connection: Access(connection.organization_id, "", scoped=False)
    )


@contextmanager
def full_records_for_scoped_viewers() -> Iterator[None]:
    """A stored full record is given to one who sees some customers only."""
    holding = full.FullRecords.holding

    def held(self: full.FullRecords, errand: Any, kind: Any, rows: Any) -> Any:
        return holding(self, replace(errand, viewer=_unscoped(errand.viewer)), kind, rows)

    with patch.object(full.FullRecords, "holding", held):
        yield


def _unscoped(viewer: Viewer) -> Viewer:
    access = [
        replace(one, grants={module: replace(grant, assigned_only=False) for module, grant in one.grants.items()})
        for one in viewer.access
    ]
    return replace(viewer, access=tuple(access))


def full_records_of_restricted_viewers() -> AbstractContextManager[Any]:
    """What one is told from whom the product hides fields is stored for all."""
    return patch.object(full, "tells_all", lambda viewer, module: not withheld(viewer, module))


@contextmanager
def loaders_shared_between_requests() -> Iterator[None]:
    """What one request has loaded, the next one of the organization takes."""
    shared: dict[str, Loaders] = {}

    def loaders(services: Any, errand: Any) -> Loaders:
        return shared.setdefault(errand.viewer.organization_id, Loaders(services, errand))

    with patch.object(context, "Loaders", loaders):
        yield


@contextmanager
def viewers_never_seen_anew() -> Iterator[None]:
    """Once seen, somebody keeps their grants."""
    known: dict[str, Viewer] = {}
    seen = Identity.viewer

    async def viewer(self: Identity, email: str, **given: Any) -> Viewer:
        if email not in known:
            known[email] = await seen(self, email, **given)
        return known[email]

    with patch.object(Identity, "viewer", viewer):
        yield


def watchers_never_seen_anew() -> AbstractContextManager[Any]:
    """Whoever watches is told as the one they were at first."""

    async def viewer(self: Any, *_requires: Any) -> Viewer:
        seen: Viewer = self.viewer
        return seen

    return patch.object(operations._Run, "_viewer", viewer)  # noqa: SLF001  # there is no other way in


@contextmanager
def records_logged() -> Iterator[None]:
    """What is looked up is written to the log."""
    fetch = documents.fetch

    async def logged(*given: Any) -> Any:
        found = await fetch(*given)
        structlog.get_logger().info("a record", record=found)
        return found

    with patch.object(documents, "fetch", logged):
        yield


@contextmanager
def copy_answered_across_organizations() -> Iterator[None]:
    """Pages are remembered whichever organization they are of."""
    get, put = Memory.get, Memory.put
    with (
        patch.object(Memory, "get", lambda self, key: get(self, _of_any(key))),
        patch.object(Memory, "put", lambda self, key, *given: put(self, _of_any(key), *given)),
    ):
        yield


def _of_any(key: Any) -> Any:
    return (key[0], *key[2:]) if key[0] in ("rows", "count") else key


def money_left_out() -> AbstractContextManager[Any]:
    """No leak, but less than those may see who may see everything."""
    return patch.object(relations.MoneyOf, "parts", {"amount": "None", "currency": "None"})


PLANTED: Mapping[str, Callable[[], AbstractContextManager[Any]]] = {
    bug.__name__: bug
    for bug in (
        flights_joined_across_accesses,
        landed_values_kept_across_accesses,
        variants_chosen_without_grants,
        pages_for_those_who_do_not_see_all,
        directory_recalled_across_accesses,
        full_records_for_scoped_viewers,
        full_records_of_restricted_viewers,
        loaders_shared_between_requests,
        viewers_never_seen_anew,
        copy_answered_across_organizations,
        watchers_never_seen_anew,
        records_logged,
    )
}
