"""Every field that a query can lead to, fetched by everybody through the front door, against the policy."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from sqlmodel import col, update

from gateway.contract.people import people
from gateway.demo.sandbox import PEOPLE
from gateway.wiring.recording import rebuild
from services import grants
from services.documents import Module
from services.policy import MODULES, Action, ModuleGrant, Viewer
from services.storage.models import Profile
from tests.harness import Demo, Gateway
from tests.resolvers.office import CASES, ESTIMATE, Case, Office, fresh
from tests.schema.inputs import fields
from tests.schema.operations import Root, published, reachable
from tests.schema.refusals import Walk, required, told

LISTED = ("estimates", "invoices", "salesOrders", "purchaseOrders", "subscriptions", "accounts", "contacts")
KEY = "every-field"
ACT = "mutation($id: ID!, $key: ID!) { estimateSubmit(id: $id, idempotencyKey: $key) { outcome } }"
UNREACHED = frozenset({"WithheldColumn", "LostUse", "MigrationWindow"})
"""Types of which the demo's owner meets none."""


@dataclass(frozen=True)
class Company:
    """A gateway on whose records everything has happened that a field tells of."""

    gateway: Gateway
    people: Mapping[str, Viewer]
    ids: Mapping[str, Mapping[str, str]]
    """For each person, a record that they can see of each list; the owner's where they see none."""

    def roots(self, person: str) -> Iterator[Root]:
        """Every root field, with arguments."""
        for name, field in published().type_map["Query"].fields.items():  # type: ignore[attr-defined]
            yield from (Root(name, arguments) for arguments in self._arguments(person, name, field.args))

    def _arguments(self, person: str, name: str, known: Mapping[str, Any]) -> list[str]:
        if name == "customViews":
            return [f"(module: {module.name})" for module in Module]
        if name == "explainAccess":
            return [f'(userId: "{self.ids["owner"]["users"]}", permission: "invoices.view")']
        if name == "writeOutcome":
            return [f'(idempotencyKey: "{KEY}")']
        if name == "node":
            return [f'(id: "{one}")' for one in self.ids[person].values()]
        if name == "nodes":  # one of a permission: each refused id is an error, and equal ones look the same
            return [f"(ids: {json.dumps([self.ids[person][one] for one in LISTED])})"]
        if "id" in known:
            return [f'(id: "{self.ids[person][f"{name}s"]}")']
        return ["(first: 3)" if "first" in known else ""]


@pytest.fixture(scope="module")
async def company(demo: Demo) -> AsyncIterator[Company]:
    async with demo.gateway() as gateway:
        services = gateway.app.state.endpoint.services
        migration = await _busy(Office(gateway))
        everybody = await people(services.identity)
        await rebuild(services.copy, everybody["owner"].organization_id)
        own = {"migrations": migration, "users": await _integration_user(gateway)}
        ids = {"owner": await _ids(gateway, "owner") | own}
        ids |= {name: ids["owner"] | await _ids(gateway, name) for name in everybody if name != "owner"}
        yield Company(gateway, everybody, ids)


async def _busy(office: Office) -> str:
    """Let everything happen once; the global id of the migration."""
    estimate = (await office.create("owner", ESTIMATE, KEY))["estimate"]["id"]
    for person, act in (("owner", "Submit"), ("approver", "Approve")):
        await office.ask(person, ACT.replace("Submit", act), id=estimate, key=fresh())
    await office.update("owner", ESTIMATE, estimate, lineItems=[])
    answer = await office.ask("owner", "mutation { usersMigrate(input: {dryRun: true}) { migration { id } } }")
    return str(answer["data"]["usersMigrate"]["migration"]["id"])


async def _integration_user(gateway: Gateway) -> str:
    answer = await gateway.ask("owner", "{ integrationUsers(first: 1) { nodes { user { id } } } }")
    return str(answer["data"]["integrationUsers"]["nodes"][0]["user"]["id"])


async def _ids(gateway: Gateway, person: str) -> dict[str, str]:
    lists = " ".join(f"{name}(first: 1) {{ nodes {{ id }} }}" for name in LISTED)
    data = (await gateway.ask(person, f"{{ {lists} reports {{ id }} dashboards {{ id }} }}"))["data"]
    rows = {name: value["nodes"] if isinstance(value, dict) else value for name, value in data.items()}
    return {name: found[0]["id"] for name, found in rows.items() if found}


