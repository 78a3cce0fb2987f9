"""Compiled operations as clients meet them: the same answers and permissions as without plans."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.plans import Row
from gateway.settings import Settings
from tests.harness import Gateway

INVOICES = """query Overdue($first: Int = 5) { invoices(first: $first) {
  totalCount asOf pageInfo { hasNextPage endCursor }
  edges { cursor node { __typename id number status date total { amount currency formatted(locale: "de-DE") }
    balance { ...money } lineItems { name quantity rate total }
    customer { id name email account { name } } account { name }
    createdBy { name } lastModifiedAt productUrl availableActions { name available reason } } } } }
fragment money on Money { amount }"""
DOCUMENTS = """{ documents(first: 8) { nodes { __typename id number module
  ... on Invoice { balance { amount } dueDate } ... on Subscription { mrr { amount } plan { name } }
  ... on BooksDocument { subTotal { amount } approval { submittedOn } } } } viewer { email } }"""
ACCOUNT = """{ accounts(first: 1) { nodes { id name customers { name email } contacts(first: 2) { nodes { name } }
  estimates(first: 2) { nodes { number total { amount } } } subscriptions(first: 2) { nodes { number } } } } }"""
BROKEN = """{ broken: invoice(id: "nothing") { number } invoices(first: 2) { nodes { number
  total { formatted(locale: "no such locale") } } } }"""
STAMPS = {"asOf", "endCursor", "cursor"}
"""What differs from one moment to the next."""


@pytest.fixture
def gateway(gateway: Gateway) -> Iterator[Gateway]:
    """With plans of its own, so that their report is of one test."""
    state = gateway.app.state
    before = state.endpoint
    state.endpoint = replace(before, plans=type(before.plans)(before.schema))
    yield gateway
    state.endpoint = before


@contextmanager
def without_plans(gateway: Gateway) -> Iterator[None]:
    state = gateway.app.state
    before = state.endpoint
    state.endpoint = replace(before, plans=None)
    yield
    state.endpoint = before


def rows(gateway: Gateway) -> list[Row]:
    return list(gateway.app.state.endpoint.plans.report())


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "…" if key in STAMPS else timeless(one) for key, one in value.items()}
    return [timeless(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("query", [INVOICES, DOCUMENTS, ACCOUNT, BROKEN])
@pytest.mark.parametrize("person", ["owner", "staff", "readonly", "assigned", "billing", "outsider", "estimator"])
async def test_the_answer_is_the_one_without_plans(gateway: Gateway, person: str, query: str) -> None:
    first, second = [timeless((await gateway.post(person, {"query": query})).json()) for _ in range(2)]
    with without_plans(gateway):
        core = timeless((await gateway.post(person, {"query": query})).json())
    for answer in (first, second):
        assert list(map(str, [answer.get("data")])) == list(map(str, [core.get("data")]))
        assert sorted(map(str, answer.get("errors", ()))) == sorted(map(str, core.get("errors", ())))


async def test_a_field_that_is_refused_inside_records_does_not_keep_an_operation_from_running_straight(
    gateway: Gateway,
) -> None:
    answer = await gateway.ask("readonly", "{ invoices(first: 3) { nodes { number balance { amount } } } }")
    [error] = answer["errors"]
    assert error["extensions"]["coordinate"] == "Invoice.balance"
    assert {node["balance"] for node in answer["data"]["invoices"]["nodes"]} == {None}
    assert [(row.straight, row.exact, row.core) for row in rows(gateway)] == [(1, 0, 0)]


async def test_viewers_with_other_grants_never_share_a_variant(gateway: Gateway) -> None:
    query = "{ invoices(first: 3) { nodes { number balance { amount } } } }"
    for _ in range(2):
        hidden, shown = await gateway.ask("readonly", query), await gateway.ask("staff", query)
        assert None not in [node["balance"] for node in shown["data"]["invoices"]["nodes"]]
        assert {node["balance"] for node in hidden["data"]["invoices"]["nodes"]} == {None}


async def test_what_a_client_writes_is_never_python(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WRITTEN_BY_A_CLIENT", raising=False)
    query = "query A($x: Boolean!) { __typename @skip(if: $x) } query B($x: String!) { invoices(after: $x) { asOf } }"
    python = "a\nimport os; os.environ['WRITTEN_BY_A_CLIENT'] = 'yes'\n#"
    sent = {"query": query, "operationName": "B", "variables": {"x": python}}
    answer = (await gateway.post("readonly", sent)).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert "WRITTEN_BY_A_CLIENT" not in os.environ
    assert [(row.straight, row.exact, row.core) for row in rows(gateway)] == [(0, 1, 0)]


async def test_plans_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_EXECUTION__PLANS", "false")
    assert not Settings().execution.plans
