"""Operations that a plan once answered differently than graphql-core, as the fuzz found them and made small."""

import pytest

from gateway.plans import Plans
from tests.fuzz.cases import Case, compared
from tests.fuzz.runs import leaving_off
from tests.fuzz.stage import Request, Synthetic

SEEDS = (*range(30), 234, 280, 285, 312, 646, 664, 1565)
"""Circumstances: grants, values, failures. In some of them, among them the last, graphql-core and the plan differed."""
SEVERAL = """
query Op1 { title }
query Op2($if: Boolean!) { wares { number @skip(if: $if) } }
"""
NULLED = "query ($if: Boolean = true) { named { name @skip(if: $if) } }"
INVALID = """
mutation ($of: Shade = ODD, $search: Search!) {
  build(search: $search) { name }
  sell(id: "1") { tax(search: {text: "a", within: {of: [$of]}}) }
}
"""
SHARED = """
fragment numbered on Kept { number }
{ kept { parts { ...numbered } ...numbered number } }
"""
NESTED = """
query ($text: String!, $code: Code, $least: Int, $of: Shade = ODD, $shades: [Shade!]) {
  found(search: {text: $text, code: $code, ranges: [[{least: $least, of: [$of, DARK]}, {of: $shades}]]}) { __typename }
}
"""
WHOLE = {"text": "a", "code": "c-1", "least": 2, "of": "DARK", "shades": ["ODD"]}
CASES = {
    "fields without permissions beside those with": Request("{ title people { nick } }"),
    "conditions of another operation of the document": Request(SEVERAL, "Op1", {}),
    "a condition that is null where its default is not": Request(NULLED, None, {"if": None}),
    "a refused field whose argument is invalid": Request(INVALID, None, {"of": None, "search": {"text": "a"}}),
    "a refusal beside a late failure": Request('{ bundle { id } ware(id: "a") { parts { id } } }'),
    "a refusal beside a failure in a row": Request("{ bundle { like { parts { terms maker { id } } } } }"),
    "variables inside of an argument": Request(NESTED, None, WHOLE),
    "a variable inside of an argument that is left out": Request(NESTED, None, {"text": "a", "of": "DARK"}),
    "a variable inside of an argument that is null": Request(NESTED, None, WHOLE | {"least": None, "shades": None}),
    "a variable inside of an argument that does not fit": Request(NESTED, None, WHOLE | {"of": "NONE"}),
    "a refused field whose node stands in two merged fields": Request(SHARED),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_plan_answers_as_graphql_core_does_to(name: str) -> None:
    stage = Synthetic()
    execute = Plans(stage.schema).execute
    with leaving_off():
        for seed in SEEDS:
            _, found = await compared(stage, Case(seed, CASES[name]), execute)
            assert not found, (seed, found)
