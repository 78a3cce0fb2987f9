"""Which way operations run, what they are compiled to, and that nothing is done twice."""

import asyncio
import gc
import linecache
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry
from strawberry.extensions import SchemaExtension
from strawberry.permission import BasePermission
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.field import StrawberryField
from strawberry.types.graphql import OperationType

from gateway.plans import Plans
from gateway.plans.module import Module
from gateway.plans.variant import MOST_NOTED, Variant
from resolvers.relations import Derived
from schema.permissions import field, guarded, required
from services.policy import Decision

done: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


class Never(BasePermission):
    message = "Never."

    def has_permission(self, source: Any, info: strawberry.Info, **_arguments: Any) -> bool:  # noqa: ARG002
        return False


def refused(resolver: Callable[..., str | None]) -> StrawberryField:
    return strawberry.field(resolver, permission_classes=[Never])


@strawberry.type
class Shelf:
    label: str

    @strawberry.field
    async def weight(self, times: int = 1) -> int:
        done.append(f"weigh {self.label}")
        await asyncio.sleep(0)
        return len(self.label) * times

    @strawberry.field
    async def broken(self) -> int | None:
        raise ValueError(f"{self.label} is broken")

    @strawberry.field
    async def needed(self) -> int:
        raise ValueError(f"{self.label} lacks it")

    @strawberry.field
    def torn(self) -> int | None:
        raise ValueError(f"{self.label} is torn")


@dataclass
class Visitor:
    """Holds the permission `public` and no other."""

    touched: set[Any] = dataclass_field(default_factory=set)
    refused: list[str] = dataclass_field(default_factory=list)

    @property
    def viewer(self) -> "Visitor":
        return self

    def decide(self, permission: str) -> Decision:
        return Decision(permission, permission == "public")

    def refuse(self, _decision: Decision, _info: Any, coordinate: str) -> None:
        self.refused.append(coordinate)


@guarded("public", description="A shop.")
class Shop:
    name: str = field("public")
    rent: int | None = field("invoices.view.balance")


@guarded("public", description="Shops.")
class Store:
    shop: Shop | None = field(
        "public",
        Derived(lambda _root, _context, found: SimpleNamespace(name="Harbor Foods") if found else None),
        args={"found": required(bool, "Whether there is one.")},
    )


@strawberry.type
class Labels:
    @strawberry.field
    def label(self, of: str) -> str:
        return of

    @strawberry.field
    def count(self, of: list[str]) -> int:
        return len(of)


@strawberry.type
class Query:
    @strawberry.field
    async def shelves(self, count: int = 2) -> list[Shelf]:
        done.append("shelves")
        return [Shelf(label="x" * (number + 1)) for number in range(count)]

    @strawberry.field
    async def maybe(self) -> Shelf | None:
        return Shelf(label="y")

    @refused
    def hidden(self) -> str | None:
        return "secret"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def put(self, label: str) -> Shelf:
        done.append(f"put {label}")
        return Shelf(label=label)


schema = strawberry.Schema(Query, Mutation)


@pytest.fixture
def plans() -> Plans:
    return Plans(schema)


async def same(plans: Plans, query: str, **variables: Any) -> Any:
    """The answer, which must be graphql-core's as well, and had by the same calls."""
    answer = await plans.execute(query, variables=variables)
    did = done.copy()
    done.clear()
    core = await schema.execute(query, variable_values=variables)
    assert sorted(did) == sorted(done)
    done[:] = did
    assert str(answer.data) == str(core.data)
    assert told(answer) == told(core)
    return answer


def told(answer: Any) -> list[str]:
    return sorted(str(error.formatted) for error in answer.errors or ())


def row(plans: Plans) -> tuple[int, int, int]:
    [row] = plans.report()
    return row.straight, row.exact, row.core


async def test_an_operation_in_which_nothing_fails_runs_straight(plans: Plans) -> None:
    await same(plans, "query ($n: Int!) { shelves(count: $n) { label weight ten: weight(times: 10) } }", n=3)
    assert row(plans) == (1, 0, 0)


@pytest.mark.parametrize(
    "query",
    [
        "{ shelves { weight broken } maybe { broken label } }",
        "{ shelves { weight torn } maybe { torn label } }",
        "{ shelves(count: 1) { weight } maybe { needed label } }",
    ],
)
async def test_an_operation_in_which_something_fails_is_completed_by_graphql_core(plans: Plans, query: str) -> None:
    await same(plans, query)
    assert row(plans) == (0, 1, 0)


