"""Moving one member: provision → check → switch → audit → mail, all in the transaction that holds the item.

Whatever is killed on the way leaves the item as it was.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from services import audit, candidates, grants, letters, seats
from services.audit import Action, FieldChange, Subject
from services.audit import State as Outcome
from services.candidates import Candidate, Reason
from services.credentials import NAMES, Credentials
from services.errand import Errand
from services.errors import Forbidden, GatewayError, LimitReached
from services.identity import accesses
from services.letters import AuthorizationRequested, Migrated, Template
from services.mail import Outbox
from services.migration import ledger, undo
from services.migration.plan import Standing
from services.migration.states import ItemState, State, becomes
from services.migration.values import Purpose
from services.policy import FINANCE, AccessKind, CapabilitySet, ModuleGrant, Product, Viewer, actor
from services.storage.models import Member, Organization, ProductUser, now
from services.storage.rollout import MigrationItem
from services.upstream.billing import Billing
from services.upstream.books import Books

CHECK_SECONDS = 20.0
"""Within which the products have to answer whether somebody's access works."""
LINK_LIVES_AT_LEAST = timedelta(days=14)

Invite = Callable[[Member, Sequence[Product], timedelta], Awaitable[str]]
"""Gives the link under which a member connects their own access to these products."""


GATEWAY = "Finance gateway"
"""Who acts where nobody has asked: when the window has closed."""


@dataclass(frozen=True)
class Job:
    """A migration that is being worked on, and as whom its workers act."""

    id: str
    organization_id: str
    purpose: Purpose
    actor: Viewer


def gateway(organization_id: str) -> Viewer:
    """The gateway itself as an actor: nobody's id, nobody's address."""
    return actor(organization_id, "", GATEWAY, "")


class Superseded(Exception):
    """The member, or the migration, is not as it was when the item was taken: look again."""


@dataclass(frozen=True)
class _Subject:
    """A member with what decides about them now."""

    candidate: Candidate
    standing: Standing

    @property
    def member(self) -> Member:
        return self.standing.member

    @property
    def organization(self) -> Organization:
        return self.standing.organization

    @property
    def own_access(self) -> bool:
        """Whether the member may work under their own access as it is now."""
        return self.candidate.reason is None and self.candidate.to is AccessKind.PRODUCT_USER


