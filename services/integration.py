"""The integration of an organization: what is connected, who its integration users are, and how many there may be.

Every change is one transaction with its audit events. Permissions are checked before, by whoever calls.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlmodel import col, func, or_, select, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession

from services import grants, seats
from services.audit import Action, FieldChange, State, Subject, append
from services.credentials import Credentials
from services.directory import Person
from services.drafts import Problem
from services.enrolment import enrolment, grant_problems
from services.errand import Errand
from services.errors import GatewayError, NotFound
from services.integration_values import (
    Done,
    IntegrationState,
    IntegrationUser,
    Key,
    NewUser,
    ProductConnection,
    SetUp,
    Source,
    Users,
    window_of,
)
from services.onboarding import onboarding
from services.policy import LIMIT_RAISE, MANAGE, CapabilitySet, Product
from services.rollout import Feature, Rollout, availability
from services.storage.engine import Database
from services.storage.models import Connection, IntegrationGrant, Json, Member, Organization, now
from services.upstream.auth import DATA_CENTERS

HIGHEST = 100_000
"""No limit is raised above this."""
LONGEST_REASON = 1000
OLDEST_SECONDS = 86_400
"""How old answers can be allowed to be."""


class Integration:
    """The integrations of all organizations."""

    def __init__(self, database: Database, rollout: Rollout, credentials: Credentials) -> None:
        self._database = database
        self._rollout = rollout
        self._credentials = credentials

    async def state(self, errand: Errand) -> IntegrationState:
        """The integration of the viewer's organization."""
        async with self._database.session() as session:
            organization = await session.get_one(Organization, errand.viewer.organization_id)
            products = await _products(session, organization.id)
            count = await seats.taken(session, organization.id)
        phases = await self._rollout.phases(organization.data_center)
        of_users = [phase for phase in phases if phase.feature == Feature.INTEGRATION_USERS]
        at = now()
        return IntegrationState(
            data_center=organization.data_center,
            edition=organization.edition,
            products=products,
            available=availability(of_users, organization.edition, at),
            rollout=tuple(phases),
            limit=organization.integration_user_limit,
            count=count,
            window=window_of(organization, at),
            capability_set=CapabilitySet(organization.capability_set),
            freshness_seconds=organization.freshness_seconds,
        )

    async def users(
        self, organization_id: str, first: int, after: Key | None = None, search: str | None = None
    ) -> Users:
        """Integration users by address, those after `after`; `search` is a part of the name or address."""
        wanted: list[Any] = [col(Member.id).in_(_seated(organization_id))]
        if search and (part := search.strip()):
            columns = (col(Member.name), col(Member.email))
            wanted.append(or_(*(column.icontains(part, autoescape=True) for column in columns)))
        query = select(Member).where(*wanted).order_by(col(Member.email), col(Member.id)).limit(first + 1)
        if after is not None:
            query = query.where(tuple_(col(Member.email), col(Member.id)) > tuple_(*after))
        async with self._database.session() as session:
            total = (await session.exec(select(func.count()).select_from(Member).where(*wanted))).one()
            found = await _users(session, (await session.exec(query)).all())
        return Users(found[:first], len(found) > first, total)

    async def by_id(self, organization_id: str, member_ids: Collection[str]) -> dict[str, IntegrationUser]:
        """The integration users among these members; who is none is absent."""
        query = select(Member).where(col(Member.id).in_(member_ids), col(Member.id).in_(_seated(organization_id)))
        async with self._database.session() as session:
            found = await _users(session, (await session.exec(query)).all())
        return {user.member_id: user for user in found}

    async def user(self, organization_id: str, member_id: str) -> IntegrationUser:
        """One integration user; raises `NotFound`."""
        found = await self.by_id(organization_id, [member_id])
        if member_id not in found:
            raise NotFound("There is no such integration user.")
        return found[member_id]

    async def add(self, errand: Errand, users: Sequence[NewUser]) -> Done[list[IntegrationUser]]:
        """Make members integration users, all of them or none.

        Problems are at `input.users.<place>.userId`, `.product` and `.grants`. Raises `LimitReached` when there are not
        enough seats. Each user has an audit event of their own; the first one is told.
        """
        action = _action("integration.usersAdd", "users", users[0].member_id if len(users) == 1 else None)
        async with self._changing(errand, action) as (session, organization):
            await seats.hold(session, organization.id)
            await session.refresh(organization)
            asked = await enrolment(session, organization, users)
            if wrong := list(asked.problems()):
                return _rejected(session, errand, action, wrong)
            await seats.require(session, organization.id, list(asked.members))
            capable = asked.capability_set
            events = [
                await _seat(session, errand, action.name, asked.members[user.member_id], user, capable)
                for user in users
            ]
            made = await _users(session, list(asked.members.values()))
        return Done(made, (), events[0])

    async def update(
        self, errand: Errand, member_id: str, product: Product | None, granted: grants.Grants | None
    ) -> Done[IntegrationUser]:
        """Change what an integration user may do, in one product or in all of theirs; None grants the whole set.

        Problems are at `input.grants`. Raises `NotFound` for one who is no integration user there.
        """
        action = _action("integration.usersUpdate", "users", member_id)
        async with self._changing(errand, action) as (session, organization):
            member, held = await _held(session, organization.id, member_id, product)
            await session.refresh(organization)
            capable = CapabilitySet(organization.capability_set)
            products = [Product(row.product) for row in held]
            if wrong := list(grant_problems(("input", "grants"), products, capable, granted)):
                return _rejected(session, errand, action, wrong)
            users = [NewUser(member_id, product, grants.of(product, granted)) for product in products]
            events = [
                await _seat(session, errand, action.name, member, user, capable, row)
                for user, row in zip(users, held, strict=True)
            ]
            made = await _users(session, [member])
        return Done(made[0], (), events[0])

    async def remove(self, errand: Errand, member_id: str, product: Product | None = None) -> Done[IntegrationUser]:
        """End a member's being an integration user of one product or of all; what is left, or None.

        The member does not go back to working under the owner's access. Raises `NotFound` for one who is none there.
        """
        action = _action("integration.usersRemove", "users", member_id)
        async with self._changing(errand, action) as (session, organization):
            member, held = await _held(session, organization.id, member_id, product)
            changes = [change for row in held for change in _changes(row.product, _described(row), {})]
            await seats.take(session, member_id, [Product(row.product) for row in held])
            event = append(session, errand, action, State.APPLIED, changes=changes)
            left = await _users(session, [member])
        return Done(left[0] if left[0].sources else None, (), event)

    async def raise_limit(self, errand: Errand, limit: int, reason: str) -> Done[IntegrationState]:
        """Allow more integration users; the audit keeps the reason. Problems are at `limit` and `reason`."""
        action = _action(LIMIT_RAISE, "integration", errand.viewer.organization_id)
        async with self._changing(errand, action) as (session, organization):
            await seats.hold(session, organization.id)
            await session.refresh(organization)
            before = organization.integration_user_limit
            if wrong := list(_limit_problems(before, limit, reason)):
                return _rejected(session, errand, action, wrong)
            organization.integration_user_limit = limit
            changes = [FieldChange("integrationUserLimit", before, limit), FieldChange("reason", None, reason.strip())]
            event = append(session, errand, action, State.APPLIED, changes=changes)
        return Done(await self.state(errand), (), event)

    async def set_freshness(self, errand: Errand, seconds: int) -> Done[IntegrationState]:
        """Say how old answers may be where an operation does not. Problems are at `seconds`."""
        subject = Subject("integration", errand.viewer.organization_id)
        action = Action(name="integration.freshnessSet", permission=MANAGE, subject=subject)
        async with self._changing(errand, action) as (session, organization):
            if not 0 <= seconds <= OLDEST_SECONDS:
                wrong = Problem(("seconds",), f"Answers can be 0 to {OLDEST_SECONDS} seconds old.")
                return _rejected(session, errand, action, [wrong])
            change = FieldChange("freshnessSeconds", organization.freshness_seconds, seconds)
            organization.freshness_seconds = seconds
            event = append(session, errand, action, State.APPLIED, changes=[change])
        return Done(await self.state(errand), (), event)

    async def set_up(self, errand: Errand, given: SetUp) -> Done[IntegrationState]:
        """Set data centre, edition and owner, and begin: how, is decided by the first time and stays.

        A new sign-up has integration users from the start; an existing organization works in the old way, within a
        window of three months from now. Problems are at `input.dataCenter`, `.edition`, `.ownerId`, `.products` and
        `.newSignUp`.
        """
        organization_id = errand.viewer.organization_id
        action = _action("integration.setUp", "integration", organization_id)
        async with self._recorded(errand, action):
            if given.data_center in DATA_CENTERS:
                await self._rollout.require(given)
            wide = await self._rollout.available(given, Feature.ALL_FINANCE_MODULES)
            widest = CapabilitySet.ALL_FINANCE_MODULES if wide.available else CapabilitySet.ESTIMATES_ONLY
            async with self._database.session() as session:
                asked = await onboarding(session, organization_id, given)
                if wrong := list(asked.problems()):
                    return _rejected(session, errand, action, wrong)
                changes = await asked.apply(session, widest)
                event = append(session, errand, action, State.APPLIED, changes=changes)
        self._credentials.forget(organization_id)
        return Done(await self.state(errand), (), event)

    @asynccontextmanager
    async def _changing(self, errand: Errand, action: Action) -> AsyncIterator[tuple[AsyncSession, Organization]]:
        """One transaction on the viewer's organization, within the rollout."""
        async with self._recorded(errand, action):
            async with self._database.session() as session:
                organization = await session.get_one(Organization, errand.viewer.organization_id)
            await self._rollout.require(organization)
            async with self._database.session() as session:
                yield session, await session.get_one(Organization, organization.id)

    @asynccontextmanager
    async def _recorded(self, errand: Errand, action: Action) -> AsyncIterator[None]:
        """Leave an audit event of what was refused; the error tells its id as `auditEventId`."""
        try:
            yield
        except GatewayError as error:
            refusal = Problem((), error.message, error.code, error.hint)
            async with self._database.session() as session:
                event = append(session, errand, action, State.REJECTED, user_errors=[_json(refusal)])
            error.details["auditEventId"] = event
            raise


