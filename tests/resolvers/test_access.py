"""What a viewer may do, why, and that a change is in force for the next request."""

from typing import Any

import pytest

from services import Services
from services.policy import Action, CapabilitySet, ModuleGrant, Product
from tests.harness import Gateway
from tests.resolvers.reading import called, codes, data, only_error

VIEWER = """{ viewer { id name email profile isIntegrationAdmin permissions
  access { product kind role capabilitySet migratedAt } } }"""
CAN = "query($p: [String!]!) { viewer { can(permissions: $p) { permission granted missingFrom grantedBy through } } }"
EXPLAIN = """query($u: ID!, $p: String!) { explainAccess(userId: $u, permission: $p) {
  user { id email } permission granted missingFrom through summary rules { source allows heldBy changedBy } } }"""
USER, SET, DELEGATED, NONE = "PRODUCT_USER", "INTEGRATION_USER", "OWNER_DELEGATED", "NONE"
PEOPLE = {
    "owner": ("Administrator", (USER, "admin", None), (USER, "admin", None)),
    "staff": ("Standard", (USER, "staff", None), (NONE, None, None)),
    "assigned": ("Standard", (USER, "staff_assigned", None), (NONE, None, None)),
    "approver": ("Standard", (USER, "approver", None), (NONE, None, None)),
    "billing": ("Standard", (NONE, None, None), (USER, "staff", None)),
    "sales": ("Standard", (SET, None, "ALL_FINANCE_MODULES"), (NONE, None, None)),
    "estimator": ("Standard", (SET, None, "ESTIMATES_ONLY"), (NONE, None, None)),
    "legacy": ("Standard", (DELEGATED, None, None), (DELEGATED, None, None)),
    "readonly": ("Read Only Finance", (USER, "staff", None), (USER, "staff", None)),
    "outsider": ("No Finance", (NONE, None, None), (NONE, None, None)),
}
"""Each demo person's profile, and kind, role and capability set in Books and in Billing."""
HOLDS = {
    "owner": "invoices.view invoices.create invoices.approve invoices.view.balance subscriptions.edit audit.view",
    "staff": "invoices.view invoices.create invoices.edit.discount customers.view accounts.view",
    "approver": "invoices.approve estimates.approve",
    "assigned": "invoices.view estimates.create",
    "billing": "subscriptions.view subscriptions.create customers.view",
    "sales": "invoices.create estimates.edit purchaseOrders.view",
    "estimator": "estimates.create estimates.edit invoices.view",
    "legacy": "invoices.create subscriptions.view",
    "readonly": "invoices.view subscriptions.view estimates.view",
    "outsider": "accounts.view public",
}
LACKS = {
    "owner": {},
    "staff": {
        "invoices.approve": ["BOOKS_ROLE"],
        "subscriptions.view": ["BILLING_ROLE"],
        "audit.view": ["CRM_PROFILE"],
        "integration.manage": ["CRM_PROFILE"],
    },
    "approver": {"subscriptions.view": ["BILLING_ROLE"]},
    "assigned": {"invoices.approve": ["BOOKS_ROLE"]},
    "billing": {"invoices.view": ["BOOKS_ROLE"], "subscriptions.approve": ["BILLING_ROLE"]},
    "sales": {"invoices.approve": ["INTEGRATION_GRANT"]},
    "estimator": {
        "invoices.email": ["INTEGRATION_GRANT"],
        "invoices.create": ["INTEGRATION_GRANT"],
        "salesOrders.edit": ["INTEGRATION_GRANT"],
    },
    "legacy": {"integration.manage": ["CRM_PROFILE"]},
    "readonly": {
        "invoices.view.balance": ["CRM_PROFILE"],
        "estimates.view.discount": ["CRM_PROFILE"],
        "invoices.create": ["CRM_PROFILE"],
        "invoices.approve": ["CRM_PROFILE", "BOOKS_ROLE"],
    },
    "outsider": {"invoices.view": ["CRM_PROFILE", "BOOKS_ROLE"], "subscriptions.view": ["CRM_PROFILE", "BILLING_ROLE"]},
}


def services(gateway: Gateway) -> Services:
    found: Services = gateway.app.state.endpoint.services
    return found


@pytest.mark.parametrize("person", PEOPLE)
async def test_the_viewer_is_told_who_he_is_and_how_he_works(gateway: Gateway, person: str) -> None:
    answer, calls = await called(gateway, person, VIEWER)
    viewer, (profile, *accesses) = answer["data"]["viewer"], PEOPLE[person]
    assert (viewer["email"], viewer["profile"]) == (f"{person}@demo.example", profile)
    assert viewer["name"] == gateway.sandbox.person(viewer["email"]).name
    assert viewer["isIntegrationAdmin"] == (person == "owner")
    told = {a["product"]: (a["kind"], a["role"], a["capabilitySet"]) for a in viewer["access"]}
    assert told == dict(zip(("BOOKS", "BILLING"), accesses, strict=True))
    assert all(a["migratedAt"] for a in viewer["access"] if a["kind"] in (USER, SET))
    assert calls == []


