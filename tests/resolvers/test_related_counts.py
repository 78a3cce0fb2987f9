"""Related lists say how many records there are once the gateway's copy knows."""

from gateway.wiring.assembly import assembled
from tests.harness import Gateway

ACCOUNTS = """query { accounts(first: 10) { nodes { name
    subscriptions(first: 1) { totalCount } invoices(first: 100) { totalCount nodes { id } pageInfo { hasNextPage } }
} } }"""


async def test_counts_are_absent_before_the_copy_is_read_and_right_after(own_gateway: Gateway) -> None:
    before = (await own_gateway.ask("owner", ACCOUNTS))["data"]["accounts"]["nodes"]
    assert {node["invoices"]["totalCount"] for node in before} == {None}
    async with assembled(own_gateway.settings, own_gateway.sandbox.transport()) as assembly:
        organization = (await assembly.services.identity.viewer("owner@demo.example")).organization_id
        for module in ("plans", "subscriptions", "invoices"):
            await assembly.services.copy.pull(organization, module)
    after = (await own_gateway.ask("owner", ACCOUNTS))["data"]["accounts"]["nodes"]
    counted = [node["invoices"] for node in after if node["invoices"]["totalCount"] is not None]
    assert counted
    assert all(one["totalCount"] == len(one["nodes"]) for one in counted if not one["pageInfo"]["hasNextPage"])
    assert any(node["subscriptions"]["totalCount"] for node in after)
    scoped = (await own_gateway.ask("assigned", ACCOUNTS))["data"]["accounts"]["nodes"]
    assert {node["invoices"]["totalCount"] for node in scoped if node["invoices"]} == {None}
