"""The integration of the organization: set-up, integration users, candidates."""

from collections.abc import Callable
from typing import Any

from strawberry import UNSET

from resolvers import pagination
from resolvers.context import Context
from resolvers.cursors import Cursors
from resolvers.directory import Person
from resolvers.mutations import Payload
from services.candidates import Candidate
from services.grants import Grants
from services.integration_values import Done, IntegrationState, IntegrationUser, NewUser, SetUp
from services.listing import Cursor
from services.policy import ModuleGrant
from services.storage.clock import now


async def state(_root: Any, context: Context) -> IntegrationState:
    """The integration as it is."""
    return await context.services.integration.state(context.errand)


async def set_up(_root: Any, context: Context, input: Any) -> Payload:  # noqa: A002
    """Set products, data centre, edition and owner."""
    owner = given(input.owner_id)
    asked = SetUp(
        data_center=input.data_center,
        edition=input.edition,
        owner_member_id=context.record_id("user", owner, "input", "ownerId") if owner else None,
        products=given(input.products) or (),
        new_sign_up=input.new_sign_up,
    )
    return payload(await context.services.integration.set_up(context.errand, asked))


async def users(
    _root: Any, context: Context, first: int | None = None, after: str | None = None, search: str | None = None
) -> pagination.Page:
    """Integration users by address."""

    async def read(size: int, key: Any) -> tuple[list[Any], bool, int]:
        organization_id = context.viewer.organization_id
        found = await context.services.integration.users(organization_id, size, key, search)
        return found.users, found.more, found.total

    return await keyed(context, read, first, after, "integrationUsers", search)


async def candidates(
    _root: Any, context: Context, first: int | None = None, after: str | None = None, kind: Any = None
) -> pagination.Page:
    """Who could be migrated."""

    async def read(size: int, key: Any) -> tuple[list[Any], bool, int]:
        found = await context.services.candidates.page(context.viewer.organization_id, size, key, kind)
        return found.candidates, found.more, found.total

    return await keyed(context, read, first, after, "migrationCandidates", kind)


async def keyed(
    context: Context,
    read: Callable[[int, Any], Any],
    first: int | None,
    after: str | None,
    *identity: Any,
) -> pagination.Page:
    """A page of a list of our own, by its rows' (text, id) keys; its rows are counted."""
    cursors = Cursors.of_list(context, *identity)
    cursor = cursors.read(after)
    rows, more, total = await read(pagination.size(first), (cursor.value, cursor.id) if cursor else None)
    edges = [pagination.Edge(cursors.write(Cursor(row.key[0], 0, row.key[1])), row) for row in rows]
    return pagination.Page(edges, more, after is not None, now(), total)


async def users_add(_root: Any, context: Context, input: Any) -> Payload:  # noqa: A002
    """Make members integration users."""
    added = [
        NewUser(
            context.record_id("user", user.user_id, "input", "users", str(place), "userId"),
            user.product,
            granted(given(user.grants)),
        )
        for place, user in enumerate(input.users)
    ]
    return payload(await context.services.integration.add(context.errand, added))


async def user_update(_root: Any, context: Context, id: str, input: Any) -> Payload:  # noqa: A002
    """Change what an integration user may do."""
    member_id = context.record_id("user", id)
    changed = granted(given(input.grants))
    return payload(await context.services.integration.update(context.errand, member_id, given(input.product), changed))


async def user_remove(_root: Any, context: Context, id: str) -> Payload:  # noqa: A002
    """End somebody's being an integration user."""
    return payload(await context.services.integration.remove(context.errand, context.record_id("user", id)))


async def limit_raise(_root: Any, context: Context, limit: int, reason: str) -> Payload:
    """Allow more integration users."""
    return payload(await context.services.integration.raise_limit(context.errand, limit, reason))


async def freshness_set(_root: Any, context: Context, seconds: int) -> Payload:
    """Say how old answers may be."""
    return payload(await context.services.integration.set_freshness(context.errand, seconds))


def payload(done: Done[Any]) -> Payload:
    """The answer of an administrator's change."""
    return Payload(done.value, done.outcome, done.problems, done.audit_event_id)


def given(value: Any) -> Any:
    """What a client set; None for what was left out."""
    return None if value is UNSET else value


def granted(modules: Any) -> Grants | None:
    """Grants as the client wrote them, module by module; None is all that the capability set holds."""
    if modules is None:
        return None
    return {one.module.value: ModuleGrant(frozenset(one.actions)) for one in modules}


def person_of(record: IntegrationUser | Candidate, context: Context) -> Person:
    """The CRM user behind it."""
    member = context.global_id("user", record.member_id) if record.member_id else None
    return Person(member, record.name, record.email)


def modules(source: Any, _context: Context) -> list[tuple[str, ModuleGrant]]:
    """The grants of a source, module by module."""
    return sorted(source.grants.items())


def permissions(user: IntegrationUser, _context: Context) -> list[tuple[str, Any]]:
    """What all sources together permit, each with the products it comes from."""
    return sorted(user.permissions.items())
