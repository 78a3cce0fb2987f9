"""What operations cost before they are executed: a schema of its own, and the points worked out by hand."""

import time

import pytest
from graphql import OperationDefinitionNode, build_schema, parse

from gateway.limits.cost import Costs, Sizes, estimate
from gateway.limits.counts import MOST_POINTS
from services.errors import CostExceeded

SCHEMA = build_schema("""
    interface Node { id: ID! owner: Person }
    type Person implements Node { id: ID! owner: Person name: String friends: [Person!] pets: [Pet!]! }
    type Pet implements Node { id: ID! owner: Person legs: [Int!] toys: [Toy] }
    type Toy { name: String }
    union Thing = Pet | Toy
    type PageInfo { more: Boolean }
    type PersonEdge { node: Person }
    type PersonConnection { nodes: [Person!]! edges: [PersonEdge!]! pageInfo: PageInfo }
    type Query {
      me: Person
      people(first: Int, after: String): PersonConnection
      recent(first: Int): [Person!]
      nodes(ids: [ID!]!): [Node]!
      thing: Thing
      count: Int
    }
    type Mutation { rename(name: String): Person }
""")
SIZES = Sizes(page=20, unpaged={"toys": 3}, otherwise=5)

POINTS = {
    "a leaf is free": ("{ count }", {}, 0),
    "an object is a point": ("{ me { name id } }", {}, 1),
    "a mutation's object as well": ('mutation { rename(name: "x") { name } }', {}, 1),
    "a list has as many as are assumed": ("{ me { friends { name } } }", {}, 1 + 5),
    "or as its name lets expect": ("{ me { pets { toys { name } legs } } }", {}, 1 + 5 * (1 + 3)),
    "a page has as many rows as asked for": ("{ people(first: 7) { nodes { name } } }", {}, 1 + 7),
    "or a page's usual rows": ("{ people { nodes { name } } }", {}, 1 + 20),
    "rows are counted however they are asked for": (
        "{ people(first: 7) { edges { node { friends { id } } } pageInfo { more } } }",
        {},
        1 + 7 * (1 + (1 + 5)) + 1,
    ),
    "a list may be as long as it is asked for": ("{ recent(first: 4) { friends { id } } }", {}, 4 * (1 + 5)),
    "or as the list it is asked by": ('{ nodes(ids: ["a", "b", "c"]) { owner { id } } }', {}, 3 * (1 + 1)),
    "a variable says how many": ("query($n: Int) { people(first: $n) { nodes { id } } }", {"n": 3}, 1 + 3),
    "a whole number is one however it is written": (
        "query($n: Int) { people(first: $n) { nodes { id } } }",
        {"n": 50.0},
        1 + 50,
    ),
    "or its default": ("query($n: Int = 9) { people(first: $n) { nodes { id } } }", {}, 1 + 9),
    "null is the usual": ("query($n: Int = 9) { people(first: $n) { nodes { id } } }", {"n": None}, 1 + 20),
    "a list in a variable as well": ("query($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": ["a", "b"]}, 2),
    "what is not a number is the usual": ("query($n: Int) { recent(first: $n) { id } }", {"n": "7"}, 20),
    "fewer than nothing is nothing": ("{ recent(first: -4) { id } }", {}, 0),
    "merged fields count once": (
        "{ me { friends { id } } ...F } fragment F on Query { me { friends { name } } }",
        {},
        6,
    ),
    "names are kept apart": ("{ a: me { id } b: me { id } }", {}, 2),
    "of an interface the dearest type": (
        "{ nodes(ids: [1]) { id ... on Person { pets { id } } ... on Pet { toys { name } } } }",
        {},
        1 + 5,
    ),
    "and with what all have": (
        "{ nodes(ids: [1]) { owner { id } ... on Person { friends { id } } ... on Pet { toys { name } } } }",
        {},
        1 + 1 + 5,
    ),
    "of a union as well": ("{ thing { ... on Pet { toys { name } } ... on Toy { name } } }", {}, 1 + 3),
    "what is skipped is free": ("{ me @skip(if: true) { id } recent @include(if: false) { id } }", {}, 0),
    "by a variable": ("query($x: Boolean!) { me { friends @include(if: $x) { id } } }", {"x": False}, 1),
    "or not": ("query($x: Boolean!) { me { friends @include(if: $x) { id } } }", {"x": True}, 1 + 5),
    "skipped in one place of two": (
        "query($x: Boolean!) { me @skip(if: $x) { id } me { name } }",
        {"x": True},
        1,
    ),
    "a skipped fragment": (
        "query($x: Boolean!) { ...F @skip(if: $x) } fragment F on Query { me { id } }",
        {"x": True},
        0,
    ),
    "what does not exist is free": ("{ me { nobody { id } } nothing { id } }", {}, 1),
    "a fragment within itself": (
        "{ ...F } fragment F on Query { me { ...G } } fragment G on Person { owner { ...G } }",
        {},
        2,
    ),
}


