"""Under whose access a call to a product runs, and the sealed tokens that allow it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import and_, col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from services import audit
from services.audit import Action, FieldChange, State, Subject
from services.errand import Errand
from services.errors import Forbidden, GatewayError
from services.lookups import Lookups
from services.policy import AccessKind, Product, Viewer
from services.storage import models
from services.storage.engine import Database, alone
from services.storage.models import fold
from services.storage.sealing import Seal

NAMES = {Product.CRM: "Zoho CRM", Product.BOOKS: "Zoho Books", Product.BILLING: "Zoho Billing"}
CONNECT = "connections.connect"
"""In the audit: a person's own access, or the owner's, was connected."""
_RECENT = 5.0
"""Seconds for which the owner's connection is used again that was read for nobody's sake."""
_HELD = 60.0
"""The same of one that was read for a viewer: another value as soon as any connection changes."""


@dataclass(frozen=True)
class Connection:
    """A person's access to one product of one organization.

    `member_id` is empty while the directory does not know the person: before its first synchronization.
    """

    id: str
    organization_id: str
    member_id: str
    email: str
    product: Product
    product_organization_id: str
    data_center: str
    accounts_url: str
    api_domain: str
    is_owner: bool
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What a person's consent brought: `email` is the account's address, `refresh_token` acts as that person.

    `member_id` says whose account it is when the address is not the one that the CRM knows.
    """

    organization_id: str
    email: str
    product: Product
    product_organization_id: str
    data_center: str
    accounts_url: str
    api_domain: str
    refresh_token: str = field(repr=False)
    scopes: Sequence[str] = ()
    is_owner: bool = False
    member_id: str | None = None


@dataclass
class HeldToken:
    """A connection's access token while nobody else can change it."""

    access_token: str | None = field(repr=False)
    expires_at: datetime | None
    api_domain: str
    renewed: bool = False

    async def save(self, access_token: str, expires_at: datetime, api_domain: str) -> None:
        """Replace the token; it is stored when the lock is left."""
        self.access_token, self.expires_at, self.api_domain = access_token, expires_at, api_domain
        self.renewed = True


@dataclass(frozen=True)
class Ownership:
    """An owner's connection as administrators see it."""

    organization_id: str
    product: Product
    product_organization_id: str
    email: str
    api_domain: str
    last_error: str | None


_Key = tuple[str, str | None, Product]
"""(organization's id, member's id or None for the owner, product)"""
_Look = Lookups[tuple[_Key, str], Connection | None]
"""What was found by key and viewer's id, which is empty where nobody asked."""