class Moves:
    """Moves members to their own access, or makes them integration users."""

    def __init__(
        self,
        credentials: Credentials,
        books: Books,
        billing: Billing,
        outbox: Outbox,
        invite: Invite,
    ) -> None:
        self._credentials = credentials
        self._books = books
        self._billing = billing
        self._outbox = outbox
        self._invite = invite

    async def move(self, session: AsyncSession, job: Job, item: MigrationItem) -> None:
        """Settle an item, or leave it for later with `Superseded`.

        Raises the error of a product that does not confirm the member's access; nothing has changed then.
        """
        errand = Errand(job.actor, f"migration-{item.id}", monotonic() + CHECK_SECONDS)
        found = await subject(session, item.member_id)
        if found.own_access:
            await self._check(errand, found)
        link = await self._link(found) if found.candidate.reason is Reason.AWAITING_AUTHORIZATION else None
        await enter(session, job, item)
        again = await self._held(session, item, found)
        if again.candidate.reason is Reason.AWAITING_AUTHORIZATION and link is not None:
            await self._ask(session, item, again, *link)
        elif again.candidate.reason is not None:
            settle(item, ItemState.SKIPPED, again.candidate.reason, again.candidate.message)
        elif again.own_access:
            await self._switch(session, errand, item, again, None)
        else:
            await self._seat(session, errand, item, again)

    async def _check(self, errand: Errand, found: _Subject) -> None:
        """Make sure, under the member's own access, that it works and is theirs."""
        viewer = found.standing.as_product_user(found.candidate.products)
        for product in found.candidate.products:
            connection = await self._credentials.for_viewer(viewer, product)
            if product is Product.BILLING:
                await self._billing.reach(connection, errand)
            else:
                user = await self._books.me(connection, errand)
                if found.member.books_user_id not in {None, user.id}:
                    raise Forbidden(
                        f"The connected account belongs to another user of {NAMES[product]}: {user.email}.",
                        hint=f"The account to connect is that of {found.member.email}.",
                    )

    async def _link(self, found: _Subject) -> tuple[str, Sequence[Product], datetime]:
        """What the member is asked with: the link, for which products, until when."""
        missing = [product for product in found.candidate.products if product not in found.candidate.connected]
        closes_at = found.organization.window_closes_at or now()
        lifetime = max(closes_at - now(), LINK_LIVES_AT_LEAST)
        return await self._invite(found.member, missing, lifetime), missing, now() + lifetime

    async def _held(self, session: AsyncSession, item: MigrationItem, before: _Subject) -> _Subject:
        """The member, who from now on changes only by us; raises `Superseded` when what was checked is not so."""
        if before.candidate.reason is None and before.candidate.to is AccessKind.INTEGRATION_USER:
            await seats.hold(session, before.organization.id)
        lock = select(Member.id).where(Member.id == item.member_id).with_for_update(key_share=True)
        await session.exec(lock)
        again = await subject(session, item.member_id)
        decided = (before.candidate.reason, before.candidate.to, before.candidate.connected)
        if decided != (again.candidate.reason, again.candidate.to, again.candidate.connected):
            raise Superseded
        return again

    async def _ask(
        self,
        session: AsyncSession,
        item: MigrationItem,
        found: _Subject,
        link: str,
        products: Sequence[Product],
        until: datetime,
    ) -> None:
        """Ask the member by mail for access; until it is given they work as before."""
        settle(item, ItemState.SKIPPED, Reason.AWAITING_AUTHORIZATION, found.candidate.message)
        values = AuthorizationRequested(products=tuple(products), link=link, until=until)
        await post(self._outbox, session, item, found.member, Template.AUTHORIZATION_REQUESTED, values)

    async def _seat(self, session: AsyncSession, errand: Errand, item: MigrationItem, found: _Subject) -> None:
        """Make the member an integration user of Books, if there is a seat."""
        try:
            await seats.require(session, found.organization.id, [found.member.id])
        except LimitReached as error:
            settle(item, ItemState.SKIPPED, Reason.LIMIT_REACHED, error.message)
            return
        capability_set = CapabilitySet(found.organization.capability_set)
        await self._switch(session, errand, item, found, capability_set)

    async def _switch(
        self,
        session: AsyncSession,
        errand: Errand,
        item: MigrationItem,
        found: _Subject,
        capability_set: CapabilitySet | None,
    ) -> None:
        """Let the member work in their own way from the commit on; with a capability set as an integration user."""
        member, candidate = found.member, found.candidate
        item.undo = undo.kept(member, list(found.standing.access.granted.values()))
        changes = [FieldChange("access", item.from_access, candidate.to)]
        if capability_set is None:
            member.migrated_at = now()
        else:
            await seats.give(session, member, Product.BOOKS, capability_set)
            changes.append(FieldChange("capabilitySet", None, capability_set))
        settle(item, ItemState.MIGRATED, None, _now_works(candidate))
        note(session, errand, "users.migrate", "migration.run", item, changes)
        await post(self._outbox, session, item, member, Template.MIGRATED, _told(candidate, capability_set))


async def enter(session: AsyncSession, job: Job, item: MigrationItem) -> None:
    """Go on only while the migration does; who has consented late is moved when it has been completed, too."""
    state = await ledger.join(session, job.id)
    late = item.state == ItemState.SKIPPED and state is State.COMPLETED
    if state is not State.RUNNING and not late:
        raise Superseded


