"""The table of who may use what."""

import pytest

from gateway.commands.published import sdl
from gateway.contract.matrix import COMMITTED, cell, matrix
from gateway.contract.people import people
from services.policy import LIMIT_RAISE, Viewer
from tests.harness import Demo

SDL = """
directive @permission(requires: String!) on OBJECT | FIELD_DEFINITION | INPUT_FIELD_DEFINITION
type B @permission(requires: "public") { x: Int @permission(requires: "invoices.view.balance") }
interface A { x: Int @permission(requires: "*.view") }
input C { x: Int @permission(requires: "integration.manage") }
"""


@pytest.fixture(scope="module")
async def everybody(demo: Demo) -> dict[str, Viewer]:
    async with demo.assembly() as (assembly, _):
        return dict(await people(assembly.services.identity))


async def test_the_committed_table_is_the_demos(everybody: dict[str, Viewer], pytestconfig: pytest.Config) -> None:
    """After a change that is meant: make schema."""
    committed = (pytestconfig.rootpath / COMMITTED).read_text()
    assert matrix(sdl(), everybody).splitlines() == committed.splitlines()


async def test_each_line_is_a_coordinate_and_each_column_a_person(everybody: dict[str, Viewer]) -> None:
    few = {name: everybody[name] for name in ("owner", "readonly", "billing", "assigned")}
    lines = matrix(SDL, few).rstrip().splitlines()
    assert lines[-5:] == [
        "owner readonly billing assigned",
        "*     *        *       *        A.x  *.view",
        "✓     ✓        ✓       ✓        B  public",
        "✓     –p       –r      s        B.x  invoices.view.balance",
        "✓     –p       –p      –p       C.x  integration.manage",
    ]


@pytest.mark.parametrize(
    ("person", "permission", "expected"),
    [
        ("outsider", "invoices.view", "–pr"),
        ("estimator", "invoices.email", "–g"),
        ("staff", LIMIT_RAISE, "–po"),
        ("assigned", "accounts.view", "✓"),
        ("assigned", "invoices.view", "s"),
    ],
)
async def test_a_refusal_says_what_is_missing(
    everybody: dict[str, Viewer], person: str, permission: str, expected: str
) -> None:
    assert cell(everybody[person], permission) == expected