class Credentials:
    """The connections of all organizations."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal
        self._recent: _Look = Lookups(_RECENT, lambda _, found: found is not None)
        self._for_viewers: _Look = Lookups(_HELD)

    async def aclose(self) -> None:
        """Stop what is under way."""
        await self._recent.aclose()
        await self._for_viewers.aclose()

    async def for_viewer(self, viewer: Viewer, product: Product) -> Connection:
        """The access that this viewer's calls run under; raises `Forbidden` when there is none.

        A product user's is their own and never the owner's. The CRM is asked under the viewer's own access where it is
        connected, otherwise under the owner's: what may be seen there is the viewer's profile's decision.
        """
        kind = viewer.access_to(product).kind
        if product is Product.CRM:
            own = await self._find(viewer.organization_id, viewer.id, product, viewer)
            return own or await self.owner(viewer.organization_id, product, viewer)
        if kind in {AccessKind.INTEGRATION_USER, AccessKind.OWNER_DELEGATED}:
            return await self.owner(viewer.organization_id, product, viewer)
        own = None
        if kind is AccessKind.PRODUCT_USER:
            own = await self._find(viewer.organization_id, viewer.id, product, viewer)
        if own is None:
            raise Forbidden(
                f"You have no access to {NAMES[product]}.",
                hint=f"Connect your own {NAMES[product]} account, or ask an administrator of this integration.",
                product=product,
            )
        return own

    async def owner(self, organization_id: str, product: Product, viewer: Viewer | None = None) -> Connection:
        """The connection of the integration's owner; raises `Forbidden` when the product is not connected."""
        found = await self._find(organization_id, None, product, viewer)
        if found is None:
            raise Forbidden(
                f"{NAMES[product]} is not connected.",
                hint=f"An administrator of this integration can connect {NAMES[product]}.",
                product=product,
            )
        return found

    async def owners(self, organization_id: str | None = None) -> list[Ownership]:
        """What the owner, or every organization's owner, has connected."""
        rows = select(models.Connection).where(col(models.Connection.is_owner))
        if organization_id is not None:
            rows = rows.where(models.Connection.organization_id == organization_id)
        async with self._database.session() as session:
            found = await session.exec(rows.order_by(models.Connection.organization_id, models.Connection.product))
            return [_ownership(row) for row in found]

    async def connect(self, consent: Consent, errand: Errand | None = None) -> Connection:
        """Store a consent. It replaces the same person's earlier one, and as the owner's the earlier owner.

        The audit tells that the errand's viewer did it; nothing, where there is none.
        """
        email = fold(consent.email)
        async with self._database.session() as session:
            await _hold_member(session, consent, email)
            before = await _make_room(session, consent, email)
            values = self._row(consent, email)
            values["member_id"] = consent.member_id or _member_at(consent.organization_id, email)
            kept = {"id", "organization_id", "product", "email", "is_owner"}
            statement = insert(models.Connection).values(values)
            statement = statement.on_conflict_do_update(
                index_elements=["organization_id", "product", "email"],
                set_={name: statement.excluded[name] for name in values if name not in kept}
                | {"is_owner": col(models.Connection.is_owner) | consent.is_owner},
            )
            row = (await session.exec(statement.returning(models.Connection))).scalars().one()
            if errand is not None:
                _tell(session, errand, consent, row, before)
        self.forget(consent.organization_id)
        return self._opened(row)

    async def disconnect(self, connection_id: str) -> None:
        """Remove a connection and its tokens."""
        async with self._database.session() as session:
            await session.exec(delete(models.Connection).where(col(models.Connection.id) == connection_id))
        self._recent.forget()
        self._for_viewers.forget()

    @asynccontextmanager
    async def locked(self, connection_id: str) -> AsyncIterator[HeldToken]:
        """The connection's access token, locked against every other process until left.

        What `HeldToken.save` was given is stored then; an error that leaves the block is remembered as the
        connection's last. Raises `Forbidden` when the connection has been removed.
        """
        moved = False
        try:
            async with self._database.session() as session:
                row = await session.get(models.Connection, connection_id, with_for_update=True)
                if row is None:
                    raise Forbidden("The connection has been removed.", hint="Connect the product again.")
                held = self._held(row)
                yield held
                if held.renewed:
                    moved = row.api_domain != held.api_domain
                    self._keep(row, held)
        except GatewayError as error:
            await self._remember(connection_id, error.message)
            raise
        if moved:
            self.forget(row.organization_id)

    async def reseal(self) -> int:
        """Seal under the newest key what an older one has sealed; returns how many connections changed."""
        async with self._database.session() as session:
            ids = (await session.exec(select(models.Connection.id))).all()
        return sum([await self._reseal(row_id) for row_id in ids])

    def forget(self, organization_id: str) -> None:
        """Read the organization's connections anew."""
        for known in (self._recent, self._for_viewers):
            known.forget(lambda at: at[0][0] == organization_id)

    async def _find(
        self, organization_id: str, member_id: str | None, product: Product, viewer: Viewer | None = None
    ) -> Connection | None:
        """The member's connection; the owner's for None.

        What was found for a viewer, nothing included, holds for that one alone: another access is another viewer.
        """
        key = (organization_id, member_id, product)
        if viewer is None:
            return await self._recent.get((key, ""), None, lambda: self._read(*key))
        return await self._for_viewers.get((key, viewer.id), (id(viewer), viewer), lambda: self._read(*key))

    async def _read(self, organization_id: str, member_id: str | None, product: Product) -> Connection | None:
        whose = col(models.Connection.is_owner) if member_id is None else col(models.Connection.member_id) == member_id
        asked = select(models.Connection).where(
            models.Connection.organization_id == organization_id, models.Connection.product == product, whose
        )
        async with self._database.session() as session:
            row = (await session.exec(asked)).one_or_none()
        return None if row is None else self._opened(row)

    def _row(self, consent: Consent, email: str) -> dict[str, object]:
        about = _about(consent.organization_id, consent.product, email, "refresh_token")
        return {
            "id": models.new_id(),
            "organization_id": consent.organization_id,
            "email": email,
            "product": consent.product,
            "product_organization_id": consent.product_organization_id,
            "data_center": consent.data_center,
            "accounts_url": consent.accounts_url,
            "api_domain": consent.api_domain,
            "scopes": list(consent.scopes),
            "is_owner": consent.is_owner,
            "refresh_token": self._seal.close(consent.refresh_token, about),
            "access_token": None,
            "expires_at": None,
            "last_error": None,
            "connected_at": models.now(),
        }

    def _opened(self, row: models.Connection) -> Connection:
        return Connection(
            id=row.id,
            organization_id=row.organization_id,
            member_id=row.member_id or "",
            email=row.email,
            product=Product(row.product),
            product_organization_id=row.product_organization_id,
            data_center=row.data_center,
            accounts_url=row.accounts_url,
            api_domain=row.api_domain,
            is_owner=row.is_owner,
            refresh_token=self._seal.open(row.refresh_token, _secret(row, "refresh_token")),
        )

    def _held(self, row: models.Connection) -> HeldToken:
        token = self._seal.open(row.access_token, _secret(row, "access_token")) if row.access_token else None
        return HeldToken(token, row.expires_at, row.api_domain)

    def _keep(self, row: models.Connection, held: HeldToken) -> None:
        row.access_token = self._seal.close(held.access_token or "", _secret(row, "access_token"))
        row.expires_at, row.api_domain, row.last_error = held.expires_at, held.api_domain, None

    async def _remember(self, connection_id: str, message: str) -> None:
        async with self._database.session() as session:
            await session.exec(
                update(models.Connection).where(col(models.Connection.id) == connection_id).values(last_error=message)
            )

    async def _reseal(self, connection_id: str) -> bool:
        async with self._database.session() as session:
            row = await session.get(models.Connection, connection_id, with_for_update=True)
            if row is None:
                return False
            stale = {
                column: sealed
                for column in ("refresh_token", "access_token")
                if (sealed := getattr(row, column)) and not self._seal.is_newest(sealed)
            }
            for column, sealed in stale.items():
                about = _secret(row, column)
                setattr(row, column, self._seal.close(self._seal.open(sealed, about), about))
        return bool(stale)