async def subject(session: AsyncSession, member_id: str) -> _Subject:
    """A member and what decides about them, read anew."""
    member = await session.get_one(Member, member_id, populate_existing=True)
    organization = await session.get_one(Organization, member.organization_id, populate_existing=True)
    alike = select(Member).where(Member.organization_id == organization.id, Member.email == member.email)
    users = select(ProductUser).where(ProductUser.organization_id == organization.id, ProductUser.email == member.email)
    access = (await accesses(session, [member]))[member.id]
    facts = candidates.Facts(
        own={member.id: frozenset(p for p, own in access.connections.items() if own and p in _FINANCE)},
        seats={member.id: tuple(access.granted)},
        profiles=[member.profile_id] if member.profile_id else [],
    )
    matched = candidates.match((await session.exec(alike)).all(), (await session.exec(users)).all(), facts)
    found = next((one for one in matched if one.member_id == member.id), _gone(member))
    return _Subject(found, Standing(organization, member, access))


_FINANCE = frozenset(FINANCE.values())


def _gone(member: Member) -> Candidate:
    return Candidate(
        kind=candidates.Kind.INTEGRATION_USER,
        id=member.id,
        member_id=member.id,
        name=member.name,
        email=member.email,
        to=AccessKind.NONE,
        reason=Reason.NOT_A_CRM_USER,
        message="The CRM does not list this user any more.",
    )


def settle(item: MigrationItem, state: ItemState, reason: Reason | None, message: str | None) -> None:
    """Give an item its result; one that waits for authorization may wait on."""
    item.state = state if item.state == state else becomes(ItemState(item.state), state)
    item.reason, item.message, item.settled_at = reason, message, now()


def note(
    session: AsyncSession,
    errand: Errand,
    name: str,
    permission: str,
    item: MigrationItem,
    changes: Sequence[FieldChange],
) -> None:
    """Add what was done to a member to the audit."""
    own = errand.calls[-1].actor if errand.calls else None
    action = Action(name=name, permission=permission, subject=Subject("users", item.member_id), credential=own)
    audit.append(session, errand, action, Outcome.APPLIED, changes=changes, calls=errand.calls)


async def post(
    outbox: Outbox,
    session: AsyncSession,
    item: MigrationItem,
    member: Member,
    template: Template,
    values: letters.Values,
) -> None:
    """Have the member told, once for ever."""
    await outbox.add(
        session,
        organization_id=member.organization_id,
        member_id=member.id,
        event=template,
        recipient=member.email,
        template=template,
        values=letters.stored(values),
        migration_item_id=item.id,
    )


def in_words(granted: grants.Grants) -> dict[Any, tuple[Any, ...]]:
    """What an integration user may do in each module, as letters tell it."""
    return {module: tuple(sorted(grant.actions)) for module, grant in granted.items()}


def _told(candidate: Candidate, capability_set: CapabilitySet | None) -> Migrated:
    if capability_set is None:
        return Migrated(access="PRODUCT_USER", products=candidate.products)
    granted: Mapping[str, ModuleGrant] = grants.narrowed(capability_set, None)
    return Migrated(access="INTEGRATION_USER", products=(Product.BOOKS,), modules=in_words(granted))


def _now_works(candidate: Candidate) -> str:
    if candidate.to is AccessKind.INTEGRATION_USER:
        return "The user is an integration user of Zoho Books."
    named = " and ".join(NAMES[product] for product in candidate.products)
    return f"The user works under their own access to {named}."


def passing(error: GatewayError) -> bool:
    """Whether trying again may help."""
    return error.code in {"UPSTREAM_UNAVAILABLE", "UPSTREAM_RATE_LIMITED", "DEADLINE_EXCEEDED"}


def pause(error: GatewayError, attempt: int, jitter: float) -> timedelta:
    """How long not to try again: as the product asks, otherwise ever twice as long; `jitter` between 0 and 1."""
    asked = error.details.get("retryAfter")
    seconds = float(asked) if asked else 2.0**attempt * (0.5 + jitter)
    return timedelta(seconds=min(seconds, 300.0))