async def test_a_mutation_is_done_once_although_its_answer_is_completed_again(plans: Plans) -> None:
    await same(plans, 'mutation { a: put(label: "a") { broken weight } b: put(label: "b") { torn } }')
    assert [one for one in done if one.startswith("put")] == ["put a", "put b"]
    assert row(plans) == (0, 1, 0)


async def test_mutations_run_one_after_the_other(plans: Plans) -> None:
    await same(plans, 'mutation { a: put(label: "a") { weight } b: put(label: "b") { weight } }')
    assert done == ["put a", "weigh a", "put b", "weigh b"]
    assert row(plans) == (1, 0, 0)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("{ __schema { queryType { name } } }", "__schema is introspection"),
        ("{ hidden }", "Query.hidden has extensions"),
        ("{ shelves { color } }", "it is not valid"),
    ],
)
async def test_what_cannot_be_compiled_runs_on_graphql_core_and_says_why(plans: Plans, query: str, why: str) -> None:
    plan = plans.prepare(query)
    assert (plan.runs, plan.why) == ("graphql-core", why)
    assert plans.source(query, None, None) == why
    await same(plans, query)
    assert row(plans) == (0, 0, 1)


async def test_a_document_that_cannot_be_parsed_is_answered_and_not_kept(plans: Plans) -> None:
    await same(plans, "{ shelves {")
    assert not list(plans.report())


async def test_variables_that_do_not_fit_are_refused_as_ever(plans: Plans) -> None:
    answer = await same(plans, "query ($n: Int!) { shelves(count: $n) { label } }", n="many")
    assert answer.data is None


async def test_conditions_make_a_variant_each(plans: Plans) -> None:
    query = "query ($w: Boolean!, $l: Boolean = false) { shelves { label @skip(if: $l) weight @include(if: $w) } }"
    for weight in (True, False):
        await same(plans, query, w=weight)
        done.clear()
        await same(plans, query, w=weight, l=weight)
        done.clear()
    assert "$w is True, $l is False" in plans.source(query, None, None)
    assert row(plans) == (4, 0, 0)


@pytest.mark.parametrize(
    ("declared", "asked", "given"),
    [
        ("String!", "label(of: $x)", "a\nimport os; os.environ['WRITTEN_BY_A_CLIENT'] = 'yes'\n#"),
        ("[String!]!", "count(of: $x)", ["a", "b"]),
    ],
)
async def test_a_variable_that_is_a_condition_in_another_operation_is_only_a_value(
    monkeypatch: pytest.MonkeyPatch, declared: str, asked: str, given: Any
) -> None:
    monkeypatch.delenv("WRITTEN_BY_A_CLIENT", raising=False)
    plans = Plans(strawberry.Schema(Labels))
    query = f"query A($x: Boolean!) {{ __typename @skip(if: $x) }} query B($x: {declared}) {{ {asked} }}"
    answer = await plans.execute(query, variables={"x": given}, operation_name="B")
    assert answer.errors is None
    assert "WRITTEN_BY_A_CLIENT" not in os.environ
    assert row(plans) == (1, 0, 0)


def test_what_a_title_says_stays_in_its_line() -> None:
    module = Module("a\nb\rc\x0cd\u2028e\0")
    assert module.load(test_what_a_title_says_stays_in_its_line)["__builtins__"]
    assert len(module.source.splitlines()) == 1


@pytest.mark.parametrize("x", [True, False])
async def test_a_condition_may_decide_between_what_is_compiled_and_what_is_not(plans: Plans, x: bool) -> None:
    schema_, label = "__schema @skip(if: $x) { queryType { name } }", "maybe @include(if: $x) { label }"
    for selected in (f"{schema_} {label}", f"{label} {schema_}"):
        await same(plans, f"query ($x: Boolean!) {{ {selected} }}", x=x)


async def test_an_operation_of_a_kind_that_is_not_allowed_is_refused_as_ever(plans: Plans) -> None:
    with pytest.raises(InvalidOperationTypeError):
        await plans.execute('mutation { put(label: "a") { label } }', allowed={OperationType.QUERY})
    with pytest.raises(CannotGetOperationTypeError):
        await plans.execute("query A { maybe { label } }", operation_name="B")
    assert not done


async def test_the_source_is_python_that_reads_like_the_operation(plans: Plans) -> None:
    source = plans.source("query Stock { shelves { label weight } }", None, None)
    assert source.startswith("# Stock\n")
    compile(source, "stock", "exec")
    assert '"""Shelf at shelves."""' in source
    assert "'label': " in source
    assert "'weight': None,  # later" in source


