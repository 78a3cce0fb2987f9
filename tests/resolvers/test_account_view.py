"""One account with its five related lists, as everyone of the demo: the differences are what the rules say."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from services.sandbox import Sandbox
from tests.harness import Gateway
from tests.resolvers.reading import KINDS, assigned, called, data, kept

LISTS = """
  estimates(first: 100) { nodes { number discount { amount } } }
  invoices(first: 100) { nodes { number balance { amount } total { amount } } }
  salesOrders(first: 100) { nodes { number } }
  purchaseOrders(first: 100) { nodes { number } }
  subscriptions(first: 100) { nodes { number name } }
"""
ACCOUNT = f"query($id: ID!) {{ account(id: $id) {{ name contacts(first: 100) {{ nodes {{ name }} }} {LISTS} }} }}"
CONTACT = f"query($id: ID!) {{ contact(id: $id) {{ name account {{ name }} {LISTS} }} }}"
BOOKS = ("estimates", "invoices", "salesOrders", "purchaseOrders")
ALL = (*BOOKS, "subscriptions")
OWNER = "owner@demo.example"

SEES: Mapping[str, Sequence[str]] = {
    "owner": ALL,
    "staff": BOOKS,
    "readonly": ALL,
    "sales": BOOKS,
    "legacy": ALL,
    "billing": ("subscriptions",),
    "outsider": (),
}
"""Who sees which lists of an account."""
WITHHELD: Mapping[str, Mapping[str, Sequence[str]]] = {
    "owner": {},
    "legacy": {},
    "staff": {"Account.subscriptions": ["BILLING_ROLE"]},
    "sales": {"Account.subscriptions": ["BILLING_ROLE"]},
    "readonly": {"Estimate.discount": ["CRM_PROFILE"], "Invoice.balance": ["CRM_PROFILE"]},
    "billing": {f"Account.{kind}": ["BOOKS_ROLE"] for kind in BOOKS},
    "outsider": {
        **{f"Account.{kind}": ["CRM_PROFILE", "BOOKS_ROLE"] for kind in BOOKS},
        "Account.subscriptions": ["CRM_PROFILE", "BILLING_ROLE"],
    },
}
"""What is withheld from whom, and by which rules."""
OWN = {"owner", "staff", "assigned", "readonly", "billing"}
"""Who works under their own access; the others work under the owner's."""


def of_customers(sandbox: Sandbox, kind: str, customers: set[str], company: str = "demo") -> set[str]:
    """The numbers of the documents of these customers."""
    known = KINDS[kind]
    records = kept(sandbox, known.path, company)
    return {body[known.number_key] for body in records if body[f"{known.party}_id"] in customers}


def linked(sandbox: Sandbox, crm_id: str, key: str = "zcrm_account_id", company: str = "demo") -> set[str]:
    """The customers and vendors linked with a CRM record."""
    return {body["contact_id"] for body in kept(sandbox, "contacts", company) if body.get(key) == crm_id}


def richest(sandbox: Sandbox, company: str = "demo") -> dict[str, Any]:
    """The account with the most kinds of documents, and then the most customers."""
    accounts = kept(sandbox, "crm_accounts", company)

    def wealth(account: Any) -> tuple[int, int]:
        customers = linked(sandbox, account["id"], company=company)
        return sum(bool(of_customers(sandbox, kind, customers, company)) for kind in ALL), len(customers)

    return dict(max(accounts[:40], key=wealth))


@pytest.fixture(scope="module")
def account(shared_gateway: Gateway) -> dict[str, Any]:
    return richest(shared_gateway.sandbox)


async def global_id(gateway: Gateway, account: Mapping[str, Any], person: str = "owner") -> str:
    query = "query($s: String) { accounts(search: $s) { nodes { id name } } }"
    found = (await data(gateway, person, query, s=account["Account_Name"]))["accounts"]["nodes"]
    return str(next(one["id"] for one in found if one["name"] == account["Account_Name"]))


def numbers(record: Mapping[str, Any], kind: str) -> set[str] | None:
    return {node["number"] for node in record[kind]["nodes"]} if record[kind] else None


