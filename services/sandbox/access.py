"""Whom an access token stands for, and what that person may do in a product."""

from dataclasses import dataclass, field

from sqlmodel import select

from services.sandbox.roles import NOBODY, ROLES, Role
from services.sandbox.store import AccessToken, Assignment, Organization, Person, Store

__all__ = ["Access", "Caller", "Role"]


@dataclass(frozen=True)
class Caller:
    """A person in one product (`books`, `billing` or `crm`) of one organization, by way of one access token."""

    product: str
    organization: Organization
    organization_id: str
    """The id of the organization in this product, as `Record.organization_id`."""
    person: Person
    product_user_id: str
    """Empty, with a role that may nothing, for a person who is not an active user of the product."""
    role: Role
    scopes: frozenset[str]
    client_id: str
    access_token: str
    assigned: frozenset[str] | None
    """Ids of the only customers and vendors to be seen; None: all of them."""

    @property
    def email(self) -> str:
        return self.person.email

    @property
    def name(self) -> str:
        return self.person.name

    @property
    def zuid(self) -> str:
        return self.person.zuid

    def may(self, module: str, action: str) -> bool:
        return self.role.may(module, action)

    def sees_customer(self, customer_id: str | None) -> bool:
        return self.assigned is None or customer_id in self.assigned

    def hidden_fields(self, module: str) -> frozenset[str]:
        return self.role.hidden_fields.get(module, frozenset())

    def readonly_fields(self, module: str) -> frozenset[str]:
        return self.role.readonly_fields.get(module, frozenset())


@dataclass
class _Known:
    token: AccessToken
    person: Person
    organization: Organization
    callers: dict[str, Caller] = field(default_factory=dict)


class Access:
    """Answers from memory; `forget` after people, roles, assignments or tokens have changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}

    def forget(self) -> None:
        self._known.clear()

    def caller(self, token: str, product: str, *, now: float) -> Caller | None:
        """None for an unknown or expired token."""
        known = self._known.get(token) or self._look_up(token)
        if known is None or known.token.expires_at <= now:
            return None
        caller = known.callers.get(product)
        if caller is None:
            caller = known.callers[product] = self._caller(known, product)
        return caller

    def _look_up(self, token: str) -> _Known | None:
        with self._store.session() as session:
            row = session.get(AccessToken, token)
            person = session.get(Person, row.zuid) if row else None
            organization = session.get(Organization, person.crm_id) if person else None
        if row is None or person is None or organization is None:
            return None
        return self._known.setdefault(token, _Known(row, person, organization))

    def _caller(self, known: _Known, product: str) -> Caller:
        person, organization = known.person, known.organization
        role = _role(person, product)
        organization_id = organization.id_in(product)
        user_id = (person.id_in(product) or "") if person.status_in(product) == "active" else ""
        return Caller(
            product=product,
            organization=organization,
            organization_id=organization_id,
            person=person,
            product_user_id=user_id,
            role=role,
            scopes=frozenset(known.token.scopes.split(",")),
            client_id=known.token.client_id,
            access_token=known.token.token,
            assigned=self._assigned(organization_id, user_id) if role.assigned_customers_only else None,
        )

    def _assigned(self, organization_id: str, user_id: str) -> frozenset[str]:
        mine = select(Assignment.customer_id).where(
            Assignment.organization_id == organization_id, Assignment.user_id == user_id
        )
        with self._store.session() as session:
            return frozenset(session.exec(mine))


def _role(person: Person, product: str) -> Role:
    if product == "crm" or person.status_in(product) != "active":
        return NOBODY
    return ROLES[product].get(person.role_in(product) or "", NOBODY)
