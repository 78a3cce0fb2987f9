"""What roles start with, and what an integration user's grants become."""

import msgspec
import pytest

from services import grants
from services.policy import (
    EVERYTHING,
    VIEW_CREATE_EDIT,
    VIEW_ONLY,
    Action,
    CapabilitySet,
    ModuleGrant,
    Product,
)

BOOKS = ("estimates", "invoices", "salesOrders", "purchaseOrders")
WORK = frozenset({Action.VIEW, Action.CREATE, Action.EDIT, Action.EMAIL})
CUSTOMERS = {"customers": ModuleGrant(VIEW_CREATE_EDIT)}


def everywhere(modules: tuple[str, ...], grant: ModuleGrant) -> dict[str, ModuleGrant]:
    return dict.fromkeys(modules, grant)


@pytest.mark.parametrize(
    ("product", "role", "granted"),
    [
        (Product.BOOKS, "admin", everywhere(BOOKS, EVERYTHING) | CUSTOMERS),
        (Product.BOOKS, "approver", everywhere(BOOKS, EVERYTHING) | CUSTOMERS),
        (Product.BOOKS, "staff", everywhere(BOOKS, ModuleGrant(WORK)) | CUSTOMERS),
        (
            Product.BOOKS,
            "staff_assigned",
            everywhere(BOOKS, ModuleGrant(WORK, assigned_only=True))
            | {"customers": ModuleGrant(VIEW_CREATE_EDIT, assigned_only=True)},
        ),
        (Product.BOOKS, "timesheetstaff", {}),
        (Product.BILLING, "admin", {"subscriptions": EVERYTHING} | CUSTOMERS),
        (Product.BILLING, "staff", {"subscriptions": ModuleGrant(WORK)} | CUSTOMERS),
    ],
)
def test_the_default_roles_start_with_what_the_products_give_them(
    product: Product, role: str, granted: grants.Grants
) -> None:
    assert grants.DEFAULT_ROLES[product][role] == granted


def test_there_are_no_other_default_roles() -> None:
    assert {product: len(roles) for product, roles in grants.DEFAULT_ROLES.items()} == {
        Product.BOOKS: 5,
        Product.BILLING: 2,
    }


def test_grants_come_back_from_the_database_as_they_were() -> None:
    narrow = ModuleGrant(VIEW_ONLY, frozenset({"balance"}), frozenset({"discount"}), assigned_only=True)
    kept = grants.stored({"invoices": narrow, "estimates": EVERYTHING})
    assert grants.read(kept) == {"invoices": narrow, "estimates": EVERYTHING}
    assert kept["estimates"]["actions"] == sorted(Action)
    with pytest.raises(msgspec.ValidationError):
        grants.read({"invoices": {"actions": ["delete"]}})


def test_of_grants_on_several_products_each_gets_its_own() -> None:
    granted = {"invoices": EVERYTHING, "subscriptions": ModuleGrant(VIEW_ONLY), "customers": EVERYTHING}
    assert grants.of(Product.BOOKS, granted) == {"invoices": EVERYTHING}
    assert grants.of(Product.BILLING, granted) == {"subscriptions": ModuleGrant(VIEW_ONLY)}
    assert grants.of(Product.BOOKS, None) is None


def test_who_was_not_narrowed_holds_all_of_his_set_and_sees_the_customers() -> None:
    seen = {"customers": ModuleGrant(VIEW_ONLY)}
    whole = everywhere(BOOKS, ModuleGrant(VIEW_CREATE_EDIT)) | seen
    assert grants.narrowed(CapabilitySet.ALL_FINANCE_MODULES, None) == whole
    estimates = everywhere(BOOKS, ModuleGrant(VIEW_ONLY)) | {"estimates": ModuleGrant(VIEW_CREATE_EDIT)} | seen
    assert grants.narrowed(CapabilitySet.ESTIMATES_ONLY, None) == estimates
    billing = {"subscriptions": ModuleGrant(frozenset({Action.VIEW, Action.CREATE}))} | seen
    for capability_set in CapabilitySet:
        assert grants.narrowed(capability_set, None, Product.BILLING) == billing


def test_who_was_narrowed_keeps_what_is_hidden_and_scoped_and_sees_customers_only_with_documents() -> None:
    narrow = ModuleGrant(frozenset(Action), frozenset({"balance"}), frozenset({"discount"}), assigned_only=True)
    held = grants.narrowed(CapabilitySet.ESTIMATES_ONLY, {"invoices": narrow, "subscriptions": EVERYTHING})
    assert held == {
        "invoices": ModuleGrant(VIEW_ONLY, frozenset({"balance"}), frozenset({"discount"}), assigned_only=True),
        "customers": ModuleGrant(VIEW_ONLY),
    }
    assert grants.narrowed(CapabilitySet.ESTIMATES_ONLY, {}) == {}
    assert grants.narrowed(CapabilitySet.ALL_FINANCE_MODULES, {"invoices": ModuleGrant()}) == {}


def test_an_integration_user_mails_the_documents_of_books_that_he_may_edit() -> None:
    edits, views = ModuleGrant(VIEW_CREATE_EDIT, hidden=frozenset({"notes"})), ModuleGrant(VIEW_ONLY)
    given = {"estimates": edits, "invoices": views, "subscriptions": edits, "customers": edits}
    mailed = ModuleGrant(VIEW_CREATE_EDIT | {Action.EMAIL}, hidden=frozenset({"notes"}))
    assert grants.mailing(given) == given | {"estimates": mailed}