def refusals(answer: Mapping[str, Any]) -> dict[str, list[str]]:
    """Coordinate → what it is missing from, of errors that are each named once."""
    errors = [error["extensions"] for error in answer.get("errors", ())]
    assert {error["code"] for error in errors} <= {"FORBIDDEN"}
    found = {error["coordinate"]: error["missingFrom"] for error in errors}
    assert len(found) == len(errors), "a refused field is named once, however many rows it stands in"
    assert all(error["grantedBy"] and error["required"] and error["hint"] for error in errors)
    return found


@pytest.mark.parametrize("person", SEES)
async def test_everyone_sees_the_lists_that_the_rules_give_him(
    gateway: Gateway, account: dict[str, Any], person: str
) -> None:
    answer, calls = await called(gateway, person, ACCOUNT, id=await global_id(gateway, account))
    found, customers = answer["data"]["account"], linked(gateway.sandbox, account["id"])
    expected = {kind: of_customers(gateway.sandbox, kind, customers) if kind in SEES[person] else None for kind in ALL}
    assert {kind: numbers(found, kind) for kind in ALL} == expected
    assert all(expected[kind] for kind in SEES[person]), "the account has documents of every kind"
    assert refusals(answer) == WITHHELD[person]
    assert {call.email for call in calls} == ({f"{person}@demo.example"} if person in OWN else {OWNER})


async def test_hidden_fields_are_null_for_readonly_and_have_values_for_staff(
    gateway: Gateway, account: dict[str, Any]
) -> None:
    id = await global_id(gateway, account)  # noqa: A001
    hidden, shown = await gateway.ask("readonly", ACCOUNT, id=id), await gateway.ask("staff", ACCOUNT, id=id)
    for kind, field in (("estimates", "discount"), ("invoices", "balance")):
        assert {node[field] for node in hidden["data"]["account"][kind]["nodes"]} == {None}
        assert None not in [node[field] for node in shown["data"]["account"][kind]["nodes"]]
    assert None not in [node["total"] for node in hidden["data"]["account"]["invoices"]["nodes"]]


async def test_a_hidden_discount_is_not_told_by_the_lines_either(gateway: Gateway) -> None:
    query = "{ estimates(first: 30) { nodes { lineItems { discount total } } } }"
    hidden, shown = await gateway.ask("readonly", query), await gateway.ask("staff", query)
    of_readonly, of_staff = (
        [line for node in answer["data"]["estimates"]["nodes"] for line in node["lineItems"]]
        for answer in (hidden, shown)
    )
    assert {line["discount"] for line in of_readonly} == {None}
    assert len({line["discount"] for line in of_staff}) > 1
    assert [line["total"] for line in of_readonly] == [line["total"] for line in of_staff]


async def test_a_hidden_field_can_neither_be_searched_nor_ordered_by(gateway: Gateway) -> None:
    for asked, coordinate in {
        'invoices(where: {balance: {atLeast: "1"}})': "InvoiceFilter.balance",
        "invoices(orderBy: {field: BALANCE, direction: DESC})": "DocumentOrderField.BALANCE",
    }.items():
        answer, calls = await called(gateway, "readonly", f"{{ {asked} {{ nodes {{ number }} }} }}")
        assert refusals(answer) == {coordinate: ["CRM_PROFILE"]}
        assert (answer["data"], calls) == ({"invoices": None}, [])
        assert "errors" not in await gateway.ask("staff", f"{{ {asked} {{ nodes {{ number }} }} }}")


async def test_the_assigned_person_sees_his_customers_documents_and_no_others(gateway: Gateway) -> None:
    mine, accounts = assigned(gateway.sandbox), kept(gateway.sandbox, "crm_accounts")
    with_mine = [one for one in accounts if linked(gateway.sandbox, one["id"]) & mine]
    without = [one for one in accounts if linked(gateway.sandbox, one["id"]) - mine and one not in with_mine]
    for account in (*with_mine[:4], *without[:2]):
        answer, calls = await called(gateway, "assigned", ACCOUNT, id=await global_id(gateway, account))
        customers = linked(gateway.sandbox, account["id"]) & mine
        for kind in BOOKS:
            assert numbers(answer["data"]["account"], kind) == of_customers(gateway.sandbox, kind, customers)
        assert refusals(answer) == WITHHELD["staff"]
        assert {call.email for call in calls} == {"assigned@demo.example"}