def _action(name: str, module: str, subject_id: str | None) -> Action:
    """The action of the mutation whose permission has the same name."""
    return Action(name=name, permission=name, subject=Subject(module, subject_id))


def _rejected(session: AsyncSession, errand: Errand, action: Action, wrong: Sequence[Problem]) -> Done[Any]:
    event = append(session, errand, action, State.REJECTED, user_errors=[_json(problem) for problem in wrong])
    return Done(None, wrong, event)


def _json(problem: Problem) -> Json:
    return {"field": list(problem.field), "message": problem.message, "code": problem.code, "hint": problem.hint}


def _limit_problems(before: int, limit: int, reason: str) -> Iterator[Problem]:
    if not before < limit <= HIGHEST:
        yield Problem(("limit",), f"The limit is {before}; it can be raised to at most {HIGHEST}, and not lowered.")
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        yield Problem(("reason",), f"A reason of 1 to {LONGEST_REASON} characters is needed.")


def _seated(organization_id: str) -> Any:
    return select(IntegrationGrant.member_id).where(IntegrationGrant.organization_id == organization_id)


async def _held(
    session: AsyncSession, organization_id: str, member_id: str, product: Product | None
) -> tuple[Member, list[IntegrationGrant]]:
    """A member and the seats they have, in one product or in all, locked; raises `NotFound` when there are none."""
    await seats.hold(session, organization_id)
    member = await session.get(Member, member_id, with_for_update={"key_share": True})
    rows = (await seats.rows(session, [member_id])).get(member_id, [])
    held = [row for row in rows if product in {None, row.product}]
    if member is None or member.organization_id != organization_id or not held:
        raise NotFound("There is no such integration user.")
    return member, held


