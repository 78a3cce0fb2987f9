"""Personalized reports: made, changed, shared, deleted, and what each viewer gets of them."""

from typing import Any

import pytest

from tests.harness import Gateway
from tests.resolvers.reading import data, only_error

FIELDS = (
    "id name folder shared mine system basedOn chosenColumns settings { period from to interval groupBy "
    "filters { plans currencies customers } }"
)
CREATE = (
    "mutation($input: ReportInput!) { reportCreate(input: $input) { outcome auditEventId "
    f"report {{ {FIELDS} }} userErrors {{ field code message }} }} }}"
)
UPDATE = (
    "mutation($id: ID!, $input: ReportInput!) { reportUpdate(id: $id, input: $input) { outcome "
    f"report {{ {FIELDS} }} userErrors {{ field code }} }} }}"
)
DELETE = "mutation($id: ID!) { reportDelete(id: $id) { outcome deletedId auditEventId } }"


async def system(gateway: Gateway, name: str) -> str:
    found = await data(gateway, "billing", "{ reports { id name } }")
    return next(str(report["id"]) for report in found["reports"] if report["name"] == name)


async def create(gateway: Gateway, name: str, person: str = "billing", of: str = "MRR Movement", **more: Any) -> Any:
    given = {"name": name, "basedOn": await system(gateway, of)} | more
    return (await data(gateway, person, CREATE, input=given))["reportCreate"]


async def names(gateway: Gateway, person: str, folder: str) -> list[str]:
    found = await data(gateway, person, "query($folder: String) { reports(folder: $folder) { name } }", folder=folder)
    return [report["name"] for report in found["reports"]]


async def test_a_report_is_kept_as_it_was_asked_for(own_gateway: Gateway) -> None:
    asked: dict[str, Any] = {
        "columns": ["period", "net"],
        "groupBy": "PLAN",
        "interval": "QUARTER",
        "period": "THIS_YEAR",
    }
    made = await create(own_gateway, " Net by plan ", filters={"currencies": ["EUR"]}, **asked)
    assert (made["outcome"], made["userErrors"]) == ("APPLIED", [])
    report = made["report"]
    assert (report["name"], report["folder"], report["mine"]) == ("Net by plan", "Private Reports", True)
    assert report["chosenColumns"] == ["period", "net"]
    assert report["settings"] == {
        "period": "THIS_YEAR",
        "from": None,
        "to": None,
        "interval": "QUARTER",
        "groupBy": "PLAN",
        "filters": {"plans": [], "currencies": ["EUR"], "customers": []},
    }
    again = await data(own_gateway, "billing", f"query($id: ID!) {{ report(id: $id) {{ {FIELDS} }} }}", id=report["id"])
    assert again["report"] == report


async def test_a_private_report_is_only_its_makers(own_gateway: Gateway) -> None:
    report = (await create(own_gateway, "Mine"))["report"]
    assert await names(own_gateway, "billing", "Private Reports") == ["Mine"]
    assert await names(own_gateway, "owner", "Private Reports") == []
    query = "query($id: ID!) { report(id: $id) { name } }"
    assert (await data(own_gateway, "owner", query, id=report["id"]))["report"] is None
    assert only_error(await own_gateway.ask("owner", DELETE, id=report["id"]))["code"] == "NOT_FOUND"


async def test_a_shared_report_is_everybodys_to_run_and_its_makers_to_change(own_gateway: Gateway) -> None:
    made = (await create(own_gateway, "Ours", shared=True))["report"]
    assert await names(own_gateway, "readonly", "Shared Reports") == ["Ours"]
    given = {"name": "Theirs", "basedOn": made["basedOn"]}
    error = only_error(await own_gateway.ask("readonly", UPDATE, id=made["id"], input=given))
    assert (error["code"], error["hint"]) == ("FORBIDDEN", "Make one of your own with `reportCreate`.")
    assert only_error(await own_gateway.ask("sales", DELETE, id=made["id"]))["code"] == "FORBIDDEN"
    changed = (await data(own_gateway, "billing", UPDATE, id=made["id"], input=given))["reportUpdate"]
    assert (changed["report"]["name"], changed["report"]["shared"]) == ("Theirs", False)
    assert await names(own_gateway, "readonly", "Shared Reports") == []


async def test_a_deleted_report_is_gone_and_the_audit_tells_of_it(own_gateway: Gateway) -> None:
    report = (await create(own_gateway, "Short-lived"))["report"]
    gone = (await data(own_gateway, "billing", DELETE, id=report["id"]))["reportDelete"]
    assert (gone["outcome"], gone["deletedId"]) == ("APPLIED", report["id"])
    assert await names(own_gateway, "billing", "Private Reports") == []
    query = (
        '{ auditTrail(where: {actions: ["reports.create", "reports.delete"]}) { nodes { action actor { email } } } }'
    )
    events = (await data(own_gateway, "owner", query))["auditTrail"]["nodes"]
    assert [event["action"] for event in events] == ["reports.delete", "reports.create"]
    assert {event["actor"]["email"] for event in events} == {"billing@demo.example"}


async def test_a_system_report_stays_as_it_is(own_gateway: Gateway) -> None:
    own = await system(own_gateway, "MRR")
    error = only_error(await own_gateway.ask("billing", DELETE, id=own))
    assert (error["code"], bool(error["auditEventId"])) == ("FORBIDDEN", True)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"name": " "}, ["input", "name"]),
        ({"name": "x" * 101}, ["input", "name"]),
        ({"columns": ["period", "profit"]}, ["input", "columns", "1"]),
        ({"columns": ["period", "period"]}, ["input", "columns"]),
        ({"interval": "DAY"}, ["input", "interval"]),
        ({"period": "NEXT_THIRTY_DAYS"}, ["input", "period"]),
        ({"period": "CUSTOM"}, ["input", "period"]),
        ({"period": "CUSTOM", "from": "2026-02-01", "to": "2026-01-01"}, ["input", "period"]),
        ({"from": "2026-02-01"}, ["input", "period"]),
        ({"filters": {"plans": ["p"] * 101}}, ["input", "filters", "plans"]),
    ],
)
async def test_what_cannot_be_is_told_at_its_field(gateway: Gateway, asked: dict[str, Any], field: list[str]) -> None:
    made = await create(gateway, **({"name": "Wrong"} | asked))
    assert (made["outcome"], made["report"]) == ("REJECTED", None)
    assert [error["field"] for error in made["userErrors"]] == [field]


async def test_one_keeps_a_name_once(own_gateway: Gateway) -> None:
    await create(own_gateway, "Twice")
    again = await create(own_gateway, "Twice")
    assert [(error["field"], error["code"]) for error in again["userErrors"]] == [(["input", "name"], "CONFLICT")]
    assert (await create(own_gateway, "Twice", person="owner"))["outcome"] == "APPLIED"


async def test_a_grouping_that_the_report_does_not_have_is_told(gateway: Gateway) -> None:
    made = await create(gateway, "Wrong", of="Churn by Reason", groupBy="PLAN")
    assert [error["field"] for error in made["userErrors"]] == [["input", "groupBy"]]
