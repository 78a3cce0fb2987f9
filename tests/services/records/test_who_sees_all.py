"""From whom the copy is withheld, and whose recollections are whose."""

from datetime import timedelta
from typing import Any

import pytest

from services.credentials import Connection
from services.policy import AccessKind, Action, ModuleGrant, Product, ProductAccess, Source, Viewer
from services.records.readers import withheld
from services.records.recalled import CUSTOMERS, Recalled, access_of, shared_access_of

VIEW = ModuleGrant(frozenset({Action.VIEW}))
ASSIGNED = ModuleGrant(frozenset({Action.VIEW}), assigned_only=True)
HIDING = ModuleGrant(frozenset({Action.VIEW}), hidden=frozenset({"outstanding"}))
NONE = ModuleGrant()


def viewer(books: ModuleGrant, billing: ModuleGrant) -> Viewer:
    """A user of both products; what the roles there show of customers."""
    granted = {Product.BOOKS: books, Product.BILLING: billing}
    access = (ProductAccess(one, AccessKind.PRODUCT_USER, {"customers": grant}) for one, grant in granted.items())
    return Viewer("1", "1", "Staff", "staff@demo.example", "Standard", {}, tuple(access))


CASES: dict[str, tuple[ModuleGrant, ModuleGrant, tuple[Source, ...]]] = {
    "who sees all": (VIEW, VIEW, ()),
    "who sees all here and nothing there": (VIEW, NONE, ()),
    "who sees nothing": (NONE, NONE, (Source.BOOKS_ROLE,)),
    "who sees assigned customers only": (ASSIGNED, NONE, (Source.RECORD_SCOPE,)),
    "who sees all there only": (ASSIGNED, VIEW, (Source.RECORD_SCOPE,)),
    "who owes it to the other product": (NONE, VIEW, (Source.BOOKS_ROLE,)),
    "who owes a field to the other product": (HIDING, VIEW, (Source.BOOKS_ROLE,)),
    "from whom both hide a field": (HIDING, HIDING, ()),
}


@pytest.mark.parametrize(("books", "billing", "missing"), CASES.values(), ids=CASES)
def test_the_customers_of_books_are_answered_from_the_copy_to_whom_books_shows_them_all(
    books: ModuleGrant, billing: ModuleGrant, missing: tuple[Source, ...]
) -> None:
    assert withheld(viewer(books, billing), "contacts") == missing


def connection(id: str, product: Product = Product.BOOKS) -> Connection:  # noqa: A002
    return Connection(id, "1", "1", "staff@demo.example", product, "1", "eu", "", "", is_owner=False, refresh_token="")


SHARED: dict[str, tuple[ModuleGrant, bool]] = {
    "who sees all": (VIEW, True),
    "from whom Books hides a field": (HIDING, False),
    "who sees assigned customers only": (ASSIGNED, False),
    "who sees nothing": (NONE, False),
}


@pytest.mark.parametrize(("books", "shared"), SHARED.values(), ids=SHARED)
def test_what_books_told_of_customers_is_shared_by_those_alone_who_see_all_of_all(
    books: ModuleGrant, shared: bool
) -> None:
    mine, owners = connection("1"), connection("2")
    told = shared_access_of(viewer(VIEW, NONE), owners)
    assert (shared_access_of(viewer(books, NONE), mine) == told) == shared


def test_what_the_crm_told_is_shared_by_nobody() -> None:
    told = (shared_access_of(viewer(VIEW, VIEW), connection(id, Product.CRM)) for id in ("1", "2"))  # noqa: A001
    assert len(set(told)) == 2


async def test_what_was_told_without_a_scope_is_not_recalled_with_one() -> None:
    recalled = Recalled(timedelta(minutes=5), 100)
    mine = connection("1")

    async def told(ids: Any) -> dict[Any, Any]:
        return dict.fromkeys(ids, "a customer")

    before, after = (access_of(viewer(grant, NONE), mine) for grant in (VIEW, ASSIGNED))
    await recalled.several(before, CUSTOMERS, ["7"], 0, told)
    assert recalled.known(before, CUSTOMERS, ["7"], 0) == {"7": "a customer"}
    assert recalled.known(after, CUSTOMERS, ["7"], 0) == {}