@pytest.mark.parametrize("person", PEOPLE)
async def test_can_says_what_is_held_and_what_is_missing_where(gateway: Gateway, person: str) -> None:
    held, lacked = HOLDS[person].split(), LACKS[person]
    answers = (await data(gateway, person, CAN, p=[*held, *lacked]))["viewer"]["can"]
    assert [answer["permission"] for answer in answers] == [*held, *lacked]
    assert {a["permission"] for a in answers if a["granted"]} == set(held)
    assert {a["permission"]: a["missingFrom"] for a in answers if not a["granted"]} == lacked
    assert all((a["grantedBy"] is None) == a["granted"] for a in answers)
    assert all(bool(a["through"]) == (a["granted"] and a["permission"] != "public") for a in answers)


@pytest.mark.parametrize("person", PEOPLE)
async def test_the_list_of_permissions_and_can_agree(gateway: Gateway, person: str) -> None:
    everything = (await data(gateway, "owner", VIEWER))["viewer"]["permissions"]
    held = (await data(gateway, person, VIEWER))["viewer"]["permissions"]
    assert set(held) <= set(everything)
    asked = [(await data(gateway, person, CAN, p=everything[n : n + 200]))["viewer"]["can"] for n in range(0, 999, 200)]
    assert [a["permission"] for answers in asked for a in answers if a["granted"]] == held


async def user_id(gateway: Gateway, person: str) -> str:
    return str((await data(gateway, person, VIEWER))["viewer"]["id"])


@pytest.mark.parametrize("person", PEOPLE)
async def test_an_administrator_is_told_which_rules_decided_about_anyone(gateway: Gateway, person: str) -> None:
    user = await user_id(gateway, person)
    for permission, missing in [*((held, []) for held in HOLDS[person].split()), *LACKS[person].items()]:
        found = (await data(gateway, "owner", EXPLAIN, u=user, p=permission))["explainAccess"]
        assert found["user"] == {"id": user, "email": f"{person}@demo.example"}
        assert (found["permission"], found["missingFrom"], found["granted"]) == (permission, missing, not missing)
        assert permission in found["summary"]
        assert {rule["source"] for rule in found["rules"] if not rule["allows"]} >= set(missing)
        assert all(rule["changedBy"] for rule in found["rules"])
    profile = next(rule for rule in found["rules"] if rule["source"] == "CRM_PROFILE")
    assert profile["heldBy"] == PEOPLE[person][0]


async def test_the_scope_of_the_assigned_person_is_among_the_rules(gateway: Gateway) -> None:
    user = await user_id(gateway, "assigned")
    found = (await data(gateway, "owner", EXPLAIN, u=user, p="invoices.view"))["explainAccess"]
    assert "RECORD_SCOPE" in {rule["source"] for rule in found["rules"]}


async def test_only_administrators_are_told_about_others(gateway: Gateway) -> None:
    answer, calls = await called(gateway, "staff", EXPLAIN, u=await user_id(gateway, "owner"), p="invoices.view")
    error = only_error(answer)
    assert (error["code"], error["missingFrom"], calls) == ("FORBIDDEN", ["CRM_PROFILE"], [])
    assert answer["data"] == {"explainAccess": None}


@pytest.mark.parametrize("permission", ["", "invoices", "invoices.delete", "x" * 10_000, "invoices.view.a.b", "*.view"])
async def test_an_unknown_permission_is_refused_with_its_place(gateway: Gateway, permission: str) -> None:
    answer = await gateway.ask("owner", CAN, p=["invoices.view", permission])
    error = only_error(answer)
    assert (error["code"], error["field"], bool(error["hint"])) == ("BAD_USER_INPUT", ["permissions", "1"], True)
    assert len(error["message"]) < 200
    explained = await gateway.ask("owner", EXPLAIN, u=await user_id(gateway, "staff"), p=permission)
    assert (only_error(explained)["code"], only_error(explained)["field"]) == ("BAD_USER_INPUT", ["permission"])


async def test_too_many_permissions_at_once_are_refused(gateway: Gateway) -> None:
    assert codes(await gateway.ask("staff", CAN, p=["invoices.view"] * 200)) == []
    assert only_error(await gateway.ask("staff", CAN, p=["invoices.view"] * 201))["field"] == ["permissions"]


async def test_an_unknown_user_is_not_found_and_a_foreign_one_refused(gateway: Gateway) -> None:
    answer = await gateway.ask("owner@west.example", EXPLAIN, u=await user_id(gateway, "staff"), p="invoices.view")
    assert (only_error(answer)["code"], only_error(answer)["field"]) == ("BAD_USER_INPUT", ["userId"])
    invoice = (await data(gateway, "owner", "{ invoices(first: 1) { nodes { id } } }"))["invoices"]["nodes"][0]["id"]
    assert only_error(await gateway.ask("owner", EXPLAIN, u=invoice, p="invoices.view"))["field"] == ["userId"]