async def test_a_traceback_shows_the_generated_lines(plans: Plans) -> None:
    answer = await plans.execute("{ shelves { torn } }")
    assert answer.errors
    shown = "".join(traceback.format_exception(answer.errors[0].original_error))
    assert "torn_" in shown
    assert "run.keep" in shown


async def test_only_so_many_documents_are_kept_and_nothing_remains_of_the_others() -> None:
    plans = Plans(schema, documents=3, characters=20_000)
    for number in range(10):
        await plans.execute(f"{{ maybe {{ a{number}: label }} }}")
    gc.collect()
    kept = [row.digest for row in plans.report()]
    assert len(kept) == 3
    await plans.execute("{ maybe { label } }" + " " * 20_000)
    assert [row.digest for row in plans.report()] == kept
    plan_lines = [linecache.getlines(name) for name in list(linecache.cache) if name.startswith("<plan ")]
    assert not [lines for lines in plan_lines if any("'a0'" in line for line in lines)]


async def test_all_that_operations_are_compiled_to_is_kept_up_to_a_weight() -> None:
    plans, flags = Plans(schema, characters=20_000), "$a: Boolean!, $b: Boolean!"
    queries = [f"query ({flags}) {{ maybe {{ n{n}: label @skip(if: $a) label @skip(if: $b) }} }}" for n in range(30)]
    for query in queries:
        for a, b in product((True, False), repeat=2):
            await plans.execute(query, variables={"a": a, "b": b})
    kept = [one for one in map(plans.known, queries) if one]
    assert 10_000 < sum(one.weight for one in kept) <= 20_000
    assert plans.kept() == (len(kept), 4 * len(kept))


async def test_the_ways_to_answer_that_are_remembered_have_a_number() -> None:
    names = [f"v{number}" for number in range(8)]
    shops = " ".join(f"{name}: shop(found: ${name}) {{ name }}" for name in names)
    query = f"query ({' '.join(f'${name}: Boolean!' for name in names)}) {{ {shops} }}"
    plans, visitor = Plans(strawberry.Schema(Store)), Visitor()
    for number in range(2 * MOST_NOTED):
        found = {name: bool(number >> place & 1) for place, name in enumerate(names)}
        await plans.execute(query, variables=found, context=visitor)
    program = plans.prepare(query).program
    assert program
    variant = program.variant(found, visitor)
    assert isinstance(variant, Variant)
    assert len(variant.noted) == MOST_NOTED


async def test_a_schema_whose_extensions_see_every_operation_runs_on_graphql_core() -> None:
    class Watching(SchemaExtension):
        def on_execute(self) -> Iterator[None]:
            done.append("watched")
            yield

    plans = Plans(strawberry.Schema(Query, extensions=[Watching]))
    assert plans.prepare("{ maybe { label } }").why == "Watching has hooks of its own"
    await plans.execute("{ maybe { label } }")
    assert done == ["watched"]


async def test_an_extension_is_told_what_was_touched_whichever_way_an_operation_ran() -> None:
    noted: list[frozenset[str]] = []

    class Told(SchemaExtension):
        def on_operation(self) -> Iterator[None]:
            yield
            self.conclude(self.execution_context.context, None, self.noted(self.execution_context.context.touched))

        @staticmethod
        def begin(context: Any, _operation: Any, _variables: Any) -> None:
            context.touched = set()

        @staticmethod
        def noted(touched: Any) -> frozenset[str]:
            return frozenset(field.coordinate for field in touched)

        @staticmethod
        def conclude(_context: Any, _result: Any, touched: frozenset[str]) -> None:
            noted.append(touched)

    schema = strawberry.Schema(Store, extensions=[Told])
    plans = Plans(schema)
    query = "{ shop(found: true) { name rent } other: shop(found: false) { name } }"
    for execute in (plans.execute(query, context=Visitor()), schema.execute(query, context_value=Visitor())):
        assert (await execute).errors is None
    straight, core = noted
    assert straight == core == {"Store.shop", "Shop.name"}
    assert row(plans) == (1, 0, 0)


async def test_equal_runs_at_once_do_not_mix(plans: Plans) -> None:
    query = "query ($n: Int!) { shelves(count: $n) { weight label } }"
    answers = await asyncio.gather(*(plans.execute(query, variables={"n": n}) for n in range(20)))
    assert [len(answer.data["shelves"]) for answer in answers if answer.data] == list(range(20))


async def test_a_cancelled_run_is_cancelled(plans: Plans) -> None:
    task = asyncio.create_task(plans.execute("{ shelves(count: 3) { weight } }"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