def points(query: str, variables: dict[str, object]) -> int:
    document = parse(query)
    operation = next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return estimate(SCHEMA, document, operation, variables, SIZES).points


@pytest.mark.parametrize(("query", "variables", "expected"), POINTS.values(), ids=POINTS)
def test_points_are_those_worked_out_by_hand(query: str, variables: dict[str, object], expected: int) -> None:
    assert points(query, variables) == expected


def test_each_root_field_has_points_of_its_own() -> None:
    cost = Costs(SCHEMA, SIZES).estimate("{ a: me { id } people { nodes { id } } count }", None, None)
    assert cost is not None
    assert (cost.points, cost.fields) == (22, {"a": 1, "people": 21, "count": 0})


def test_the_operation_of_the_name_is_the_one_that_is_counted() -> None:
    costs, query = Costs(SCHEMA, SIZES), "query A { me { id } } query B { recent { id } }"
    assert [one and one.points for one in (costs.estimate(query, name, {}) for name in ("A", "B", "C"))] == [
        1,
        20,
        None,
    ]


def test_a_document_is_worked_out_once_and_counted_for_each_set_of_variables() -> None:
    costs, query = Costs(SCHEMA, SIZES), "query($n: Int) { recent(first: $n) { id } }"
    assert [one and one.points for one in (costs.estimate(query, None, {"n": n}) for n in (1, 2, 50))] == [1, 2, 50]


@pytest.mark.parametrize("end", ["id", "friends @include(if: $x) { id }"])
def test_fragments_that_double_at_every_level_are_counted_at_once(end: str) -> None:
    levels = "".join(
        f"fragment F{n} on Person {{ a: owner {{ ...F{n + 1} }} b: owner {{ ...F{n + 1} }} }} " for n in range(60)
    )
    started = time.process_time()
    query = f"query($x: Boolean) {{ me {{ ...F0 }} }} {levels} fragment F60 on Person {{ {end} }}"
    assert points(query, {"x": True}) == MOST_POINTS
    assert time.process_time() - started < 1


def test_a_document_whose_fields_merge_in_too_many_ways_is_refused() -> None:
    """At each level another set of fragments is merged for each way that leads there: 2 ** 20 in the end."""
    levels = "".join(
        f"fragment S{n} on Person {{ a: owner {{ ...S{n + 1} ...X1 }} b: owner {{ ...S{n + 1} }} }} "
        f"fragment X{n} on Person {{ a: owner {{ ...X{n + 1} }} b: owner {{ ...X{n + 1} }} }} "
        for n in range(20)
    )
    started = time.process_time()
    with pytest.raises(CostExceeded):
        points(f"{{ me {{ ...S0 }} }} {levels} fragment S20 on Person {{ id }} fragment X20 on Person {{ id }}", {})
    assert time.process_time() - started < 2
