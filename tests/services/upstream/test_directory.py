from decimal import Decimal

import pytest

from services.documents import Module
from services.errors import Forbidden, NotFound
from services.kinds import KINDS
from services.policy import Action, Product
from services.upstream.crm_profiles import published

from .conftest import Desk

OWNER, STAFF, BILLING, OUTSIDER = (f"{name}@demo.example" for name in ("owner", "staff", "billing", "outsider"))


async def test_accounts_and_contacts_come_in_pages_the_newest_first(desk: Desk) -> None:
    first = await desk.crm.accounts(desk.errand(STAFF), 1, 20)
    second = await desk.crm.accounts(desk.errand(STAFF), 2, 20)
    ids = [account.id for account in (*first.rows, *second.rows)]
    assert first.more
    assert ids == sorted(set(ids), reverse=True)
    assert all(account.name for account in first.rows)


async def test_an_account_has_its_contacts(desk: Desk) -> None:
    contact = next(one for one in (await desk.crm.contacts(desk.errand(STAFF), 1)).rows if one.account_id)
    account = await desk.crm.account(desk.errand(STAFF), contact.account_id or "")
    contacts = await desk.crm.contacts_of(desk.errand(STAFF), account.id, 1)
    assert contact.id in {one.id for one in contacts.rows}
    assert contact.account is not None
    assert contact.account.name == account.name
    assert (await desk.crm.contact(desk.errand(STAFF), contact.id)).email == contact.email


async def test_records_of_the_crm_are_found_by_a_word(desk: Desk) -> None:
    account = (await desk.crm.accounts(desk.errand(STAFF), 1, 1)).rows[0]
    found = await desk.crm.accounts(desk.errand(STAFF), 1, 20, word=account.name)
    assert account.id in {one.id for one in found.rows}
    assert (await desk.crm.contacts(desk.errand(STAFF), 1, word="no such word")).rows == []


async def test_records_of_the_crm_are_known_by_id_a_hundred_a_call(desk: Desk) -> None:
    ids = [contact.id for contact in (await desk.crm.contacts(desk.errand(STAFF), 1, 110)).rows]
    desk.sandbox.clear_calls()
    found = await desk.crm.contacts_by_id(desk.errand(STAFF), [*ids, "461000000000000"])
    assert set(found) == set(ids)
    assert desk.calls(product="crm") == 2
    assert await desk.crm.accounts_by_id(desk.errand(STAFF), []) == {}


async def test_an_unknown_record_of_the_crm_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.crm.account(desk.errand(STAFF), "461000000000000")


async def test_all_users_of_the_crm_are_listed(desk: Desk) -> None:
    users = await desk.crm.users(desk.connection(OWNER, Product.CRM))
    assert len(users) >= 25
    assert {user.status for user in users} == {"active", "disabled"}
    assert {user.confirm for user in users} == {True, False}
    assert all(user.profile and user.email for user in users)


async def test_profiles_come_in_the_words_of_the_schema(desk: Desk) -> None:
    profiles = {profile.name: profile for profile in await desk.crm.profiles(desk.connection(OWNER, Product.CRM))}
    assert [name for name, profile in profiles.items() if profile.administers] == ["Administrator"]
    standard, reader, outsider = (profiles[name].grants for name in ("Standard", "Read Only Finance", "No Finance"))
    assert standard["salesOrders"].actions == frozenset(Action)
    assert not standard["salesOrders"].hidden
    assert not standard["salesOrders"].read_only
    assert reader["invoices"].actions == {Action.VIEW}
    assert reader["invoices"].hidden == {"balance"}
    assert reader["estimates"].hidden == {"discount"}
    assert {"number", "customer", "dueDate", "lineItems", "lastModifiedAt"} <= reader["invoices"].read_only
    assert outsider["estimates"].actions == frozenset()
    assert outsider["accounts"].actions == {Action.VIEW, Action.CREATE, Action.EDIT}


