"""`node` and `nodes`: any record by its global id, under the same permission as its own root field."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from resolvers import documents, migrations, reporting
from resolvers.context import Context, forbidden
from services.errors import BadUserInput, NotFound
from services.kinds import KINDS
from services.policy import AUDIT, MANAGE

MOST_NODES = 100

Load = Callable[[Context, str], Awaitable[Any]]


async def _account(context: Context, record_id: str) -> Any:
    return await context.loaders.accounts.load(record_id)


async def _contact(context: Context, record_id: str) -> Any:
    return await context.loaders.contacts.load(record_id)


async def _audit_event(context: Context, record_id: str) -> Any:
    event = await context.services.audit.get(context.viewer.organization_id, record_id)
    if event is None:
        raise NotFound
    return event


async def _migration(context: Context, record_id: str) -> Any:
    return await migrations.fetch(context, record_id)


async def _user(context: Context, record_id: str) -> Any:
    return await context.services.integration.user(context.viewer.organization_id, record_id)


def _document(module: Any) -> Load:
    return lambda context, record_id: documents.fetch(context, module, record_id)


_NODES: Mapping[str, tuple[str, Load]] = {
    **{module.value: (f"{module}.view", _document(module)) for module in KINDS},
    "account": ("accounts.view", _account),
    "contact": ("contacts.view", _contact),
    "audit": (AUDIT, _audit_event),
    "migration": ("migration.view", _migration),
    "report": ("subscriptions.view", reporting.fetch),
    "dashboard": ("subscriptions.view", reporting.board),
    "user": (MANAGE, _user),
}


async def node(_root: Any, context: Context, id: str) -> Any:  # noqa: A002
    """The record, or None when there is none."""
    kind, record_id = context.any_id(id)
    if kind not in _NODES:
        raise BadUserInput(
            f"Records of {kind} cannot be fetched by id.", field=("id",), hint="Ask where the id was found."
        )
    try:
        return await node_of(context, kind, record_id)
    except NotFound:
        return None


async def node_of(context: Context, kind: str, record_id: str) -> Any:
    """The record, for a viewer who may see its kind."""
    permission, load = _NODES[kind]
    decision = context.viewer.decide(permission)
    if not decision.granted:
        raise forbidden(decision, "Query.node")
    return await load(context, record_id)


async def nodes(_root: Any, context: Context, ids: list[str]) -> list[Any]:
    """The records in the order of their ids; a failing one becomes an error at its place."""
    if len(ids) > MOST_NODES:
        raise BadUserInput(f"{len(ids)} ids are too many.", field=("ids",), hint=f"Ask for {MOST_NODES} at most.")
    return list(await asyncio.gather(*map(partial(node, None, context), ids), return_exceptions=True))
