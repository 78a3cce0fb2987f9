"""What a migration would do to a member, and what they could do before and after: no I/O."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from services import grants
from services.candidates import Candidate, Reason
from services.identity import Access, built
from services.migration.states import ItemState
from services.policy import AccessKind, CapabilitySet, Product, ProductAccess, Viewer
from services.storage.models import Connection, IntegrationGrant, Member, Organization, now
from services.usage import Touched

_RANKED = (
    AccessKind.PRODUCT_USER,
    AccessKind.INTEGRATION_USER,
    AccessKind.OWNER_DELEGATED,
)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What would become of a member, and why."""

    member_id: str
    from_access: AccessKind
    to_access: AccessKind
    state: ItemState
    reason: Reason | None
    message: str | None
    permissions_gained: Sequence[str] = ()
    permissions_lost: Sequence[str] = ()
    mattered: Sequence[Touched] = ()


@dataclass(frozen=True)
class Standing:
    """The rows that decide about a member now."""

    organization: Organization
    member: Member
    access: Access

    @property
    def viewer(self) -> Viewer:
        """Who the member is now."""
        return built(self.organization, self.member, self.access)

    def as_product_user(self, products: Collection[Product]) -> Viewer:
        """Who the member would be under an own access to these products, once connected."""
        own = {product: self._connected(product) for product in products}
        return self._migrated(replace(self.access, connections={**self.access.connections, **own}))

    def as_integration_user(self, capability_set: CapabilitySet, granted: grants.Grants | None = None) -> Viewer:
        """Who the member would be as an integration user of Books."""
        row = IntegrationGrant(
            organization_id=self.organization.id,
            member_id=self.member.id,
            product=Product.BOOKS,
            capability_set=capability_set,
            grants=None if granted is None else grants.stored(granted),
        )
        return self._migrated(replace(self.access, granted={**self.access.granted, Product.BOOKS: row}))

    def _migrated(self, access: Access) -> Viewer:
        member = Member(**self.member.model_dump() | {"migrated_at": now()})
        return built(self.organization, member, access)

    def _connected(self, product: Product) -> Connection:
        return self.access.connections.get(product) or Connection(
            organization_id=self.organization.id,
            member_id=self.member.id,
            email=self.member.email,
            product=product,
            product_organization_id="",
            data_center=self.organization.data_center,
            accounts_url="",
            api_domain="",
            refresh_token=b"",
        )


@dataclass
class Differences:
    """What is gained and lost among `permissions`; members who are alike are compared once."""

    permissions: Collection[str]
    _known: dict[object, tuple[list[str], list[str]]] = field(default_factory=dict)

    def between(self, before: Viewer, after: Viewer) -> tuple[list[str], list[str]]:
        """(gained, lost), in alphabetical order."""
        key = repr((before.profile, list(map(_kept, before.access)), list(map(_kept, after.access))))
        found = self._known.get(key)
        if found is None:
            had, has = self._held(before), self._held(after)
            found = self._known[key] = (sorted(has - had), sorted(had - has))
        return found

    def _held(self, viewer: Viewer) -> set[str]:
        return {permission for permission in self.permissions if viewer.may(permission)}


def planned(
    candidate: Candidate,
    standing: Standing,
    differences: Differences,
    *,
    capability_set: CapabilitySet,
    touched: Iterable[Touched] = (),
) -> Planned:
    """What migrating a member means. One who awaits authorization is compared as if it had been given."""
    before = standing.viewer
    kind = access_kind(before)
    if not candidate.eligible:
        return skipped(candidate, kind)
    after = (
        standing.as_product_user(candidate.products)
        if candidate.to is AccessKind.PRODUCT_USER
        else standing.as_integration_user(capability_set)
    )
    gained, lost = differences.between(before, after)
    return Planned(
        member_id=standing.member.id,
        from_access=kind,
        to_access=candidate.to,
        state=ItemState.PENDING if candidate.reason is None else ItemState.SKIPPED,
        reason=candidate.reason,
        message=candidate.message,
        permissions_gained=gained,
        permissions_lost=lost,
        mattered=[one for one in touched if one.permission in lost],
    )


def skipped(candidate: Candidate, kind: AccessKind) -> Planned:
    """Somebody for whom everything stays as it is."""
    return Planned(
        member_id=candidate.id,
        from_access=kind,
        to_access=kind,
        state=ItemState.SKIPPED,
        reason=candidate.reason,
        message=candidate.message,
    )


def within(plans: Iterable[Planned], room: int, limit: int) -> Iterator[Planned]:
    """The plans as far as there are seats for integration users: who comes later is left out."""
    for plan in plans:
        takes = plan.state is ItemState.PENDING and plan.to_access is AccessKind.INTEGRATION_USER
        if takes and room <= 0:
            yield left_out(plan, Reason.LIMIT_REACHED, f"All {limit} seats of integration users are taken.")
        else:
            room -= takes
            yield plan


def left_out(plan: Planned, reason: Reason, message: str) -> Planned:
    """The same member, for whom everything stays as it is."""
    return Planned(
        member_id=plan.member_id,
        from_access=plan.from_access,
        to_access=plan.from_access,
        state=ItemState.SKIPPED,
        reason=reason,
        message=message,
    )


def access_kind(viewer: Viewer) -> AccessKind:
    """The one word for how somebody works: an own access to any product comes first."""
    kinds = {access.kind for access in viewer.access}
    return next((kind for kind in _RANKED if kind in kinds), AccessKind.NONE)


def _kept(access: ProductAccess) -> ProductAccess:
    """An access without what differs from one member to another and decides nothing."""
    return replace(access, migrated_at=None, app_url=None)