async def may(gateway: Gateway, person: str, permission: str) -> bool:
    return bool((await data(gateway, person, CAN, p=[permission]))["viewer"]["can"][0]["granted"])


async def organization(gateway: Gateway) -> str:
    viewer = await services(gateway).identity.viewer("owner@demo.example")
    return viewer.organization_id


async def test_a_grant_given_or_taken_is_in_force_for_the_next_request(own_gateway: Gateway) -> None:
    gateway, directory, books = own_gateway, services(own_gateway).directory, Product.BOOKS
    demo, someone = await organization(gateway), "sales@demo.example"
    only_views = {"invoices": ModuleGrant(frozenset({Action.VIEW, Action.APPROVE}), hidden=frozenset({"balance"}))}
    assert await may(gateway, "sales", "invoices.create")
    await directory.grant(demo, someone, books, CapabilitySet.ESTIMATES_ONLY)
    assert not await may(gateway, "sales", "invoices.create")
    assert await may(gateway, "sales", "estimates.create")
    await directory.grant(demo, someone, books, CapabilitySet.ALL_FINANCE_MODULES, only_views)
    assert [await may(gateway, "sales", f"invoices.{what}") for what in ("view", "approve", "view.balance")] == [
        True,
        False,
        False,
    ]
    assert not await may(gateway, "sales", "estimates.view")
    answer = await gateway.ask("sales", "{ invoices(first: 1) { nodes { number balance { amount } } } }")
    assert (only_error(answer)["missingFrom"], only_error(answer)["coordinate"]) == (
        ["INTEGRATION_GRANT"],
        "Invoice.balance",
    )


async def test_one_whose_grant_was_taken_does_not_fall_back_on_the_owners_access(own_gateway: Gateway) -> None:
    gateway = own_gateway
    await services(gateway).directory.revoke(await organization(gateway), "sales@demo.example", Product.BOOKS)
    assert await kind_in_books(gateway, "sales") == NONE
    assert not await may(gateway, "sales", "invoices.view")


async def kind_in_books(gateway: Gateway, person: str) -> str:
    access = (await data(gateway, person, VIEWER))["viewer"]["access"]
    return next(str(one["kind"]) for one in access if one["product"] == "BOOKS")


async def test_a_changed_role_is_in_force_for_the_next_request(own_gateway: Gateway) -> None:
    gateway, directory = own_gateway, services(own_gateway).directory
    assert await may(gateway, "staff", "invoices.create")
    views = {"invoices": ModuleGrant(frozenset({Action.VIEW}))}
    await directory.set_role(await organization(gateway), Product.BOOKS, "staff", views)
    assert not await may(gateway, "staff", "invoices.create")
    answer, calls = await called(gateway, "staff", "{ estimates(first: 1) { nodes { id } } }")
    assert (only_error(answer)["missingFrom"], calls) == (["BOOKS_ROLE"], [])


@pytest.mark.parametrize(
    ("changes", "permission", "before", "after"),
    [
        ({"profile": "No Finance"}, "invoices.view", True, False),
        ({"profile": "Read Only Finance"}, "invoices.view.balance", True, False),
        ({"profile": "Administrator"}, "integration.manage", False, True),
        ({"books_role": "Approver"}, "invoices.approve", False, True),
        ({"books_role": "Timesheet Staff"}, "invoices.view", True, False),
        ({"books_status": "inactive"}, "invoices.view", True, False),
    ],
    ids=str,
)
async def test_what_changes_in_the_crm_or_in_books_is_in_force_after_a_synchronization(
    own_gateway: Gateway, changes: dict[str, Any], permission: str, before: bool, after: bool
) -> None:
    assert await may(own_gateway, "staff", permission) == before
    own_gateway.sandbox.change("staff@demo.example", **changes)
    await services(own_gateway).directory.sync(await organization(own_gateway))
    assert await may(own_gateway, "staff", permission) == after


async def test_what_books_itself_refuses_under_the_users_token_is_final(own_gateway: Gateway) -> None:
    own_gateway.sandbox.change("staff@demo.example", books_role="Timesheet Staff")
    assert await may(own_gateway, "staff", "invoices.view"), "not synchronized yet"
    answer = await own_gateway.ask("staff", "{ invoices(first: 1) { nodes { id } } viewer { email } }")
    error = only_error(answer)
    assert (error["code"], error["missingFrom"], error["product"]) == ("FORBIDDEN", ["BOOKS_ROLE"], "BOOKS")
    assert answer["data"] == {"invoices": None, "viewer": {"email": "staff@demo.example"}}


async def test_someone_disabled_in_the_crm_is_not_let_in_any_more(own_gateway: Gateway) -> None:
    own_gateway.sandbox.change("staff@demo.example", crm_status="disabled")
    await services(own_gateway).directory.sync(await organization(own_gateway))
    response = await own_gateway.post("staff", {"query": VIEWER})
    (error,) = response.json()["errors"]
    assert (response.status_code, error["extensions"]["reason"]) == (401, "INACTIVE")
