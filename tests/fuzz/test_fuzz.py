"""Compiled operations answer as graphql-core does; `python -m tests.fuzz` compares as many as wished."""

from collections.abc import AsyncIterator

import pytest

from gateway.plans import Plans
from tests.fuzz.real import Real, real
from tests.fuzz.runs import fuzzed
from tests.fuzz.stage import Stage, Synthetic
from tests.harness import Demo

PART = 100
PARTS = 18
REAL_PARTS = 4
REAL_PART = 50


@pytest.fixture(scope="module")
async def over_the_sandbox(demo: Demo) -> AsyncIterator[Real]:
    async with demo.assembly() as (assembly, sandbox), real(assembly, sandbox) as stage:
        yield stage


@pytest.mark.parametrize("part", range(PARTS))
async def test_random_operations_are_answered_alike(part: int) -> None:
    await _all_alike(Synthetic(), range(part * PART, (part + 1) * PART))


@pytest.mark.parametrize("part", range(REAL_PARTS))
async def test_random_operations_on_finance_data_are_answered_alike(part: int, over_the_sandbox: Real) -> None:
    await _all_alike(over_the_sandbox, range(part * REAL_PART, (part + 1) * REAL_PART))


async def _all_alike(stage: Stage, seeds: range) -> None:
    tally = await fuzzed(stage, seeds, lambda: Plans(stage.schema).execute)
    if tally.differences:
        pytest.fail(f"{tally.differences[0]}\n{len(tally.differences)} of {len(seeds)} cases differ", pytrace=False)
    assert tally.answers.total() == len(seeds)
