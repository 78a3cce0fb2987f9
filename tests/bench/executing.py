"""Executing alone, in this process: compiled operations beside graphql-core on the same schema and records."""

from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import Any

import uvloop
from msgspec import json
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.types import ExecutionResult

from gateway.plans import Plans
from resolvers import ids
from schema import Schema, schema
from services.documents import Module
from tests.bench.effort import Effort
from tests.bench.load import times
from tests.bench.shelf import ACCOUNT, ORGANIZATION, RECORDS, context
from tests.bench.table import Row, Target, at_least, milliseconds

Execute = Callable[[str, Mapping[str, Any]], Awaitable[ExecutionResult]]
DOCUMENT = """
    id number status date total { amount currency } lastModifiedAt customer { id name email }
"""
INVOICES = f"""
query Invoices($first: Int!) {{
  invoices(first: $first) {{
    nodes {{
      {DOCUMENT} dueDate balance {{ amount currency }}
      lineItems {{ id name quantity rate discount taxPercentage total }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""
ONE = f"query One($id: ID!) {{ invoice(id: $id) {{ {DOCUMENT} dueDate lineItems {{ name quantity rate total }} }} }}"
LISTS = ("estimates", "invoices", "salesOrders", "purchaseOrders", "subscriptions")


def _related(kind: str) -> str:
    party = "vendor" if kind == "purchaseOrders" else "customer"
    fields = f"id number status date total {{ amount currency }} {party} {{ id name }}"
    return f"{kind}(first: $first) {{ nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }}"


RELATED = f"query Account($id: ID!, $first: Int!) {{ account(id: $id) {{ id name {' '.join(map(_related, LISTS))} }} }}"


@dataclass(frozen=True)
class Work:
    """An operation, its variables, and how many times as fast it has to be."""

    name: str
    query: str
    variables: Mapping[str, Any]
    target: Target


def _id(kind: str, record_id: str) -> str:
    return ids.encode(ORGANIZATION, kind, record_id)


WORKS = (
    Work("100 invoices with customer and two lines each", INVOICES, {"first": 100}, at_least(20)),
    Work("one record", ONE, {"id": _id(Module.INVOICES, RECORDS[Module.INVOICES][7].id)}, at_least(5)),
    Work("account with five lists of 20", RELATED, {"id": _id("account", ACCOUNT), "first": 20}, at_least(10)),
)


def remembering() -> Schema:
    """The same schema, documents parsed and validated once."""
    made = copy(schema)
    parsed, validated = ParserCache(maxsize=1000), ValidationCache(maxsize=1000)
    made.extensions = (*schema.extensions, lambda: parsed, lambda: validated)
    return made


def core(of: Schema) -> Execute:
    """By graphql-core."""

    async def execute(query: str, variables: Mapping[str, Any]) -> ExecutionResult:
        result = await of.execute(query, variable_values=dict(variables), context_value=context())
        assert isinstance(result, ExecutionResult)
        return result

    return execute


def compiled(plans: Plans) -> Execute:
    """By our plans."""

    async def execute(query: str, variables: Mapping[str, Any]) -> ExecutionResult:
        return await plans.execute(query, variables=dict(variables), context=context())

    return execute


async def timed(execute: Execute, work: Work, often: int) -> float:
    """CPU seconds an execution."""
    before = process_time()
    for _ in range(often):
        await execute(work.query, work.variables)
    return (process_time() - before) / often


async def measured(ways: Mapping[str, Execute], work: Work, effort: Effort) -> dict[str, list[float]]:
    """Of each way in each round, interleaved; all of them have to give the same answer first."""
    answers = [await execute(work.query, work.variables) for execute in ways.values()]
    for answer in answers:
        assert not answer.errors, answer.errors
        assert json.encode(answer.data) == json.encode(answers[0].data), work.name
    often = {name: max(5, round(effort.seconds / await timed(execute, work, 20))) for name, execute in ways.items()}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(effort.rounds):
        for name, execute in ways.items():
            spent[name].append(await timed(execute, work, often[name]))
    return spent


TITLES = {"remembered": "graphql-core, documents kept", "plain": "graphql-core, documents parsed each time"}


def rows(effort: Effort) -> list[Row]:
    """Two rows for each work; the target is for the faster of the two others."""
    plans = Plans(schema)
    ways = {"compiled": compiled(plans), "remembered": core(remembering()), "plain": core(schema)}
    made = []
    for work in WORKS:
        spent = uvloop.run(measured(ways, work, effort))
        for name, title in TITLES.items():
            made.append(
                Row(
                    work=f"executing: {work.name}",
                    against=title,
                    ours=milliseconds(median(spent["compiled"])),
                    theirs=milliseconds(median(spent[name])),
                    ratio=times(spent["compiled"], spent[name]),
                    target=work.target if name == "remembered" else None,
                )
            )
    assert all(row.straight and not row.exact and not row.core for row in plans.report()), "not compiled"
    return made
