"""Fills an empty store: organizations, people, signing key, and every record of the catalog."""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice

from sqlalchemy import func, insert
from sqlmodel import Session, col, select

from services.sandbox import catalog
from services.sandbox.keys import new_key
from services.sandbox.organizations import PREFIXES, organizations, people
from services.sandbox.roles import BOOKS_ROLES
from services.sandbox.store import Assignment, Organization, Person, Record, Store

PRODUCTS = ("books", "billing", "crm")


def seed(store: Store, *, today: date, scale: int) -> None:
    """Leaves a store alone that holds anything."""
    with store.session() as session:
        if session.exec(select(func.count()).select_from(Organization)).one():
            return
        store.open_sequence("accounts", "1")
        new_key(session)
        for organization in organizations():
            _fill(store, session, organization, today=today, scale=scale)


def _fill(store: Store, session: Session, organization: Organization, *, today: date, scale: int) -> None:
    for product, prefix in zip(PRODUCTS, PREFIXES[organization.key], strict=True):
        store.open_sequence(organization.id_in(product), prefix)
    staff = people(organization, store.next_id)
    session.add_all([organization, *staff])
    session.flush()
    records = catalog.records(organization, staff, today=today, scale=scale, next_id=store.next_id)
    for chunk in _chunks(records, 500):
        session.execute(insert(Record), [record.model_dump() for record in chunk])
    session.add_all(_assignments(session, organization, staff))


def _assignments(session: Session, organization: Organization, staff: Iterable[Person]) -> Iterator[Assignment]:
    """Every fourth customer or vendor."""
    contacts = select(Record.id).where(Record.organization_id == organization.books_id, Record.kind == "contacts")
    mine = session.exec(contacts.order_by(col(Record.id))).all()[::4]
    for person in staff:
        if person.books_user_id and BOOKS_ROLES[person.books_role or ""].assigned_customers_only:
            for customer_id in mine:
                yield Assignment(
                    organization_id=organization.books_id, user_id=person.books_user_id, customer_id=customer_id
                )


def _chunks(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    rest = iter(records)
    while chunk := list(islice(rest, size)):
        yield chunk