async def _seat(
    session: AsyncSession,
    errand: Errand,
    name: str,
    member: Member,
    user: NewUser,
    capable: CapabilitySet,
    row: IntegrationGrant | None = None,
) -> str:
    """Give or change a seat (`row` as it is); the id of the audit event."""
    before = _described(row) if row else {}
    await seats.give(session, member, user.product, capable, user.granted)
    after = {"capabilitySet": capable, "grants": None if user.granted is None else grants.stored(user.granted)}
    changes = _changes(user.product, before, after)
    return append(session, errand, _action(name, "users", member.id), State.APPLIED, changes=changes)


def _described(row: IntegrationGrant) -> Json:
    return {"capabilitySet": row.capability_set, "grants": row.grants}


def _changes(product: str, before: Json, after: Json) -> list[FieldChange]:
    """What a seat in a product was and is; grants None are the whole set's, an absent seat has neither."""
    return [FieldChange(f"{product}.{name}", before.get(name), after.get(name)) for name in ("capabilitySet", "grants")]


async def _users(session: AsyncSession, members: Sequence[Member]) -> list[IntegrationUser]:
    await session.flush()
    rows = await seats.rows(session, [member.id for member in members])
    return [
        IntegrationUser(
            member.id, member.name, member.email, member.status, tuple(map(_source, rows.get(member.id, ())))
        )
        for member in members
    ]


def _source(row: IntegrationGrant) -> Source:
    held, product = CapabilitySet(row.capability_set), Product(row.product)
    granted = grants.narrowed(held, None if row.grants is None else grants.read(row.grants), product)
    narrowed = granted != grants.narrowed(held, None, product)
    return Source(product, held, granted, narrowed, row.created_at)


async def _products(session: AsyncSession, organization_id: str) -> tuple[ProductConnection, ...]:
    query = (
        select(Connection, Member.name)
        .join(Member, col(Member.id) == col(Connection.member_id), isouter=True)
        .where(Connection.organization_id == organization_id, col(Connection.is_owner))
    )
    rows = {row.product: (row, name) for row, name in await session.exec(query)}
    return tuple(_connection(product, *rows.get(product, (None, None))) for product in Product)


def _connection(product: Product, row: Connection | None, name: str | None) -> ProductConnection:
    if row is None:
        return ProductConnection(product, connected=False)
    owner = Person(row.member_id, name, row.email)
    return ProductConnection(product, connected=True, owner=owner, api_domain=row.api_domain, last_error=row.last_error)