def _ownership(row: models.Connection) -> Ownership:
    return Ownership(
        organization_id=row.organization_id,
        product=Product(row.product),
        product_organization_id=row.product_organization_id,
        email=row.email,
        api_domain=row.api_domain,
        last_error=row.last_error,
    )


async def _hold_member(session: AsyncSession, consent: Consent, email: str) -> None:
    """Whoever is just asking the person for consent has done so before it is given, or sees it."""
    at_address = and_(models.Member.organization_id == consent.organization_id, models.Member.email == email)
    whose = col(models.Member.id) == consent.member_id if consent.member_id else at_address
    held = select(models.Member.id).where(whose).order_by(col(models.Member.id)).with_for_update(key_share=True)
    await session.exec(held)


async def _make_room(session: AsyncSession, consent: Consent, email: str) -> str | None:
    """Other accounts cease to be the owner's or the same member's; the address of the one that was it so far."""
    at_product = (
        col(models.Connection.organization_id) == consent.organization_id,
        col(models.Connection.product) == consent.product,
    )
    others = (*at_product, col(models.Connection.email) != email)
    whose = col(models.Connection.is_owner) if consent.is_owner else _is_his(consent, email)
    await alone(session, f"{consent.product} of {consent.organization_id}")
    before = (await session.exec(select(models.Connection.email).where(*at_product, whose))).first()
    if consent.is_owner:
        await session.exec(update(models.Connection).where(*others).values(is_owner=False))
    if consent.member_id is not None:
        mine = col(models.Connection.member_id) == consent.member_id
        await session.exec(update(models.Connection).where(*others, mine).values(member_id=None))
    return before


def _is_his(consent: Consent, email: str) -> ColumnElement[bool]:
    if consent.member_id is None:
        return col(models.Connection.email) == email
    return col(models.Connection.member_id) == consent.member_id


def _tell(session: AsyncSession, errand: Errand, consent: Consent, row: models.Connection, before: str | None) -> None:
    """Whose account is used from now on, and whose was until now."""
    about = Action(name=CONNECT, product=consent.product, subject=Subject("users", row.member_id), credential=row.email)
    changes = [
        FieldChange("owner" if consent.is_owner else "account", before, row.email),
        FieldChange("productOrganizationId", None, consent.product_organization_id),
        FieldChange("scopes", None, list(consent.scopes)),
    ]
    audit.append(session, errand, about, State.APPLIED, changes=changes)


def _member_at(organization_id: str, email: str) -> ColumnElement[str | None]:
    """The member of this address, if there is one and only one."""
    ids = func.min(models.Member.id)
    return (
        select(ids)
        .where(
            models.Member.organization_id == organization_id,
            models.Member.email == email,
            models.Member.status != "deleted",
        )
        .having(func.count() == 1)
        .scalar_subquery()
    )


def _about(*identity: str) -> str:
    return "/".join(("connections", *identity))


def _secret(row: models.Connection, column: str) -> str:
    return _about(row.organization_id, row.product, row.email, column)
