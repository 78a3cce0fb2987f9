"""The shortest of `python -m tests.faults`: a gateway as a process, told to end and killed while it writes."""

from functools import partial
from pathlib import Path

from tests.chaos.scene import ENDLESS, scene
from tests.faults.stage import NOBODY, Stage
from tests.faults.storms import in_audit, killed, told_to_end
from tests.harness import database


async def test_what_is_under_way_ends_well_and_what_a_kill_cut_off_is_found_out(server: str, room: Path) -> None:
    with database(server) as url:
        async with scene(NOBODY, url, room / "scene", limits=ENDLESS) as one:
            stage = Stage(one, url)
            for storm in (told_to_end, partial(killed, name="killed", strike=in_audit)):
                row = await storm(stage)
                assert (row.lost, row.twice, row.uncoded) == (0, 0, 0), row
