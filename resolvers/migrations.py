"""Migrations: preview, run, watch, stop, undo."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

from resolvers import pagination
from resolvers.context import Context
from resolvers.cursors import Cursors
from resolvers.directory import Person
from resolvers.integration import given, payload
from resolvers.mutations import Payload
from services.errors import NotFound
from services.listing import Cursor
from services.migration import ledger
from services.migration.values import Item, Run
from services.storage.clock import now


async def one(_root: Any, context: Context, id: str) -> Run:  # noqa: A002
    """A migration by global id."""
    return await fetch(context, context.record_id("migration", id))


async def fetch(context: Context, migration_id: str) -> Run:
    """A migration; raises `NotFound`."""
    found = await context.services.migrations.get(context.viewer.organization_id, migration_id)
    if found is None:
        raise NotFound
    return found


async def many(_root: Any, context: Context, first: int | None = None, after: str | None = None) -> pagination.Page:
    """Migrations, newest first."""
    cursors = Cursors.of_list(context, "migrations")
    cursor = cursors.read(after, datetime.fromisoformat)
    organization_id, key = context.viewer.organization_id, (cursor.value, cursor.id) if cursor else None
    found = await context.services.migrations.page(organization_id, pagination.size(first), key)
    edges = [pagination.Edge(cursors.write(Cursor(run.created_at, 0, run.id)), run) for run in found.runs]
    return pagination.Page(edges, found.more, after is not None, now())


async def items(
    run: Run, context: Context, first: int | None = None, after: str | None = None, state: Any = None
) -> pagination.Page:
    """The members of a migration, in their order."""
    cursors = Cursors.of_list(context, "migrationItems", run.id, state)
    cursor = cursors.read(after, int)
    position = cursor.value if cursor else None
    read = context.services.migrations.items
    found = await read(context.viewer.organization_id, run.id, pagination.size(first), position, state)
    edges = [pagination.Edge(cursors.write(Cursor(item.position, 0, item.id)), item) for item in found.items]
    return pagination.Page(edges, found.more, after is not None, now())


async def migrate(_root: Any, context: Context, input: Any) -> Payload:  # noqa: A002
    """What "Migrate Users" and Save do; or only say what would happen."""
    asked = given(input.user_ids)
    members = asked and [
        context.record_id("user", user_id, "input", "userIds", str(place)) for place, user_id in enumerate(asked)
    ]
    return payload(await context.services.migrations.start(context.errand, members, dry_run=input.dry_run))


async def upgrade(_root: Any, context: Context, dry_run: bool) -> Payload:
    """Give integration users the newest capability set."""
    return payload(await context.services.capabilities.upgrade(context.errand, dry_run=dry_run))


def control(step: str) -> Callable[..., Awaitable[Payload]]:
    """A step that an administrator takes with a migration."""

    async def resolve(_root: Any, context: Context, id: str) -> Payload:  # noqa: A002
        migration_id = context.record_id("migration", id)
        return payload(await getattr(context.services.migrations, step)(context.errand, migration_id))

    return resolve


async def roll_back(_root: Any, context: Context, id: str, user_ids: list[str] | None = None) -> Payload:  # noqa: A002
    """Take all members, or some, back to the old way."""
    migration_id = context.record_id("migration", id)
    members = user_ids and [context.record_id("user", user, "userIds", str(i)) for i, user in enumerate(user_ids)]
    return payload(await context.services.migrations.roll_back(context.errand, migration_id, members))


def person(found: Any, context: Context) -> Person | None:
    """Somebody of the organization."""
    if found is None:
        return None
    return Person(context.global_id("user", found.id) if found.id else None, found.name, found.email)


def requested_by(run: Run, context: Context) -> Person | None:
    """Who asked for it; None when the window's end did."""
    return person(run.requested_by, context)


def user(item: Item, context: Context) -> Person | None:
    """The member."""
    return person(item.user, context)


async def progress(_root: Any, context: Context, id: str) -> AsyncIterator[Run]:  # noqa: A002
    """The migration as it is now, and again whenever that changes, until it has come to its end."""
    migration_id = context.record_id("migration", id)
    async with context.services.events.subscribe(ledger.topic(migration_id)) as changes:
        async for _ in changes:  # the first notice comes at once
            run = await fetch(context, migration_id)
            yield run
            if run.finished_at is not None:
                return
