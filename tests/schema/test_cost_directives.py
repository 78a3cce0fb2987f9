"""`@cost` and `@listSize` of the published schema against what the gateway counts."""

from random import Random

import pytest
from graphql import GraphQLError, OperationType, get_named_type, is_composite_type, is_scalar_type, parse, validate

from gateway.http.operation import Operation
from gateway.limits.bill import points
from tests.fuzz.operations import Author, Grammar
from tests.fuzz.values import SAMPLES as STANDARD
from tests.fuzz.values import Sample
from tests.harness import Gateway
from tests.schema.operations import published
from tests.schema.tally import said, tally

SAMPLES: dict[str, Sample] = {
    **{name: lambda _: "x" for name, one in published().type_map.items() if is_scalar_type(one) and name[0] != "_"},
    **STANDARD,
    "first": lambda chance: chance.choice((0, 1, 2, 5, 20, 100)),
}
GRAMMAR = Grammar(published(), SAMPLES)


@pytest.mark.parametrize("seeds", [range(start, start + 80) for start in range(0, 320, 80)], ids=str)
def test_the_directives_alone_tell_the_points_of_any_operation(seeds: range) -> None:
    counted = 0
    for seed in seeds:
        chance = Random(seed)
        document = Author(GRAMMAR, chance).document()
        variables = document.variables(chance, GRAMMAR.samples) or {}
        try:
            parsed = parse(document.text)
        except GraphQLError:
            continue
        if len(document.operations) > 1 or validate(published(), parsed):
            continue
        expected = tally(published(), parsed, variables)
        if expected is not None:
            counted += 1
            assert points(Operation(document.text, variables)) == expected, document.text
    assert counted > len(seeds) / 2


async def test_the_gateway_tells_the_same_through_the_front_door(gateway: Gateway) -> None:
    query = """{
      invoices(first: 3) { edges { node { customFields(names: ["a"]) { name } lineItems { name } } } }
      reports { run { columns { name } } }
    }"""
    response = await gateway.post("owner", {"query": query, "extensions": {"cost": True}})
    told = response.json()["extensions"]["cost"]["points"]
    assert told == tally(published(), parse(query), {}) == 1 + 3 * (1 + 1 + 1 + 10) + 20 * (1 + 20 + 10)


def test_each_list_of_objects_says_its_size_or_is_sized_by_what_gives_it() -> None:
    silent = []
    for parent in published().type_map.values():
        for name, declared in getattr(parent, "fields", {}).items() if is_composite_type(parent) else ():
            listed = str(declared.type).startswith("[") and is_composite_type(get_named_type(declared.type))
            if listed and not parent.name.startswith("__") and "assumedSize" not in said(declared, "listSize"):
                silent.append(f"{parent.name}.{name}")
    assert all(one.endswith(("Connection.nodes", "Connection.edges")) for one in silent)


def test_each_write_weighs_more_than_a_reading() -> None:
    root = published().get_root_type(OperationType.MUTATION)
    assert root
    assert {said(declared, "cost").get("weight") for declared in root.fields.values()} == {"10"}
