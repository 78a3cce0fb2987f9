"""Deterministic records of an organization: the same for the same scale and day, without a wall clock."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from random import Random
from typing import Any

from services.sandbox.catalog import recurring, wares
from services.sandbox.catalog.papers import Papers
from services.sandbox.catalog.parties import Parties, parties
from services.sandbox.catalog.scene import Scene
from services.sandbox.documents import Surroundings
from services.sandbox.records import columns
from services.sandbox.store import Organization, Person, Record

__all__ = ["records"]


@dataclass(frozen=True)
class _Size:
    """`documents` is the number of each kind."""

    accounts: int
    contacts: int
    documents: int
    subscriptions: int

    def times(self, scale: int) -> "_Size":
        return _Size(self.accounts * scale, self.contacts * scale, self.documents * scale, self.subscriptions * scale)


_LARGE = _Size(accounts=64, contacts=128, documents=500, subscriptions=312)
_SMALL = _Size(accounts=12, contacts=24, documents=40, subscriptions=24)


def records(
    organization: Organization,
    people: Sequence[Person],
    *,
    today: date,
    scale: int,
    next_id: Callable[[str], str],
) -> Iterator[Record]:
    """Every record of the organization; those of CRM (`crm_accounts`, `crm_contacts`) under its zgid."""
    size = _LARGE.times(scale) if organization.key == "demo" else _SMALL
    scene = Scene(
        organization,
        tuple(people),
        today,
        Random(organization.key),
        books_id=partial(next_id, organization.books_id),
        billing_id=partial(next_id, organization.billing_id),
        crm_id=partial(next_id, organization.crm_id),
    )
    for organization_id, kind, bodies in _everything(scene, size):
        for body in bodies:
            yield Record(**columns(organization_id, kind, body))


def _everything(scene: Scene, size: _Size) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    organization = scene.organization
    known = parties(scene, size.accounts, size.contacts)
    yield organization.crm_id, "crm_accounts", known.accounts
    yield organization.crm_id, "crm_contacts", known.people
    items = wares.items(scene)
    yield organization.books_id, "items", items
    for kind, bodies in _papers(scene, known, items, size.documents).items():
        yield organization.books_id, kind, bodies
    yield organization.books_id, "contacts", known.contacts
    for kind, bodies in recurring.records(scene, known.customers, size.subscriptions).items():
        yield organization.billing_id, kind, bodies


def _papers(scene: Scene, known: Parties, items: list[dict[str, Any]], count: int) -> dict[str, list[dict[str, Any]]]:
    by_id = {item["item_id"]: item for item in items}
    around = Surroundings(scene.organization.books_id, scene.organization.currency_code, scene.books_id, by_id.get)
    written = Papers(scene, known, items, count, around).write()
    wares.owe(known.contacts, written["invoices"], scene.organization.currency_code)
    return written