async def test_the_scope_holds_for_lists_single_records_nodes_and_the_merged_list(gateway: Gateway) -> None:
    mine = assigned(gateway.sandbox)
    foreign = next(body for body in kept(gateway.sandbox, "invoices") if body["customer_id"] not in mine)
    query = "query($n: String) { invoices(where: {number: {equals: $n}}) { nodes { id } } }"
    asked = {"n": foreign["invoice_number"]}
    assert (await data(gateway, "assigned", query, **asked))["invoices"]["nodes"] == []
    id = (await data(gateway, "staff", query, **asked))["invoices"]["nodes"][0]["id"]  # noqa: A001
    for field in ("invoice", "node"):
        answer = await gateway.ask("assigned", f"query($id: ID!) {{ {field}(id: $id) {{ id }} }}", id=id)
        assert answer["data"] == {field: None}
        (error,) = answer["errors"]
        assert (error["extensions"]["code"], error["extensions"]["missingFrom"]) == ("FORBIDDEN", ["RECORD_SCOPE"])
    merged = "{ documents(first: 100, modules: [INVOICES]) { nodes { number } } }"
    listed = {node["number"] for node in (await data(gateway, "assigned", merged))["documents"]["nodes"]}
    assert listed
    assert listed <= of_customers(gateway.sandbox, "invoices", mine)


async def test_a_contact_has_the_lists_of_the_customers_linked_with_it(gateway: Gateway) -> None:
    contacts = {body["id"]: body for body in kept(gateway.sandbox, "crm_contacts")}
    customers = [body for body in kept(gateway.sandbox, "contacts") if body.get("zcrm_contact_id") in contacts]
    crm_id = next(
        one["zcrm_contact_id"] for one in customers if of_customers(gateway.sandbox, "invoices", {one["contact_id"]})
    )
    query = "query($s: String) { contacts(search: $s) { nodes { id email } } }"
    found = (await data(gateway, "owner", query, s=contacts[crm_id]["Full_Name"]))["contacts"]["nodes"]
    id = next(one["id"] for one in found if one["email"] == contacts[crm_id]["Email"])  # noqa: A001
    contact = (await data(gateway, "owner", CONTACT, id=id))["contact"]
    theirs = linked(gateway.sandbox, crm_id, "zcrm_contact_id")
    assert {kind: numbers(contact, kind) for kind in ALL} == {
        kind: of_customers(gateway.sandbox, kind, theirs) for kind in ALL
    }


async def test_the_contacts_of_an_account_are_those_of_the_crm(gateway: Gateway, account: dict[str, Any]) -> None:
    found = (await data(gateway, "owner", ACCOUNT, id=await global_id(gateway, account)))["account"]
    theirs = [
        c for c in kept(gateway.sandbox, "crm_contacts") if (c.get("Account_Name") or {}).get("id") == account["id"]
    ]
    assert sorted(one["name"] for one in found["contacts"]["nodes"]) == sorted(one["Full_Name"] for one in theirs)


async def test_organizations_know_nothing_of_each_other(gateway: Gateway, account: dict[str, Any]) -> None:
    ours, theirs = account, richest(gateway.sandbox, "west")
    west = await global_id(gateway, theirs, "owner@west.example")
    answer, calls = await called(gateway, "owner@west.example", ACCOUNT, id=west)
    found, customers = answer["data"]["account"], linked(gateway.sandbox, theirs["id"], company="west")
    for kind in BOOKS:
        assert numbers(found, kind) == of_customers(gateway.sandbox, kind, customers, "west")
    assert {(call.data_centre, call.email) for call in calls} == {("com", "owner@west.example")}

    demo = await global_id(gateway, ours)
    for person, id in (("owner@west.example", demo), ("owner", west)):  # noqa: A001
        refused, made = await called(gateway, person, ACCOUNT, id=id)
        assert refused["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert (refused["errors"][0]["path"], made) == (["account"], [])


async def test_where_billing_has_an_organization_of_its_own_it_is_asked_for_its_own_customers(gateway: Gateway) -> None:
    owner, records = "owner@west.example", kept(gateway.sandbox, "customers", "west")
    for account in kept(gateway.sandbox, "crm_accounts", "west"):
        customers = {body["customer_id"] for body in records if body.get("zcrm_account_id") == account["id"]}
        found = (await data(gateway, owner, ACCOUNT, id=await global_id(gateway, account, owner)))["account"]
        expected = of_customers(gateway.sandbox, "subscriptions", customers, "west")
        assert numbers(found, "subscriptions") == expected