@pytest.mark.parametrize(
    ("module", "field", "names"),
    [
        ("Finance_Subscriptions", "amount", ("amount", "total", "mrr")),
        ("Finance_Purchase_Orders", "vendor_name", ("vendor",)),
        ("Finance_Invoices", "expiry_date", ("expiryDate",)),
        ("Contacts", "Account_Name", ("account",)),
        ("Contacts", "Owner", ()),
    ],
)
def test_a_field_of_the_crm_is_told_by_fields_of_the_schema(module: str, field: str, names: tuple[str, ...]) -> None:
    assert published(module, field) == names


async def test_users_of_books_tell_their_roles(desk: Desk) -> None:
    users = {user.email: user for user in await desk.books.users(desk.connection(OWNER))}
    assert users[STAFF].role == "staff"
    assert users["assigned@demo.example"].is_customer_segmented
    me = await desk.books.me(desk.connection(STAFF))
    assert (me.id, me.email) == (users[STAFF].id, STAFF)


async def test_only_administrators_may_list_users_of_books(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        await desk.books.users(desk.connection(STAFF))


async def test_customers_are_found_by_the_crm_record_they_are_linked_with(desk: Desk) -> None:
    rows = (await desk.books.customers(desk.errand(OWNER), {}, 1, 60)).rows
    full = await desk.books.full(desk.errand(OWNER), [row.id for row in rows])
    by_account = next(one for one in full.values() if one.zcrm_account_id)
    linked = await desk.books.linked(desk.errand(OWNER), account_id=by_account.zcrm_account_id)
    assert by_account.id in {one.id for one in linked}
    assert await desk.books.linked(desk.errand(OWNER)) == []
    account = await desk.crm.account(desk.errand(OWNER), by_account.zcrm_account_id or "")
    assert account.name
    assert isinstance(by_account.outstanding, Decimal)


async def test_many_customers_are_named_by_pages_and_few_one_by_one(desk: Desk) -> None:
    rows = (await desk.books.customers(desk.errand(OWNER), {}, 1, 60)).rows
    desk.sandbox.clear_calls()
    named = await desk.books.named(desk.errand(OWNER), [row.id for row in rows])
    assert {one.name for one in named.values()} == {row.name for row in rows}
    assert desk.calls(product="books") == 1
    desk.sandbox.clear_calls()
    assert len(await desk.books.named(desk.errand(OWNER), [rows[0].id, "460000000000000"])) == 1
    assert desk.calls(product="books") == 2


async def test_an_organization_with_one_id_in_both_products_shares_its_customers(desk: Desk) -> None:
    customer = (await desk.billing.customers(desk.errand(OWNER), {}, 1, 1)).rows[0]
    contact = await desk.books.customer(desk.errand(OWNER), customer.id)
    assert (contact.name, contact.currency_code) == (customer.name, customer.currency_code)
    assert (await desk.billing.customer(desk.errand(BILLING), customer.id)).name == contact.name


@pytest.mark.parametrize("email", [OWNER, "owner@west.example"])
async def test_a_customer_of_billing_is_found_by_its_account(desk: Desk, email: str) -> None:
    rows = (await desk.billing.customers(desk.errand(email), {}, 1, 50)).rows
    full = [await desk.billing.customer(desk.errand(email), row.id) for row in rows]
    linked = next(one for one in full if one.zcrm_account_id)
    found = await desk.billing.by_reference(desk.errand(email), account_id=linked.zcrm_account_id)
    assert found is not None
    assert found.zcrm_account_id == linked.zcrm_account_id
    assert await desk.billing.by_reference(desk.errand(email), contact_id="461000000000000") is None


async def test_a_subscription_has_a_history(desk: Desk) -> None:
    rows = await desk.documents.rows(desk.errand(BILLING), KINDS[Module.SUBSCRIPTIONS], {}, 1, 1)
    activities = await desk.billing.activities(desk.errand(BILLING), rows.rows[0].id)
    assert activities
    assert all(activity.at and activity.description for activity in activities)
