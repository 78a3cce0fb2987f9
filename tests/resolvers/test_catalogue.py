"""What a subscription can be made of, and the customers that accounts are linked with."""

from sqlmodel import select

from services.sandbox.store import Record
from tests.harness import Gateway

CATALOGUE = "{ subscriptionPlans { code price interval intervalUnit } subscriptionAddons { code price type } }"
LINKED = "query ($id: ID!) { account(id: $id) { customers { id name } invoices(first: 1) { nodes { number } } } }"


def active(gateway: Gateway, kind: str, key: str) -> set[str]:
    """The codes that the sandbox has under `kind` in the demo organization."""
    with gateway.sandbox.store.session() as session:
        rows = session.exec(select(Record).where(Record.kind == kind)).all()
    demo = max({row.organization_id for row in rows}, key=[row.organization_id for row in rows].count)
    return {row.body[key] for row in rows if row.organization_id == demo and row.body["status"] == "active"}


async def test_plans_and_addons_to_choose_from_are_the_active_ones_of_the_product(gateway: Gateway) -> None:
    found = (await gateway.ask("billing", CATALOGUE))["data"]
    assert {plan["code"] for plan in found["subscriptionPlans"]} == active(gateway, "plans", "plan_code")
    assert {addon["code"] for addon in found["subscriptionAddons"]} == active(gateway, "addons", "addon_code")
    assert all(plan["price"] and plan["interval"] and plan["intervalUnit"] for plan in found["subscriptionPlans"])
    assert all(addon["price"] for addon in found["subscriptionAddons"])


async def test_who_has_no_subscriptions_sees_no_catalogue(gateway: Gateway) -> None:
    answer = await gateway.ask("staff", CATALOGUE)
    assert answer["data"] == {"subscriptionPlans": None, "subscriptionAddons": None}
    assert [error["extensions"]["missingFrom"] for error in answer["errors"]] == [["BILLING_ROLE"]] * 2


async def test_an_account_says_whether_it_is_linked_with_customers_at_all(gateway: Gateway) -> None:
    pages = await gateway.ask("owner", "{ accounts(first: 100) { nodes { id customers { id } } } }")
    nodes = pages["data"]["accounts"]["nodes"]
    linked = [node for node in nodes if node["customers"]]
    unlinked = [node for node in nodes if not node["customers"]]
    assert linked
    assert unlinked
    alone = (await gateway.ask("owner", LINKED, id=unlinked[0]["id"]))["data"]["account"]
    assert alone == {"customers": [], "invoices": {"nodes": []}}
