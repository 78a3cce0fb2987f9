"""The fuzz finds what it is for."""

import pytest

from tests.fuzz.cases import EACH, case
from tests.fuzz.planted import BUGS
from tests.fuzz.runs import fuzzed
from tests.fuzz.stage import Synthetic, core

SHORT = 400
"""Characters of a document that does not take long to make small."""
SMALL = 200
"""Characters of a document that one can take in."""


@pytest.mark.parametrize("bug", BUGS)
async def test_a_planted_bug_is_found_and_made_small(bug: str) -> None:
    stage = Synthetic()
    short = [first for first in range(0, 2000, EACH) if len(case(stage, first).request.text) < SHORT]
    for first in short:
        tally = await fuzzed(stage, range(first, first + EACH), lambda: BUGS[bug](core(stage.schema)))
        if tally.differences:
            break
    assert len(tally.differences[0].request.text) < SMALL, tally.differences[0]