@pytest.mark.parametrize("person", PEOPLE)
async def test_everybody_gets_the_fields_that_the_policy_grants_and_a_refusal_of_each_other(
    company: Company, person: str
) -> None:
    walk = Walk(company.people[person])
    for root in company.roots(person):
        operation = str(root)
        answer = await company.gateway.ask(person, operation)
        assert told(answer) == walk.expected(operation, answer["data"]), operation
    if person == "owner":
        assert sorted({name for name in reachable() - walk.reached if name.partition(".")[0] not in UNREACHED}) == []


FILTERS = {
    "estimates": "EstimateFilter",
    "invoices": "InvoiceFilter",
    "salesOrders": "SalesOrderFilter",
    "purchaseOrders": "PurchaseOrderFilter",
    "subscriptions": "SubscriptionFilter",
    "documents": "DocumentFilter",
    "auditTrail": "AuditFilter",
}
"""The lists that can be narrowed, and the type of their conditions."""


@pytest.mark.parametrize("person", PEOPLE)
async def test_a_condition_is_refused_to_those_who_may_not_see_the_field_that_it_is_on(
    company: Company, person: str
) -> None:
    """What a condition finds tells the value."""
    for root, filter_ in FILTERS.items():
        values = fields(filter_)
        declared = ", ".join(f"${name}: {filter_}" for name in values)
        asked = [f"{name}: {root}(first: 1, where: ${name}) {{ __typename }}" for name in values]
        answer = await company.gateway.ask(
            person,
            "\n".join([f"query({declared}) {{", *asked, "}"]),
            **{name: {name: value} for name, value in values.items()},
        )
        lines = dict(enumerate(values, start=2))
        lacking = {(lines[one["locations"][0]["line"]], one["extensions"]["required"]) for one in refusals(answer)}
        assert lacking == set(lacking_for(company.people[person], root, filter_)), root


def refusals(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [error for error in answer.get("errors", ()) if error["extensions"]["code"] == "FORBIDDEN"]


def lacking_for(viewer: Viewer, root: str, filter_: str) -> Iterator[tuple[str, str]]:
    """Each condition with the permission that the viewer lacks to set it, in each module that the list is of."""
    own = required()[f"Query.{root}"]
    for name in fields(filter_):
        condition = required()[f"{filter_}.{name}"]
        for module in Module if condition.startswith("*") else ("",):
            gate = f"{module}.view" if module else own
            asked = gate if not viewer.may(gate) else condition.replace("*", module, 1)
            if not viewer.may(asked):
                yield name, asked


WRITES = [(case, verb) for case in CASES.values() for verb in ("Create", "Update")]


@dataclass(frozen=True)
class Strict:
    """A company whose profile `Standard` lets nobody set any field."""

    office: Office
    people: Mapping[str, Viewer]
    ids: Mapping[str, str]

    async def written(self, person: str, case: Case, verb: str) -> Any:
        """The answer to a write with every field of its input."""
        draft = fields(f"{case.type}{verb}Input")
        if case.party in draft:
            draft[case.party] = await self.office.party(case)
        if verb == "Create":
            return await self.office.send_create(person, case, draft)
        return await self.office.send_update(person, case, self.ids[case.module], draft)


@pytest.fixture(scope="module")
async def strict(demo: Demo) -> AsyncIterator[Strict]:
    read_only = frozenset(one.split(".")[2] for one in required().values() if one.count(".") == 2)
    async with demo.gateway() as gateway:
        office, ids = Office(gateway), await _ids(gateway, "owner")
        async with office.session() as session:
            found = grants.stored(dict.fromkeys(MODULES, ModuleGrant(frozenset(Action), read_only=read_only)))
            await session.exec(update(Profile).where(col(Profile.name) == "Standard").values(grants=found))
        yield Strict(office, await people(office.services.identity), ids)


@pytest.mark.parametrize("person", PEOPLE)
async def test_a_field_of_a_draft_is_refused_to_those_who_may_not_set_it(strict: Strict, person: str) -> None:
    viewer = strict.people[person]
    for case, verb in WRITES:
        root, type_ = f"{case.name}{verb}", f"{case.type}{verb}Input"
        lacking = {name for name in fields(type_) if not viewer.may(required()[f"{type_}.{name}"])}
        if not viewer.may(required()[f"Mutation.{root}"]):
            (error,) = refusals(await strict.written(person, case, verb))
            assert error["extensions"]["coordinate"] == f"Mutation.{root}"
        elif lacking:
            problems = (await strict.written(person, case, verb))["data"][root]["userErrors"]
            refused = {tuple(one["field"]) for one in problems if one["code"] == "FORBIDDEN"}
            assert refused == {("input", name) for name in lacking}
    assert strict.office.writes() == []
