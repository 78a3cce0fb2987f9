"""Nothing that one was told is found with another who may not see it."""

from random import Random

import pytest

from tests.leaks.planted import PLANTED, money_left_out
from tests.leaks.run import Run
from tests.leaks.stage import stage

CASES, PARTS = 10_000, 4
ENOUGH = 2_500
"""Cases within which each planted bug is found."""


@pytest.mark.parametrize("seed", range(PARTS))
async def test_no_viewer_is_shown_what_he_may_not_see(url: str, seed: int) -> None:
    chance = Random(seed)
    async with stage(url, chance) as made:
        found = await Run(made, chance).go(CASES // PARTS)
    assert found.leaks == []
    assert found.otherwise == []
    assert found.modelled > 300, "viewers with full rights are told exactly what the model says"
    assert not found.unexpected
    assert found.foreign > 100, "what the copy and full records tell is seen as well"


@pytest.mark.parametrize("bug", PLANTED)
async def test_a_planted_bug_is_found(url: str, bug: str) -> None:
    chance = Random(bug)
    with PLANTED[bug]():
        async with stage(url, chance) as made:
            found = await Run(made, chance).go(ENOUGH, until_found=True)
    assert found.leaks, f"{bug} was not found in {found.cases} cases"


async def test_less_than_full_rights_show_is_found(url: str) -> None:
    chance = Random(0)
    with money_left_out():
        async with stage(url, chance) as made:
            found = await Run(made, chance).go(100)
    assert found.otherwise
    assert not found.leaks
